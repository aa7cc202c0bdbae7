"""Which rows train together, in which order: a plan made once, from a seed, for all processes.

A batch holds rows of one group, since scores of two scales cannot be ranked; rows of like length
stand together, so that little is padded. A step is the same whatever the number of processes is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import IntVector
from text2vec.training.corpus import Group
from text2vec.training.loss_table import find_loss
from text2vec.training.recipe import Recipe

__all__ = ["Batch", "BatchPlan", "plan_batches", "plan_chunks"]

_BUCKET_BATCHES = 20
"""Batches whose rows are sorted by length together: shuffled enough, alike enough."""
_BLUR = 0.1
"""Part of its length by which a row may stand out of order."""
_CHUNK_TOKENS = 96
"""What one more forward pass costs, in tokens of padding that it may save."""


class Batch(NamedTuple):
    """Rows of one group."""

    group: int
    rows: IntVector


@dataclass(frozen=True)
class BatchPlan:
    """What a run does, batch by batch.

    Attributes
    ----------
    items
        Batches whose losses are summed; the first is a main one, others came along (``every``).
    batches_per_step
        Items whose gradients one step averages.
    skipped
        Names of groups that have too few rows to say anything.
    """

    items: list[tuple[Batch, ...]]
    batches_per_step: int
    skipped: list[str]

    @property
    def n_steps(self) -> int:
        """Steps of the optimiser."""
        return len(self.items) // self.batches_per_step

    def fingerprint(self) -> str:
        """Return a checksum of the plan: resuming with another one would be another run."""
        digest = hashlib.sha256(str(self.batches_per_step).encode())
        for item in self.items:
            for batch in item:
                digest.update(f"{batch.group}:".encode() + batch.rows.tobytes())
        return digest.hexdigest()


def plan_batches(
    groups: Sequence[Group], lengths: Sequence[IntVector], recipe: Recipe
) -> BatchPlan:
    """Return the plan of a run.

    Parameters
    ----------
    groups
        What is trained on.
    lengths
        For each group the tokens of each row, all its texts together, ``(n_rows,)``.
    recipe
        Seed, passes or steps, sizes.

    Returns
    -------
    BatchPlan
        A whole number of steps. The same arguments give the same plan.

    Raises
    ------
    ValueError
        If there is not enough for one step.
    """
    usable = [g for g, group in enumerate(groups) if _is_usable(group)]
    skipped = [group.name for g, group in enumerate(groups) if g not in usable]
    main = [g for g in usable if not groups[g].source.every]
    wanted = _count_batches(groups, main, lengths, recipe)
    batches = [b for g in main for b in _take(g, groups[g], lengths[g], recipe, wanted[g])]
    order = np.random.default_rng([recipe.seed, 1]).permutation(len(batches))
    whole = len(order) - len(order) % recipe.batches_per_step
    if not whole:
        raise ValueError(
            f"{len(order)} batches are fewer than one step needs ({recipe.batches_per_step}); "
            "expected more rows, more epochs or smaller batches"
        )
    items: list[tuple[Batch, ...]] = [(batches[i],) for i in order[:whole].tolist()]
    for g in usable:
        every = groups[g].source.every
        if every:
            places = range(every - 1, len(items), every)
            for i, batch in zip(
                places, _take(g, groups[g], lengths[g], recipe, len(places)), strict=True
            ):
                items[i] = (*items[i], batch)
    return BatchPlan(items, recipe.batches_per_step, skipped)


def _is_usable(group: Group) -> bool:
    if find_loss(group.source.loss).ranks and group.rows.shape[1] <= 2:
        return len(group.rows) > 1
    return len(group.rows) > 0


def _count_batches(
    groups: Sequence[Group], main: Sequence[int], lengths: Sequence[IntVector], recipe: Recipe
) -> dict[int, int]:
    """Return how many batches of each main group the run needs."""
    one_pass = {g: len(_cut(groups[g], lengths[g], recipe, _rng(recipe, g, 0))) for g in main}
    passes = {g: recipe.epochs * groups[g].source.weight * one_pass[g] for g in main}
    total = float(recipe.steps * recipe.batches_per_step) or sum(passes.values())
    shared = {g: groups[g].source.share for g in main if groups[g].source.share}
    taken = sum({groups[g].source.name: share for g, share in shared.items()}.values())
    if taken > 1 + 1e-9:
        raise ValueError(f"the shares of the sources add up to {taken:g}; expected at most 1")
    rest = sum(passes[g] for g in main if g not in shared)
    of_source: dict[str, float] = {}
    for g in shared:
        name = groups[g].source.name
        of_source[name] = of_source.get(name, 0.0) + passes[g]
    exact = {
        g: total * shared[g] * passes[g] / of_source[groups[g].source.name]
        if g in shared
        else total * (1 - taken) * passes[g] / rest
        if rest
        else 0.0
        for g in main
    }
    return _rounded(exact, total if recipe.steps else sum(exact.values()))


def _rounded(exact: dict[int, float], total: float) -> dict[int, int]:
    """Round so that the sum is right; those that lose most by rounding down get one more."""
    counts = {g: math.floor(value) for g, value in exact.items()}
    short = round(total) - sum(counts.values())
    for g in sorted(exact, key=lambda g: counts[g] - exact[g])[: max(0, short)]:
        counts[g] += 1
    return counts


def _take(g: int, group: Group, lengths: IntVector, recipe: Recipe, n_batches: int) -> list[Batch]:
    taken: list[Batch] = []
    number = 0
    while len(taken) < n_batches:
        batches = _cut(group, lengths, recipe, _rng(recipe, g, number))
        taken += [Batch(g, rows) for rows in batches[: n_batches - len(taken)]]
        number += 1
    return taken


def _rng(recipe: Recipe, group: int, number: int) -> np.random.Generator:
    return np.random.default_rng([recipe.seed, 2, group, number])


def _cut(
    group: Group, lengths: IntVector, recipe: Recipe, random: np.random.Generator
) -> list[IntVector]:
    """Return one pass over a group: every row once, in shuffled batches of like length."""
    n_rows = group.source.batch_pairs or recipe.batch_pairs
    order = random.permutation(len(lengths))
    batches: list[IntVector] = []
    for start in range(0, len(order), n_rows * _BUCKET_BATCHES):
        bucket = order[start : start + n_rows * _BUCKET_BATCHES]
        # Not quite sorted, or a small group would have the same batches in every pass.
        roughly = lengths[bucket] * random.uniform(1 - _BLUR, 1 + _BLUR, len(bucket))
        bucket = bucket[np.argsort(roughly, kind="stable")]
        batches += _cut_bucket(bucket, lengths[bucket], n_rows, recipe.batch_tokens)
    if len(batches) > 1 and len(batches[-1]) < 2:  # as in _cut_bucket
        last = batches.pop()
        batches[-1] = np.concatenate((batches[-1], last))
    return [batches[i] for i in random.permutation(len(batches)).tolist()]


def _cut_bucket(rows: IntVector, lengths: IntVector, n_rows: int, n_tokens: int) -> list[IntVector]:
    batches, start, tokens = [], 0, 0
    for i, length in enumerate(lengths.tolist()):
        full = n_tokens and tokens + length > n_tokens and i - start >= 2
        if i - start == n_rows or full:
            batches.append(rows[start:i])
            start, tokens = i, 0
        tokens += length
    if batches and len(rows) - start < 2:  # a row alone says nothing: it joins the one before
        batches[-1] = np.concatenate((batches[-1], rows[start:]))
    else:
        batches.append(rows[start:])
    return batches


def plan_chunks(lengths: IntVector, most: int = 0) -> list[NDArray[np.int64]]:
    """Divide texts into forward passes so that padding and number of passes cost least.

    Parameters
    ----------
    lengths
        Tokens of each text, ``(n_texts,)``.
    most
        Texts of one pass; 0 for as many as there are.

    Returns
    -------
    list[NDArray[np.int64]]
        Places of the texts of each pass, shortest first; no texts give no passes.

    Notes
    -----
    The best division of the sorted lengths by dynamic programming, where a pass costs its longest
    text times its texts, plus a constant.

    Examples
    --------
    >>> [chunk.tolist() for chunk in plan_chunks(np.array([3, 100, 3, 100]))]
    [[0, 2], [1, 3]]
    """
    order = np.argsort(lengths, kind="stable")
    sizes, starts = np.unique(lengths[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for j, size in enumerate(sizes.tolist()):
        costs = [
            (best[i][0] + (ends[j] - int(starts[i])) * size + _CHUNK_TOKENS, i)
            for i in range(j + 1)
        ]
        best.append(min(costs))
    chunks, j = [], len(sizes)
    while j:
        i = best[j][1]
        chunks.append(order[int(starts[i]) : ends[j - 1]])
        j = i
    step = most or len(order) or 1
    return [c[i : i + step] for c in chunks[::-1] for i in range(0, len(c), step)]
