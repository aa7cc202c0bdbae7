"""Whole rows of a data file, each as a mapping from column to value, with its line.

For files whose columns are not all text: scores, labels. What a column means is not known here;
``records`` reads texts alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from text2vec.errors import require
from text2vec.files.delimited import read_csv_rows, read_tsv_rows
from text2vec.files.jsonl_file import parse_json_row
from text2vec.files.lines import bad_row, read_lines
from text2vec.files.parquet_file import read_parquet_values
from text2vec.files.records import text_suffix

__all__ = ["Row", "read_rows"]


class Row(NamedTuple):
    """One row.

    Attributes
    ----------
    line
        Line of the file, or row of a Parquet file, counted from 1.
    values
        Column -> value: strings from CSV and TSV, what the format holds from the others.
    """

    line: int
    values: Mapping[str, Any]


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    r"""Yield the rows of a ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` file (``.gz`` too).

    Parameters
    ----------
    path
        File to read; ``.gz`` may follow all but ``.parquet``.
    columns
        Names for the columns of a CSV or TSV file without a header; None if it has one.

    Yields
    ------
    Row
        In the order of the file; none for a file of no rows.

    Raises
    ------
    ValueError
        If the suffix is unknown, or names are given for a format that has its own.
    FileNotFoundError
        If there is no such file.
    DataFormatError
        If a row cannot be read; the message names the line.
    MissingExtraError
        If the file is ``.parquet`` and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "old.tsv"
    ...     _ = path.write_text("a\tb\t1\n", encoding="utf-8")
    ...     list(read_rows(path, ["text1", "text2", "score"]))
    [Row(line=1, values={'text1': 'a', 'text2': 'b', 'score': '1'})]
    """
    suffix = text_suffix(path)
    if suffix == ".txt":
        raise ValueError(f"{path}: a .txt file has no columns; use .jsonl, .csv, .tsv or .parquet")
    if columns is not None and suffix not in {".csv", ".tsv"}:
        raise ValueError(f"{path}: columns are given for .csv and .tsv alone; {suffix} has its own")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if suffix == ".parquet":
        require("pyarrow", "parquet")
        yield from (Row(i, row) for i, row in read_parquet_values(path))
    elif suffix == ".jsonl":
        for number, line in read_lines(path):
            yield Row(number, parse_json_row(line, str(path), number))
    else:
        yield from _read_delimited(path, suffix, columns)


def _read_delimited(path: Path, suffix: str, columns: Sequence[str] | None) -> Iterator[Row]:
    read = read_csv_rows if suffix == ".csv" else read_tsv_rows
    rows = read(read_lines(path), str(path))
    header = list(columns) if columns is not None else next(rows, (1, None))[1]
    if header is None:
        raise bad_row(str(path), 1, "a header", "an empty file")
    if len(set(header)) < len(header):
        raise bad_row(str(path), 1, "columns of different names", f"columns {header}")
    for number, fields in rows:
        if len(fields) != len(header):
            raise bad_row(str(path), number, f"{len(header)} fields", f"{len(fields)}: {fields}")
        yield Row(number, dict(zip(header, fields, strict=True)))
