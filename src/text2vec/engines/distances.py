"""MPNet's positions: what the distance of two tokens adds to their attention score."""

from __future__ import annotations

import numpy as np

from text2vec.arrays import FloatMatrix, IntVector

__all__ = ["distance_bias", "relative_position_buckets"]


def relative_position_buckets(length: int, n_buckets: int, max_distance: int = 128) -> IntVector:
    """Return MPNet's bucket for each pair of positions.

    Parameters
    ----------
    length
        Tokens of the longest text.
    n_buckets
        Rows of the bias table; half for each direction.
    max_distance
        Beyond it all pairs share the last bucket.

    Returns
    -------
    IntVector
        Shape ``(length, length)``: query position by key position.

    Notes
    -----
    Source: Raffel et al. 2019, arXiv:1910.10683, section 2.1, as MPNet uses it in transformers.

    Examples
    --------
    >>> relative_position_buckets(3, 32).tolist()
    [[0, 17, 18], [1, 0, 17], [2, 1, 0]]
    """
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    half = n_buckets // 2
    exact = half // 2
    far = np.abs(distance)
    ratio = np.log(np.maximum(far, 1) / exact) / np.log(max_distance / exact)
    coarse = np.minimum(exact + (ratio * (half - exact)).astype(np.int64), half - 1)
    buckets: IntVector = np.where(far < exact, far, coarse)
    return buckets + np.where(distance < 0, half, 0)


def distance_bias(table: FloatMatrix, length: int) -> FloatMatrix:
    """Return what each distance adds to the score of each head.

    Parameters
    ----------
    table
        MPNet's ``relative_attention_bias``, ``(n_buckets, heads)``.
    length
        Tokens of the longest text.

    Returns
    -------
    FloatMatrix
        ``(heads, 2 * length - 1)``: key position less query position, from ``1 - length`` up.

    Examples
    --------
    >>> distance_bias(np.arange(32, dtype=np.float32)[:, None], 3)
    array([[ 2.,  1.,  0., 17., 18.]], dtype=float32)
    """
    buckets = relative_position_buckets(length, len(table))
    by_distance = np.concatenate((buckets[:0:-1, 0], buckets[0]))
    return np.ascontiguousarray(table[by_distance].T)
