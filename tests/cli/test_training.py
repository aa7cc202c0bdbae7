"""The commands that train, merge and pack: what they refuse before anything expensive is done."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.tiny_models import write_sentence_transformers
from text2vec import SentenceModel
from text2vec.cli.main import main
from text2vec.models.saved_folder import check_target

MEAN = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}


@pytest.fixture
def whole(model_folder, tmp_path):
    return write_sentence_transformers(model_folder("bert"), tmp_path / "whole", pooling=MEAN)


def test_a_model_is_not_packed_onto_itself(whole, capsys):
    before = sorted(path.name for path in whole.iterdir())
    assert main(["pack-model", "--model", str(whole), "--output", f"{whole}/../whole"]) == 1
    assert "whole is the model itself; expected another folder" in capsys.readouterr().err
    assert sorted(path.name for path in whole.iterdir()) == before


def test_a_plain_folder_is_packed_once_it_is_saved(model_folder, tmp_path, capsys):
    plain, small = str(model_folder("bert")), str(tmp_path / "small")
    assert main(["pack-model", "--model", plain, "--output", small]) == 1
    assert "has no 1_Pooling; expected" in capsys.readouterr().err
    SentenceModel(plain).save(tmp_path / "saved")
    assert main(["pack-model", "--model", str(tmp_path / "saved"), "--output", small]) == 0


def test_models_are_not_merged_onto_one_of_them(model_folder, tmp_path, capsys):
    mine = str(shutil.copytree(model_folder("bert"), tmp_path / "mine"))
    words = ["merge-models", "--model", str(model_folder("bert")), "--weight", "0.5"]
    assert main([*words, "--model", mine, "--weight", "0.5", "--output", mine]) == 1
    assert "mine is one of the models; expected another folder" in capsys.readouterr().err


def test_models_of_two_sizes_are_named(model_folder, tmp_path, capsys):
    one, two = str(model_folder("bert")), str(model_folder("roberta"))
    words = ["merge-models", "--model", one, "--weight", "0.5", "--model", two, "--weight", "0.5"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert f"in {one} and " in told
    assert f"in {two}; expected models of one architecture and size" in told


def test_merging_without_torch_says_what_to_install(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("text2vec.training.merging")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["merge-models", "--model", "a", "--weight", "1", "--output", "b"]) == 1
    assert "torch is not installed; pip install 'text2vec[train]'" in capsys.readouterr().err


def test_a_new_or_empty_folder_may_be_written(whole, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (whole, tmp_path / "empty", tmp_path / "none"):
        check_target(folder)
    (whole / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"whole holds other files \(diary.txt\)"):
        check_target(whole)


@pytest.fixture
def trained(monkeypatch):
    """Recipes that the command trains."""
    from text2vec.training import run

    recipes = []

    def train(recipe, data, output, *, resume):
        recipes.append(recipe)
        return run.TrainingResult(output, 1)

    monkeypatch.setattr(run, "train", train)
    return recipes


def test_quiet_takes_the_console_log_away(trained, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        '[[source]]\nname = "a"\nfiles = ["a.jsonl"]\nloss = "cosent"\nscale = [0, 5]\n',
        encoding="utf-8",
    )
    words = ["train", "--recipe", str(recipe), "--data", "d", "--output", "o"]
    assert main(words) == main([*words, "--quiet"]) == 0
    assert [found.loggers for found in trained] == [("console", "csv"), ("csv",)]


def test_an_empty_variable_is_no_data_folder(trained, monkeypatch, capsys):
    monkeypatch.setenv("TEXT2VEC_DATA", "")
    with pytest.raises(SystemExit):
        main(["train", "--recipe", "r.toml", "--output", "o"])
    assert "--data is missing" in capsys.readouterr().err
    assert trained == []
