"""Pairs of texts with a score: the files that evaluation and training read.

A column is found by one of the documented names, or by the name that the caller gives; a label
that is a word needs a declared number. Nothing is guessed from a file's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from text2vec.errors import DataFormatError
from text2vec.files.lines import bad_row
from text2vec.files.rows import Row, read_rows

__all__ = ["PAIR_COLUMNS", "Pair", "find_pair_columns", "read_pairs", "score_of", "text_of"]

PAIR_COLUMNS: tuple[tuple[str, ...], ...] = (
    ("sentence1", "text1"),
    ("sentence2", "text2"),
    ("score", "label", "similarity_score"),
)
"""Names under which first text, second text and score are looked for, in this order."""


class Pair(NamedTuple):
    """Two texts and how alike people found them.

    Attributes
    ----------
    text1, text2
        The texts; ``""`` is one.
    score
        Finite, on the scale of its file; higher is more alike.
    """

    text1: str
    text2: str
    score: float


def read_pairs(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    labels: Mapping[str, float] | None = None,
    header: bool = True,
) -> list[Pair]:
    r"""Return all pairs of a file.

    Parameters
    ----------
    path
        ``.jsonl``, ``.csv``, ``.tsv`` (``.gz`` too) or ``.parquet``.
    columns
        Names of the three columns; None for the first of ``PAIR_COLUMNS`` that are there.
    labels
        Word -> number for a score column of words, such as XNLI's.
    header
        False for a CSV or TSV of three columns without names, as text2vec 1.x had them.

    Returns
    -------
    list[Pair]
        In the order of the file, at least one.

    Raises
    ------
    DataFormatError
        If a row is wrong (file and line, what was expected, what was found), or there is none.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the suffix is unknown, or ``columns`` are not three.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pairs.jsonl"
    ...     _ = path.write_text('{"sentence1": "a", "sentence2": "b", "score": 2}\n')
    ...     read_pairs(path)
    [Pair(text1='a', text2='b', score=2.0)]
    """
    if columns is not None and len(columns) != 3:
        raise ValueError(f"columns is {columns!r}; expected the names of two texts and a score")
    names = tuple(columns) if columns else None
    unnamed = None if header else names or ("text1", "text2", "score")
    pairs = []
    for row in read_rows(path, unnamed):
        if names is None:
            names = find_pair_columns(row, path)
        first, second, score = names
        pairs.append(
            Pair(
                text_of(row, first, path),
                text_of(row, second, path),
                score_of(row, score, path, labels),
            )
        )
    if not pairs:
        raise DataFormatError(f"{path}: expected pairs, found no row")
    return pairs


def text_of(row: Row, column: str, path: Path) -> str:
    """Return the text in one column of a row.

    Parameters
    ----------
    row
        A row of the file.
    column
        Its name.
    path
        The file, for messages.

    Returns
    -------
    str
        The text as it stands; ``""`` is one.

    Raises
    ------
    DataFormatError
        If the column is not there, or holds no text or half a surrogate pair.

    Examples
    --------
    >>> text_of(Row(7, {"a": 5}), "a", Path("x.jsonl"))
    Traceback (most recent call last):
    ...
    text2vec.errors.DataFormatError: x.jsonl:7: expected text in column 'a', found 5
    """  # noqa: DOC501 - bad_row returns one
    if column not in row.values:
        raise bad_row(str(path), row.line, f"column {column!r}", f"columns {sorted(row.values)}")
    value = row.values[column]
    if not isinstance(value, str):
        raise bad_row(str(path), row.line, f"text in column {column!r}", repr(value))
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        found = f"half a surrogate pair at character {exc.start + 1}"
        raise bad_row(str(path), row.line, f"Unicode text in column {column!r}", found) from exc
    return value


def find_pair_columns(row: Row, path: Path) -> tuple[str, ...]:
    """Return the names of two texts and a score among a row's columns; see ``PAIR_COLUMNS``.

    Parameters
    ----------
    row
        A row of the file.
    path
        The file, for messages.

    Returns
    -------
    tuple[str, ...]
        Three names.

    Raises
    ------
    DataFormatError
        If none or several of the names for one column are there.
    """  # noqa: DOC501 - bad_row returns one
    found = []
    for names in PAIR_COLUMNS:
        present = [name for name in names if name in row.values]
        if len(present) != 1:
            expected = f"one column of {', '.join(names)}"
            raise bad_row(str(path), row.line, expected, f"columns {sorted(row.values)}")
        found.append(present[0])
    return tuple(found)


def score_of(row: Row, column: str, path: Path, labels: Mapping[str, float] | None) -> float:
    """Return the finite score in one column of a row.

    Parameters
    ----------
    row
        A row of the file.
    column
        Its name.
    path
        The file, for messages.
    labels
        Word -> number for a column of words; None for a column of numbers.

    Returns
    -------
    float
        The score.

    Raises
    ------
    DataFormatError
        If it is no finite number, or no word of ``labels``.
    """  # noqa: DOC501 - bad_row returns one
    value: Any = row.values.get(column)
    if labels is not None:
        if not isinstance(value, str) or value not in labels:
            raise bad_row(str(path), row.line, f"one of {', '.join(labels)}", repr(value))
        return float(labels[value])
    number = math.nan
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise bad_row(str(path), row.line, f"a finite number in column {column!r}", repr(value))
    return number
