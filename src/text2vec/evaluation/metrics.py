"""How well scores agree with labels: pure functions of two arrays.

Rankings of documents, clusters and translations are in ``ranking``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "average_precision",
    "best_accuracy",
    "best_f1",
    "bootstrap_interval",
    "mean_ranks",
    "pearson",
    "spearman",
    "spearman_interval",
]

_RESAMPLES = 200
_LEVEL = 0.95


def spearman(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return Spearman's rank correlation; equal values share the mean of their ranks.

    Parameters
    ----------
    scores, labels
        Numbers of the same length, ``(n_pairs,)``; only their order counts.

    Returns
    -------
    float
        -1 to 1; NaN if one side has fewer than two different values.

    Raises
    ------
    ValueError
        If the lengths differ, or a number is NaN or infinite.

    Notes
    -----
    Source: Spearman 1904; equal to ``scipy.stats.spearmanr``.

    Examples
    --------
    >>> round(spearman([0.1, 0.2, 0.2, 0.9], [1, 1, 3, 2]), 6)
    0.5
    """
    left, right = _checked(scores, labels)
    return pearson(mean_ranks(left), mean_ranks(right))


def pearson(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return Pearson's linear correlation.

    Parameters
    ----------
    scores, labels
        Numbers of the same length, ``(n_pairs,)``.

    Returns
    -------
    float
        -1 to 1; NaN if one side has fewer than two different values.

    Raises
    ------
    ValueError
        If the lengths differ, or a number is NaN or infinite.

    Examples
    --------
    >>> round(pearson([1, 2, 3], [2, 4, 6]), 6)
    1.0
    """
    left, right = _checked(scores, labels)
    left, right = (x - x.mean() if len(x) else x for x in (left, right))
    size = math.sqrt(float(left @ left)) * math.sqrt(float(right @ right))
    return float(np.clip(left @ right / size, -1.0, 1.0)) if size > 0 else math.nan


def mean_ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each number, from 0; equal numbers share the mean of their ranks.

    Parameters
    ----------
    x
        Finite numbers, shape ``(n,)``.

    Returns
    -------
    NDArray[np.float64]
        Same shape; no numbers give no ranks.

    Examples
    --------
    >>> mean_ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(x) else order
    ends = np.r_[starts[1:], len(x)]
    ranks = np.empty(len(x))
    ranks[order] = np.repeat((starts + ends - 1) / 2, ends - starts)
    return ranks


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the precision-recall curve, as a sum over its steps.

    Parameters
    ----------
    scores
        Higher is more likely positive, ``(n_pairs,)``.
    labels
        1 for a positive pair, 0 for a negative one.

    Returns
    -------
    float
        0 to 1; NaN if there is no positive pair. Equal scores are one step.

    Raises
    ------
    ValueError
        If the lengths differ, a number is NaN or infinite, or a label is neither 0 nor 1.

    Notes
    -----
    Source: ``sklearn.metrics.average_precision_score``.

    Examples
    --------
    >>> round(average_precision([0.9, 0.8, 0.1], [1, 0, 1]), 4)
    0.8333
    """
    positives, counts = _steps(scores, labels)
    if not len(counts) or positives[-1] == 0:
        return math.nan
    recall = positives / positives[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * positives / counts))


