"""Rows of every kind of task, and what is said of wrong ones."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from tests.evaluation.conftest import write_lines
from text2vec.errors import DataFormatError
from text2vec.evaluation.task_data import load_task
from text2vec.evaluation.tasks import TASKS, Task


def test_the_checksum_is_of_the_rows_and_not_of_their_file(data, tmp_path):
    loaded = load_task(TASKS["atec"], data)
    assert (len(loaded.left), len(loaded.right), len(loaded.labels)) == (40, 40, 40)
    lines = gzip.decompress((data / "eval/atec.test.jsonl.gz").read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]

    def revision(changed):
        text = "".join("{sentence1}\t{sentence2}\t{score:g}\n".format(**row) for row in changed)
        header = "text1\ttext2\tlabel\n"
        (tmp_path / "a.tsv").write_text(header + text, encoding="utf-8")
        return load_task(Task("x", "pairs", ("a.tsv",), "zh"), tmp_path).revision

    assert revision(rows) == loaded.revision
    assert revision(rows[::-1]) != loaded.revision
    assert revision([{**rows[0], "score": 1 - rows[0]["score"]}, *rows[1:]]) != loaded.revision
    assert revision([{**rows[0], "sentence1": "other"}, *rows[1:]]) != loaded.revision


def test_two_languages_are_joined_row_by_row(data):
    loaded = load_task(TASKS["stsb-de-en"], data)
    german, english = (load_task(TASKS[f"stsb-{x}"], data) for x in ("de", "en"))
    assert (loaded.left, loaded.right) == (german.left, english.right)
    assert loaded.labels == german.labels


def test_rows_that_do_not_fit_are_refused(tmp_path):
    def load(first, second=None, scale=(0, 1)):
        write_lines(tmp_path / "a.jsonl", first)
        files = ("a.jsonl",)
        if second is not None:
            write_lines(tmp_path / "b.jsonl", second)
            files = ("a.jsonl", "b.jsonl")
        return load_task(Task("x", "pairs", files, "de", scale), tmp_path)

    row = {"text1": "a", "text2": "b", "score": 1}
    with pytest.raises(
        DataFormatError, match=r"a\.jsonl:1: expected a score from 0 to 1, found 2\.0"
    ):
        load([{**row, "score": 2}])
    with pytest.raises(DataFormatError, match=r"b\.jsonl: 2 rows; expected 1"):
        load([row], [row, row])
    with pytest.raises(DataFormatError, match=r"b\.jsonl:1: expected the score of .*a\.jsonl:1, 1"):
        load([row], [{**row, "score": 0}])
    (tmp_path / "a.csv").write_text('text1,text2,score\n"a\nx",b,1\na,b,9\n')
    with pytest.raises(DataFormatError, match=r"a\.csv:4: expected a score from 0 to 1, found 9"):
        load_task(Task("x", "pairs", ("a.csv",), "de", (0, 1)), tmp_path)
    with pytest.raises(FileNotFoundError, match="needs it"):
        load_task(TASKS["atec"], tmp_path)
    with pytest.raises(ValueError, match="outside of the data folder"):
        load_task(Task("x", "pairs", ("../a.jsonl",), "de"), tmp_path / "deeper")
    with pytest.raises(ValueError, match="not on the Hub; give a data folder"):
        load_task(TASKS["sohu-dd"], None)


def test_retrieval_in_the_layout_of_beir(tmp_path):
    write_lines(
        tmp_path / "corpus.jsonl",
        [
            {"_id": "d1", "title": "Tea", "text": "is hot"},
            {"_id": "d2", "text": "cat"},
        ],
    )
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "hot tea"}])
    qrels = tmp_path / "test.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n")
    files = ("corpus.jsonl", "queries.jsonl", "test.tsv")
    task = Task("r", "retrieval", files, "en")
    loaded = load_task(task, tmp_path)
    assert (loaded.left, loaded.right) == (["hot tea"], ["Tea is hot", "cat"])
    assert loaded.relevant == [{0: 2.0}]
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\td3\t1\n")
    with pytest.raises(DataFormatError, match=r"test\.tsv:2: .*found 'd3'"):
        load_task(task, tmp_path)
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\td1\thigh\n")
    with pytest.raises(DataFormatError, match="a number as score"):
        load_task(task, tmp_path)
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q", "text": "a"}, {"_id": "q", "text": "b"}])
    with pytest.raises(DataFormatError, match=r"queries\.jsonl:2: expected an _id of its own"):
        load_task(task, tmp_path)


def test_pairs_with_words_for_scores_and_without_a_header(tmp_path):
    (tmp_path / "a.tsv").write_text("a\tb\tsame\nc\td\tother\ne\tf\tmaybe\n")
    labels = {"same": 1.0, "other": 0.0, "maybe": 7.0}
    task = Task("x", "pairs", ("a.tsv",), "en", labels=labels, header=False)
    loaded = load_task(task, tmp_path)
    assert (loaded.left, loaded.labels) == (["a", "c", "e"], [1.0, 0.0, 7.0])
    with pytest.raises(DataFormatError, match=r"a\.tsv:3: expected a score from 0 to 1, found 7"):
        load_task(replace(task, scale=(0, 1)), tmp_path)
    write_lines(tmp_path / "a.jsonl", [{"text1": "a", "text2": "b", "score": ["same"]}])
    with pytest.raises(DataFormatError, match="expected one of same, other, maybe"):
        load_task(Task("x", "pairs", ("a.jsonl",), "en", labels=labels), tmp_path)


def test_clusters_and_translations(tmp_path):
    write_lines(tmp_path / "c.jsonl", [{"text": "a", "label": 1}, {"text": "b", "label": "x"}])
    assert load_task(Task("c", "clustering", ("c.jsonl",), "en"), tmp_path).groups == ["1", "x"]
    write_lines(tmp_path / "t.jsonl", [{"de": "Tee", "en": "tea"}])
    task = Task("t", "bitext", ("t.jsonl",), "de-en", columns=("de", "en"))
    assert load_task(task, tmp_path).right == ["tea"]
    with pytest.raises(ValueError, match="expected both languages"):
        Task("t", "bitext", ("t.jsonl",), "de-en")
    write_lines(tmp_path / "c.jsonl", [{"text": "a", "label": None}])
    with pytest.raises(DataFormatError, match="a label in column 'label'"):
        load_task(Task("c", "clustering", ("c.jsonl",), "en"), tmp_path)
    write_lines(tmp_path / "c.jsonl", [])
    with pytest.raises(DataFormatError, match="expected rows, found none"):
        load_task(Task("c", "clustering", ("c.jsonl",), "en"), tmp_path)
