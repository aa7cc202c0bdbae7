from __future__ import annotations

import contextlib
import gzip
import re

import numpy as np
import pytest

from text2vec.errors import ModelFormatError
from text2vec.models.word_vectors.head import are_numbers, open_unpacked, read_head, show_bytes


def vector(*values):
    return np.array(values, "<f4").tobytes()


@pytest.fixture
def head_of(tmp_path):
    def read(content):
        path = tmp_path / "vectors"
        path.write_bytes(content)
        return read_head(path)

    return read


def summary(head):
    return head.is_binary, head.is_gzipped, head.n_words, head.dim, head.start


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"2 3\nsun 0 1 2\nmoon 3 4 5\n", (False, False, 2, 3, 4)),
        (b"2 3\nsun 0 1 2\nmoon 3 4 5", (False, False, 2, 3, 4)),
        (b"1 1\na 0", (False, False, 1, 1, 4)),  # the smallest there is
        (b"2\t3 \r\nsun 0 1 2 \r\nmoon 3 4 5 \r\n", (False, False, 2, 3, 6)),
        (b"\xef\xbb\xbf1 2\nsun 0 1\n", (False, False, 1, 2, 7)),
        (b"sun 0 1e-3 -2.5\nmoon 3 4 5\n", (False, False, None, 3, 0)),
        (b"sun 0 1 2", (False, False, None, 3, 0)),
        (b"\xef\xbb\xbfsun 0 1\n", (False, False, None, 2, 3)),
        (gzip.compress(b"9 2\nsun 0 1\n"), (False, True, 9, 2, 4)),
        (gzip.compress(b"sun 0 1\n"), (False, True, None, 2, 0)),
        # a word that is cut within a character is no reason to take text for binary
        (b"1 2\n\xe8\xaf 0.1 0.2\n", (False, False, 1, 2, 4)),
        (b"1 2\nsun " + vector(0.1, 0.2), (True, False, 1, 2, 4)),
        (b"1 2\nsun " + vector(0.0, 2.0) + b"\n", (True, False, 1, 2, 4)),  # valid UTF-8
        (b"1 2\nsun " + vector(0.0, 1.0) + b"\n", (True, False, 1, 2, 4)),
        ("1 2\n太阳 ".encode() + vector(-0.3, 7.0), (True, False, 1, 2, 4)),
    ],
)
def test_read_head_tells_the_kind(head_of, content, expected):
    assert summary(head_of(content)) == expected


def test_read_head_many_binary_files_are_all_binary(head_of):
    rng = np.random.default_rng(7)
    for dim in (2, 3, 50):
        for _ in range(50):
            rows = rng.normal(size=(4, dim)).astype("<f4")
            content = b"4 %d\n" % dim + b"".join(b"w %b" % row.tobytes() for row in rows)
            assert head_of(content).is_binary


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: expected the header 'n dim', or a word and up to 65536 numbers, found ''"),
        (b"hello\n", "found 'hello"),
        (b"hello wide world\n", "found 'hello wide world"),
        (b"\x00" * 100, r"found '\\x00"),
        (b"sun\t0\t1\n", "line 1: expected the header"),
        (b"1000000000000000000000 2\nsun 1 2\n", None),  # no header, and a word of digits
        (b"0 3\n", "expected at least one word and 1 to 65536 dimensions, found '0 3'"),
        (b"3 0\n", "found '3 0'"),
        (b"1 65537\nsun 0\n", "found '1 65537'"),
        (b"2 3\n", "promises 2 words of 3 dimensions, expected at least 19 bytes, found 4"),
        (b"999999999999 200\nsun 0 1\n", "expected at least 401999999999"),
        (b"999999999999 2\nsun " + vector(0, 1), r"expected at least \d+ bytes, found 27"),
        (gzip.compress(b"1 2\nsun " + vector(0, 1)), "in a gzip file, found binary vectors"),
        (gzip.compress(b"1 2\nsun 0 1\n")[:-4], "expected whole gzip data"),
        (b"\x1f\x8bnothing of gzip", "expected whole gzip data"),
        (b"\x1f\x8b", "expected whole gzip data"),
    ],
)
def test_read_head_wrong_file_says_what_was_found(head_of, content, message):
    if message is None:
        assert summary(head_of(content)) == (False, False, None, 1, 0)
        return
    with pytest.raises(ModelFormatError, match="vectors.*" + message):
        head_of(content)


def test_read_head_damaged_gzip_is_a_format_error(head_of):
    content = bytearray(gzip.compress(b"1 2\nsun 0 1\n" * 50))
    for i in range(len(content)):
        damaged = content.copy()
        damaged[i] ^= 0xFF
        # a flip in the time stamp or the like harms nothing; others have one error only
        with contextlib.suppress(ModelFormatError):
            assert summary(head_of(bytes(damaged))) == (False, True, 1, 2, 4)


def test_open_unpacked_reads_plain_files_as_they_are(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x1f\x8bab")
    with open_unpacked(path, is_gzipped=False) as stream:
        assert stream.read() == b"\x1f\x8bab"


def test_are_numbers_and_show_bytes():
    assert are_numbers([])
    assert not are_numbers([b"1", b""])
    assert show_bytes(b"a" * 41) == re.sub("$", "...", repr("a" * 40))
    assert show_bytes(b"a" * 40) == repr("a" * 40)
