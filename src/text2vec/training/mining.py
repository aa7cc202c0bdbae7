"""Hard negatives: texts that the starting model takes for a query's own, and that are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import Encoder, FloatMatrix
from text2vec.errors import DataFormatError
from text2vec.training.corpus import Group

__all__ = ["find_negatives", "mine_negatives"]

_BLOCK = 512
_MARGIN = 0.95
"""A candidate whose score is above this part of the right one's is likely to be right as well."""


def find_negatives(
    queries: FloatMatrix,
    positives: FloatMatrix,
    candidates: FloatMatrix,
    allowed: Sequence[set[int]],
    n_negatives: int,
) -> NDArray[np.int64]:
    """Return the nearest candidates of each query that are clearly less near than its own.

    Parameters
    ----------
    queries, positives
        Embeddings of length 1, ``(n_rows, dim)``.
    candidates
        Embeddings of length 1, ``(n_candidates, dim)``.
    allowed
        For each query the candidates that are right, which are never negatives.
    n_negatives
        How many for each query.

    Returns
    -------
    NDArray[np.int64]
        Places of candidates, ``(n_rows, n_negatives)``, nearest first; -1 where there are not
        enough.

    Notes
    -----
    Source: Moreira et al. 2024, NV-Retriever, section 4.1 (a limit of 95 % of the positive's
    score), arXiv:2407.15831.

    Examples
    --------
    >>> q, c = np.eye(2, dtype=np.float32)[:1], np.array([[1, 0], [0.6, 0.8]], np.float32)
    >>> find_negatives(q, c[:1], c, [{0}], 2).tolist()
    [[1, -1]]
    """
    found = np.full((len(queries), n_negatives), -1, np.int64)
    own = (queries * positives).sum(axis=1)
    for start in range(0, len(queries), _BLOCK):
        scores = queries[start : start + _BLOCK] @ candidates.T
        for i, row in enumerate(scores, start):
            row[row > _MARGIN * own[i]] = -np.inf
            row[list(allowed[i])] = -np.inf
            n_best = min(n_negatives, len(row))
            best = np.argpartition(-row, n_best - 1)[:n_best]
            best = best[np.argsort(-row[best], kind="stable")]
            best = best[np.isfinite(row[best])]
            found[i, : len(best)] = best
    return found


def mine_negatives(group: Group, texts: Sequence[str], model: Encoder) -> None:
    """Add hard negatives to the rows of a group of positives.

    Parameters
    ----------
    group
        Its rows get ``source.negatives`` more columns. Candidates are the second texts of all its
        rows; a row for which there are not enough is dropped and counted.
    texts
        Of the table, by place.
    model
        The starting model.

    Raises
    ------
    DataFormatError
        If no row is left.
    """
    places = np.unique(group.rows[:, :2])
    embeddings = np.asarray(model.encode([texts[i] for i in places.tolist()]), np.float32)
    embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    left, right = (np.searchsorted(places, group.rows[:, side]) for side in (0, 1))
    pool = np.unique(right)
    own: dict[int, set[int]] = {}
    for a, b in zip(left.tolist(), np.searchsorted(pool, right).tolist(), strict=True):
        own.setdefault(a, set()).add(b)
    for a in own:  # the query's own text is no negative of it
        place = int(np.searchsorted(pool, a))
        if place < len(pool) and pool[place] == a:
            own[a].add(place)
    found = find_negatives(
        embeddings[left],
        embeddings[right],
        embeddings[pool],
        [own[a] for a in left.tolist()],
        group.source.negatives,
    )
    group.rows = np.concatenate((group.rows, places[pool][found]), axis=1)
    enough: NDArray[np.bool_] = np.all(found >= 0, axis=1)
    group.keep(enough, "without_negatives")
    if not len(group.rows):
        raise DataFormatError(
            f"source {group.name!r}: no row has {group.source.negatives} hard negatives; "
            "expected fewer negatives, or more rows"
        )
