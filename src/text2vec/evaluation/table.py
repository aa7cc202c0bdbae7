"""The card's table as rows of words: subjects down, tasks across, mean and speed at the end."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from text2vec.evaluation.results import TaskResult, mean_score
from text2vec.evaluation.speed import Speed
from text2vec.evaluation.systems import PUBLISHED_TASKS, System
from text2vec.evaluation.tasks import SUITES

__all__ = ["TableRow", "format_markdown", "format_table", "published_row", "split_by_suite"]


@dataclass(frozen=True)
class TableRow:
    """One subject's figures.

    Attributes
    ----------
    name
        What the table calls it.
    scores
        Task -> main score x 100; None where it is not defined.
    mean
        Mean of the scores; None if one is missing.
    qps
        Texts per second by the card's protocol; None if it was not measured.
    texts_per_second
        Of the tasks' own texts, whose lengths are mixed; None if it was not measured.
    """

    name: str
    scores: dict[str, float | None]
    mean: float | None
    qps: float | None = None
    texts_per_second: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        results: list[TaskResult],
        card_speed: Speed | None = None,
        speed: Speed | None = None,
    ) -> TableRow:
        """Make the row of a run."""
        scores = {result.task: result.score for result in results}
        rates = [None if s is None else s.texts_per_second for s in (card_speed, speed)]
        return cls(name, scores, mean_score(results), *rates)


def published_row(system: System, tasks: Sequence[str]) -> TableRow:
    """Return what was published of a system, in the columns of a table.

    Parameters
    ----------
    system
        Its row.
    tasks
        Columns; those that were not published stay empty.

    Returns
    -------
    TableRow
        The mean is the published one where all seven columns are shown, else none.
    """
    scores = {t: system.score(t) if t in PUBLISHED_TASKS else None for t in tasks}
    mean = system.mean if set(PUBLISHED_TASKS) == set(tasks) else None
    return TableRow(f"{system.hub} (published)", scores, mean, float(system.texts_per_second))


def split_by_suite(rows: Sequence[TableRow]) -> dict[str, list[TableRow]]:
    """Return a table for each suite that is there whole, and one for what is left over.

    Parameters
    ----------
    rows
        With any tasks.

    Returns
    -------
    dict[str, list[TableRow]]
        Suite, or ``other``, -> the rows that have a task of it, with the mean of just its tasks;
        a row that lacks one of them has no mean. Empty for no rows.

    Examples
    --------
    >>> tables = split_by_suite([TableRow("a", {"mine": 1.0, "yours": 2.0}, 1.5)])
    >>> tables["other"][0].mean
    1.5
    """
    names = _columns(rows)
    groups = {suite: tasks for suite, tasks in SUITES.items() if set(tasks) <= set(names)}
    grouped = {task for tasks in groups.values() for task in tasks}
    groups["other"] = tuple(name for name in names if name not in grouped)
    return {
        group: [_part(row, tasks) for row in rows if set(row.scores) & set(tasks)]
        for group, tasks in groups.items()
        if tasks
    }


def _part(row: TableRow, tasks: Sequence[str]) -> TableRow:
    if set(row.scores) == set(tasks):
        return row  # whose mean may be a published one
    scores = {task: row.scores[task] for task in tasks if task in row.scores}
    known = [score for score in scores.values() if score is not None]
    return replace(row, scores=scores, mean=fmean(known) if len(known) == len(tasks) else None)


def format_table(rows: Sequence[TableRow]) -> str:
    """Return the rows as aligned columns for a terminal.

    Parameters
    ----------
    rows
        All with the same tasks in the same order, or some of them.

    Returns
    -------
    str
        A header and a line a row; ``""`` for no rows.

    Examples
    --------
    >>> print(format_table([TableRow("a", {"bq": 42.875, "atec": None}, None, 1234.5)]))
    model     bq  atec  mean   QPS  texts/s
    a      42.88   n/a   n/a  1234      n/a
    """
    if not rows:
        return ""
    cells = [_header(rows), *(_cells(row, _columns(rows)) for row in rows)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = []
    for line in cells:
        name = line[0] + " " * (widths[0] - _width(line[0]))
        numbers = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        lines.append("  ".join([name, *numbers]).rstrip())
    return "\n".join(lines)


def format_markdown(rows: Sequence[TableRow]) -> str:
    """Return the rows as a Markdown table.

    Parameters
    ----------
    rows
        As in ``format_table``.

    Returns
    -------
    str
        ``""`` for no rows.

    Examples
    --------
    >>> print(format_markdown([TableRow("a", {"bq": 42.875}, 42.875)]))
    | model | bq | mean | QPS | texts/s |
    |---|---|---|---|---|
    | a | 42.88 | 42.88 | n/a | n/a |
    """
    if not rows:
        return ""
    header = _header(rows)
    lines = [header, *(_cells(row, _columns(rows)) for row in rows)]
    body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([body[0], f"|{'---|' * len(header)}", *body[1:]])


def _columns(rows: Sequence[TableRow]) -> list[str]:
    return list(dict.fromkeys(task for row in rows for task in row.scores))


def _header(rows: Sequence[TableRow]) -> list[str]:
    return ["model", *_columns(rows), "mean", "QPS", "texts/s"]


def _cells(row: TableRow, columns: Sequence[str]) -> list[str]:
    scores = [_number(row.scores.get(task)) for task in columns]
    rates = ["n/a" if x is None else f"{x:.0f}" for x in (row.qps, row.texts_per_second)]
    return [row.name, *scores, _number(row.mean), *rates]


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
