"""Names for the arrays that pass between rooms, and the ``Encoder`` role.

Dimensions are always called ``n_texts``, ``n_tokens``, ``dim``. A packed batch is the one value
between tokenizer, planner, engine and pooling: texts lie back to back, and nobody sees a mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolVector", "Encoder", "FloatMatrix", "IntVector", "PackedBatch", "TokenIds"]

FloatMatrix: TypeAlias = NDArray[np.float32]
TokenIds: TypeAlias = NDArray[np.int32]
IntVector: TypeAlias = NDArray[np.int64]
BoolVector: TypeAlias = NDArray[np.bool_]


class Encoder(Protocol):
    """Whatever turns texts into vectors: a transformer, averaged word vectors, a test fake."""

    @property
    def dim(self) -> int:
        """Length of one embedding."""
        ...

    def encode(self, sentences: str | Iterable[str]) -> NDArray[Any]:
        """Return one row per text, shape ``(n_texts, dim)``, in the order of the texts."""
        ...


@dataclass(frozen=True)
class PackedBatch:
    """The token ids of several texts, back to back, without padding.

    Attributes
    ----------
    ids
        Token ids, shape ``(n_tokens,)``, int32.
    offsets
        Where each text starts, shape ``(n_texts + 1,)``, int64: text ``i`` is
        ``ids[offsets[i] : offsets[i + 1]]``. A batch of no texts has ``offsets == [0]``.

    Examples
    --------
    >>> batch = PackedBatch.pack([[0, 7, 2], [], [0, 2]])
    >>> batch.n_texts, batch.lengths.tolist(), batch.ids.tolist()
    (3, [3, 0, 2], [0, 7, 2, 0, 2])
    """

    ids: TokenIds
    offsets: IntVector

    @classmethod
    def pack(cls, rows: Sequence[Sequence[int]]) -> PackedBatch:
        """Lay the ids of several texts back to back; no rows give a batch of no texts."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        ids = np.fromiter((i for row in rows for i in row), np.int32, int(offsets[-1]))
        return cls(ids, offsets)

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntVector:
        """Tokens of each text, shape ``(n_texts,)``."""
        return np.diff(self.offsets)
