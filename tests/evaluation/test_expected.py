"""Rows of expected scores: read, run, compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import scored_rows, write_jsonl
from tests.training.test_run import RECIPE
from text2vec.cli.main import main
from text2vec.errors import DataFormatError
from text2vec.evaluation.expected import (
    ExpectedScore,
    check_rows,
    format_expected,
    read_expected,
)
from text2vec.evaluation.results import mean_score
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import model_subject
from text2vec.evaluation.tasks import find_tasks
from text2vec.sentence_model import SentenceModel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(model_folder):
    return str(model_folder("bert"))


def write(path, *rows):
    keys = ("task", "score", "tolerance", "model", "dtype")
    lines = [
        "[[score]]\n" + "".join(f"{k} = {v!r}\n" for k, v in zip(keys, row, strict=False))
        for row in rows
    ]
    path.write_text("\n".join(lines))
    return path


def test_check_prints_ok_or_the_difference(folder, data, tmp_path, capsys):
    subject = model_subject(SentenceModel(folder, dtype="float32"))
    found = evaluate(subject, find_tasks([], ["chinese"]), data)
    results = [e.result for e in found]
    path = write(
        tmp_path / "e.toml",
        ("chinese", round(mean_score(results), 2), 0.1, folder),
        ("bq", results[1].score + 2, 0.5, folder),
        ("atec", round(results[0].score, 2), 3.0, folder, "int8"),
    )
    scores = {row.task: score for row, score in check_rows(read_expected(path), data)}
    assert scores["chinese"] == pytest.approx(mean_score(results))
    assert scores["bq"] == pytest.approx(results[1].score)
    assert main(["evaluate", "--check", str(path), "--data", str(data)]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line[:4] for line in lines] == ["ok  ", "DIFF", "ok  "]
    assert f"--model {folder} --task bq" in lines[1]
    assert "1 of 3 rows differ" in err
    assert main(["evaluate", "--check", str(path), "--data", str(data), "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["ok"] for row in rows] == [True, False, True]
    assert rows[1]["found"] == pytest.approx(results[1].score)
    assert rows[1]["score"] == pytest.approx(results[1].score + 2)
    assert rows[1]["command"] in lines[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected rows"),
        ("[[score]]\ntask='a'\nscore=1\n", r"row 1: fields \['tolerance'\]"),
        ("[[score]]\ntask='a'\nscore=1\ntolerance=1\nhue=2\n", r"fields \['hue'\]"),
        ("[[score]]\ntask='a'\nscore='1'\ntolerance=1\n", "no numbers"),
        ("[[score]]\ntask='a'\nscore=1\ntolerance=1\nrecipe='r'\n", "needs the model"),
        ("[[score]]\ntask='a'\nscore=nan\ntolerance=1\n", "expected finite"),
        ("[[score]]\ntask='a'\nscore=1\ntolerance=-1\n", "expected finite"),
        ("[[score]]\ntask=3\nscore=1\ntolerance=1\n", "task is 3; expected a text"),
        ("score = 3\n", "score is 3; expected rows"),
        (
            "[[score]]\ntask='a'\nscore=1\ntolerance=1\nmodel='a/b'\nrecipe='r'\n"
            "[[score]]\ntask='a'\nscore=1\ntolerance=1\nmodel='a-b'\nrecipe='r'\n",
            "into one folder, r-a-b",
        ),
    ],
)
def test_wrong_rows_are_named(text, message, tmp_path):
    (tmp_path / "e.toml").write_text(text)
    with pytest.raises(DataFormatError, match=message):
        read_expected(tmp_path / "e.toml")


def test_the_readme_holds_the_expected_scores():
    rows = read_expected(ROOT / "benchmarks/expected.toml")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"<!-- scores -->\n{format_expected(rows)}\n<!-- end -->" in page, "run: make readme"


@pytest.mark.filterwarnings("default")  # of the libraries, on saving and loading
def test_a_row_with_a_recipe_is_trained_and_scored(folder, data, tmp_path, capsys, monkeypatch):
    data = shutil.copytree(data, tmp_path / "data")
    write_jsonl(data / "train/a.jsonl", scored_rows(20))
    recipe = RECIPE.format(model="another", pooling="mean").replace("steps = 6", "steps = 2")
    (tmp_path / "tiny.toml").write_text(recipe)
    row = {"task": "bq", "score": 0.0, "tolerance": 100.0, "model": folder, "recipe": "tiny.toml"}
    lines = "".join(f"{key} = {value!r}\n" for key, value in row.items())
    path = tmp_path / "e.toml"
    path.write_text(f"[[score]]\n{lines}")
    check = ["evaluate", "--check", str(path), "--data", str(data)]
    assert main(check) == 0
    assert capsys.readouterr().out.startswith("----    not run  expected 0.00")
    assert main([*check, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["found"], found["ok"]) == (None, None)

    trained = tmp_path / "trained"
    assert main([*check, "--json", "--train", str(trained)]) == 0
    found = json.loads(capsys.readouterr().out)
    name = "tiny-" + folder.strip("/").replace("/", "-")
    assert found["ok"] is True
    assert found["command"] == (
        f"text2vec train --recipe {tmp_path / 'tiny.toml'} --model {folder} --output {name} && "
        f"text2vec evaluate --model {name} --task bq"
    )
    subject = model_subject(SentenceModel(trained / name))
    [bq] = evaluate(subject, find_tasks(["bq"], []), data)
    assert found["found"] == pytest.approx(bq.result.score)
    monkeypatch.setattr("text2vec.training.run.train", None)  # what is there is not trained again
    assert main([*check, "--train", str(trained)]) == 0
    assert capsys.readouterr().out.startswith("ok  ")


def test_train_without_check_is_refused(capsys):
    assert main(["evaluate", "--train", "x"]) == 1
    assert "--train goes with --check" in capsys.readouterr().err


def test_recipes_stand_in_a_table_of_their_own():
    rows = [
        ExpectedScore("bq", 60, 0.3),
        ExpectedScore("chinese", 50, 0.3, "owner/base", recipe="recipes/r.toml"),
    ]
    assert format_expected(rows).split("\n\n") == [
        "| task | default model |\n|---|---|\n| bq | 60.00 |",
        "| recipe | trained from | task | score |\n|---|---|---|---|\n"
        "| r.toml | owner/base | mean of chinese | 50.00 |",
    ]


def test_a_score_that_is_not_defined_is_never_ok():
    row = ExpectedScore("bq", 0.0, 100.0)
    assert not row.allows(None)
    assert row.describe(None).startswith("DIFF  undefined")
