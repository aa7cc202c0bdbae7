"""Tell what kind of word vector file a file is: word2vec text or binary, or GloVe, and its sizes.

Only the beginning of a file is read here; its records are read in
``text2vec.models.word_vectors.records``.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from text2vec.errors import ModelFormatError

__all__ = [
    "NUMBER_LIMIT_BYTES",
    "WORD_LIMIT_BYTES",
    "WordVectorHead",
    "are_numbers",
    "open_unpacked",
    "read_head",
    "show_bytes",
]

WORD_LIMIT_BYTES = 4096
"""Longest word that is read; a longer one means that the reader has lost its way."""

NUMBER_LIMIT_BYTES = 64
"""Longest number in a text file; in practice they have 25 characters at most."""

_DIM_LIMIT = 65_536
_FIRST_LINE_LIMIT_BYTES = WORD_LIMIT_BYTES + _DIM_LIMIT * NUMBER_LIMIT_BYTES
_SAMPLE_BYTES = 4096

_BOM = codecs.BOM_UTF8
_GZIP_MAGIC = b"\x1f\x8b"
_HEADER = re.compile(rb"([0-9]{1,18})[ \t]+([0-9]{1,18})[ \t\r]*\n?")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class WordVectorHead:
    """What the beginning of a word vector file says.

    Attributes
    ----------
    path
        The file.
    is_binary, is_gzipped
        Float32 values in place of numbers in text; packed by gzip (text only).
    dim
        Length of one vector.
    n_words
        Records that the header promises; None without a header.
    start
        Bytes before the first record, after unpacking.
    """

    path: Path
    is_binary: bool
    is_gzipped: bool
    dim: int
    n_words: int | None
    start: int


def read_head(path: Path) -> WordVectorHead:
    r"""Return what the beginning of a word vector file says, without reading the rest.

    Parameters
    ----------
    path
        A word2vec text file (header ``n dim``), the same without header (GloVe), either of them
        packed by gzip or not, or a word2vec binary file.

    Returns
    -------
    WordVectorHead
        Kind, sizes and where the records start.

    Raises
    ------
    ModelFormatError
        If the file is empty or of another kind, or promises more than its size can hold.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "vectors.txt")
    ...     _ = path.write_text("2 3\nsun 0 1 2\nmoon 3 4 5\n")
    ...     head = read_head(path)
    >>> head.n_words, head.dim, head.is_binary
    (2, 3, False)
    """
    with path.open("rb") as file:
        is_gzipped = file.read(2) == _GZIP_MAGIC
    with open_unpacked(path, is_gzipped=is_gzipped) as stream:
        first = stream.readline(_FIRST_LINE_LIMIT_BYTES)
        sample = stream.read(_SAMPLE_BYTES)
    mark = len(_BOM) if first.startswith(_BOM) else 0
    header = _HEADER.fullmatch(first, mark)
    if header is None:
        return WordVectorHead(
            path, False, is_gzipped, _headerless_dim(path, first[mark:]), None, mark
        )
    n_words, dim = int(header[1]), int(header[2])
    if n_words == 0 or not 0 < dim <= _DIM_LIMIT:
        raise ModelFormatError(
            f"{path}, line 1: expected at least one word and 1 to {_DIM_LIMIT} dimensions, "
            f"found {header[0].strip().decode()!r}"
        )
    head = WordVectorHead(path, not _is_text(sample), is_gzipped, dim, n_words, len(first))
    _check_size(head)
    return head


@contextmanager
def open_unpacked(path: Path, *, is_gzipped: bool) -> Iterator[IO[bytes]]:
    r"""Open a file for reading, unpacked; what gzip finds wrong becomes a ModelFormatError.

    Parameters
    ----------
    path
        The file.
    is_gzipped
        Whether to unpack it.

    Yields
    ------
    IO[bytes]
        The unpacked bytes from their beginning; closed at the end of the block.

    Raises
    ------
    ModelFormatError
        If gzip data are cut off or damaged, where the block reads them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "vectors.txt.gz")
    ...     _ = path.write_bytes(gzip.compress(b"1 2\nsun 0 1\n"))
    ...     with open_unpacked(path, is_gzipped=True) as stream:
    ...         stream.readline()
    b'1 2\n'
    """
    with path.open("rb") as raw:
        if not is_gzipped:
            yield raw
            return
        try:
            with gzip.open(raw) as stream:
                yield cast("IO[bytes]", stream)
        except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
            raise ModelFormatError(
                f"{path}, near byte {raw.tell()}: expected whole gzip data, found: {exc}"
            ) from exc


def show_bytes(text: bytes) -> str:
    r"""Return some bytes as a message shows them: 40 at most, as text where they are text.

    Parameters
    ----------
    text
        The bytes.

    Returns
    -------
    str
        Their repr as text, with ``...`` behind it if they were cut.

    Examples
    --------
    >>> show_bytes("词 0.1".encode()), show_bytes(b"\xff")
    ("'词 0.1'", "'\\\\xff'")
    """
    return repr(text[:40].decode("utf-8", "backslashreplace")) + ("..." if len(text) > 40 else "")


def are_numbers(fields: list[bytes]) -> bool:
    """Return whether each field is a number.

    Parameters
    ----------
    fields
        Parts of a line.

    Returns
    -------
    bool
        True for no fields too; nan and infinity are numbers here.

    Examples
    --------
    >>> are_numbers([b"0.5", b"-1e-3"]), are_numbers([b"moon"])
    (True, False)
    """
    try:
        for field in fields:
            float(field)
    except ValueError:
        return False
    return True


# Count the numbers of the first line of a file that has no header.
def _headerless_dim(path: Path, line: bytes) -> int:
    fields = line.rstrip().split(b" ")
    if not 1 < len(fields) <= _DIM_LIMIT + 1 or not are_numbers(fields[1:]):
        raise ModelFormatError(
            f"{path}, line 1: expected the header 'n dim', or a word and up to {_DIM_LIMIT} "
            f"numbers, found {show_bytes(line)}"
        )
    return len(fields) - 1


# Tell text from float32 values by the bytes after the header.
#
# Text is what has no control characters and is UTF-8, and also (some old files hold words that
# are cut within a character) what has a first line of numbers after its first space.
def _is_text(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        line, newline, _ = sample.partition(b"\n")
        fields = line.rstrip().split(b" ")[1:]
        # without its end, the line's last number may be cut in the middle
        return are_numbers(fields if newline else fields[:-1]) and len(fields) > 1
    return not _CONTROL.search(sample)


# Refuse, before any work, a header that promises more than the file can hold.
def _check_size(head: WordVectorHead) -> None:
    if head.is_gzipped:
        if head.is_binary:
            raise ModelFormatError(
                f"{head.path}: expected text in a gzip file, found binary vectors; unpack it"
            )
        return
    # a word of one byte, a space, and the values: one digit and a space (or the line end) each
    n_bytes = (head.n_words or 0) * (2 + head.dim * (4 if head.is_binary else 2)) + head.start
    if not head.is_binary:
        n_bytes -= 1  # the last line may lack its end
    size = head.path.stat().st_size
    if n_bytes > size:
        raise ModelFormatError(
            f"{head.path}: the header promises {head.n_words} words of {head.dim} dimensions, "
            f"expected at least {n_bytes} bytes, found {size}; the file is cut off, or its "
            "header is wrong"
        )
