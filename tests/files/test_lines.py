from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2vec.errors import DataFormatError
from text2vec.files import lines
from text2vec.files.lines import bad_row, read_lines, strip_line_end


def read(data: bytes) -> list[str]:
    return [line.text for line in read_lines(io.BytesIO(data), "here")]


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_read_lines_any_text_joins_back(texts):
    data = "\n".join(texts)
    if data.startswith("\ufeff"):
        data = "x" + data
    assert "".join(read(data.encode())) == data
    assert len(read(data.encode())) == len(data.split("\n")) - data.endswith("\n") - (not data)


def test_read_lines_unicode_separators_stay_in_the_line():
    text = "a\u2028b\u0085c\x0bd\x0ce\rf\x00g"
    assert read(text.encode()) == [text]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"\n", ["\n"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a\n", "\ufeffb"]),
        (b"a\r\n\r\nb\r", ["a\r\n", "\r\n", "b\r"]),
    ],
)
def test_read_lines_marks_and_ends(data, expected):
    assert read(data) == expected


def test_read_lines_numbers_start_at_one():
    assert [n for n, _ in read_lines(io.BytesIO(b"a\n\nb"))] == [1, 2, 3]


def test_read_lines_bad_utf8_names_line_and_byte():
    match = r"^here:2: expected UTF-8, found byte 0xff at position 3 of the line$"
    with pytest.raises(DataFormatError, match=match):
        read(b"ok\nab\xffc\n")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_read_lines_utf16_is_named(codec):
    with pytest.raises(DataFormatError, match=r"here:1: .*UTF-16; save the file as UTF-8"):
        read("\ufeffabc".encode(codec))


def test_read_lines_endless_line_is_refused(monkeypatch):
    monkeypatch.setattr(lines, "MAX_ROW_BYTES", 100)
    assert read(b"x" * 100) == ["x" * 100]
    with pytest.raises(DataFormatError, match="here:2: expected a row of at most 100 bytes"):
        read(b"ok\n" + b"x" * 101)


def test_read_lines_gzip_by_name(tmp_path):
    path = tmp_path / "a.txt.GZ"
    path.write_bytes(gzip.compress("茶\nb".encode()))
    assert [line.text for line in read_lines(path)] == ["茶\n", "b"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
def test_read_lines_damaged_gzip_is_a_data_error(tmp_path, damage):
    path = tmp_path / "a.txt.gz"
    whole = gzip.compress("".join(f"line {n}\n" for n in range(5000)).encode())
    flipped = whole[:2000] + bytes([whole[2000] ^ 0xFF]) + whole[2001:]
    path.write_bytes({"cut": whole[:-20], "flipped": flipped, "plain": b"not packed\n"}[damage])
    with pytest.raises(DataFormatError, match=r"a\.txt\.gz:\d+: expected gzip data"):
        list(read_lines(path))


def test_read_lines_leaves_a_stream_open():
    stream = io.BytesIO(b"a\n")
    list(read_lines(stream))
    assert not stream.closed


def test_bad_row_shortens_what_was_found():
    assert len(str(bad_row("x", 1, "y", "z" * 10_000))) < 120


def test_strip_line_end_takes_one_end():
    assert strip_line_end("a\r\n\r\n") == "a\r\n"
    assert strip_line_end("a\n\n") == "a\n"
