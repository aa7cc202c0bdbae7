"""Run tasks on a subject: every text is encoded once, every finished task is kept."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix
from text2vec.errors import DataFormatError
from text2vec.evaluation.results import (
    RunFacts,
    TaskResult,
    read_pair_scores,
    read_result,
    write_result,
)
from text2vec.evaluation.scoring import SCORERS, TaskScores, score_pairs
from text2vec.evaluation.subject import Subject
from text2vec.evaluation.task_data import TaskData, load_task
from text2vec.evaluation.tasks import Task
from text2vec.machine import read_machine

__all__ = ["Evaluation", "evaluate"]

_ROLES = {"retrieval": ("query", "document")}
"""Kind of task -> role of its left and of its right texts; others have none."""
_Key: TypeAlias = tuple[str, str]  # role, or "" for none; text


@dataclass(frozen=True)
class Evaluation:
    """What a run on one task gives.

    Attributes
    ----------
    result
        The figures.
    data
        The rows they are of.
    pair_scores
        Score of every pair; empty for other kinds of task, None where a finished run lost them.
    """

    result: TaskResult
    data: TaskData
    pair_scores: NDArray[np.float64] | None


def evaluate(
    subject: Subject,
    tasks: Sequence[Task],
    data_folder: Path | None,
    *,
    output_folder: Path | None = None,
    seed: int = 0,
    show_progress_bar: bool | None = None,
) -> list[Evaluation]:
    """Return the result of each task.

    Parameters
    ----------
    subject
        What is evaluated.
    tasks
        In the order in which they run.
    data_folder
        Where the files of the tasks lie; None to take the data sets from the Hub.
    output_folder
        Each finished task is written to ``<subject>/<task>.json`` here at once, and a task whose
        file answers the same question (data, model, version, seed) is not run again.
    seed
        Of intervals and clusterings.
    show_progress_bar
        None shows one on a terminal.

    Returns
    -------
    list[Evaluation]
        One for each task; tasks that a scorer of pairs cannot do are left out.

    Raises
    ------
    FileNotFoundError
        If a data file is not there; all data are read before anything is encoded.
    DataFormatError
        If a row of the data is wrong.
    """
    from text2vec import __version__

    runnable = [task for task in tasks if subject.embed is not None or task.kind == "pairs"]
    loaded = [load_task(task, data_folder) for task in runnable]
    embeddings = _Embeddings(subject)
    done = []
    with _progress_bar(subject.name, len(loaded), show_progress_bar) as bar:
        for data in loaded:
            question = {
                "task": data.task.name,
                "revision": data.revision,
                "subject": subject.name,
                "model": dict(subject.facts),
                "text2vec": __version__,
                "seed": seed,
            }
            path = None if output_folder is None else _result_path(output_folder, subject, data)
            result = None if path is None else _finished(path, question)
            scores: NDArray[np.float64] | None
            if result is None or path is None:
                result, fresh = _run_task(subject, data, embeddings, question)
                scores = fresh
                if path is not None:
                    write_result(path, result, fresh)
            else:
                scores = read_pair_scores(path, result)
            done.append(Evaluation(result, data, scores))
            bar.update()
    return done


class _Embeddings:
    """The embedding of every text seen so far in a role, so that none is computed twice."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._rows: dict[_Key, FloatMatrix] = {}
        self._cut: dict[_Key, bool] | None = {}

    def keys(self, data: TaskData) -> tuple[list[_Key], list[_Key]]:
        """Return the texts of both sides, each with the role in which it is encoded."""
        left, right = _ROLES.get(data.task.kind, ("", "")) if self._subject.roles else ("", "")
        return [(left, text) for text in data.left], [(right, text) for text in data.right]

    def add(self, keys: Sequence[_Key]) -> tuple[int, float]:
        """Encode what is new; return how many texts, and in how many seconds."""
        new: dict[str, list[str]] = {}
        for role, text in dict.fromkeys(keys):
            if (role, text) not in self._rows:
                new.setdefault(role, []).append(text)
        seconds = sum((self._embed(role, texts) for role, texts in new.items()), 0.0)
        return sum(map(len, new.values())), seconds

    def _embed(self, role: str, new: list[str]) -> float:
        embed = self._subject.roles.get(role, self._subject.embed)
        if embed is None:
            return 0.0
        started = time.perf_counter()
        embedded = embed(new)
        seconds = time.perf_counter() - started
        bad = ~np.isfinite(embedded.embeddings).all(axis=1)
        if bad.any():
            raise DataFormatError(
                f"{self._subject.name}: the embedding of {new[int(bad.argmax())][:60]!r} holds "
                "NaN or infinity; the model's weights are damaged or too large for its dtype"
            )
        keys = [(role, text) for text in new]
        self._rows.update(zip(keys, embedded.embeddings, strict=True))
        if embedded.truncated is None or self._cut is None:
            self._cut = None
        else:
            self._cut.update(zip(keys, embedded.truncated.tolist(), strict=True))
        return seconds

    def count_cut(self, keys: Sequence[_Key]) -> int | None:
        """Return how many different texts were cut; None where nobody knows."""
        return None if self._cut is None else len({key[1] for key in keys if self._cut[key]})

    def of(self, keys: Sequence[_Key]) -> FloatMatrix:
        """Return the rows of texts that were added, shape ``(n_texts, dim)``."""
        if not keys:
            return np.zeros((0, 0), np.float32)
        return np.stack([self._rows[key] for key in keys])


