"""The command evaluate, as one types it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.evaluation.conftest import write_lines
from text2vec.cli.main import main


@pytest.fixture
def folder(model_folder):
    return str(model_folder("bert"))


def run(capsys, *words):
    code = main(["evaluate", *map(str, words)])
    return code, *capsys.readouterr()


def test_table_has_a_row_for_each_model_and_floor(folder, data, capsys):
    words = ("--model", folder, "--baseline", "tf-idf", "--data", data, "--compare-published")
    code, out, _ = run(capsys, *words)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["model", "atec", "bq"]
    assert lines[0].split()[-3:] == ["mean", "QPS", "texts/s"]
    assert lines[1].startswith(folder)
    assert float(lines[1].split()[-1]) > 0
    assert lines[2].split()[0] == "tf-idf"
    assert len(lines) == 1 + 2 + 8
    assert "44.89" in out


def test_same_run_twice_differs_in_time_alone(folder, data, capsys, tmp_path):
    words = ("--model", folder, "--data", data, "--task", "bq", "--json", "--no-qps")
    first, second = (json.loads(run(capsys, *words)[1]) for _ in range(2))
    for rows in (first, second):
        for result in rows[0]["results"]:
            assert set(result.pop("run")) == {"date", "seconds", "texts_per_second", "machine"}
    assert first == second
    assert first[0]["results"][0]["model"]["engine"] in {"native", "reference"}
    assert len(first[0]["results"][0]["model"]["fingerprint"]) == 64


def test_output_and_report_are_written(folder, data, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT2VEC_DATA", str(data))
    words = ("--model", folder, "--suite", "chinese", "--no-qps")
    places = ("--output", tmp_path / "runs", "--report", tmp_path / "r.html")
    code, out, _ = run(capsys, *words, *places)
    assert code == 0
    assert len(list((tmp_path / "runs").rglob("*.json"))) == 7 * 4  # the model and three floors
    assert "bm25" in out
    assert (tmp_path / "r.html").stat().st_size > 5000
    assert run(capsys, *words, *places)[1] == out


def test_own_tasks_and_word_vectors(data, capsys, tmp_path):
    write_lines(
        tmp_path / "a.jsonl",
        [
            {"text1": "猫", "text2": "狗", "score": 1},
            {"text1": "茶", "text2": "猫", "score": 0},
        ],
    )
    tasks = tmp_path / "t.toml"
    tasks.write_text("[[task]]\nname='own'\nkind='pairs'\nfiles=['a.jsonl']\nlanguage='zh'\n")
    vectors = tmp_path / "v.txt"
    vectors.write_text("3 2\n猫 1 0\n狗 1 1\n茶 0 1\n", encoding="utf-8")
    words = ("--tasks", tasks, "--data", tmp_path, "--word-vectors", vectors, "--no-qps")
    code, out, _ = run(capsys, *words, "--markdown")
    assert code == 0
    assert out.splitlines()[2] == "| Word2Vec v.txt | 100.00 | 100.00 | n/a | n/a |"


def test_each_whole_suite_has_its_own_table_and_mean(folder, data, capsys, tmp_path):
    data = shutil.copytree(data, tmp_path / "data")
    texts = ("the same word", "Een man speelt op een grote fluit.", "Ein Flugzeug hebt gerade ab.")
    rows = [{"_id": str(i), "text": text} for i, text in enumerate(texts)]
    write_lines(data / "own/texts.jsonl", rows)
    (data / "own/qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\t1\t1\n")
    tasks = tmp_path / "t.toml"
    tasks.write_text(
        "[[task]]\nname='own'\nkind='retrieval'\nlanguage='zh'\n"
        "files=['own/texts.jsonl', 'own/texts.jsonl', 'own/qrels.tsv']\n"
    )
    words = ("--model", folder, "--baseline", "edit-distance", "--data", data, "--no-qps")
    more = ("--suite", "chinese", "--task", "own", "--task", "stsb-de", "--tasks", tasks)
    code, out, _ = run(capsys, *words, *more)
    assert code == 0
    chinese, other = ([line.split() for line in part.splitlines()] for part in out.split("\n\n"))
    assert (chinese[0], other[0]) == (["chinese"], ["other"])
    assert chinese[1][1:-3] == ["atec", "bq", "lcqmc", "pawsx", "stsb-zh", "sohu-dd", "sohu-dc"]
    for line in chinese[2:]:
        assert float(line[-3]) == pytest.approx(sum(map(float, line[1:-3])) / 7, abs=0.01)
    columns = other[1][1:-2]
    assert sorted(columns) == ["mean", "own", "stsb-de"]
    ours, floor = (dict(zip(columns, line[1:-2], strict=True)) for line in other[2:])
    assert ours["own"] == "100.00"
    assert (floor["own"], floor["mean"]) == ("n/a", "n/a")  # a formula of pairs finds no document
    means = json.loads(run(capsys, *words, *more, "--json")[1])[0]["means"]
    assert set(means) == {"chinese", "other"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--check", "e.toml", "--model", "x", "--dtype", "int8"), "no use of --dtype, --model"),
        (("--ablate", "--baseline", "bm25"), "--ablate makes no use of --baseline"),
        (("--ablate", "--model", "a", "--model", "b"), "--ablate takes one model, not 2"),
    ],
)
def test_options_that_would_change_nothing_are_refused(words, message, data, capsys):
    code, _, err = run(capsys, "--data", data, *words)
    assert code != 0
    assert message in err


def test_wrong_words(folder, data, capsys, tmp_path):
    assert "unknown suite" in run(capsys, "--suite", "x", "--data", data)[2]
    assert "unknown task" in run(capsys, "--task", "x", "--data", data)[2]
    code, _, err = run(capsys, "--model", folder, "--data", tmp_path)
    assert (code, "no such file; task 'atec' needs it" in err) == (1, True)
    code, out, _ = run(capsys, "--list")
    assert code == 0
    assert "stsb-de-en" in out
