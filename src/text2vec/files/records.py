"""Files and streams of texts in, one record a row: order kept, nothing dropped, nothing repaired.

Reading is lazy, so that memory stays bounded whatever the size. Writing is in
``embedding_files``; what becomes of the texts is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from text2vec.errors import require
from text2vec.files.delimited import read_csv_rows, read_tsv_rows
from text2vec.files.jsonl_file import read_jsonl_rows
from text2vec.files.lines import NumberedLine, bad_row, read_lines, strip_line_end
from text2vec.files.parquet_file import count_parquet_rows, read_parquet_rows

__all__ = [
    "TEXT_SUFFIXES",
    "Record",
    "chunk_records",
    "count_records",
    "read_records",
    "read_stream",
    "text_suffix",
]

_CHUNK_CHARACTERS = 8 * 2**20
"""A chunk is closed early at this many characters: 4,096 books are not held at once."""

_COUNT_BYTES = 2**20


class Record(NamedTuple):
    """The texts of one row.

    Attributes
    ----------
    line
        Line of the file, or row of a Parquet file, counted from 1.
    texts
        One text for each column that was asked for.
    """

    line: int
    texts: tuple[str, ...]


_Rows: TypeAlias = Iterator[tuple[int, list[str]]]


def read_records(path: Path, columns: Sequence[str] = ("text",)) -> Iterator[Record]:
    r"""Yield the texts of a file, row by row.

    The suffix says the format: ``.txt`` (a text a line, a blank line is the text ``""``),
    ``.jsonl`` (an object a line), ``.csv`` and ``.tsv`` (a header; TSV knows no quoting),
    ``.parquet`` (extra ``parquet``); ``.gz`` may follow all but the last.

    Parameters
    ----------
    path
        File to read.
    columns
        Names of the columns to take; a ``.txt`` file has one column, whatever it is called.

    Returns
    -------
    Iterator[Record]
        In the order of the file; none for a file of no rows.

    Raises
    ------
    ValueError
        At once, if no column is named, if the suffix is unknown, or if a ``.txt`` file should
        have several columns.
    FileNotFoundError
        At once, if there is no such file.
    DataFormatError
        While iterating: a row that is no valid UTF-8 or JSON, lacks a column, or holds no text.
    MissingExtraError
        At once, if the file is ``.parquet`` and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two.csv"
    ...     _ = path.write_text('id,text\n1,"a, b"\n2,\n')
    ...     list(read_records(path))
    [Record(line=2, texts=('a, b',)), Record(line=3, texts=('',))]
    """
    if isinstance(columns, str) or not columns:
        raise ValueError(f"columns is {columns!r}; expected a sequence of one name or more")
    suffix = text_suffix(path)
    if suffix == ".txt" and len(columns) > 1:
        raise ValueError(
            f"{path}: a .txt file has one text a line, but {len(columns)} columns are wanted; "
            "use .tsv, .csv, .jsonl or .parquet"
        )
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if suffix == ".parquet":
        require("pyarrow", "parquet")
        return starmap(Record, read_parquet_rows(path, columns))
    return _LINE_READERS[suffix](read_lines(path), str(path), columns)


def read_stream(stream: BinaryIO, name: str = "<stdin>") -> Iterator[Record]:
    r"""Yield one record a line of a UTF-8 stream, as its bytes arrive.

    Parameters
    ----------
    stream
        Binary stream; it is left open.
    name
        What errors call it.

    Returns
    -------
    Iterator[Record]
        A blank line is the text ``""``; only the final line break does not make a text.

    Examples
    --------
    >>> import io
    >>> [record.texts for record in read_stream(io.BytesIO("茶\n\nb\n".encode()))]
    [('茶',), ('',), ('b',)]
    """
    return _read_plain(read_lines(stream, name), name, ("text",))


def count_records(path: Path) -> int | None:
    r"""Return the number of rows where that is cheap to know, else None.

    Parameters
    ----------
    path
        File that ``read_records`` can read.

    Returns
    -------
    int | None
        Exact for ``.txt``, ``.jsonl`` and ``.tsv`` (line breaks are counted) and ``.parquet``
        (its footer says it); None for ``.csv``, for packed files and for pipes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "three.txt"
    ...     _ = path.write_bytes(b"a\n\nc")
    ...     count_records(path)
    3
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        return None
    if suffix == ".parquet":
        return count_parquet_rows(path)
    if suffix not in {".txt", ".jsonl", ".tsv"}:
        return None
    n_lines = 0
    last = b"\n"
    with path.open("rb") as stream:
        while block := stream.read(_COUNT_BYTES):
            n_lines += block.count(b"\n")
            last = block[-1:]
    n_lines += last != b"\n"
    return max(n_lines - 1, 0) if suffix == ".tsv" else n_lines


