from __future__ import annotations

import gzip

import numpy as np
import pytest

import text2vec.models.word_vectors.records as records_module
from text2vec.errors import ModelFormatError
from text2vec.models.word_vectors.head import read_head
from text2vec.models.word_vectors.records import read_blocks

WORDS = ["sun", "月亮", "</s>", "a\u3000b", "é", "12", "sun"]
VECTORS = np.random.default_rng(3).normal(size=(len(WORDS), 5)).astype(np.float32)


def text_lines(end="\n"):
    return [
        f"{word} {' '.join(f'{value:.9g}' for value in row)}{end}"
        for word, row in zip(WORDS, VECTORS, strict=True)
    ]


def binary_records(end=b""):
    return [
        word.encode() + b" " + row.astype("<f4").tobytes() + end
        for word, row in zip(WORDS, VECTORS, strict=True)
    ]


HEADER = f"{len(WORDS)} 5\n".encode()
TEXT = HEADER + "".join(text_lines()).encode()
BINARY = HEADER + b"".join(binary_records(b"\n"))
FILES = {
    "text": TEXT,
    "text without the last newline": TEXT[:-1],
    "text with spaces and \\r at the ends": HEADER + "".join(text_lines(" \r\n")).encode(),
    "text with empty lines at the end": TEXT + b"\n \n",
    "text with a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "headerless": "".join(text_lines()).encode(),
    "headerless with a byte order mark": b"\xef\xbb\xbf" + "".join(text_lines()).encode(),
    "gzipped": gzip.compress(TEXT),
    "gzipped in two members": gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]),
    "headerless gzipped": gzip.compress("".join(text_lines()).encode()),
    "binary": HEADER + b"".join(binary_records()),
    "binary with newlines": BINARY,
    "binary without the last newline": BINARY[:-1],
    "binary with a line end at the end": HEADER + b"".join(binary_records()) + b"\n",
}


def read(tmp_path, content):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    return list(read_blocks(read_head(path)))


@pytest.mark.parametrize("block_values", [1, 10, 262_144])
@pytest.mark.parametrize("kind", FILES)
def test_read_blocks_gives_what_was_written(tmp_path, monkeypatch, kind, block_values):
    monkeypatch.setattr(records_module, "_BLOCK_VALUES", block_values)
    blocks = read(tmp_path, FILES[kind])
    assert [word.decode() for block in blocks for word in block.words] == WORDS
    np.testing.assert_array_equal(np.concatenate([block.vectors for block in blocks]), VECTORS)
    assert {block.vectors.dtype for block in blocks} == {np.dtype(np.float32)}
    assert len(blocks) == {1: 7, 10: 4, 262_144: 1}[block_values]


def test_read_blocks_places_point_at_the_words(tmp_path):
    for content in (BINARY, FILES["binary"]):
        (block,) = read(tmp_path, content)
        for word, place in zip(block.words, block.places, strict=True):
            assert content[place:].startswith(word + b" ")
    (block,) = read(tmp_path, TEXT)
    assert block.places == [2, 3, 4, 5, 6, 7, 8]
    (block,) = read(tmp_path, FILES["headerless"])
    assert block.places == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"2 2\nsun 0 1\nmoon 3\n",
            "line 3: expected a word without spaces and 2 numbers, found 'moon' and 1",
        ),
        (b"2 2\nsun 0 1\nmoon 3 4 5\n", "line 3: .* found 'moon' and 3"),
        (b"2 2\nsun 0 1\nhalf moon 3 4\n", "line 3: .* found 'half' and 3"),
        (b"2 2\nsun 0 1\nmoonlight\n", "line 3: .* found 'moonlight' and 0"),
        (b"2 2\nsun 0 1\n 3 4\n", "line 3: .* found '' and 2"),
        (b"2 2\nsun 0 1\nmoon  4\n", "line 3: expected 2 numbers, found ''"),
        (b"2 2\nsun 0 1\nmoon 3 4,5\n", "line 3: expected 2 numbers, found '4,5'"),
        (b"2 2\nsun 0 1\nmoon 3 4_5\n", "lines 2 to 3: expected 2 numbers a line, found: .*4_5"),
        (b"2 2\nsun 0 1\nmoon nan 4\n", "line 3: expected 2 finite values for 'moon', found nan"),
        (b"2 2\nsun 0 1e999\nmoon 3 4\n", "line 2: expected 2 finite values for 'sun'"),
        (b"2 2\nsun 0 1e39\nmoon 3 4\n", "line 2: expected 2 finite values for 'sun'"),
        (b"2 2\nsun 0 1\n\nmoon 3 4\n", "line 3: .* found an empty line before line 4"),
        (b"2 2\n" + b"s" * 4097 + b" 0 1\nmoon 3 4\n", "line 2: .* found 's+'... and 2"),
        (b"2 2\nsun 0 1" + b"0" * 9000 + b"\nmoon 3 4\n", "line 2: .* found more than 4224 bytes"),
        (b"3 2\nsun 0 1\nmoon 3 4\n\n\n\n\n", "promises 3 words, found 2"),
        (b"1 2\nsun 0 1\nmoon 3 4\n", "promises 1 words, found 2"),
        (b"sun 0 1\nmoon 3 4 5\n", "line 2: .* 2 numbers, found 'moon' and 3"),
        (gzip.compress(b"9 2\nsun 0 1\n"), "promises 9 words, found 1"),
        (gzip.compress(TEXT * 400)[:-4], "expected whole gzip data"),
    ],
)
def test_read_blocks_bad_text_names_line_and_finding(tmp_path, content, message):
    with pytest.raises(ModelFormatError, match="vectors.*" + message):
        read(tmp_path, content)


