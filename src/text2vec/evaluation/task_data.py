"""A task's rows, out of a data folder or from the Hub, with the checksum of what was read."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from text2vec.errors import DataFormatError
from text2vec.evaluation.hub_data import fetch_task_files
from text2vec.evaluation.tasks import Task
from text2vec.files.lines import bad_row
from text2vec.files.pairs import read_pairs, text_of
from text2vec.files.rows import Row, read_rows

__all__ = ["TaskData", "load_task"]


@dataclass(frozen=True)
class TaskData:
    """What a task is scored with.

    Attributes
    ----------
    task
        Its row.
    left, right
        Texts: the two sides of pairs and translations; queries and documents; texts and nothing.
    labels
        Scores of pairs; empty elsewhere.
    groups
        Label of each text (clustering).
    relevant
        Place of a document -> grade, for each query (retrieval).
    """

    task: Task
    left: list[str]
    right: list[str]
    labels: list[float] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    relevant: list[dict[int, float]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Every text that is encoded, with repetitions."""
        return [*self.left, *self.right]

    @cached_property
    def revision(self) -> str:
        """SHA-256 of the rows themselves: the same for the same rows in any file format."""
        parts = [self.left, self.right, self.labels, self.groups, self.relevant]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load_task(task: Task, folder: Path | None) -> TaskData:
    r"""Return a task's rows.

    Parameters
    ----------
    task
        What to load.
    folder
        The data folder; None to take the data set from the Hub.

    Returns
    -------
    TaskData
        At least one row.

    Raises
    ------
    FileNotFoundError
        If a file is not there, with its name.
    DataFormatError
        If a row is wrong, with file and line; a label outside of the task's scale too.
    ValueError
        If ``folder`` is None and the task names no data set on the Hub.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = Path(name, "a.csv").write_text("text1,text2,score\na,b,1\n")
    ...     load_task(Task("mine", "pairs", ("a.csv",), "en"), Path(name)).labels
    [1.0]
    """
    return _READERS[task.kind](task, _paths(task, folder))


def _paths(task: Task, folder: Path | None) -> list[Path]:
    if folder is None:
        return fetch_task_files(task)
    root = folder.resolve()
    paths = [folder / name for name in task.files]
    for path in paths:
        if root not in path.resolve().parents:
            raise ValueError(f"task {task.name!r}: {path} lies outside of the data folder")
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; task {task.name!r} needs it")
    return paths


def _read_pairs(task: Task, paths: list[Path]) -> TaskData:
    sides = [
        read_pairs(path, columns=task.columns or None, labels=task.labels, header=task.header)
        for path in paths
    ]
    firsts, seconds = sides[0], sides[-1]
    if len(firsts) != len(seconds):
        raise DataFormatError(
            f"{paths[-1]}: {len(seconds)} rows; expected {len(firsts)}, as in {paths[0]}"
        )
    for i, (a, b) in enumerate(zip(firsts, seconds, strict=True)):
        if task.scale is not None and not task.scale[0] <= a.score <= task.scale[1]:
            expected = f"a score from {task.scale[0]:g} to {task.scale[1]:g}"
            raise bad_row(str(paths[0]), _line(task, paths[0], i), expected, str(a.score))
        if a.score != b.score:
            expected = f"the score of {paths[0]}:{_line(task, paths[0], i)}, {a.score}"
            raise bad_row(str(paths[-1]), _line(task, paths[-1], i), expected, str(b.score))
    return TaskData(
        task,
        [pair.text1 for pair in firsts],
        [pair.text2 for pair in seconds],
        [pair.score for pair in firsts],
    )


def _line(task: Task, path: Path, row: int) -> int:
    """Return the line of a row that is counted from 0: a header or a line break moves it."""
    unnamed = None if task.header else ("text1", "text2", "score")
    return next(itertools.islice(read_rows(path, unnamed), row, None)).line


def _read_translations(task: Task, paths: list[Path]) -> TaskData:
    rows = _rows(paths[0])
    left, right = ([text_of(row, column, paths[0]) for row in rows] for column in task.columns)
    return TaskData(task, left, right)


def _read_clusters(task: Task, paths: list[Path]) -> TaskData:
    text, label = task.columns or ("text", "label")
    rows = _rows(paths[0])
    groups = []
    for row in rows:
        if row.values.get(label) is None:
            raise bad_row(str(paths[0]), row.line, f"a label in column {label!r}", "none")
        groups.append(str(row.values[label]))
    texts = [text_of(row, text, paths[0]) for row in rows]
    return TaskData(task, texts, [], groups=groups)


def _read_retrieval(task: Task, paths: list[Path]) -> TaskData:
    corpus, queries = ({}, {})  # type: dict[str, str], dict[str, str]
    for path, texts in ((paths[0], corpus), (paths[1], queries)):
        for row in _rows(path):
            name, text = text_of(row, "_id", path), text_of(row, "text", path)
            if name in texts:
                raise bad_row(str(path), row.line, "an _id of its own", repr(name))
            title = row.values.get("title") or ""
            texts[name] = f"{title} {text}" if title else text
    places = {name: i for i, name in enumerate(corpus)}
    relevant: dict[str, dict[int, float]] = {name: {} for name in queries}
    for row in _rows(paths[2]):
        query, document, grade = _judgement(row, paths[2])
        if query not in relevant or document not in places:
            unknown = query if query not in relevant else document
            raise bad_row(str(paths[2]), row.line, "a known query-id and corpus-id", repr(unknown))
        if grade > 0:
            relevant[query][places[document]] = grade
    return TaskData(
        task,
        list(queries.values()),
        list(corpus.values()),
        relevant=list(relevant.values()),
    )


def _judgement(row: Row, path: Path) -> tuple[str, str, float]:
    values: Mapping[str, object] = row.values
    try:
        return str(values["query-id"]), str(values["corpus-id"]), float(str(values["score"]))
    except (KeyError, ValueError) as exc:
        expected = "query-id, corpus-id and a number as score"
        raise bad_row(str(path), row.line, expected, str(dict(values))) from exc


def _rows(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    if not rows:
        raise DataFormatError(f"{path}: expected rows, found none")
    return rows


_READERS = {
    "pairs": _read_pairs,
    "bitext": _read_translations,
    "clustering": _read_clusters,
    "retrieval": _read_retrieval,
}
