"""Rows of expected scores: read, run, compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_a_score_that_is_not_defined_is_never_ok():
    row = ExpectedScore("bq", 0.0, 100.0)
    assert not row.allows(None)
    assert row.describe(None).startswith("DIFF  undefined")