VALUES = np.array([0.5, -1], "<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"2 2\nsun " + VALUES + b"moonlight " + VALUES[:-1],
            "byte 16: expected 8 bytes of values for 'moonlight', found 7; the file is cut off",
        ),
        (b"2 2\nsunlight " + VALUES + b"\n\n\n\n", "byte 22: expected a word of 1 to 4096 bytes"),
        (b"2 2\nsunlightrays " + VALUES + b"\n", "byte 26: expected a word, found the end"),
        (b"2 2\nsunlight " + VALUES + b"moon", "byte 21: expected a word .* found 'moon'"),
        (b"2 2\nsun " + VALUES + b" " + VALUES, "byte 16: expected a word"),
        (b"2 2\nsun " + VALUES + b"mo\non " + VALUES, "byte 16: expected a word"),
        (
            b"2 2\nsun " + VALUES + b"s" * 4097 + b" " + VALUES,
            "byte 16: expected a word of 1 to 4096 bytes",
        ),
        (b"1 2\nsun " + VALUES + b"moon " + VALUES, "byte 16: expected the end after 1 words"),
        (b"1 2\nsun " + VALUES + b"x", "byte 16: .* found 1 more bytes"),
        (
            b"2 2\nsun " + VALUES + b"moon " + np.array([0, np.nan], "<f4").tobytes(),
            "byte 16: expected 2 finite values for 'moon'",
        ),
        (
            b"2 2\nsun " + np.array([np.inf, 0], "<f4").tobytes() + b"moon " + VALUES,
            "byte 4: expected 2 finite values for 'sun'",
        ),
    ],
)
def test_read_blocks_bad_binary_names_byte_and_finding(tmp_path, content, message):
    with pytest.raises(ModelFormatError, match="vectors.*" + message):
        read(tmp_path, content)


@pytest.mark.parametrize("kind", ["text", "gzipped", "binary", "binary with newlines"])
def test_read_blocks_cut_anywhere_is_refused(tmp_path, kind):
    content = FILES[kind]
    # the last newline may be missing, and a number may lose its last digits without a trace
    kept = {"text": len(text_lines()[-1].rpartition(" ")[2]), "binary with newlines": 1}
    for size in range(len(content) - kept.get(kind, 0)):
        with pytest.raises(ModelFormatError, match="vectors"):
            read(tmp_path, content[:size])


@pytest.mark.parametrize("kind", FILES)
def test_read_blocks_damaged_bytes_never_raise_anything_else(tmp_path, kind):
    rng = np.random.default_rng(11)
    for _ in range(150):
        content = bytearray(FILES[kind])
        for at in rng.integers(0, len(content), 3):
            content[at] = rng.integers(256)
        try:
            blocks = read(tmp_path, bytes(content))
        except ModelFormatError:
            continue
        assert all(len(block.words) == len(block.vectors) for block in blocks)
        assert all(np.isfinite(block.vectors).all() for block in blocks)
