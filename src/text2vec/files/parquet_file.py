"""Parquet files of texts in, Parquet files of texts and embeddings out (extra ``parquet``).

pyarrow is imported by the functions that need it. The other formats are in ``records`` and
``embedding_files``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import DataFormatError, require
from text2vec.files.lines import bad_row

__all__ = ["ParquetWriter", "count_parquet_rows", "read_parquet_rows", "read_parquet_values"]

_READ_ROWS = 4096
_ROW_GROUP_BYTES = 32 * 2**20
"""Blocks are gathered to row groups of this size: many small ones make a slow file."""


def count_parquet_rows(path: Path) -> int:
    """Return the number of rows that the file's footer states.

    Parameters
    ----------
    path
        Parquet file.

    Returns
    -------
    int
        0 for a file of no rows.

    Raises
    ------
    DataFormatError
        If it is no Parquet file.
    MissingExtraError
        If pyarrow is not installed.
    """
    with _open_file(path) as file:
        return int(file.metadata.num_rows)


def read_parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the row number and the texts of every row, a few thousand rows in memory at a time.

    Parameters
    ----------
    path
        Parquet file.
    columns
        Columns of text (string, large string, or a dictionary of them).

    Yields
    ------
    tuple[int, tuple[str, ...]]
        Row number, counted from 1, and one text a column.

    Raises
    ------
    DataFormatError
        If it is no Parquet file, lacks a column, or a column holds null or no text.
    MissingExtraError
        If pyarrow is not installed.
    """
    with _open_file(path) as file:
        _check_columns(path, file.schema_arrow, columns)
        yield from enumerate(_iterate_texts(path, file, columns), start=1)


def read_parquet_values(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the row number and every value of every row, as Python values; null is None.

    Parameters
    ----------
    path
        Parquet file.

    Yields
    ------
    tuple[int, dict[str, Any]]
        Row number, counted from 1, and column -> value.

    Raises
    ------
    DataFormatError
        If it is no Parquet file, or damaged.
    """
    with _open_file(path) as file:
        batches = file.iter_batches(batch_size=_READ_ROWS)
        n_rows = 0
        while (rows := _next_rows(path, batches)) is not None:
            yield from enumerate(rows, start=n_rows + 1)
            n_rows += len(rows)


class ParquetWriter:
    """Writes the columns ``text`` (string) and ``embedding`` (a list of fixed length).

    Parameters
    ----------
    stream
        Binary stream, opened for writing; it is left open.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._arrow = require("pyarrow", "parquet")
        self._parquet = require("pyarrow.parquet", "parquet")
        self._stream = stream
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._waiting_bytes = 0

    def write(self, texts: Sequence[str], embeddings: NDArray[Any]) -> None:
        """Append one row per text; ``embeddings`` has shape ``(n_texts, dim)``."""
        arrow = self._arrow
        values = arrow.array(np.ascontiguousarray(embeddings).reshape(-1))
        # The rows are counted, not derived, so that a matrix of no columns keeps them.
        kind = arrow.list_(values.type, embeddings.shape[1])
        column = arrow.FixedSizeListArray.from_arrays(values, type=kind)
        schema = arrow.schema([("text", arrow.string()), ("embedding", kind)])
        if self._writer is None:
            # Embeddings hardly ever repeat: a dictionary would only cost time.
            self._writer = self._parquet.ParquetWriter(self._stream, schema, use_dictionary=False)
        names = arrow.array(list(texts), arrow.string())
        self._waiting.append(arrow.record_batch([names, column], schema=schema))
        self._waiting_bytes += self._waiting[-1].nbytes
        if self._waiting_bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write what waits, and the footer."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the file without a footer; pyarrow would write one when collected."""
        if self._writer is not None:
            self._writer.is_open = False

    def _flush(self) -> None:
        table = self._arrow.Table.from_batches(self._waiting, self._waiting[0].schema)
        self._waiting = []
        self._waiting_bytes = 0
        self._writer.write_table(table)


def _open_file(path: Path) -> Any:
    require("pyarrow", "parquet")
    parquet = require("pyarrow.parquet", "parquet")
    try:
        return parquet.ParquetFile(path)
    except (ValueError, OSError) as exc:  # pyarrow's own, but for those of the system
        if isinstance(exc, OSError) and exc.errno is not None:
            raise
        raise DataFormatError(f"{path}: expected a Parquet file, found damage: {exc}") from exc


def _next_rows(path: Path, batches: Iterator[Any]) -> list[dict[str, Any]] | None:
    try:
        batch = next(batches, None)
        return None if batch is None else list(batch.to_pylist())
    except (ValueError, OSError) as exc:
        raise DataFormatError(f"{path}: expected Parquet data, found damage: {exc}") from exc


def _check_columns(path: Path, schema: Any, columns: Sequence[str]) -> None:
    types = require("pyarrow", "parquet").types
    for column in columns:
        if schema.names.count(column) != 1:
            raise DataFormatError(
                f"{path}: expected one column {column!r}, found columns {schema.names}"
            )
        kind = schema.field(column).type
        value = kind.value_type if types.is_dictionary(kind) else kind
        if not (types.is_string(value) or types.is_large_string(value)):
            raise DataFormatError(f"{path}: expected text in column {column!r}, found {kind}")


def _iterate_texts(path: Path, file: Any, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    batches = file.iter_batches(batch_size=_READ_ROWS, columns=list(columns))
    n_rows = 0
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            texts = [batch.column(column).to_pylist() for column in columns]
        except (ValueError, OSError) as exc:
            raise DataFormatError(f"{path}: expected Parquet data, found damage: {exc}") from exc
        for column, values in zip(columns, texts, strict=True):
            if None in values:
                row = n_rows + values.index(None) + 1
                raise bad_row(str(path), row, f"text in column {column!r}", "null")
        n_rows += batch.num_rows
        yield from zip(*texts, strict=True)
