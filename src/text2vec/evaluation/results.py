"""One task's result, as a value and as JSON; what differs from run to run stands apart."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import DataFormatError
from text2vec.files.text_file import write_bytes, write_json

__all__ = [
    "RunFacts",
    "TaskResult",
    "mean_score",
    "read_pair_scores",
    "read_result",
    "write_result",
]


@dataclass(frozen=True)
class RunFacts:
    """What differs from run to run.

    Attributes
    ----------
    date
        UTC, ISO 8601.
    seconds
        Spent on encoding the texts that no task before had encoded.
    texts_per_second
        Of these texts; None if there were none.
    machine
        Processor, cores and system.
    """

    date: str
    seconds: float
    texts_per_second: float | None
    machine: Mapping[str, Any]


@dataclass(frozen=True)
class TaskResult:
    """A score with all that one needs to know to believe it.

    Attributes
    ----------
    task, kind, language
        As in the table of tasks.
    metric, score, interval
        Main metric, its value x 100 and a 95 % interval; None where it is not defined.
    scores
        Every metric x 100.
    n_rows, n_texts, n_truncated
        Pairs, queries or texts that were scored; different texts; texts cut at the limit.
    revision
        SHA-256 of the data's rows.
    subject, model
        Name and facts of what was evaluated.
    text2vec, seed
        Version of this package; seed of intervals and clusterings.
    run
        What differs from run to run.
    """

    task: str
    kind: str
    language: str
    metric: str
    score: float | None
    interval: tuple[float, float] | None
    scores: Mapping[str, float | None]
    n_rows: int
    n_texts: int
    n_truncated: int | None
    revision: str
    subject: str
    model: Mapping[str, Any]
    text2vec: str
    seed: int
    run: RunFacts

    def is_of(self, other: Mapping[str, Any]) -> bool:
        """Tell whether this result answers the same question: same data, model, version, seed."""
        return all(getattr(self, name) == value for name, value in other.items())


def mean_score(results: list[TaskResult]) -> float | None:
    """Return the plain mean of the main scores.

    Parameters
    ----------
    results
        Any number of results.

    Returns
    -------
    float | None
        None if there are none, or one of them has no defined score.

    Examples
    --------
    >>> mean_score([]) is None
    True
    """
    scores = [result.score for result in results]
    if not scores or any(score is None for score in scores):
        return None
    return math.fsum(score for score in scores if score is not None) / len(scores)


def write_result(path: Path, result: TaskResult, pair_scores: NDArray[np.float64]) -> None:
    """Write a result as JSON, whole or not at all, and its pairs' scores beside it.

    Parameters
    ----------
    path
        ``.json`` file to write; the scores go to the ``.npy`` file of the same name.
    result
        What to write.
    pair_scores
        Score of each pair, for a report; no file is written if there are none.
    """
    path.unlink(missing_ok=True)  # while the scores are written, no result may stand beside them
    if len(pair_scores):
        stream = io.BytesIO()
        np.save(stream, pair_scores, allow_pickle=False)
        write_bytes(path.with_suffix(".npy"), stream.getvalue())
    write_json(path, asdict(result))


def read_pair_scores(path: Path, result: TaskResult) -> NDArray[np.float64] | None:
    """Return the scores that ``write_result`` wrote beside a result.

    Parameters
    ----------
    path
        The result's ``.json`` file.
    result
        What it holds.

    Returns
    -------
    NDArray[np.float64] | None
        Shape ``(n_pairs,)``; empty for a task that is not made of pairs, and None if the file
        is gone or damaged: a result is whole without it.
    """
    if result.kind != "pairs":
        return np.zeros(0)
    try:
        scores: NDArray[np.float64] = np.load(path.with_suffix(".npy"), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    is_whole = scores.shape == (result.n_rows,) and scores.dtype == np.float64
    return scores if is_whole else None


def read_result(path: Path) -> TaskResult:
    """Return a result that ``write_result`` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    TaskResult
        Equal to what was written.

    Raises
    ------
    DataFormatError
        If the file is damaged, or of another version of this package.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        interval = values["interval"]
        run = RunFacts(**values["run"])
        return TaskResult(**{
            **values,
            "interval": None if interval is None else tuple(interval),
            "run": run,
        })
    except (ValueError, KeyError, TypeError) as exc:
        raise DataFormatError(f"{path}: expected a task's result: {exc}; delete it") from exc