def best_accuracy(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the accuracy at the threshold that is best for these very pairs.

    Parameters
    ----------
    scores, labels
        As in ``average_precision``; a pair at or above the threshold counts as positive.

    Returns
    -------
    float
        0 to 1; NaN for no pairs.

    Raises
    ------
    ValueError
        As ``average_precision``.

    Examples
    --------
    >>> best_accuracy([0.9, 0.8, 0.1, 0.0], [1, 0, 0, 0])
    1.0
    """
    positives, counts = _steps(scores, labels)
    if not len(counts):
        return math.nan
    n, n_positive = int(counts[-1]), int(positives[-1])
    right = positives + (n - n_positive) - (counts - positives)
    return float(max(right.max(), n - n_positive) / n)


def best_f1(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the F1 of the positive label at the threshold that is best for these very pairs.

    Parameters
    ----------
    scores, labels
        As in ``average_precision``.

    Returns
    -------
    float
        0 to 1; NaN if there is no positive pair.

    Raises
    ------
    ValueError
        As ``average_precision``.

    Examples
    --------
    >>> round(best_f1([0.9, 0.8, 0.1], [1, 0, 1]), 6)
    0.8
    """
    positives, counts = _steps(scores, labels)
    if not len(counts) or positives[-1] == 0:
        return math.nan
    return float((2 * positives / (counts + positives[-1])).max())


def bootstrap_interval(
    metric: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    seed: int = 0,
    n_resamples: int = _RESAMPLES,
) -> tuple[float, float]:
    """Return a 95 % interval of a metric: its percentiles over pairs drawn with replacement.

    Parameters
    ----------
    metric
        Function of scores and labels, such as ``spearman``.
    scores, labels
        Numbers of the same length, ``(n_pairs,)``.
    seed
        The same seed gives the same interval.
    n_resamples
        How often the pairs are drawn; draws without a defined value do not count.

    Returns
    -------
    tuple[float, float]
        Lower and upper end; NaN where the metric is never defined.

    Raises
    ------
    ValueError
        If the lengths differ, a number is NaN or infinite, or ``n_resamples`` is below 1.

    Notes
    -----
    Source: Efron 1979, the percentile bootstrap.

    Examples
    --------
    >>> [round(end, 6) for end in bootstrap_interval(pearson, [1, 2, 3, 4], [1, 2, 3, 4])]
    [1.0, 1.0]
    """
    left, right = _checked(scores, labels)
    if n_resamples < 1:
        raise ValueError(f"n_resamples is {n_resamples}; expected 1 or more")
    chooser = np.random.default_rng(seed)
    found = []
    for _ in range(n_resamples if len(left) else 0):
        drawn = chooser.integers(0, len(left), len(left))
        value = metric(left[drawn], right[drawn])
        if math.isfinite(value):
            found.append(value)
    if not found:
        return math.nan, math.nan
    outside = (1 - _LEVEL) / 2
    low, high = np.quantile(found, [outside, 1 - outside])
    return float(low), float(high)


def spearman_interval(
    scores: ArrayLike, labels: ArrayLike, *, seed: int = 0, n_resamples: int = _RESAMPLES
) -> tuple[float, float]:
    """Return ``bootstrap_interval`` of ``spearman``, in a sixth of the time.

    Parameters
    ----------
    scores, labels, seed, n_resamples
        As in ``bootstrap_interval``.

    Returns
    -------
    tuple[float, float]
        Lower and upper end; NaN where Spearman is never defined.

    Raises
    ------
    ValueError
        As ``bootstrap_interval``.

    Notes
    -----
    The pairs are sorted once: in what is drawn from them ranks are found by counting.

    Examples
    --------
    >>> [round(end, 6) for end in spearman_interval([1, 2, 3, 4], [1, 20, 30, 400])]
    [1.0, 1.0]
    """
    codes = [np.unique(x, return_inverse=True)[1] for x in _checked(scores, labels)]

    def correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
        return pearson(_counted_ranks(left), _counted_ranks(right))

    return bootstrap_interval(correlation, *codes, seed=seed, n_resamples=n_resamples)


def _counted_ranks(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``mean_ranks`` of small whole numbers, found by counting."""
    places = codes.astype(np.intp)
    counts = np.bincount(places)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts + 1) / 2)[places]
    return ranks


def _checked(
    scores: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"shapes {left.shape} and {right.shape}; expected (n_pairs,) twice")
    for name, x in (("score", left), ("label", right)):
        if not np.isfinite(x).all():
            place = int(np.argmin(np.isfinite(x)))
            raise ValueError(f"{name} {place} is {x[place]}; expected a finite number")
    return left, right


def _steps(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many positives, and how many pairs, lie at or above each different score."""
    left, right = _checked(scores, labels)
    wrong = (right != 0) & (right != 1)
    if wrong.any():
        raise ValueError(f"label {int(wrong.argmax())} is {right[wrong][0]}; expected 0 or 1")
    order = np.argsort(-left, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(left[order]) != 0, len(left) > 0])
    positives: NDArray[np.float64] = np.cumsum(right[order])[last]
    return positives, (last + 1).astype(np.float64)
