"""Read the records of word2vec and GloVe files, block by block, and refuse the first bad one.

What kind of file it is was found out in ``text2vec.models.word_vectors.head``; the index over the
records and the lookup of words are in ``text2vec.models.word_vectors.store``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

import numpy as np

from text2vec.arrays import FloatMatrix
from text2vec.errors import ModelFormatError
from text2vec.models.word_vectors.head import (
    NUMBER_LIMIT_BYTES,
    WORD_LIMIT_BYTES,
    WordVectorHead,
    are_numbers,
    open_unpacked,
    show_bytes,
)

__all__ = ["RecordBlock", "read_blocks"]

# Values in one block: 1 MiB of float32, so that a block stays in the processor's cache.
_BLOCK_VALUES = 262_144


@dataclass(frozen=True)
class RecordBlock:
    """Some records of a file, one after another.

    Attributes
    ----------
    words
        The words as bytes, ``n`` of them, repeated ones included.
    places
        Where each record starts: a byte offset in a binary file, a line number in a text file.
    vectors
        The vectors, shape ``(n, dim)``, every value finite.
    end
        Bytes of the file that are read so far, after unpacking.
    """

    words: list[bytes]
    places: list[int]
    vectors: FloatMatrix
    end: int


def read_blocks(head: WordVectorHead) -> Iterator[RecordBlock]:
    r"""Yield the records of a word vector file, in their order and in bounded memory.

    Parameters
    ----------
    head
        What ``read_head`` gave for the file.

    Yields
    ------
    RecordBlock
        At least one record each.

    Raises
    ------
    ModelFormatError
        At the first record that is wrong, with the place, what was expected and what was found;
        at the end if the number of records is not the promised one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from text2vec.models.word_vectors.head import read_head
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "vectors.txt")
    ...     _ = path.write_text("sun 0 1 2\nmoon 3 4 5\n")
    ...     [block.words for block in read_blocks(read_head(path))]
    [[b'sun', b'moon']]
    """
    n_read = 0
    for block in _binary_blocks(head) if head.is_binary else _text_blocks(head):
        finite = np.isfinite(block.vectors).all(axis=1)
        if not finite.all():
            bad = int(np.argmin(finite))
            raise ModelFormatError(
                f"{head.path}, {_place(head, block.places[bad])}: expected {head.dim} finite "
                f"values for {show_bytes(block.words[bad])}, found nan or infinity"
            )
        n_read += len(block.words)
        yield block
    if head.n_words not in {None, n_read}:
        raise ModelFormatError(
            f"{head.path}: the header promises {head.n_words} words, found {n_read}; "
            "the file is cut off, or its header is wrong"
        )


# Yield the records of a binary file: word, space, float32 values, at times a newline.
def _binary_blocks(head: WordVectorHead) -> Iterator[RecordBlock]:
    n_bytes = 4 * head.dim
    per_block = max(1, _BLOCK_VALUES // head.dim)
    with (
        head.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        place, size, left = head.start, len(data), head.n_words or 0
        while left:
            words, places, values = [], [], []
            for _ in range(min(left, per_block)):
                space = data.find(b" ", place, place + WORD_LIMIT_BYTES + 1)
                word = data[place:space] if space > place else b""
                if not word or b"\n" in word or space + n_bytes >= size:
                    raise _binary_fault(head, data, place, space)
                words.append(word)
                places.append(place)
                place = space + 1 + n_bytes
                values.append(data[space + 1 : place])
                if data[place : place + 1] == b"\n":
                    place += 1
            left -= len(words)
            vectors = np.frombuffer(b"".join(values), "<f4").reshape(-1, head.dim)
            yield RecordBlock(words, places, vectors, place)
        # only the white space that an editor may leave
        if size - place > 8 or data[place:].strip():
            raise ModelFormatError(
                f"{head.path}, byte {place}: expected the end after {head.n_words} words, "
                f"found {size - place} more bytes; the header is wrong"
            )


# Say what is wrong with the record at a place.
def _binary_fault(
    head: WordVectorHead, data: mmap.mmap, place: int, space: int
) -> ModelFormatError:
    if space > place and b"\n" not in data[place:space]:
        expected = f"{4 * head.dim} bytes of values for {show_bytes(data[place:space])}"
        found = f"{len(data) - space - 1}; the file is cut off"
    elif place >= len(data):
        expected, found = "a word", "the end; the file is cut off"
    else:
        expected = f"a word of 1 to {WORD_LIMIT_BYTES} bytes and a space"
        found = f"{show_bytes(data[place : place + 40])}; the file or its header is damaged"
    return ModelFormatError(f"{head.path}, byte {place}: expected {expected}, found {found}")


# Yield the records of a text file: a word and ``dim`` numbers a line.
def _text_blocks(head: WordVectorHead) -> Iterator[RecordBlock]:
    per_block = max(1, _BLOCK_VALUES // head.dim)
    with open_unpacked(head.path, is_gzipped=head.is_gzipped) as stream:
        stream.read(head.start)
        lines = _lines(head, stream)
        while block := list(islice(lines, per_block)):
            places = [number for number, _ in block]
            pairs = [line.partition(b" ") for _, line in block]
            words = [word for word, _, _ in pairs]
            vectors = _parse(head, places, words, [numbers for _, _, numbers in pairs])
            yield RecordBlock(words, places, vectors, stream.tell())


# Yield number and content of each line; empty lines may stand at the end only.
def _lines(head: WordVectorHead, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    limit = WORD_LIMIT_BYTES + head.dim * NUMBER_LIMIT_BYTES
    empty = 0
    first = 1 if head.n_words is None else 2
    for number, line in enumerate(iter(lambda: stream.readline(limit), b""), first):
        content = line.rstrip()
        if not content:
            empty = empty or number
        elif empty or (len(line) == limit and not line.endswith(b"\n")):
            found = f"an empty line before line {number}" if empty else f"more than {limit} bytes"
            raise ModelFormatError(
                f"{head.path}, line {empty or number}: expected a word and {head.dim} numbers, "
                f"found {found}"
            )
        else:
            yield number, content


# Return the values of some lines, shape ``(n_lines, dim)``.
def _parse(
    head: WordVectorHead, places: list[int], words: list[bytes], numbers: list[bytes]
) -> FloatMatrix:
    for place, word, text in zip(places, words, numbers, strict=True):
        if not 0 < len(word) <= WORD_LIMIT_BYTES or text.count(b" ") != head.dim - 1 or not text:
            n_found = len(text.split(b" ")) if text else 0
            raise ModelFormatError(
                f"{head.path}, line {place}: expected a word without spaces and {head.dim} "
                f"numbers, found {show_bytes(word)} and {n_found}"
            )
    # latin-1 takes any byte, so a byte that is not ASCII is refused as a number
    lines = [text.decode("latin-1") for text in numbers]
    try:
        vectors = np.loadtxt(lines, np.float32, comments=None, delimiter=" ", ndmin=2)
    except ValueError as exc:
        for place, text in zip(places, numbers, strict=True):
            for field in text.split(b" "):
                if not are_numbers([field]):
                    raise ModelFormatError(
                        f"{head.path}, line {place}: expected {head.dim} numbers, "
                        f"found {show_bytes(field)}"
                    ) from exc
        raise ModelFormatError(
            f"{head.path}, lines {places[0]} to {places[-1]}: expected {head.dim} numbers a "
            f"line, found: {exc}"
        ) from exc
    return vectors


# Name a place of a file.
def _place(head: WordVectorHead, place: int) -> str:
    return f"byte {place}" if head.is_binary else f"line {place}"
