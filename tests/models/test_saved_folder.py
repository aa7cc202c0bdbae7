"""Saving: every part comes back, and nothing is half-written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.tiny_models import SENTENCES, write_sentence_transformers
from text2vec import SentenceModel
from text2vec.models import saved_folder

TEXTS = list(SENTENCES)


@pytest.fixture
def source(model_folder, tmp_path):
    dense = {"in_features": 64, "out_features": 8, "bias": False}
    weight = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    folder = write_sentence_transformers(
        model_folder("bert"),
        tmp_path / "source",
        pooling={"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
        modules=(("Dense", dense, {"linear.weight": weight}), ("Normalize", {}, None)),
        settings={"max_seq_length": 20, "do_lower_case": True},
    )
    prompts = {"prompts": {"q": "how "}, "default_prompt_name": "q", "similarity_fn_name": "dot"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def test_save_keeps_every_part(source, tmp_path):
    model = SentenceModel(source)
    model.save(tmp_path / "copy")
    again = SentenceModel(tmp_path / "copy")
    assert (again.encode(TEXTS) == model.encode(TEXTS)).all()
    left, right = model.describe(), again.describe()
    assert {**left, "model": "", "folder": ""} == {**right, "model": "", "folder": ""}
    assert (again.similarity_fn_name, again.default_prompt_name) == ("dot", "q")
    assert "# copy" in (tmp_path / "copy/README.md").read_text()


def test_save_keeps_first_last_avg(model_folder, tmp_path):
    SentenceModel(model_folder("bert"), pooling="first_last_avg").save(tmp_path / "copy")
    assert SentenceModel(tmp_path / "copy").describe()["pooling"] == ["first_last_avg"]


def test_save_writes_safetensors_for_a_bin(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("mpnet"), tmp_path / "bin")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    state = {name: torch.from_numpy(t) for name, t in tensors.items()}
    torch.save(state, folder / "pytorch_model.bin")
    model = SentenceModel(folder)
    model.save(tmp_path / "copy")
    assert not (tmp_path / "copy/pytorch_model.bin").exists()
    assert (SentenceModel(tmp_path / "copy").encode(TEXTS) == model.encode(TEXTS)).all()


def test_save_writes_tokenizer_json_for_a_vocab_txt(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "old")
    vocab = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    lines = sorted(vocab, key=vocab.get)
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    model = SentenceModel(folder)
    model.save(tmp_path / "copy")
    assert (tmp_path / "copy/tokenizer.json").is_file()
    assert (SentenceModel(tmp_path / "copy").encode(TEXTS) == model.encode(TEXTS)).all()


def test_save_onto_a_model_replaces_it(source, model_folder, tmp_path):
    SentenceModel(model_folder("bert")).save(tmp_path / "copy")
    SentenceModel(source).save(tmp_path / "copy")
    assert SentenceModel(tmp_path / "copy").dim == 8


def test_save_onto_itself_keeps_the_model(source):
    model = SentenceModel(source)
    expected = model.encode(TEXTS)
    model.save(source)
    assert (SentenceModel(source).encode(TEXTS) == expected).all()


@pytest.mark.parametrize("stands_there", ["file", "folder"])
def test_save_onto_something_else_is_refused(source, tmp_path, stands_there):
    target = tmp_path / "mine"
    if stands_there == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is a file|holds other files"):
        SentenceModel(source).save(target)
    assert stands_there == "file" or (target / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_save_that_fails_leaves_what_was_there(source, tmp_path, monkeypatch, fault, there_before):
    model = SentenceModel(source)
    target = tmp_path / "place" / "copy"
    if there_before:
        model.save(target)
    before = sorted(p.name for p in target.parent.glob("**/*"))

    def fail(*_args, **_kwargs):
        raise fault

    monkeypatch.setattr(saved_folder, "_write_card", fail)
    with pytest.raises(type(fault)):
        model.save(target)
    assert sorted(p.name for p in target.parent.glob("**/*")) == before
