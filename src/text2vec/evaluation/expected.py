"""Expected scores, as rows of a TOML file, and what a run of today gives for each.

A row is a model, a dtype, a task and the score with its tolerance, and a recipe where the model is
trained first; the command that reproduces it follows from these.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from text2vec.errors import DataFormatError
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import model_subject
from text2vec.evaluation.tasks import SUITES, find_tasks
from text2vec.files.text_file import read_toml
from text2vec.sentence_model import SentenceModel

__all__ = ["ExpectedScore", "check_rows", "format_expected", "read_expected"]


@dataclass(frozen=True)
class ExpectedScore:
    """One figure that must come out again.

    Attributes
    ----------
    task
        A task, or a suite, whose mean is meant.
    score, tolerance
        Main metric x 100, and how far a run may be from it.
    model
        Name or folder; empty for the default model.
    dtype
        Precision of the engine; ``auto`` for the one in which the model is stored.
    recipe
        Recipe by which ``model`` is trained before it is scored; empty for a model as it is.
    """

    task: str
    score: float
    tolerance: float
    model: str = ""
    dtype: str = "auto"
    recipe: str = ""

    @property
    def output(self) -> str:
        """Name of the folder that training writes, of both recipe and model; empty without."""
        model = re.sub(r"[^\w.-]+", "-", self.model).strip("-.")
        return f"{Path(self.recipe).stem}-{model}" if self.recipe else ""

    @property
    def command(self) -> str:
        """What a user types to see the score."""
        asked = "suite" if self.task in SUITES else "task"
        scored = self.output or self.model
        model = f" --model {scored}" if scored else ""
        dtype = "" if self.dtype == "auto" else f" --dtype {self.dtype}"
        score = f"text2vec evaluate{model}{dtype} --{asked} {self.task}"
        if not self.recipe:
            return score
        base = f"--recipe {self.recipe} --model {self.model}"
        return f"text2vec train {base} --output {self.output} && {score}"

    def allows(self, score: float | None) -> bool:
        """Tell whether a score is near enough; one that is not defined never is."""
        return score is not None and abs(score - self.score) <= self.tolerance

    def describe(self, score: float | None, *, run: bool = True) -> str:
        """Return one line: ok, or the difference, or that the row was not run."""
        verdict = ("ok  " if self.allows(score) else "DIFF") if run else "----"
        found = ("undefined" if score is None else f"{score:.2f}") if run else "not run"
        expected = f"expected {self.score:.2f} +- {self.tolerance:g}"
        return f"{verdict}  {found:>9}  {expected}  {self.command}"

    def as_json(self, score: float | None, *, run: bool = True) -> dict[str, Any]:
        """Return the row with the score that was found, as JSON values; ``ok`` null if not run."""
        ok = self.allows(score) if run else None
        return {**asdict(self), "found": score, "ok": ok, "command": self.command}


def read_expected(path: Path) -> list[ExpectedScore]:
    r"""Return the rows of a file, ``[[score]]`` each.

    Parameters
    ----------
    path
        TOML file; the recipes in it are relative to it.

    Returns
    -------
    list[ExpectedScore]
        At least one.

    Raises
    ------
    DataFormatError
        If it is no TOML, has no rows, or a row has an unknown, missing or wrong field.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "expected.toml"
    ...     _ = path.write_text('[[score]]\ntask = "bq"\nscore = 42.9\ntolerance = 0.3\n')
    ...     read_expected(path)[0].command
    'text2vec evaluate --task bq'
    """
    known = {field.name: field.type for field in fields(ExpectedScore)}
    rows = []
    found = read_toml(path).get("score", [])
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataFormatError(f"{path}: score is {found!r}; expected rows [[score]]")
    for i, values in enumerate(found, 1):
        wrong = sorted(set(values) ^ ({"task", "score", "tolerance"} | (set(values) & set(known))))
        if wrong:
            raise DataFormatError(f"{path}: row {i}: fields {wrong} are unknown or missing")
        rows.append(_read_row(f"{path}: row {i}", values, path.parent))
    if not rows:
        raise DataFormatError(f"{path}: expected rows [[score]], found none")
    trained: dict[str, tuple[str, str]] = {}
    for row in rows:
        made = (row.recipe, row.model)
        if row.recipe and trained.setdefault(row.output, made) != made:
            both = f"{trained[row.output]} and {made}"
            raise DataFormatError(f"{path}: {both} would be trained into one folder, {row.output}")
    return rows


def _read_row(place: str, values: dict[str, Any], folder: Path) -> ExpectedScore:
    numbers = [values["score"], values["tolerance"]]
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
        raise DataFormatError(f"{place}: score and tolerance are {numbers}, no numbers")
    if not (math.isfinite(numbers[0]) and 0 <= numbers[1] < math.inf):
        raise DataFormatError(f"{place}: score and tolerance are {numbers}; expected finite ones")
    words = {k: v for k, v in values.items() if k not in {"score", "tolerance"}}
    wrong = [k for k, v in words.items() if not isinstance(v, str)]
    if wrong:
        raise DataFormatError(f"{place}: {wrong[0]} is {words[wrong[0]]!r}; expected a text")
    row = ExpectedScore(**values)
    if not row.recipe:
        return row
    if not row.model:
        raise DataFormatError(f"{place}: a recipe needs the model that it trains")
    return replace(row, recipe=os.path.normpath(folder / row.recipe))


def check_rows(
    rows: Sequence[ExpectedScore], data_folder: Path | None, trained: Path | None = None
) -> Iterator[tuple[ExpectedScore, float | None]]:
    """Yield each row with the score that a run gives now; a model is opened once for its rows.

    Parameters
    ----------
    rows
        What to run.
    data_folder
        Where the files of the tasks lie; None for the Hub.
    trained
        Folder of the models of rows with a recipe, under their ``output``; None passes over them.

    Yields
    ------
    tuple[ExpectedScore, float | None]
        In the order of models, then of rows.
    """
    models: dict[tuple[str, str], list[ExpectedScore]] = {}
    for row in rows:
        if not row.recipe:
            models.setdefault((row.model, row.dtype), []).append(row)
        elif trained is not None:
            models.setdefault((str(trained / row.output), row.dtype), []).append(row)
    for (name, dtype), chosen in models.items():
        subject = model_subject(SentenceModel(name or None, dtype=dtype))
        wanted = find_tasks(
            [row.task for row in chosen if row.task not in SUITES],
            [row.task for row in chosen if row.task in SUITES],
        )
        scores = {e.result.task: e.result.score for e in evaluate(subject, wanted, data_folder)}
        for row in chosen:
            parts = [scores[task] for task in SUITES.get(row.task, (row.task,))]
            known = [score for score in parts if score is not None]
            yield row, sum(known) / len(known) if len(known) == len(parts) else None


def format_expected(rows: Sequence[ExpectedScore]) -> str:
    """Return the rows as Markdown: a table of the models as they are, one of those to be trained.

    Parameters
    ----------
    rows
        What a file holds.

    Returns
    -------
    str
        A row a task and a column a model and dtype, then a row a recipe; ``""`` for no rows.

    Examples
    --------
    >>> rows = [ExpectedScore("bq", 60, 0.3), ExpectedScore("bq", 43, 0.3, "base", "int8")]
    >>> print(format_expected(rows))
    | task | default model | base, int8 |
    |---|---|---|
    | bq | 60.00 | 43.00 |
    """
    tables = [
        _table_of_models([row for row in rows if not row.recipe]),
        _table_of_recipes([row for row in rows if row.recipe]),
    ]
    return "\n\n".join(table for table in tables if table)


def _table_of_models(rows: Sequence[ExpectedScore]) -> str:
    columns = list(dict.fromkeys((row.model, row.dtype) for row in rows))
    scores = {(row.task, row.model, row.dtype): f"{row.score:.2f}" for row in rows}
    names = [
        (model or "default model") + (f", {dtype}" if dtype != "auto" else "")
        for model, dtype in columns
    ]
    lines = [
        [_title(task), *(scores.get((task, *column), "") for column in columns)]
        for task in dict.fromkeys(row.task for row in rows)
    ]
    return _markdown(["task", *names], lines)


def _table_of_recipes(rows: Sequence[ExpectedScore]) -> str:
    lines = [
        [Path(row.recipe).name, row.model, _title(row.task), f"{row.score:.2f}"] for row in rows
    ]
    return _markdown(["recipe", "trained from", "task", "score"], lines)


def _title(task: str) -> str:
    return f"mean of {task}" if task in SUITES else task


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    body = [f"| {' | '.join(line)} |" for line in [head, *lines]]
    return "\n".join([body[0], f"|{'---|' * len(head)}", *body[1:]])
