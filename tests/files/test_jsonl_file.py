from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2vec.errors import DataFormatError
from text2vec.files.jsonl_file import JsonLinesWriter, read_jsonl_rows
from text2vec.files.lines import read_lines


def read(text: str, *columns: str) -> list[tuple[int, tuple[str, ...]]]:
    lines = read_lines(io.BytesIO(text.encode()))
    return list(read_jsonl_rows(lines, "x.jsonl", columns or ("text",)))


def write(texts, embeddings) -> str:
    stream = io.BytesIO()
    JsonLinesWriter(stream).write(texts, embeddings)
    return stream.getvalue().decode()


def test_read_jsonl_rows_takes_columns_in_the_asked_order():
    assert read('{"b": "x", "a": "y"}\n{"a": "", "b": "茶"}', "a", "b") == [
        (1, ("y", "x")),
        (2, ("", "茶")),
    ]


def test_read_jsonl_rows_whole_pairs_are_text():
    assert read(r'{"text": "\ud83d\ude00 \u8336"}') == [(1, ("😀 茶",))]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"text": "a"}\n\n', r"x\.jsonl:2: expected a JSON object \(Expecting value at char"),
        ('{"text": "a"', r"x\.jsonl:1: expected a JSON object \(Expecting ',' delimiter at"),
        ('"a"', r"x\.jsonl:1: expected a JSON object, found 'a'"),
        ('{"texts": "a", "id": 1}', r"expected column 'text', found columns \['id', 'texts'\]"),
        ('{"text": 7}', "expected text in column 'text', found 7"),
        ('{"text": null}', "expected text in column 'text', found None"),
        (r'{"text": "ab\ud800"}', "expected Unicode text, found half a surrogate pair at char.* 3"),
        ('{"text": ' + "[" * 100_000, "expected a JSON object, found"),
        ('{"text": ' + "9" * 10_000 + "}", r"x\.jsonl:1: expected"),
    ],
)
def test_read_jsonl_rows_bad_row_is_named(text, match):
    with pytest.raises(DataFormatError, match=match):
        read(text)


def test_json_lines_writer_every_float32_reads_back():
    bits = np.random.default_rng(7).integers(0, 2**32, (500, 20), np.uint32)
    embeddings = np.nan_to_num(bits.view(np.float32))
    rows = [json.loads(line) for line in write(["a"] * 500, embeddings).splitlines()]
    read_back = np.array([row["embedding"] for row in rows], np.float64).astype(np.float32)
    assert np.array_equal(read_back, embeddings)


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint8])
def test_json_lines_writer_other_dtypes_read_back(dtype):
    embeddings = np.array([[0, 1, 100]], dtype)
    row = json.loads(write(["a"], embeddings))
    assert np.array_equal(np.array(row["embedding"], dtype), embeddings[0])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_lines_writer_any_text_reads_back_from_one_line(text):
    written = write([text], np.zeros((1, 1), np.float32))
    assert written.count("\n") == 1
    assert json.loads(written)["text"] == text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_json_lines_writer_not_finite_is_refused(value):
    embeddings = np.array([[1], [value]], np.float32)
    with pytest.raises(ValueError, match="embedding of 'second' is not finite"):
        write(["first", "second"], embeddings)
