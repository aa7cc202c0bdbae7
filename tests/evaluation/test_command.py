"""The command evaluate, as one types it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.evaluation.conftest import write_lines
from text2vec.cli.main import main
from text2vec.evaluation.tasks import TASKS
from text2vec.sentence_model import SentenceModel


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
        (("--ablate", "--device", "cuda"), "--ablate makes no use of --device"),
        (("--check", "e.toml", "--batch-size", "2"), "--check makes no use of --batch-size"),
        (("--revision", "v1"), "--revision is of one model, not 0; give one --model"),
        (("--revision", "v1", "--model", "a", "--model", "b"), "of one model, not 2"),
        (("--json", "--markdown"), "two forms of one table; leave one out"),
    ],
)
def test_options_that_would_change_nothing_are_refused(words, message, data, capsys):
    code, _, err = run(capsys, "--data", data, *words)
    assert code != 0
    assert message in err


def test_published_scores_stand_in_the_json_too(data, capsys):
    words = ("--baseline", "edit-distance", "--data", data, "--task", "bq", "--task", "stsb-de")
    assert len(json.loads(run(capsys, *words, "--json")[1])) == 1
    rows = json.loads(run(capsys, *words, "--json", "--compare-published")[1])
    assert [row.get("published", False) for row in rows] == [False] + 8 * [True]
    assert set(rows[1]) - {"published"} == set(rows[0])
    assert rows[3]["subject"] == "moka-ai/m3e-base (published)"
    assert rows[3]["results"] == [{"task": "bq", "metric": "spearman", "score": 63.81}]
    assert rows[3]["qps"]["texts_per_second"] == 2980
    words = ("--baseline", "edit-distance", "--data", data, "--suite", "chinese")
    rows = json.loads(run(capsys, *words, "--json", "--compare-published")[1])
    assert rows[3]["means"] == {"chinese": 57.93}


def test_the_list_shows_licences_and_may_be_json(capsys, tmp_path):
    out = run(capsys, "--list")[1]
    line = next(line for line in out.splitlines() if line.startswith("pawsx "))
    assert line.split(maxsplit=4)[3:] == ["C-MTEB/PAWSX", "free for any purpose"]
    tasks = tmp_path / "t.toml"
    own = "name='own'\nkind='pairs'\nfiles=['a.csv']\nlanguage='zh'\nlabels={yes=1, no=0}\n"
    tasks.write_text(f"[[task]]\n{own}")
    rows = json.loads(run(capsys, "--list", "--tasks", tasks, "--json")[1])
    assert [row["name"] for row in rows] == [*TASKS, "own"]
    assert rows[0]["licence"] == TASKS["atec"].licence
    assert rows[-1]["labels"] == {"yes": 1, "no": 0}


def test_engine_options_reach_the_model(folder, data, capsys):
    opened, sizes = [], []

    def factory(name, **options):
        opened.append((name, options["revision"], options["device"]))
        model = SentenceModel(name)
        encode = model.encode_result
        model.encode_result = lambda texts, **keywords: (
            sizes.append(keywords["batch_size"]) or encode(texts, **keywords)
        )
        return model

    words = ("--model", folder, "--revision", "v1", "--device", "mps", "--batch-size", "3")
    more = ("--data", str(data), "--task", "bq", "--no-qps")
    assert main(["evaluate", *words, *more], model_factory=factory) == 0
    assert (opened, set(sizes)) == ([(folder, "v1", "mps")], {3})


def test_wrong_words(folder, data, capsys, tmp_path):
    assert "unknown suite" in run(capsys, "--suite", "x", "--data", data)[2]
    assert "unknown task" in run(capsys, "--task", "x", "--data", data)[2]
    code, _, err = run(capsys, "--model", folder, "--data", tmp_path)
    assert (code, "no such file; task 'atec' needs it" in err) == (1, True)
    code, out, _ = run(capsys, "--list")
    assert code == 0
    assert "stsb-de-en" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--report", "."), "--report is .; expected the name of something new"),
        (("--report", "folder"), "--report is folder, a folder; expected a file"),
        (("--output", "file"), "--output is file, a file; expected a folder"),
        (("--report", "file/page.html"), "expected a place that can be written to"),
    ],
)
def test_outputs_are_looked_at_before_the_work(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert main(["evaluate", "--task", "bq", "--data", "nowhere", *words]) == 1
    assert message in capsys.readouterr().err


def test_a_seed_below_zero_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--seed", "-1"])
    assert "'-1' is no seed" in capsys.readouterr().err
