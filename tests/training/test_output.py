"""Averages of models, and the command line from recipe to folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.tiny_models import write_sentence_transformers
from tests.training.test_run import RECIPE
from text2vec import SentenceModel
from text2vec.cli.main import main
from text2vec.models.compact_folder import write_compact_folder
from text2vec.training.merging import average_states, merge_models
from text2vec.training.recipe import parse_recipe
from text2vec.training.run import train


def test_the_average_of_models_is_written(model_folder, tmp_path):
    folder = model_folder("bert")
    other = tmp_path / "other"
    merge_models([str(folder), folder], [0.5, 0.5], str(other))
    before, after = (load_file(f / "model.safetensors") for f in (folder, other))
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, atol=1e-7)


def test_the_command_averages_models(model_folder, tmp_path, capsys):
    folders = [str(model_folder("bert")), str(tmp_path / "zero")]
    merge_models([folders[0]], [1.0], folders[1])
    weights = load_file(tmp_path / "zero" / "model.safetensors")
    save_file({name: 0 * value for name, value in weights.items()}, tmp_path / "zero.safetensors")
    (tmp_path / "zero.safetensors").replace(tmp_path / "zero" / "model.safetensors")
    output = str(tmp_path / "quarter")
    words = ["merge-models", "--model", folders[0], "--model", folders[1], "--output", output]
    assert main([*words, "--weight", "0.25", "--weight", "0.75", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": output}
    merged = load_file(tmp_path / "quarter" / "model.safetensors")
    for name, value in weights.items():
        np.testing.assert_allclose(merged[name], value / 4, atol=1e-7)
    assert "0.25 x" in (tmp_path / "quarter" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main([*words, "--weight", "1"])
    assert "one weight for each model" in capsys.readouterr().err
    assert main([*words, "--weight", "0.5", "--weight", "0.75"]) == 1
    assert "of sum 1" in capsys.readouterr().err


def test_models_that_do_not_fit_are_refused():
    a, b = {"w": torch.ones(2)}, {"w": torch.ones(3)}
    with pytest.raises(
        ValueError, match=r"w has shape \(2,\) in model 1 and \(3,\) in model 2; exp"
    ):
        average_states([a, b], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"w has shape none in one and \(2,\) in two; expected"):
        average_states([{}, a], [0.5, 0.5], ["one", "two"])
    with pytest.raises(ValueError, match="of sum 1"):
        average_states([a, a], [float("nan"), 0.5])
    with pytest.raises(ValueError, match=r"weights are \[0.5, 0.6\]; expected 2 of sum 1"):
        average_states([a, a], [0.5, 0.6])


@pytest.mark.filterwarnings("default")
def test_the_command_prints_the_plan_and_trains(model_folder, data_folder, tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.format(model=model_folder("bert"), pooling="mean"), encoding="utf-8")
    words = ["train", "--recipe", str(recipe), "--data", str(data_folder)]
    assert main([*words, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["steps"], plan["sources"][0]["rows"]) == (6, 40)
    assert 0 <= plan["padding"] < 0.5
    assert main([*words, "--dry-run"]) == 0
    assert "steps: 6 of 1 batches" in capsys.readouterr().out
    assert main([*words, "--output", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 6
    assert main([*words, "--output", str(tmp_path / "out")]) == 1
    assert "--resume" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--recipe", str(recipe), "--data", str(data_folder)])


@pytest.mark.filterwarnings("default")
def test_a_compact_model_trains_into_a_whole_one(model_folder, data_folder, tmp_path):
    compact = tmp_path / "compact"
    mean = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    write_compact_folder(
        write_sentence_transformers(model_folder("bert"), tmp_path / "whole", pooling=mean),
        compact,
    )
    text = RECIPE.format(model=compact, pooling="mean").replace("steps = 6", "steps = 1")
    trained = train(parse_recipe(text), data_folder, tmp_path / "out").folder
    start, end = SentenceModel(compact, engine="reference"), SentenceModel(trained)
    assert end.describe()["dtype"] == "float32"
    assert "text2vec_storage" not in (trained / "config.json").read_text()
    cosine = start.similarity_pairwise(start.encode(["a b c"]), end.encode(["a b c"]))
    assert 0.9 < cosine[0] < 1 - 1e-9
