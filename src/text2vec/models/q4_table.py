"""A table of embeddings in 4 bits, read row by row where it lies.

The blocks are ggml's Q4_0: for every 32 weights an f16 scale ``d`` and 16 bytes, of which byte
``j`` holds weight ``j`` in its low half and weight ``j + 16`` in its high half; a weight is
``(half - 8) * d``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix

__all__ = ["BLOCK_BYTES", "BLOCK_WEIGHTS", "Q4Table", "dequantise_blocks", "quantise_rows"]

BLOCK_WEIGHTS = 32
BLOCK_BYTES = 18
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK_WEIGHTS // 2)])
_CHUNK_ROWS = 8192


class Q4Table:
    """Rows of float32 that exist only when they are asked for.

    Parameters
    ----------
    blocks
        Bytes of the blocks, shape ``(n_rows, dim // 32 * 18)``, uint8; kept, not copied.

    Raises
    ------
    ValueError
        If a row is no whole number of blocks.

    Examples
    --------
    >>> table = Q4Table(quantise_rows(np.full((2, 32), -4, np.float32)))
    >>> table.shape, table[np.array([1])].min()
    ((2, 32), np.float32(-4.0))
    """

    dtype = np.dtype(np.float32)

    def __init__(self, blocks: NDArray[np.uint8]) -> None:
        if blocks.ndim != 2 or blocks.dtype != np.uint8 or blocks.shape[1] % BLOCK_BYTES:
            raise ValueError(
                f"blocks have shape {blocks.shape} and dtype {blocks.dtype}; "
                f"expected (n_rows, n_blocks * {BLOCK_BYTES}) of uint8"
            )
        self.blocks = blocks

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and weights of a row."""
        return len(self.blocks), self.blocks.shape[1] // BLOCK_BYTES * BLOCK_WEIGHTS

    def __getitem__(self, rows: Any) -> FloatMatrix:
        """Return some rows as float32, shape ``(n, dim)``."""
        return dequantise_blocks(self.blocks[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001
        """Return all rows as float32."""
        if copy is False:
            raise ValueError("rows in 4 bits cannot be had without a copy")
        whole = np.empty(self.shape, np.float32)
        for start in range(0, len(whole), _CHUNK_ROWS):
            whole[start : start + _CHUNK_ROWS] = self[start : start + _CHUNK_ROWS]
        return whole if dtype is None else whole.astype(dtype, copy=False)


def dequantise_blocks(blocks: NDArray[np.uint8]) -> FloatMatrix:
    """Return the weights of rows of blocks.

    Parameters
    ----------
    blocks
        Shape ``(n_rows, n_blocks * 18)``, uint8.

    Returns
    -------
    FloatMatrix
        Shape ``(n_rows, n_blocks * 32)``; no rows give ``(0, n_blocks * 32)``.

    Examples
    --------
    >>> block = np.frombuffer(np.float16(0.5).tobytes() + bytes([0x78] + [0x88] * 15), np.uint8)
    >>> dequantise_blocks(block[None])[0, [0, 16]].tolist()
    [0.0, -0.5]
    """
    n_rows, n_blocks = len(blocks), blocks.shape[1] // BLOCK_BYTES
    stored = np.ascontiguousarray(blocks).reshape(n_rows * n_blocks, BLOCK_BYTES).view(_BLOCK)[:, 0]
    weights = np.empty((n_rows * n_blocks, BLOCK_WEIGHTS), np.float32)
    half = BLOCK_WEIGHTS // 2
    np.subtract(stored["halves"] & 0xF, 8, out=weights[:, :half], dtype=np.float32)
    np.subtract(stored["halves"] >> 4, 8, out=weights[:, half:], dtype=np.float32)
    weights *= stored["scale"].astype(np.float32)[:, None]
    return weights.reshape(n_rows, n_blocks * BLOCK_WEIGHTS)


def quantise_rows(rows: FloatMatrix) -> NDArray[np.uint8]:
    """Return rows in 4 bits; rows that came out of such blocks are found again without loss.

    Parameters
    ----------
    rows
        Finite weights, shape ``(n_rows, dim)``, ``dim`` a multiple of 32.

    Returns
    -------
    NDArray[np.uint8]
        Blocks, shape ``(n_rows, dim // 32 * 18)``.

    Raises
    ------
    ValueError
        If ``dim`` is no multiple of 32, or a weight is not finite or too large for f16.

    Examples
    --------
    >>> rows = dequantise_blocks(quantise_rows(np.linspace(-1, 1, 64, dtype=np.float32)[None]))
    >>> np.array_equal(dequantise_blocks(quantise_rows(rows)), rows)
    True
    """
    if rows.ndim != 2 or rows.shape[1] % BLOCK_WEIGHTS:
        raise ValueError(f"rows have shape {rows.shape}; expected (n_rows, dim), dim times 32")
    out = np.empty((len(rows), rows.shape[1] // BLOCK_WEIGHTS * BLOCK_BYTES), np.uint8)
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        if not (np.abs(part) < np.finfo(np.float16).max).all():
            raise ValueError(f"row {start} or after: a weight is not finite, or too large for f16")
        blocks = _quantise(part.reshape(-1, BLOCK_WEIGHTS))
        out[start : start + _CHUNK_ROWS] = blocks.view(np.uint8).reshape(len(part), -1)
    return out


def _quantise(weights: FloatMatrix) -> NDArray[Any]:
    blocks = np.zeros(len(weights), _BLOCK)
    extreme = np.take_along_axis(weights, np.abs(weights).argmax(1)[:, None], 1)[:, 0]
    best = np.full(len(weights), np.inf, np.float32)
    open_rows = np.arange(len(weights))
    # The extreme weight is -8 steps as ggml has it; where that is not exact, fewer steps may be.
    for steps in (-8, 7, -7, 6, -6, 5, -5, 4, -4, 3, -3, 2, -2, 1, -1):
        chosen = weights[open_rows]
        scale = (extreme[open_rows] / np.float32(steps)).astype(np.float16)
        divisor = np.where(scale == 0, np.float16(1), scale).astype(np.float32)[:, None]
        halves = np.clip(np.rint(chosen / divisor) + 8, 0, 15).astype(np.uint8)
        found = (halves.astype(np.float32) - 8) * scale.astype(np.float32)[:, None]
        error = np.abs(found - chosen).max(1)
        better = error < best[open_rows]
        rows = open_rows[better]
        best[rows] = error[better]
        blocks["scale"][rows] = scale[better]
        half = BLOCK_WEIGHTS // 2
        blocks["halves"][rows] = halves[better, :half] | (halves[better, half:] << 4)
        open_rows = open_rows[best[open_rows] > 0]
        if not len(open_rows):
            break
    return blocks
