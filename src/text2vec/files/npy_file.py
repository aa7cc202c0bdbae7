"""A matrix of embeddings to numpy's ``.npy``, block by block.

Naming, renaming and cleaning up are done by ``embedding_files``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["NpyWriter"]

_HEADER_BYTES = 128
"""Room for any number of rows, so that the header is rewritten in place when it is known."""


class NpyWriter:
    """Writes numpy's format 1.0, one matrix of shape ``(n_texts, dim)``; texts are not kept.

    Source: the documentation of ``numpy.lib.format``.

    Parameters
    ----------
    stream
        Binary stream that can seek, opened for writing; it is left open.

    Examples
    --------
    >>> import io
    >>> stream = io.BytesIO()
    >>> writer = NpyWriter(stream)
    >>> writer.write(["a"], np.ones((1, 2), np.float32))
    >>> writer.write(["b"], np.zeros((1, 2), np.float32))
    >>> writer.finish()
    >>> _ = stream.seek(0)
    >>> np.load(stream)
    array([[1., 1.],
           [0., 0.]], dtype=float32)
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._n_texts = 0
        self._dim = 0
        self._kind = np.dtype(np.float32)

    def write(self, texts: Sequence[str], embeddings: NDArray[Any]) -> None:
        """Append the rows of ``embeddings``, shape ``(n_texts, dim)``."""
        if self._n_texts == 0:
            self._dim = embeddings.shape[1]
            self._kind = embeddings.dtype
            self._stream.seek(0)
            self._stream.write(self._header())
        self._n_texts += len(texts)
        self._stream.write(embeddings.tobytes())

    def finish(self) -> None:
        """Write the header again, now with the number of rows."""
        self._stream.seek(0)
        self._stream.write(self._header())

    def abandon(self) -> None:
        """Do nothing: the stream is the caller's."""

    def _header(self) -> bytes:
        fields = (
            f"{{'descr': {self._kind.str!r}, 'fortran_order': False, "
            f"'shape': ({self._n_texts}, {self._dim}), }}"
        )
        n_bytes = _HEADER_BYTES - 10
        start = b"\x93NUMPY\x01\x00" + n_bytes.to_bytes(2, "little")
        return start + fields.ljust(n_bytes - 1).encode("ascii") + b"\n"
