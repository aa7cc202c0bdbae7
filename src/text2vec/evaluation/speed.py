"""Texts per second, as the model card measured it and as users meet it.

The card's protocol is the test of text2vec 1.x: two sentences, each 512 times, in batches of 32.
Real texts have many lengths, need a warm-up and vary from run to run; ``measure_speed`` says how
much.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["CARD_TEXTS", "Speed", "draw_texts", "measure_speed"]

CARD_TEXTS: tuple[str, ...] = ("如何更换花呗绑定银行卡", "花呗更改绑定银行卡") * 512
"""The 1,024 texts of the published QPS (``tests/test_qps.py`` of text2vec 1.3.8)."""


@dataclass(frozen=True)
class Speed:
    """How fast some texts were encoded.

    Attributes
    ----------
    n_texts
        Texts of one round.
    seconds
        Time of each round, in the order of the rounds.
    """

    n_texts: int
    seconds: tuple[float, ...]

    @property
    def texts_per_second(self) -> float:
        """Of the median round."""
        return self.n_texts / statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Slowest round by fastest round, 1 or more."""
        return max(self.seconds) / min(self.seconds)


def measure_speed(
    encode: Callable[[Sequence[str]], object],
    texts: Sequence[str] = CARD_TEXTS,
    *,
    n_rounds: int = 3,
    n_warm_up: int = 64,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Return how fast a function encodes texts, from strings to vectors.

    Parameters
    ----------
    encode
        Takes a list of texts; what it returns is thrown away.
    texts
        What each round encodes, in one call.
    n_rounds
        Timed rounds.
    n_warm_up
        Texts that are encoded before the clock starts.
    clock
        Seconds, ever growing.

    Returns
    -------
    Speed
        Every round's time.

    Raises
    ------
    ValueError
        If there are no texts or no rounds.

    Examples
    --------
    >>> ticks = iter([0.0, 2.0, 2.0, 3.0])
    >>> speed = measure_speed(len, ["a", "b"], n_rounds=2, clock=lambda: next(ticks))
    >>> speed.seconds, speed.spread
    ((2.0, 1.0), 2.0)
    """
    if not texts or n_rounds < 1:
        raise ValueError(f"{len(texts)} texts and {n_rounds} rounds; expected 1 or more of both")
    encode(list(texts[:n_warm_up]))
    seconds = []
    for _ in range(n_rounds):
        start = clock()
        encode(list(texts))
        seconds.append(max(clock() - start, 1e-9))
    return Speed(len(texts), tuple(seconds))


def draw_texts(texts: Iterable[str], count: int = 512, seed: int = 0) -> list[str]:
    """Return different texts of mixed lengths, drawn at random, to measure speed with.

    Parameters
    ----------
    texts
        To draw from; repetitions count once.
    count
        Texts wanted; all if there are fewer.
    seed
        The same seed draws the same texts.

    Returns
    -------
    list[str]
        Empty for no texts.

    Examples
    --------
    >>> sorted(draw_texts(["a", "b", "a"]))
    ['a', 'b']
    """
    distinct = list(dict.fromkeys(texts))
    return random.Random(seed).sample(distinct, min(count, len(distinct)))
