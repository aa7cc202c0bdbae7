"""Rows of every source as numbers: each text once, rows as places of texts, labels as floats.

A group is what may be ranked together: a source, or each value of its ``split_by`` column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import IntVector
from text2vec.errors import DataFormatError
from text2vec.files.lines import bad_row
from text2vec.files.pairs import find_pair_columns, score_of, text_of
from text2vec.files.rows import Row, read_rows
from text2vec.training.sources import SourceRecipe

__all__ = [
    "Corpus",
    "Group",
    "TextTable",
    "TrainingRow",
    "data_file",
    "read_group_rows",
    "read_groups",
]


class TrainingRow(NamedTuple):
    """One row.

    Attributes
    ----------
    texts
        What is embedded together.
    label
        0 where the loss needs none.
    line
        Of the file; 0 where the row is made of several.
    versions
        The texts of the row in each language, where it was drawn from several.
    """

    texts: tuple[str, ...]
    label: float
    line: int = 0
    versions: tuple[tuple[str, ...], ...] = ()


class TextTable:
    """Every text once, in order of first use.

    Examples
    --------
    >>> table = TextTable()
    >>> table.place("a"), table.place("b"), table.place("a"), table.texts
    (0, 1, 0, ['a', 'b'])
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Return a text's place; a new one is added at the end."""
        place = self._places.setdefault(text, len(self.texts))
        if place == len(self.texts):
            self.texts.append(text)
        return place


@dataclass
class Group:
    """Rows that train together.

    Attributes
    ----------
    name
        ``source``, or ``source/value`` for a part of one.
    source
        What the recipe says of it.
    rows
        Places of texts, ``(n_rows, n_columns)``, int64.
    labels
        Of each row, ``(n_rows,)``, float64.
    counts
        What was read and what was dropped, by reason, in words for a report.
    versions
        Of each row the texts in each language, until leaks are dropped; none where no row was
        drawn from several.
    """

    name: str
    source: SourceRecipe
    rows: NDArray[np.int64]
    labels: NDArray[np.float64]
    counts: dict[str, int] = field(default_factory=dict)
    versions: Sequence[tuple[tuple[str, ...], ...]] = ()

    @property
    def trained(self) -> NDArray[np.int64]:
        """Places of the texts that the model embeds: all, or all but the teacher's."""
        return self.rows if self.source.train_first else self.rows[:, 1:]

    def cut_at(self, max_length: int) -> int:
        """Return at how many tokens its texts are cut, where the recipe says ``max_length``."""
        return self.source.max_length or max_length

    def keep(self, chosen: NDArray[np.bool_], reason: str) -> None:
        """Drop the rows that are not chosen, and count them under a reason."""
        dropped = int(len(chosen) - chosen.sum())
        if dropped:
            self.counts[reason] = self.counts.get(reason, 0) + dropped
            self.rows, self.labels = self.rows[chosen], self.labels[chosen]
            if self.versions:
                self.versions = [self.versions[i] for i in np.flatnonzero(chosen).tolist()]


@dataclass
class Corpus:
    """All groups of a run and the texts that their rows name."""

    table: TextTable
    groups: list[Group]


def data_file(data: Path, name: str) -> Path:
    """Return a file of the data folder.

    Parameters
    ----------
    data
        The folder.
    name
        A path below it.

    Returns
    -------
    Path
        It exists.

    Raises
    ------
    ValueError
        If the path leads out of the folder.
    FileNotFoundError
        If it is not there.
    """
    path = data / name
    if data.resolve() not in path.resolve().parents:
        raise ValueError(f"{name}: lies outside of the data folder {data}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; is this the data folder (--data)?")
    return path


def read_groups(source: SourceRecipe, data: Path, table: TextTable, seed: int) -> list[Group]:
    """Return the rows of a source, divided by its ``split_by``.

    Parameters
    ----------
    source
        What to read.
    data
        The data folder.
    table
        Takes the texts.
    seed
        Of what is drawn: languages, a sample, documents to join.

    Returns
    -------
    list[Group]
        In the order of first appearance; each has at least one row.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    DataFormatError
        If a row is wrong, with file and line; or if there is none.
    """
    random = np.random.default_rng([seed, *source.name.encode()])
    parts = read_group_rows(source, data, random)
    groups = []
    for value, rows in parts.items():
        rows = _sampled(_joined(rows, source, random), source, random)
        name = f"{source.name}/{value}" if value else source.name
        places = np.array([[table.place(t) for t in row.texts] for row in rows], np.int64)
        labels = np.array([row.label for row in rows], np.float64)
        versions = [row.versions for row in rows] if source.cross_lingual else []
        groups.append(Group(name, source, places, labels, {"read": len(rows)}, versions))
    return groups


def read_group_rows(
    source: SourceRecipe, data: Path, random: np.random.Generator
) -> dict[str, list[TrainingRow]]:
    """Return the rows of a source by the value of its ``split_by``, "" where it has none.

    Parameters
    ----------
    source
        What to read.
    data
        The data folder.
    random
        Draws the languages of cross-lingual rows.

    Returns
    -------
    dict[str, list[TrainingRow]]
        Nothing is empty.

    Raises
    ------
    DataFormatError
        If a row is wrong, or no row is left.
    """
    files = [data_file(data, name) for name in source.files]
    parts: dict[str, list[TrainingRow]] = {}
    if source.cross_lingual:
        parts[""] = _cross_lingual(source, files, random)
    else:
        for path in files:
            for value, row in _read_file(source, path):
                parts.setdefault(value, []).append(row)
    missing = [value for value in source.only if value not in parts]
    if missing or not parts:
        wanted = f"{source.split_by} {missing[0]!r}" if missing else "a row"
        raise DataFormatError(f"{files[0]}: source {source.name!r} expected {wanted}, found none")
    return parts


