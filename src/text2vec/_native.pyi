from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix, IntVector, TokenIds

def available_kernels() -> list[tuple[str, str, str, str]]: ...

class Encoder:
    def __init__(
        self,
        shape: Mapping[str, int | float | str],
        weights: Mapping[str, NDArray[np.float32]],
        head: Sequence[str],
        dtype: str = ...,
        kernels: str = ...,
        num_threads: int = ...,
    ) -> None: ...
    def embed(
        self, ids: TokenIds, offsets: IntVector, num_threads: int = ..., skip: int = ...
    ) -> FloatMatrix: ...
    def states(self, ids: TokenIds, offsets: IntVector, num_threads: int = ...) -> FloatMatrix: ...
    @property
    def dim(self) -> int: ...
    @property
    def kernels(self) -> str: ...
    @property
    def packed_bytes(self) -> int: ...
