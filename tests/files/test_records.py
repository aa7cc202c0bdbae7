from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import sys
import tracemalloc

import pytest

from text2vec.errors import DataFormatError, MissingExtraError
from text2vec.files import records
from text2vec.files.records import Record, chunk_records, count_records, read_records, read_stream

TEXTS = ["一个女孩", "", 'a, "b"', 'a, "b"', " padded ", "emoji 😀 \u2028"]


def write_file(folder, suffix, texts):
    path = folder / f"texts{suffix}"
    match suffix.removesuffix(".gz"):
        case ".txt":
            data = "".join(f"{text}\r\n" for text in texts)
        case ".jsonl":
            data = "".join(f"{json.dumps({'id': 1, 'text': text})}\n" for text in texts)
        case ".csv":
            quoted = (text.replace('"', '""') for text in texts)
            data = "id,text\r\n" + "".join(f'1,"{text}"\r\n' for text in quoted)
        case ".tsv":
            data = "text\tid\n" + "".join(f"{text}\t1\n" for text in texts)
    raw = b"\xef\xbb\xbf" + data.encode()
    path.write_bytes(gzip.compress(raw) if suffix.endswith(".gz") else raw)
    return path


@pytest.mark.parametrize("zipped", ["", ".gz"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".tsv"])
def test_read_records_every_kind_gives_the_same_texts(tmp_path, suffix, zipped):
    path = write_file(tmp_path, suffix + zipped, TEXTS)
    read = list(read_records(path))
    assert [record.texts for record in read] == [(text,) for text in TEXTS]
    first = 2 if suffix in {".csv", ".tsv"} else 1
    assert [record.line for record in read] == list(range(first, first + len(TEXTS)))
    counted = count_records(path)
    assert counted == (None if zipped or suffix == ".csv" else len(TEXTS))


def test_read_records_parquet_gives_the_same_texts(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="extra parquet is not installed")
    pq = pytest.importorskip("pyarrow.parquet", reason="extra parquet is not installed")
    path = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"text": TEXTS}), path)
    assert list(read_records(path)) == [Record(n, (t,)) for n, t in enumerate(TEXTS, start=1)]
    assert count_records(path) == len(TEXTS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\n\n", ["a", ""]),
        ("\na", ["", "a"]),
    ],
)
def test_read_records_txt_only_the_final_line_break_makes_no_text(tmp_path, data, expected):
    path = tmp_path / "a.txt"
    path.write_bytes(data.encode())
    assert [text for _, (text,) in read_records(path)] == expected
    assert count_records(path) == len(expected)
    assert [text for _, (text,) in read_stream(io.BytesIO(data.encode()))] == expected


def test_read_records_two_columns(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("score\tb\ta\n1\tx\ty\n", encoding="utf-8")
    assert list(read_records(path, ("a", "b"))) == [Record(2, ("y", "x"))]


def test_read_records_csv_of_one_column_keeps_blank_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\na\n\nb\n")
    assert [text for _, (text,) in read_records(path)] == ["a", "", "b"]


def test_read_records_csv_row_with_line_breaks(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,"a\n\nb"\n2,c\n')
    assert list(read_records(path)) == [Record(2, ("a\n\nb",)), Record(5, ("c",))]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("", r":1: expected a header, found an empty file"),
        (
            "id|title\n",
            r":1: expected one column 'text' in the header, found columns \['id', 'titl",
        ),
        ("text|text\n", r":1: expected one column 'text' in the header"),
        ("id|text\n1|a\n2\n", r":3: expected 2 fields, found 1"),
        ("id|text\n1|a|b\n", r":2: expected 2 fields, found 3"),
        ("id|text\n1|a\n\n", r":3: expected 2 fields, found 1"),
    ],
)
def test_read_records_bad_table_is_named(tmp_path, suffix, data, match):
    path = tmp_path / f"a{suffix}"
    path.write_text(data.replace("|", "," if suffix == ".csv" else "\t"), encoding="utf-8")
    with pytest.raises(DataFormatError, match=match):
        list(read_records(path))


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz", "a.zip.gz", "txt"])
def test_read_records_unknown_suffix_is_refused_at_once(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"unknown kind of file; expected .* \.txt, \.jsonl"):
        read_records(tmp_path / name)


def test_read_records_missing_file_is_refused_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.txt: no such file"):
        read_records(tmp_path / "none.txt")


@pytest.mark.parametrize("columns", [(), "text"])
def test_read_records_columns_must_be_names(tmp_path, columns):
    with pytest.raises(ValueError, match="expected a sequence of one name or more"):
        read_records(tmp_path / "a.txt", columns)


def test_read_records_txt_has_no_second_column(tmp_path):
    with pytest.raises(ValueError, match=r"2 columns are wanted; use \.tsv"):
        read_records(tmp_path / "a.txt", ("a", "b"))


def test_read_records_parquet_without_pyarrow_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(MissingExtraError, match="pip install"):
        read_records(tmp_path / "a.parquet")


def test_count_records_crosses_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_COUNT_BYTES", 3)
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\n\ncdefg\nh")
    assert count_records(path) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_count_records_does_not_touch_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    assert count_records(tmp_path / "a.txt") is None


def test_read_stream_yields_before_the_stream_ends():
    class Growing(io.BytesIO):
        def readline(self, size=-1):
            line = super().readline(size)
            assert line, "read beyond the line that was asked for"
            return line

    rows = read_stream(Growing(b"a\nb\n"))
    assert next(rows) == Record(1, ("a",))
    assert next(rows) == Record(2, ("b",))


def test_read_stream_error_names_the_stream():
    with pytest.raises(DataFormatError, match=r"^<stdin>:2: expected UTF-8"):
        list(read_stream(io.BytesIO(b"a\n\xff\n")))


@pytest.mark.parametrize("n", [1, 3, 7, 8, 100])
def test_chunk_records_keeps_order_and_loses_nothing(n):
    rows = [Record(line, ("a",)) for line in range(7)]
    chunks = list(chunk_records(iter(rows), n))
    assert list(itertools.chain(*chunks)) == rows
    assert [len(chunk) for chunk in chunks[:-1]] == [n] * (len(chunks) - 1)
    assert 1 <= len(chunks[-1]) <= n


def test_chunk_records_long_texts_close_a_chunk_early(monkeypatch):
    monkeypatch.setattr(records, "_CHUNK_CHARACTERS", 10)
    rows = [
        Record(1, ("aaaa", "bbbb")),
        Record(2, ("cc", "")),
        Record(3, ("d" * 50, "")),
        Record(4, ("", "")),
    ]
    assert [len(chunk) for chunk in chunk_records(iter(rows), 100)] == [2, 1, 1]


def test_chunk_records_size_of_zero_is_refused():
    with pytest.raises(ValueError, match="n_records is 0; expected 1 or more"):
        list(chunk_records(iter([]), 0))


def test_read_records_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "some text of a usual length, about so long"}\n' * 100_000)
    tracemalloc.start()
    n_rows = sum(len(chunk) for chunk in chunk_records(read_records(path), 1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_rows == 100_000
    assert peak < 2 * 2**20  # a thousand records and a read buffer; the file has 5.4 MB
