"""Bytes to numbered lines of text, with every fault named by file and line.

What a line means (a text, a JSON object, a part of a CSV row) belongs to the readers above.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from text2vec.errors import DataFormatError

__all__ = ["MAX_ROW_BYTES", "NumberedLine", "bad_row", "read_lines", "strip_line_end"]

MAX_ROW_BYTES = 64 * 2**20
"""Longest row that is read, so that a file without line breaks cannot fill the memory."""

_SHOWN_CHARACTERS = 80


class NumberedLine(NamedTuple):
    """One line with its end, and its number in the file, counted from 1."""

    number: int
    text: str


def bad_row(name: str, line: int, expected: str, found: str) -> DataFormatError:
    """Return the error for one bad row.

    Parameters
    ----------
    name
        The file's name as the user knows it.
    line
        Line or row number, counted from 1.
    expected
        What should have been there.
    found
        What was there; long values are shortened.

    Returns
    -------
    DataFormatError
        To be raised.

    Examples
    --------
    >>> str(bad_row("a.jsonl", 3, "text in column 'text'", "17"))
    "a.jsonl:3: expected text in column 'text', found 17"
    """
    shown = found if len(found) <= _SHOWN_CHARACTERS else f"{found[:_SHOWN_CHARACTERS]}..."
    return DataFormatError(f"{name}:{line}: expected {expected}, found {shown}")


def strip_line_end(line: str) -> str:
    r"""Return the line without its final ``\n`` or ``\r\n``; no other space is touched.

    Parameters
    ----------
    line
        A line with or without its end.

    Returns
    -------
    str
        ``""`` for a blank line.

    Examples
    --------
    >>> strip_line_end(" a \r\n"), strip_line_end("a\r"), strip_line_end("")
    (' a ', 'a\r', '')
    """
    if line.endswith("\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith("\n") else line


def read_lines(source: Path | BinaryIO, name: str | None = None) -> Iterator[NumberedLine]:
    r"""Yield the lines of a UTF-8 file or stream one by one, each with its end.

    Only ``\n`` ends a line: a lone ``\r``, U+2028 or U+0085 is part of a text. A byte order mark
    at the start is dropped. A path that ends in ``.gz`` is unpacked; a stream is left open.

    Parameters
    ----------
    source
        File to open, or a binary stream that is read as its bytes arrive.
    name
        What errors call it; the path by default.

    Yields
    ------
    NumberedLine
        At most ``MAX_ROW_BYTES`` long. An empty file yields nothing.

    Raises
    ------
    DataFormatError
        If a line is not UTF-8, is too long, or the gzip data is damaged.

    Examples
    --------
    >>> import io
    >>> [tuple(line) for line in read_lines(io.BytesIO(b"\xef\xbb\xbfa\r\n\nb"), "here")]
    [(1, 'a\r\n'), (2, '\n'), (3, 'b')]
    """
    if not isinstance(source, Path):
        yield from _decode_lines(source, name or "<stream>")
        return
    zipped = source.suffix.lower() == ".gz"
    with gzip.open(source, "rb") if zipped else source.open("rb") as stream:
        yield from _decode_lines(cast("BinaryIO", stream), name or str(source))


def _decode_lines(stream: BinaryIO, name: str) -> Iterator[NumberedLine]:
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_ROW_BYTES + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
            raise bad_row(name, number, "gzip data", f"damage: {exc}") from exc
        if not line:
            return
        if len(line) > MAX_ROW_BYTES:
            raise bad_row(name, number, f"a row of at most {MAX_ROW_BYTES} bytes", "a longer one")
        if number == 1:
            line = _drop_byte_order_mark(line, name)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as exc:
            found = f"byte 0x{line[exc.start]:02x} at position {exc.start + 1} of the line"
            raise bad_row(name, number, "UTF-8", found) from exc
        if text:
            yield NumberedLine(number, text)


def _drop_byte_order_mark(line: bytes, name: str) -> bytes:
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise bad_row(name, 1, "UTF-8", "the byte order mark of UTF-16; save the file as UTF-8")
    return line.removeprefix(codecs.BOM_UTF8)
