"""Embeddings in fewer bytes: float16, int8, uint8, and one bit a dimension.

The same definitions as sentence-transformers' ``quantize_embeddings``, so that stores and indexes
filled by either agree.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix

__all__ = ["Precision", "check_precision", "quantize_embeddings"]

Precision: TypeAlias = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]


def check_precision(precision: str) -> None:
    """Refuse a precision that does not exist.

    Raises
    ------
    ValueError
        If ``precision`` is not one of ``Precision``.

    Examples
    --------
    >>> check_precision("int4")
    Traceback (most recent call last):
    ...
    ValueError: unknown precision 'int4'; expected one of float32, float16, int8, uint8, binary, ubinary
    """  # noqa: E501 - doctest wants the message on one line
    if precision not in get_args(Precision):
        raise ValueError(
            f"unknown precision {precision!r}; expected one of {', '.join(get_args(Precision))}"
        )


def quantize_embeddings(
    embeddings: FloatMatrix, precision: Precision, *, ranges: FloatMatrix | None = None
) -> NDArray[Any]:
    """Return embeddings in another precision.

    Parameters
    ----------
    embeddings
        Shape ``(n_texts, dim)``; no rows give no rows of the new width.
    precision
        ``float32`` and ``float16`` keep ``dim``; ``int8`` and ``uint8`` cut each dimension's
        range into 256 steps; ``binary`` (int8) and ``ubinary`` (uint8) keep the signs, eight
        dimensions a byte, first dimension in the highest bit.
    ranges
        Lowest and highest value of each dimension, shape ``(2, dim)``, for ``int8`` and
        ``uint8``; None takes them from ``embeddings`` itself, which makes the result depend on
        the company. Give the same ranges to queries and documents.

    Returns
    -------
    NDArray[Any]
        Shape ``(n_texts, dim)``, or ``(n_texts, ceil(dim / 8))`` for the binary ones.

    Raises
    ------
    ValueError
        If the precision is unknown, ``ranges`` has the wrong shape, or ranges would have to come
        from a single row.

    Notes
    -----
    Source: ``sentence_transformers.util.quantize_embeddings``, version 6.

    Examples
    --------
    >>> rows = np.array([[0.0, 1.0], [1.0, -1.0], [0.5, 0.0]], np.float32)
    >>> quantize_embeddings(rows, "uint8").tolist()
    [[0, 254], [254, 0], [127, 127]]
    >>> quantize_embeddings(rows, "ubinary").tolist()
    [[64], [128], [128]]
    """
    check_precision(precision)
    embeddings = np.asarray(embeddings)
    if precision in {"float32", "float16"}:
        return embeddings.astype(precision, copy=False)
    if precision in {"binary", "ubinary"}:
        bits = np.packbits(embeddings > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    if len(embeddings) == 0:
        return embeddings.astype(precision)
    starts, ends = _ranges(embeddings, ranges, precision)
    steps = (ends - starts) / 255
    steps = np.where(steps == 0, 1, steps)
    levels = np.clip(np.floor((embeddings - starts) / steps), 0, 255)
    return (levels - 128 if precision == "int8" else levels).astype(precision)


def _ranges(
    embeddings: FloatMatrix, ranges: FloatMatrix | None, precision: str
) -> tuple[FloatMatrix, FloatMatrix]:
    if ranges is None:
        if embeddings.ndim == 1 or len(embeddings) == 1:
            raise ValueError(
                f"precision {precision!r} needs the range of each dimension, which one text does "
                "not show; pass quantize_embeddings(..., ranges=) from a sample of embeddings"
            )
        return embeddings.min(axis=0), embeddings.max(axis=0)
    ranges = np.asarray(ranges, np.float32)
    if ranges.shape != (2, embeddings.shape[-1]):
        raise ValueError(f"ranges has shape {ranges.shape}; expected (2, {embeddings.shape[-1]})")
    return ranges[0], ranges[1]
