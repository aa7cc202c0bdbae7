"""Pairs of every format, and what is said of a bad row."""

from __future__ import annotations

import gzip

import pytest

from text2vec.errors import DataFormatError
from text2vec.files.pairs import Pair, read_pairs

PAIRS = [Pair("茶", "tea, or so", 4.5), Pair("", 'a "b"', 0.0)]
FILES = {
    "a.jsonl": '{"sentence1": "茶", "sentence2": "tea, or so", "score": 4.5}\n'
    '{"sentence1": "", "sentence2": "a \\"b\\"", "score": "0", "id": 7}\n',
    "a.csv": 'text1,text2,label\n茶,"tea, or so",4.5\n,"a ""b""",0\n',
    "a.tsv": 'score\tsentence1\tsentence2\n4.5\t茶\ttea, or so\n0\t\ta "b"\n',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_pairs(name, zipped, tmp_path):
    data = FILES[name].encode()
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert read_pairs(path) == PAIRS


def test_parquet_gives_the_same_pairs(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    columns = {"text1": ["茶", ""], "text2": ["tea, or so", 'a "b"'], "score": [4.5, 0.0]}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read_pairs(tmp_path / "a.parquet") == PAIRS


def test_old_files_have_no_header_and_words_need_numbers(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('茶\ttea, or so\t4.5\n\ta "b"\t0\n', encoding="utf-8")
    assert read_pairs(path, header=False) == PAIRS
    path.write_text("x\ty\tz\na\tb\tneutral\n", encoding="utf-8")
    columns = ("x", "y", "z")
    assert read_pairs(path, columns=columns, labels={"neutral": 0.5}) == [Pair("a", "b", 0.5)]
    with pytest.raises(DataFormatError, match=r"a\.tsv:2: expected one of yes, found 'neutral'"):
        read_pairs(path, columns=columns, labels={"yes": 1})
    with pytest.raises(DataFormatError, match=r":2: expected a finite number in column 'z'"):
        read_pairs(path, columns=columns)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sentence1": "a", "sentence2": "b"}', "a.jsonl:1: expected one column of score"),
        ('{"sentence1": "a", "text1": "a", "sentence2": "b", "score": 1}', "sentence1, text1"),
        ('{"sentence1": "a", "sentence2": null, "score": 1}', "text in column 'sentence2'"),
        ('{"sentence1": "a", "sentence2": "b", "score": NaN}', "a finite number"),
        ('{"sentence1": "a", "sentence2": "b", "score": true}', "a finite number"),
        ('{"sentence1": "\\ud800", "sentence2": "b", "score": 1}', "half a surrogate"),
        ("[1]", "a JSON object"),
        ("", "expected pairs, found no row"),
    ],
)
def test_bad_rows_are_named(line, message, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(DataFormatError, match=message):
        read_pairs(path)


def test_doors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_pairs(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="no columns"):
        read_pairs(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="two texts and a score"):
        read_pairs(tmp_path / "a.jsonl", columns=("a", "b"))
    with pytest.raises(ValueError, match="has its own"):
        read_pairs(tmp_path / "a.jsonl", header=False)
    (tmp_path / "a.csv").write_text("a,a,b\n", encoding="utf-8")
    with pytest.raises(DataFormatError, match="columns of different names"):
        read_pairs(tmp_path / "a.csv")
