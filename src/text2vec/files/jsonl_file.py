"""JSON lines of texts in, JSON lines of texts and embeddings out.

Opening files and choosing formats are done by ``records`` and ``embedding_files``.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from text2vec.files.lines import NumberedLine, bad_row, strip_line_end

__all__ = ["JsonLinesWriter", "parse_json_row", "read_jsonl_rows"]


def read_jsonl_rows(
    lines: Iterator[NumberedLine], name: str, columns: Sequence[str]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line number and the texts of every line, each of which is a JSON object.

    Parameters
    ----------
    lines
        The file's lines; a blank one is an error.
    name
        What errors call the file.
    columns
        Keys of the wanted texts.

    Yields
    ------
    tuple[int, tuple[str, ...]]
        Line number, counted from 1, and one text a column.

    Raises
    ------
    DataFormatError
        If a line is no JSON object, lacks a column, or a value is no text or half a surrogate
        pair.

    Examples
    --------
    >>> lines = iter([NumberedLine(1, '{"text": "a", "id": 7}')])
    >>> list(read_jsonl_rows(lines, "x.jsonl", ["text"]))
    [(1, ('a',))]
    """
    for number, line in lines:
        row = parse_json_row(line, name, number)
        texts = tuple(_json_text(row, column, name, number) for column in columns)
        # Only an escape can bring half a surrogate pair into valid UTF-8.
        if "\\u" in line:
            for text in texts:
                _check_surrogates(text, name, number)
        yield number, texts


def parse_json_row(line: str, name: str, number: int) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Parameters
    ----------
    line
        The line, with or without its end.
    name, number
        What errors call the file, and the line's number.

    Returns
    -------
    dict[str, Any]
        Key -> value, as ``json`` has them; NaN and Infinity are read as floats.

    Raises
    ------
    DataFormatError
        If it is no JSON object.

    Examples
    --------
    >>> parse_json_row('{"text": "a", "score": 2}', "x.jsonl", 1)
    {'text': 'a', 'score': 2}
    """  # noqa: DOC501 - bad_row returns one
    try:
        row = json.loads(line)
    except json.JSONDecodeError as exc:
        expected = f"a JSON object ({exc.msg} at character {exc.colno})"
        raise bad_row(name, number, expected, repr(strip_line_end(line))) from exc
    except (ValueError, RecursionError) as exc:  # a number too long, a nest too deep
        raise bad_row(name, number, "a JSON object", str(exc)) from exc
    if not isinstance(row, dict):
        raise bad_row(name, number, "a JSON object", reprlib.repr(row))
    return row


class JsonLinesWriter:
    """Writes ``{"text": ..., "embedding": [...]}``, one object a line, in UTF-8.

    float32 and float16 values have nine significant digits, which is enough to read the same
    float32 back.

    Parameters
    ----------
    stream
        Binary stream, a pipe too; it is flushed after every block and left open.

    Examples
    --------
    >>> import io
    >>> stream = io.BytesIO()
    >>> JsonLinesWriter(stream).write(["茶"], np.array([[1, 0.1]], np.float32))
    >>> print(stream.getvalue().decode().rstrip())
    {"text": "茶", "embedding": [1,0.100000001]}
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, texts: Sequence[str], embeddings: NDArray[Any]) -> None:
        """Append one line per text.

        Parameters
        ----------
        texts
            The texts, ``n_texts`` of them.
        embeddings
            Shape ``(n_texts, dim)``.

        Raises
        ------
        ValueError
            If a value is not finite: JSON has no word for it.
        """
        if not np.isfinite(embeddings).all():
            row = int(np.argmin(np.isfinite(embeddings).all(axis=1)))
            raise ValueError(
                f"the embedding of {texts[row][:40]!r} is not finite, which JSON cannot hold; "
                "write .npy or .parquet, and check the model's weights"
            )
        number = "%.9g" if embeddings.dtype.kind == "f" else "%d"
        numbers = ",".join([number] * embeddings.shape[1])
        lines = [
            f'{{"text": {json.dumps(text, ensure_ascii=False)}, '
            f'"embedding": [{numbers % tuple(row)}]}}\n'
            for text, row in zip(texts, embeddings.tolist(), strict=True)
        ]
        self._stream.write("".join(lines).encode())
        self._stream.flush()

    def finish(self) -> None:
        """Do nothing: every block is complete."""

    def abandon(self) -> None:
        """Do nothing: the stream is the caller's."""


def _json_text(row: dict[str, Any], column: str, name: str, number: int) -> str:
    if column not in row:
        raise bad_row(name, number, f"column {column!r}", f"columns {sorted(row)}")
    value = row[column]
    if not isinstance(value, str):
        raise bad_row(name, number, f"text in column {column!r}", reprlib.repr(value))
    return value


def _check_surrogates(text: str, name: str, number: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        found = f"half a surrogate pair at character {exc.start + 1}"
        raise bad_row(name, number, "Unicode text", found) from exc
