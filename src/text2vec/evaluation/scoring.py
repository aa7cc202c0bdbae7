"""From embeddings to a task's scores: one function a kind of task, and the table of them.

Embeddings are compared by cosine, whatever a model's ``similarity_fn_name`` says: the published
figures are cosines, and figures of several models stand in one table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix
from text2vec.evaluation.metrics import (
    average_precision,
    best_accuracy,
    best_f1,
    bootstrap_interval,
    pearson,
    spearman,
    spearman_interval,
)
from text2vec.evaluation.ranking import (
    Rated,
    match_translations,
    rank_documents,
    score_rankings,
    v_measure,
)
from text2vec.evaluation.task_data import TaskData
from text2vec.similarities import similarity_pairwise

__all__ = ["SCORERS", "TaskScores", "score_pairs"]

_DEPTH = 100  # documents of a ranking: as far as recall@100 looks


@dataclass(frozen=True)
class TaskScores:
    """What a model reached on one task.

    Attributes
    ----------
    values
        Metric -> value, 0 to 1 (correlations -1 to 1); NaN where it is not defined.
    interval
        95 % bootstrap interval of the main metric over pairs, queries or translations; None for
        clusterings, where texts drawn twice would be a cluster of their own.
    pair_scores
        Score of every pair, shape ``(n_pairs,)``; empty for other kinds.
    """

    values: Mapping[str, float]
    interval: tuple[float, float] | None
    pair_scores: NDArray[np.float64]


def score_pairs(data: TaskData, scores: NDArray[np.float64], seed: int = 0) -> TaskScores:
    """Return how scores of pairs, wherever they come from, agree with the labels.

    Parameters
    ----------
    data
        A task of pairs.
    scores
        Higher is more alike, shape ``(n_pairs,)``.
    seed
        Of the interval.

    Returns
    -------
    TaskScores
        Spearman and Pearson; average precision, best accuracy and best F1 for labels 0 and 1.
    """
    values = {"spearman": spearman(scores, data.labels), "pearson": pearson(scores, data.labels)}
    if data.task.is_binary and set(data.labels) <= {0.0, 1.0}:
        values["average_precision"] = average_precision(scores, data.labels)
        values["best_accuracy"] = best_accuracy(scores, data.labels)
        values["best_f1"] = best_f1(scores, data.labels)
    interval = spearman_interval(scores, data.labels, seed=seed)
    return TaskScores(values, None if math.isnan(interval[0]) else interval, scores)


def _pairs(data: TaskData, left: FloatMatrix, right: FloatMatrix, seed: int) -> TaskScores:
    return score_pairs(data, similarity_pairwise(left, right).astype(np.float64), seed)


def _retrieval(data: TaskData, left: FloatMatrix, right: FloatMatrix, seed: int) -> TaskScores:
    return _rated(score_rankings(rank_documents(left, right, _DEPTH), data.relevant), seed)


def _clustering(data: TaskData, left: FloatMatrix, right: FloatMatrix, seed: int) -> TaskScores:
    del right
    return TaskScores({"v_measure": v_measure(left, data.groups, seed)}, None, np.zeros(0))


def _bitext(data: TaskData, left: FloatMatrix, right: FloatMatrix, seed: int) -> TaskScores:
    del data
    return _rated(match_translations(left, right), seed)


def _rated(rated: Rated, seed: int) -> TaskScores:
    parts = rated.parts
    interval = bootstrap_interval(lambda drawn, _: float(drawn.mean()), parts, parts, seed=seed)
    return TaskScores(rated.values, None if math.isnan(interval[0]) else interval, np.zeros(0))


SCORERS: Mapping[str, Callable[[TaskData, FloatMatrix, FloatMatrix, int], TaskScores]] = (
    MappingProxyType({
        "pairs": _pairs,
        "retrieval": _retrieval,
        "clustering": _clustering,
        "bitext": _bitext,
    })
)
"""Kind of task -> function of its rows, the embeddings of both sides, and a seed."""
