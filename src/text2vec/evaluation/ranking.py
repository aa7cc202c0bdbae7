"""How well embeddings find, group and match: retrieval, clustering, bitext mining.

Scores of pairs are in ``metrics``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix, IntVector
from text2vec.errors import require
from text2vec.similarities import normalize_rows

__all__ = ["Rated", "match_translations", "rank_documents", "score_rankings", "v_measure"]

_QUERY_BLOCK = 256


class Rated(NamedTuple):
    """What a metric says of a task, and of each of its rows.

    Attributes
    ----------
    values
        Metric -> value.
    parts
        The main metric of each query or text, of which its value is the mean.
    """

    values: dict[str, float]
    parts: NDArray[np.float64]


def rank_documents(queries: FloatMatrix, documents: FloatMatrix, top_k: int) -> IntVector:
    """Return the places of the nearest documents of each query by cosine, best first.

    Parameters
    ----------
    queries, documents
        Shapes ``(n_queries, dim)`` and ``(n_documents, dim)``.
    top_k
        Documents wanted for a query; all if there are fewer.

    Returns
    -------
    IntVector
        Shape ``(n_queries, min(top_k, n_documents))``; of equal scores the earlier comes first.

    Examples
    --------
    >>> rank_documents(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1], 1).tolist()
    [[1], [0]]
    """
    top_k = min(top_k, len(documents))
    ranked = np.empty((len(queries), top_k), np.int64)
    left, right = normalize_rows(queries), normalize_rows(documents)
    for start in range(0, len(queries), _QUERY_BLOCK):
        scores = left[start : start + _QUERY_BLOCK] @ right.T  # (block, n_documents)
        if top_k < len(documents):
            nearest = _nearest(scores, top_k)
        else:
            nearest = np.broadcast_to(np.arange(len(documents)), scores.shape)
        order = np.argsort(-np.take_along_axis(scores, nearest, 1), axis=1, kind="stable")
        ranked[start : start + _QUERY_BLOCK] = np.take_along_axis(nearest, order, 1)
    return ranked


def score_rankings(
    ranked: Sequence[Sequence[int]] | IntVector, relevant: Sequence[Mapping[int, float]]
) -> Rated:
    """Return nDCG@10, recall@1, @10 and @100, and MRR@10, each a mean over the queries.

    Parameters
    ----------
    ranked
        Places of the documents of each query, best first.
    relevant
        Place of a document -> its grade above 0, for each query; a query without one is left out.

    Returns
    -------
    Rated
        0 to 1 each; NaN if no query has a relevant document. The parts are nDCG@10.

    Raises
    ------
    ValueError
        If there are not as many rankings as queries.

    Notes
    -----
    Source: the gain is the grade itself and the discount ``log2(rank + 1)``, as in trec_eval
    (Jarvelin and Kekalainen 2002).

    Examples
    --------
    >>> found = score_rankings([[2, 0, 1]], [{0: 1.0}]).values
    >>> round(found["ndcg@10"], 4), found["recall@1"], found["mrr@10"]
    (0.6309, 0.0, 0.5)
    """
    if len(ranked) != len(relevant):
        raise ValueError(f"{len(ranked)} rankings for {len(relevant)} queries; expected as many")
    names = ("ndcg@10", "recall@1", "recall@10", "recall@100", "mrr@10")
    rows = [
        _score_one([int(place) for place in row], grades)
        for row, grades in zip(ranked, relevant, strict=True)
        if grades
    ]
    means = np.mean(rows, axis=0).tolist() if rows else [math.nan] * len(names)
    return Rated(dict(zip(names, means, strict=True)), np.array([row[0] for row in rows]))


def match_translations(left: FloatMatrix, right: FloatMatrix) -> Rated:
    """Return how often row ``i`` of one language finds row ``i`` of the other as its nearest.

    Parameters
    ----------
    left, right
        Both of shape ``(n_texts, dim)``; row ``i`` of one is the translation of row ``i``.

    Returns
    -------
    Rated
        ``accuracy`` and ``f1`` (the mean over right-hand texts of precision and recall's
        harmonic mean), 0 to 1, each the mean of both directions; NaN for no rows. The parts
        are the F1 of each row.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Source: the bitext mining task of MTEB (Muennighoff et al. 2022, section 3.2).

    Examples
    --------
    >>> rows = np.array([[1, 0], [0, 1], [1, 0.1]], np.float32)
    >>> match_translations(rows, rows).values
    {'accuracy': 1.0, 'f1': 1.0}
    """
    if left.shape != right.shape:
        raise ValueError(f"shapes {left.shape} and {right.shape}; expected the same")
    if not len(left):
        return Rated({"accuracy": math.nan, "f1": math.nan}, np.zeros(0))
    there, back = (rank_documents(*sides, 1)[:, 0] for sides in ((left, right), (right, left)))
    both = [_match_one_way(there), _match_one_way(back)]
    accuracy, parts = (np.mean(sides, axis=0) for sides in zip(*both, strict=True))
    return Rated({"accuracy": float(accuracy.mean()), "f1": float(parts.mean())}, parts)


def v_measure(embeddings: FloatMatrix, labels: Sequence[str], seed: int = 0) -> float:
    """Return how well k-means of the embeddings finds the labels.

    Parameters
    ----------
    embeddings
        Shape ``(n_texts, dim)``.
    labels
        One a text; k is the number of different ones.
    seed
        Of the clustering.

    Returns
    -------
    float
        0 to 1; NaN for no texts.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Notes
    -----
    Source: Rosenberg and Hirschberg 2007; mini-batch k-means as in MTEB.

    Examples
    --------
    >>> rows = np.array([[1, 0], [1, 0.1], [0, 1], [0, 0.9]], np.float32)
    >>> v_measure(rows, ["a", "a", "b", "b"])
    1.0
    """
    if not len(labels):
        return math.nan
    cluster = require("sklearn.cluster", "evaluate")
    metrics = require("sklearn.metrics", "evaluate")
    kmeans = cluster.MiniBatchKMeans(len(set(labels)), batch_size=1024, n_init=3, random_state=seed)
    return float(metrics.v_measure_score(list(labels), kmeans.fit_predict(embeddings)))


def _nearest(scores: FloatMatrix, top_k: int) -> IntVector:
    """Return the places of each row's highest scores, growing; of equal ones the earlier."""
    nearest = np.sort(np.argpartition(-scores, top_k - 1, axis=1)[:, :top_k], axis=1)
    lowest = np.take_along_axis(scores, nearest, 1).min(axis=1)
    for row in np.flatnonzero((scores >= lowest[:, None]).sum(axis=1) > top_k):  # ties at the end
        above = np.flatnonzero(scores[row] > lowest[row])
        equal = np.flatnonzero(scores[row] == lowest[row])
        nearest[row] = np.sort(np.r_[above, equal[: top_k - len(above)]])
    return nearest


def _score_one(ranked: Sequence[int], grades: Mapping[int, float]) -> list[float]:
    gains = [grades.get(place, 0.0) for place in ranked[:10]]
    best = sorted(grades.values(), reverse=True)[:10]
    first = next((i for i, gain in enumerate(gains) if gain > 0), None)
    recalls = [sum(p in grades for p in ranked[:k]) / len(grades) for k in (1, 10, 100)]
    return [
        _discounted(gains) / _discounted(best),
        *recalls,
        0 if first is None else 1 / (first + 1),
    ]


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(i + 2) for i, gain in enumerate(gains))


def _match_one_way(nearest: IntVector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    right = nearest == np.arange(len(nearest))
    chosen = np.bincount(nearest, minlength=len(nearest))
    return right.astype(np.float64), np.where(right, 2 / (1 + chosen), 0)
