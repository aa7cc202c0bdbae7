"""Expected scores, as rows of a TOML file, and what a run of today gives for each.

A row is a model, a dtype, a task and the score with its tolerance; the command that reproduces
it follows from these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
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
    """

    task: str
    score: float
    tolerance: float
    model: str = ""
    dtype: str = "auto"

    @property
    def command(self) -> str:
        """What a user types to see the score."""
        asked = "suite" if self.task in SUITES else "task"
        model = f" --model {self.model}" if self.model else ""
        dtype = "" if self.dtype == "auto" else f" --dtype {self.dtype}"
        return f"text2vec evaluate{model}{dtype} --{asked} {self.task}"

    def allows(self, score: float | None) -> bool:
        """Tell whether a score is near enough; one that is not defined never is."""
        return score is not None and abs(score - self.score) <= self.tolerance

    def describe(self, score: float | None) -> str:
        """Return one line: ok, or the difference."""
        verdict = "ok  " if self.allows(score) else "DIFF"
        found = "undefined" if score is None else f"{score:.2f}"
        expected = f"expected {self.score:.2f} +- {self.tolerance:g}"
        return f"{verdict}  {found:>9}  {expected}  {self.command}"

    def as_json(self, score: float | None) -> dict[str, Any]:
        """Return the row with the score that was found, as JSON values."""
        found = {"found": score, "ok": self.allows(score), "command": self.command}
        return {**asdict(self), **found}


def read_expected(path: Path) -> list[ExpectedScore]:
    r"""Return the rows of a file, ``[[score]]`` each.

    Parameters
    ----------
    path
        TOML file.

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
    for i, values in enumerate(read_toml(path).get("score", []), 1):
        wrong = sorted(set(values) ^ ({"task", "score", "tolerance"} | (set(values) & set(known))))
        if wrong:
            raise DataFormatError(f"{path}: row {i}: fields {wrong} are unknown or missing")
        numbers = [values["score"], values["tolerance"]]
        if not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            raise DataFormatError(f"{path}: row {i}: score and tolerance are {numbers}, no numbers")
        rows.append(ExpectedScore(**values))
    if not rows:
        raise DataFormatError(f"{path}: expected rows [[score]], found none")
    return rows


def check_rows(
    rows: Sequence[ExpectedScore], data_folder: Path | None
) -> Iterator[tuple[ExpectedScore, float | None]]:
    """Yield each row with the score that a run gives now; a model is opened once for its rows.

    Parameters
    ----------
    rows
        What to run.
    data_folder
        Where the files of the tasks lie; None for the Hub.

    Yields
    ------
    tuple[ExpectedScore, float | None]
        In the order of models, then of rows.
    """
    models = dict.fromkeys((row.model, row.dtype) for row in rows)
    for name, dtype in models:
        subject = model_subject(SentenceModel(name or None, dtype=dtype))
        chosen = [row for row in rows if (row.model, row.dtype) == (name, dtype)]
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
    """Return the rows as a Markdown table, a row a task and a column a model and dtype.

    Parameters
    ----------
    rows
        What a file holds.

    Returns
    -------
    str
        Tasks and columns in the order of the rows; ``""`` for no rows.

    Examples
    --------
    >>> rows = [ExpectedScore("bq", 60, 0.3), ExpectedScore("bq", 43, 0.3, "base", "int8")]
    >>> print(format_expected(rows))
    | task | default model | base, int8 |
    |---|---|---|
    | bq | 60.00 | 43.00 |
    """
    if not rows:
        return ""
    columns = list(dict.fromkeys((row.model, row.dtype) for row in rows))
    scores = {(row.task, row.model, row.dtype): f"{row.score:.2f}" for row in rows}
    names = [
        (model or "default model") + (f", {dtype}" if dtype != "auto" else "")
        for model, dtype in columns
    ]
    lines = [["task", *names]]
    for task in dict.fromkeys(row.task for row in rows):
        name = f"mean of {task}" if task in SUITES else task
        lines.append([name, *(scores.get((task, *column), "") for column in columns)])
    body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([body[0], f"|{'---|' * len(lines[0])}", *body[1:]])
