"""Medians, ratios, agreement and the share of the machine's rate: functions of numbers alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def summarize_rounds(
    seconds: Mapping[str, float], others: Mapping[str, Mapping[str, float]], lengths: Sequence[int]
) -> dict[str, Any]:
    """Return an encoder's figures for one workload.

    Parameters
    ----------
    seconds
        By the name of the round, at least one.
    others
        The same of encoders to compare with, by name; only rounds that both ran are compared.
    lengths
        Tokens of each text of a round.

    Returns
    -------
    dict[str, Any]
        ``texts_per_second`` and ``tokens_per_second`` of the median round, ``ratios`` (how many
        times as fast as each of the others: the median of the rounds' own) and ``seconds``.

    Examples
    --------
    >>> found = summarize_rounds({"1": 1.0, "2": 2.0}, {"b": {"1": 3.0}}, [5, 5])
    >>> found["texts_per_second"], found["ratios"]
    (6.666666666666667, {'b': 3.0})
    """
    middle = statistics.median(seconds.values())
    ratios = {}
    for name, theirs in others.items():
        both = [theirs[key] / seconds[key] for key in seconds if key in theirs]
        if both:
            ratios[name] = statistics.median(both)
    return {
        "texts_per_second": len(lengths) / middle,
        "tokens_per_second": sum(lengths) / middle,
        "ratios": ratios,
        "seconds": dict(seconds),
    }


def count_flop(config: Mapping[str, Any], lengths: Iterable[int]) -> int:
    """Return the operations of a BERT's matrix products for texts of some lengths.

    Parameters
    ----------
    config
        ``config.json``: ``hidden_size``, ``intermediate_size`` and ``num_hidden_layers``.
    lengths
        Tokens of each text.

    Returns
    -------
    int
        A multiplication and an addition are two. A token costs 2 (4 h² + 2 h f) in each layer,
        for the four matrices of attention and the two of the feed-forward net; a text of n
        tokens 4 n² h more, for its scores and their sums. Nothing else is counted.

    Examples
    --------
    >>> config = {"hidden_size": 2, "intermediate_size": 8, "num_hidden_layers": 1}
    >>> count_flop(config, [3])
    360
    """
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    token = 2 * (4 * hidden * hidden + 2 * hidden * inner)
    one_layer = sum(n * token + 4 * n * n * hidden for n in lengths)
    return int(config["num_hidden_layers"]) * one_layer


def measure_cosines(vectors: Sequence[Any], reference: Sequence[Any]) -> dict[str, float]:
    """Return the mean and the worst cosine of rows to reference rows.

    Parameters
    ----------
    vectors, reference
        As many rows of as many numbers.

    Returns
    -------
    dict[str, float]
        ``mean`` and ``worst``.

    Raises
    ------
    ValueError
        If their shapes differ, or a number is not finite.

    Examples
    --------
    >>> measure_cosines([[1.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 1.0]])
    {'mean': 1.0, 'worst': 1.0}
    """
    a, b = np.asarray(vectors, np.float64), np.asarray(reference, np.float64)
    if a.shape != b.shape or not np.isfinite(a).all():
        raise ValueError(f"vectors {a.shape}, reference {b.shape}; expected the same, and finite")
    cosines = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return {"mean": float(cosines.mean()), "worst": float(cosines.min())}


def summarize_calls(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of single calls.

    Parameters
    ----------
    milliseconds
        Of each call.

    Returns
    -------
    dict[str, float]
        ``p50``, ``p99`` (both times that were measured) and how many ``calls``.

    Examples
    --------
    >>> summarize_calls([1.0, 2.0, 3.0])
    {'p50': 2.0, 'p99': 3.0, 'calls': 3}
    """
    low, high = np.percentile(milliseconds, [50, 99], method="higher")
    return {"p50": float(low), "p99": float(high), "calls": len(milliseconds)}
