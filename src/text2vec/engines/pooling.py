"""Token states to one embedding a text: pooling, dense layers, length 1.

Each pooling sees real tokens only, because a packed batch has no others. ``first_last_avg`` is
text2vec's own: single texts get what text2vec 1.x gave them; in its padded batches the original
averaged the padding in, which no text here can see.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix, IntVector
from text2vec.similarities import normalize_rows

__all__ = ["ACTIVATIONS", "POOLINGS", "DenseLayer", "Head", "gelu"]


def gelu(x: FloatMatrix) -> FloatMatrix:
    """Return ``x * P(X <= x)`` for a standard normal X, element by element.

    Parameters
    ----------
    x
        Any shape, float32; empty gives empty.

    Returns
    -------
    FloatMatrix
        Same shape; the error is below 2e-7 times ``max(1, |x|)``.

    Notes
    -----
    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415; the error function by Abramowitz and
    Stegun 1964, formula 7.1.26, because numpy has none.

    Examples
    --------
    >>> gelu(np.array([-1, 0, 1], np.float32)).round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    size = np.abs(x)
    t = size * np.float32(0.3275911 * 0.5**0.5)
    t += np.float32(1)
    np.reciprocal(t, out=t)
    tail: FloatMatrix = t * np.float32(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(coefficient)
        tail *= t
    square = np.multiply(x, x, out=t)
    square *= np.float32(-0.5)
    tail *= np.exp(square, out=square)
    tail *= size
    tail *= np.float32(-0.5)
    tail += np.maximum(x, np.float32(0), out=size)
    return tail


def _sigmoid(x: FloatMatrix) -> FloatMatrix:
    half: FloatMatrix = np.tanh(x * np.float32(0.5))
    half += np.float32(1)
    half *= np.float32(0.5)
    return half


def _gelu_tanh(x: FloatMatrix) -> FloatMatrix:
    inner = np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x**3)
    out: FloatMatrix = np.tanh(inner)
    out += np.float32(1)
    out *= x
    out *= np.float32(0.5)
    return out


ACTIVATIONS: Mapping[str, Callable[[FloatMatrix], FloatMatrix]] = MappingProxyType({
    "gelu": gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "identity": lambda x: x,
})
"""Name in ``config.json`` or in a Dense module -> function."""


def _sum(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    total: FloatMatrix = np.zeros((len(offsets) - 1, states.shape[1]), np.float32)
    for text, (start, end) in enumerate(zip(offsets[:-1] + skip, offsets[1:], strict=True)):
        if start < end:
            total[text] = states[start:end].sum(axis=0)
    return total


def _counted(offsets: IntVector, skip: int) -> NDArray[np.float32]:
    count = np.maximum(np.diff(offsets) - skip, 1)
    column: NDArray[np.float32] = count.astype(np.float32)[:, None]
    return column


def _mean(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    total = _sum(states, offsets, skip)
    total /= _counted(offsets, skip)
    return total


def _mean_sqrt_len(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    total = _sum(states, offsets, skip)
    total /= np.sqrt(_counted(offsets, skip))
    return total


def _max(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    best = np.zeros((len(offsets) - 1, states.shape[1]), np.float32)
    for text, (start, end) in enumerate(zip(offsets[:-1] + skip, offsets[1:], strict=True)):
        if start < end:
            best[text] = states[start:end].max(axis=0)
    return best


def _weighted_mean(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    total: FloatMatrix = np.zeros((len(offsets) - 1, states.shape[1]), np.float32)
    for text, (first, end) in enumerate(itertools.pairwise(offsets)):
        if first + skip < end:
            weights = np.arange(skip + 1, end - first + 1, dtype=np.float32)
            total[text] = weights @ states[first + skip : end] / weights.sum()
    return total


def _pick(states: FloatMatrix, tokens: IntVector, offsets: IntVector) -> FloatMatrix:
    picked = np.zeros((len(tokens), states.shape[1]), np.float32)
    there = np.diff(offsets) > 0
    picked[there] = states[tokens[there]]
    return picked


def _cls(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:
    first = offsets[:-1] + np.where(np.diff(offsets) > skip, skip, 0)
    return _pick(states, first, offsets)


def _last_token(states: FloatMatrix, offsets: IntVector, skip: int) -> FloatMatrix:  # noqa: ARG001
    return _pick(states, offsets[1:] - 1, offsets)


POOLINGS: Mapping[str, Callable[[FloatMatrix, IntVector, int], FloatMatrix]] = MappingProxyType({
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "lasttoken": _last_token,
    "first_last_avg": _mean,  # of the average of two layers, see Head.pool
})
"""Mode -> function of (states ``(n_tokens, hidden)``, offsets, leading tokens to leave out)."""


@dataclass(frozen=True)
class DenseLayer:
    """A linear layer with an activation: weight ``(out, in)``, bias ``(out,)`` or None."""

    weight: FloatMatrix
    bias: NDArray[np.float32] | None
    activation: str


@dataclass(frozen=True)
class Head:
    """Everything between token states and the embedding, as data.

    Attributes
    ----------
    pooling
        Modes of ``POOLINGS``; several are concatenated in this order.
    dense
        Linear layers, in order.
    normalize
        Whether rows are scaled to length 1 at the end.

    Examples
    --------
    >>> head = Head(("mean",))
    >>> head.pool([np.array([[1, 1], [3, 3], [5, 7]], np.float32)], np.array([0, 2, 2, 3]))
    array([[2., 2.],
           [0., 0.],
           [5., 7.]], dtype=float32)
    """

    pooling: tuple[str, ...]
    dense: tuple[DenseLayer, ...] = ()
    normalize: bool = False

    @property
    def needs_first_layer(self) -> bool:
        """Whether the first layer's states are wanted beside the last's."""
        return "first_last_avg" in self.pooling

    def pool(self, states: Sequence[FloatMatrix], offsets: IntVector, skip: int = 0) -> FloatMatrix:
        """Return one row per text, before the dense layers.

        Parameters
        ----------
        states
            The last layer's states, shape ``(n_tokens, hidden)``; before them the first layer's
            if ``needs_first_layer``.
        offsets
            Where each text starts, shape ``(n_texts + 1,)``.
        skip
            Leading tokens of each text that are left out, as a prompt's may be.

        Returns
        -------
        FloatMatrix
            Shape ``(n_texts, hidden * len(pooling))``. A text of no tokens gives zeros.
        """
        parts = []
        for mode in self.pooling:
            source = states[-1]
            if mode == "first_last_avg":
                source = (states[0] + states[-1]) * np.float32(0.5)
            parts.append(POOLINGS[mode](source, offsets, skip))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def project(self, pooled: FloatMatrix) -> FloatMatrix:
        """Return the embeddings: dense layers and length 1 upon pooled rows."""
        for layer in self.dense:
            # Row by row, so that no text's sum is ordered by how many texts stand beside it.
            rows = [layer.weight @ row for row in pooled]
            pooled = np.array(rows, np.float32).reshape(len(rows), len(layer.weight))
            if layer.bias is not None:
                pooled += layer.bias
            pooled = ACTIVATIONS[layer.activation](pooled)
        return normalize_rows(pooled) if self.normalize else pooled