def _read_file(source: SourceRecipe, path: Path) -> Iterator[tuple[str, TrainingRow]]:
    columns: tuple[str, ...] = source.columns
    for number, row in enumerate(read_rows(path)):
        if number < source.skip:
            continue
        if not columns:
            columns = find_pair_columns(row, path)
        value = _split_value(source, row, path)
        if source.only and value not in source.only:
            continue
        found = _read_row(source, row, path, columns)
        if found is not None:
            yield value, found


def _split_value(source: SourceRecipe, row: Row, path: Path) -> str:
    if not source.split_by:
        return ""
    value = row.values.get(source.split_by)
    if value is None or not str(value):
        found = f"columns {sorted(row.values)}"
        raise bad_row(str(path), row.line, f"a value in column {source.split_by!r}", found)
    return str(value)


def _read_row(
    source: SourceRecipe, row: Row, path: Path, columns: Sequence[str]
) -> TrainingRow | None:
    labelled = source.needs in {"scored", "classes"}
    names, label = (columns[:2], columns[2]) if labelled else (columns, "")
    if source.needs == "positives" and len(columns) == 3 and columns[2] in _SCORE_NAMES:
        names, label = columns[:2], columns[2]
    if source.needs == "translations" and not source.columns:
        names = columns[:2]  # of a file of pairs
    texts = tuple(text_of(row, name, path) for name in names)
    if not label:
        return TrainingRow(texts, 0.0, row.line)
    if source.labels and label in row.values:  # a key of TOML is a word: 5.0 is looked up as "5.0"
        row = Row(row.line, {**row.values, label: str(row.values[label])})
    score = score_of(row, label, path, source.labels or None)
    if source.scale and not source.scale[0] <= score <= source.scale[1]:
        expected = f"a score from {source.scale[0]:g} to {source.scale[1]:g}"
        raise bad_row(str(path), row.line, expected, f"{score:g}")
    if source.needs == "positives":
        return TrainingRow(texts, 0.0, row.line) if score >= source.minimum else None
    return TrainingRow(texts, score, row.line)


_SCORE_NAMES = ("score", "label", "similarity_score")


def _cross_lingual(
    source: SourceRecipe, files: Sequence[Path], random: np.random.Generator
) -> list[TrainingRow]:
    sides = [[row for _, row in _read_file(source, path)] for path in files]
    for path, side in zip(files, sides, strict=True):
        if len(side) != len(sides[0]):
            expected = f"{len(sides[0])}, as in {files[0]}"
            raise DataFormatError(f"{path}: {len(side)} rows; expected {expected}")
        for row, first in zip(side, sides[0], strict=True):
            if row.label != first.label:
                expected = f"the score of {files[0]}:{first.line}, {first.label:g}"
                raise bad_row(str(path), row.line, expected, f"{row.label:g}")
    versions = [tuple(row.texts for row in rows) for rows in zip(*sides, strict=True)]
    if source.needs == "translations":
        passes = range(source.cross_lingual)
        return [row for _ in passes for row in _translated(sides, versions, random)]
    rows = []
    for _ in range(source.cross_lingual):
        left, right = random.integers(len(files), size=(2, len(sides[0])))
        for i, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            texts = (sides[a][i].texts[0], sides[b][i].texts[1])
            rows.append(TrainingRow(texts, sides[0][i].label, versions=versions[i]))
    return rows


def _translated(
    sides: Sequence[Sequence[TrainingRow]],
    versions: Sequence[tuple[tuple[str, ...], ...]],
    random: np.random.Generator,
) -> Iterator[TrainingRow]:
    """Yield each text of the first file with the one of another file that is drawn."""
    for i, first in enumerate(sides[0]):
        others = random.integers(1, len(sides), size=len(first.texts)).tolist()
        for j, other in enumerate(others):
            texts = (first.texts[j], sides[other][i].texts[j])
            yield TrainingRow(texts, 0.0, versions=versions[i])


def _joined(
    rows: list[TrainingRow], source: SourceRecipe, random: np.random.Generator
) -> list[TrainingRow]:
    """Make one row of each text, or join several into a document."""
    if source.needs != "texts":
        return rows
    texts = list(dict.fromkeys(text for row in rows for text in row.texts if text))
    if not source.join:
        return [TrainingRow((text,), 0.0) for text in texts]
    order = random.permutation(len(texts)).tolist()
    documents, start = [], 0
    while start < len(order):
        n_texts = int(random.integers(source.join[0], source.join[1] + 1))
        chosen = [texts[i] for i in order[start : start + n_texts]]
        documents.append(TrainingRow((" ".join(chosen),), 0.0))
        start += n_texts
    return documents


def _sampled(
    rows: list[TrainingRow], source: SourceRecipe, random: np.random.Generator
) -> list[TrainingRow]:
    if not source.rows or source.rows >= len(rows):
        return rows
    chosen: IntVector = np.sort(random.permutation(len(rows))[: source.rows])
    return [rows[i] for i in chosen.tolist()]