def chunk_records(records: Iterator[Record], n_records: int) -> Iterator[list[Record]]:
    """Yield the records in lists of at most ``n_records``, fewer where texts are very long.

    Parameters
    ----------
    records
        Any number of records, an endless stream too.
    n_records
        Most records of a list, at least 1.

    Yields
    ------
    list[Record]
        Never empty; a list is closed early when its texts have 8 Mi characters.

    Raises
    ------
    ValueError
        If ``n_records`` is less than 1.

    Examples
    --------
    >>> records = (Record(n, ("a",)) for n in range(1, 6))
    >>> [[record.line for record in chunk] for chunk in chunk_records(records, 2)]
    [[1, 2], [3, 4], [5]]
    """
    if n_records < 1:
        raise ValueError(f"n_records is {n_records}; expected 1 or more")
    chunk: list[Record] = []
    n_characters = 0
    for record in records:
        chunk.append(record)
        n_characters += sum(map(len, record.texts))
        if len(chunk) == n_records or n_characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk = []
            n_characters = 0
    if chunk:
        yield chunk


def text_suffix(path: Path) -> str:
    """Return which of ``TEXT_SUFFIXES`` says a file's format.

    Parameters
    ----------
    path
        Its name; the file need not exist.

    Returns
    -------
    str
        Lower case, without ``.gz``.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> text_suffix(Path("a.test.JSONL.gz"))
    '.jsonl'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if zipped else suffixes[-1:])
    if suffix not in TEXT_SUFFIXES or (zipped and suffix == ".parquet"):
        raise ValueError(
            f"{path}: unknown kind of file; expected a name that ends in "
            f"{', '.join(TEXT_SUFFIXES)} (or .gz after any but .parquet)"
        )
    return suffix


def _read_plain(
    lines: Iterator[NumberedLine], name: str, columns: Sequence[str]
) -> Iterator[Record]:
    del name, columns
    for number, line in lines:
        yield Record(number, (strip_line_end(line),))


def _read_jsonl(
    lines: Iterator[NumberedLine], name: str, columns: Sequence[str]
) -> Iterator[Record]:
    return starmap(Record, read_jsonl_rows(lines, name, columns))


def _read_csv(lines: Iterator[NumberedLine], name: str, columns: Sequence[str]) -> Iterator[Record]:
    return _pick_columns(read_csv_rows(lines, name), name, columns)


def _read_tsv(lines: Iterator[NumberedLine], name: str, columns: Sequence[str]) -> Iterator[Record]:
    return _pick_columns(read_tsv_rows(lines, name), name, columns)


def _pick_columns(rows: _Rows, name: str, columns: Sequence[str]) -> Iterator[Record]:
    _, header = next(rows, (1, None))
    if header is None:
        raise bad_row(name, 1, "a header", "an empty file")
    for column in columns:
        if header.count(column) != 1:
            raise bad_row(name, 1, f"one column {column!r} in the header", f"columns {header}")
    places = [header.index(column) for column in columns]
    for number, fields in rows:
        if len(fields) != len(header):
            raise bad_row(name, number, f"{len(header)} fields", f"{len(fields)}: {fields}")
        yield Record(number, tuple(fields[place] for place in places))


_LineReader: TypeAlias = Callable[[Iterator[NumberedLine], str, Sequence[str]], Iterator[Record]]
_LINE_READERS: dict[str, _LineReader] = {
    ".txt": _read_plain,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
}
TEXT_SUFFIXES = (*_LINE_READERS, ".parquet")
"""Endings of the files that can be read; ``.gz`` may follow all but the last."""
