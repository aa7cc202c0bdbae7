"""Which texts are computed together, and how their rows find the way back.

Texts of like length go together, under a budget of tokens. Planning decides and does nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from text2vec.arrays import IntVector, PackedBatch

__all__ = ["gather_texts", "length_runs", "plan_batches"]


def plan_batches(
    lengths: IntVector, token_budget: int, max_texts: int | None = None
) -> Iterator[IntVector]:
    """Yield the texts of each batch, longest texts first.

    Parameters
    ----------
    lengths
        Tokens of each text, shape ``(n_texts,)``.
    token_budget
        Most tokens in a batch; a longer text is a batch of its own.
    max_texts
        Most texts in a batch; None for no such limit.

    Yields
    ------
    IntVector
        Positions in ``lengths``; over all batches each position comes once. Texts of equal
        length keep their order. No texts give no batch.

    Raises
    ------
    ValueError
        If ``token_budget`` or ``max_texts`` is below 1.

    Examples
    --------
    >>> [batch.tolist() for batch in plan_batches(np.array([3, 9, 2, 3]), token_budget=6)]
    [[1], [0, 3], [2]]
    """
    if token_budget < 1 or (max_texts is not None and max_texts < 1):
        raise ValueError(
            f"token_budget is {token_budget}, max_texts is {max_texts}; expected at least 1"
        )
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    start = 0
    while start < len(order):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + token_budget, side="right"))
        stop = max(stop, start + 1)
        if max_texts is not None:
            stop = min(stop, start + max_texts)
        yield order[start:stop]
        start = stop


def gather_texts(batch: PackedBatch, texts: IntVector) -> PackedBatch:
    """Return the named texts of a batch, in the order of the names.

    Parameters
    ----------
    batch
        Where to take them from.
    texts
        Positions in ``batch``; none give a batch of no texts.

    Returns
    -------
    PackedBatch
        ``len(texts)`` texts.

    Examples
    --------
    >>> some = gather_texts(PackedBatch.pack([[1, 2], [3], [4, 5, 6]]), np.array([2, 1]))
    >>> some.ids.tolist(), some.offsets.tolist()
    ([4, 5, 6, 3], [0, 3, 4])
    """
    lengths = batch.lengths[texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    # Token t of the result stands as far from its text's start as in the source.
    shift = np.repeat(batch.offsets[texts] - offsets[:-1], lengths)
    return PackedBatch(batch.ids[np.arange(offsets[-1]) + shift], offsets)


def length_runs(lengths: IntVector) -> list[tuple[int, int]]:
    """Return ``(first, end)`` of each run of neighbouring texts that have equal lengths.

    Parameters
    ----------
    lengths
        Tokens of each text, shape ``(n_texts,)``.

    Returns
    -------
    list[tuple[int, int]]
        Runs that cover all texts, in order; none for no texts.

    Examples
    --------
    >>> length_runs(np.array([5, 5, 3, 3, 3, 1]))
    [(0, 2), (2, 5), (5, 6)]
    """
    if not len(lengths):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
    return list(itertools.pairwise(cuts))
