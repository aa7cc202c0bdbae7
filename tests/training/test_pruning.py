"""Fewer neurons: the choice against every other choice, and models that lose nothing but copies."""

from __future__ import annotations

import itertools
import json
import shutil
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.tiny_models import SENTENCES, WIDE
from text2vec import SentenceModel
from text2vec.cli.main import main
from text2vec.models.architectures import ARCHITECTURES
from text2vec.models.layout import read_spec
from text2vec.training.pruning import choose_neurons, prune_model, sample_texts


def layer(n_neurons, n_tokens=200, seed=0):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(n_neurons, n_neurons))
    states = np.maximum(random.normal(size=(n_tokens, n_neurons)) @ mixing, 0)
    return states, random.normal(size=(3, n_neurons)), random.normal(size=3)


def fitted(states, down, bias, kept):
    """Least squares by the library: result and squared error with these neurons alone."""
    whole = np.c_[states, np.ones(len(states))] @ np.c_[down, bias].T
    some = np.c_[states[:, kept], np.ones(len(states))]
    weights = np.linalg.lstsq(some, whole, rcond=None)[0]
    return weights.T, np.square(some @ weights - whole).sum()


def with_ones(states):
    return np.c_[states, np.ones(len(states))]


@pytest.mark.parametrize("seed", range(5))
def test_the_neuron_that_goes_is_the_one_that_costs_least(seed):
    states, down, bias = layer(7, seed=seed)
    moments = with_ones(states).T @ with_ones(states)
    kept, weight, offset = choose_neurons(moments, down, bias, 6)
    errors = {
        some: fitted(states, down, bias, list(some))[1]
        for some in itertools.combinations(range(7), 6)
    }
    assert tuple(kept) == min(errors, key=errors.get)
    best = fitted(states, down, bias, kept)[0]
    np.testing.assert_allclose(np.c_[weight, offset], best, rtol=2e-2, atol=2e-2)


def test_copies_go_first_and_lose_nothing():
    states, down, bias = layer(12)
    doubled = np.c_[states, 2 * states[:, :8], np.full((len(states), 20), 0.3)]
    wide = np.c_[down, down[:, ::-1], down, down[:, :4]]
    whole = doubled @ wide.T + bias
    moments = with_ones(doubled).T @ with_ones(doubled)
    kept, weight, offset = choose_neurons(moments, wide, bias, 12)
    assert len({k if k < 12 else k - 12 for k in kept if k < 20}) == 12
    found = doubled[:, kept] @ weight.T + offset
    assert np.abs(found - whole).max() < 1e-3 * np.abs(whole).max()


@pytest.mark.parametrize("n_kept", [0, 8])
def test_a_number_that_a_layer_cannot_have_is_refused(n_kept):
    states, down, bias = layer(7)
    with pytest.raises(ValueError, match=f"neurons is {n_kept}; expected 1 to 7"):
        choose_neurons(with_ones(states).T @ with_ones(states), down, bias, n_kept)


def doubled_model(folder, target):
    """A model the second half of whose neurons copy the first: half of them can go."""
    shutil.copytree(folder, target)
    spec = read_spec(target)
    row = ARCHITECTURES[spec.config["model_type"]]
    weights = load_file(target / "model.safetensors")
    for i in range(spec.shape.layers):
        up, down = (row.layer[part].format(i=i) for part in ("intermediate", "output"))
        for name in [name for name in weights if name.endswith((f"{up}.weight", f"{up}.bias"))]:
            weights[name][WIDE // 2 :] = weights[name][: WIDE // 2]
        assert any(name.endswith(f"{down}.weight") for name in weights)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


TEXTS = [" ".join(words) for words in itertools.permutations(SENTENCES, 2)]


def test_a_model_without_its_copies_says_the_same(any_model_folder, tmp_path):
    wide, narrow = doubled_model(any_model_folder, tmp_path / "wide"), tmp_path / "narrow"
    prune_model(wide, TEXTS, WIDE // 2, narrow)
    assert read_spec(narrow).shape.intermediate == WIDE // 2
    before, after = (SentenceModel(folder).encode(SENTENCES) for folder in (wide, narrow))
    np.testing.assert_allclose(after, before, atol=1e-2 * np.abs(before).max())
    whole, small = (load_file(folder / "model.safetensors") for folder in (wide, narrow))
    assert sum(map(np.size, small.values())) < sum(map(np.size, whole.values()))


def test_the_command_prunes_on_the_texts_of_files(model_folder, tmp_path, capsys):
    wide = str(doubled_model(model_folder("bert"), tmp_path / "wide"))
    file, narrow = tmp_path / "pairs.jsonl", tmp_path / "narrow"
    rows = [{"a": text, "b": text[::-1], "score": 1.0} for text in TEXTS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["prune-model", "--model", wide, "--texts", str(file), "--output", str(narrow)]
    assert main([*words, "--neurons", str(WIDE // 2), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(narrow)}
    assert read_spec(narrow).shape.intermediate == WIDE // 2
    assert f"wide with {WIDE // 2} neurons" in (narrow / "README.md").read_text(encoding="utf-8")
    assert main([*words, "--neurons", str(WIDE + 1)]) == 1
    assert f"neurons is {WIDE + 1}; expected 1 to {WIDE}, what the model" in capsys.readouterr().err
    assert main([*words, "--neurons", "1", "--rows", "1", "--max-seq-length", "3"]) == 1
    assert f"; expected {WIDE} or more, the neurons of a layer" in capsys.readouterr().err
    assert main([*words[:-1], wide, "--neurons", "1"]) == 1
    assert "wide is the model itself; expected another folder" in capsys.readouterr().err


def test_texts_are_drawn_from_each_file_and_stand_once(tmp_path):
    rows = [{"a": f"a{i}", "b": "same", "n": i} for i in range(50)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    texts = sample_texts([path, path], 10)
    assert len(texts) == len(set(texts))
    assert 11 <= len(texts) <= 21
    assert texts == sample_texts([path, path], 10) != sample_texts([path, path], 10, seed=1)
    assert len(sample_texts([path], 100)) == 51


def test_pruning_without_torch_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    words = ["prune-model", "--model", "a", "--texts", "b", "--neurons", "1", "--output", "c"]
    assert main(words) == 1
    assert "torch is not installed; pip install 'text2vec[train]'" in capsys.readouterr().err