def _run_task(
    subject: Subject, data: TaskData, embeddings: _Embeddings, question: dict[str, Any]
) -> tuple[TaskResult, NDArray[np.float64]]:
    seed = int(question["seed"])
    if subject.embed is not None:
        left, right = embeddings.keys(data)
        n_new, seconds = embeddings.add([*left, *right])
        n_cut = embeddings.count_cut([*left, *right])
        sides = embeddings.of(left), embeddings.of(right)
        found = SCORERS[data.task.kind](data, *sides, seed)
    else:
        scorer: Callable[..., Any] | None = subject.score_pairs
        if scorer is None:
            raise ValueError(f"{subject.name}: neither embeds texts nor scores pairs")
        started = time.perf_counter()
        scores = np.asarray(scorer(data.left, data.right), np.float64)
        n_new, seconds, n_cut = len(data.texts), time.perf_counter() - started, None
        found = score_pairs(data, scores, seed)
    run = RunFacts(
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds,
        n_new / seconds if seconds > 0 else None,
        read_machine(),
    )
    return _as_result(data, found, n_cut, question, run), found.pair_scores


def _as_result(
    data: TaskData,
    found: TaskScores,
    n_cut: int | None,
    question: dict[str, Any],
    run: RunFacts,
) -> TaskResult:
    scores = {name: _hundredfold(value) for name, value in found.values.items()}
    interval = found.interval
    return TaskResult(
        kind=data.task.kind,
        language=data.task.language,
        metric=data.task.metric,
        score=scores[data.task.metric],
        interval=None if interval is None else (100 * interval[0], 100 * interval[1]),
        scores=scores,
        n_rows=len(data.left),
        n_texts=len(set(data.texts)),
        n_truncated=n_cut,
        run=run,
        **question,
    )


def _hundredfold(value: float) -> float | None:
    return None if math.isnan(value) else 100 * value


def _result_path(folder: Path, subject: Subject, data: TaskData) -> Path:
    name = re.sub(r"[^\w.-]+", "--", subject.name).strip(".-") or "model"
    dtype = subject.facts.get("dtype")
    return folder / (f"{name}-{dtype}" if dtype else name) / f"{data.task.name}.json"


def _finished(path: Path, question: dict[str, Any]) -> TaskResult | None:
    if not path.is_file():
        return None
    try:
        result = read_result(path)
    except DataFormatError:
        return None  # half a file of a disk that was full, or an old version: run it again
    return result if result.is_of(question) else None


def _progress_bar(name: str, n_tasks: int, wanted: bool | None) -> Any:  # noqa: FBT001
    from tqdm import tqdm

    shown = sys.stderr.isatty() if wanted is None else wanted
    return tqdm(total=n_tasks, unit="task", desc=name, disable=not shown)
