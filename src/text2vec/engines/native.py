"""The engine in C++: kernels for each kind of processor, chosen when the model is opened.

The extension ``text2vec._native`` is built from ``csrc`` where a C++ compiler is found; without it
the numpy engine serves, and ``native_problem`` says why.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from text2vec.arrays import FloatMatrix, PackedBatch
from text2vec.engines.distances import distance_bias
from text2vec.engines.pooling import Head
from text2vec.models.architectures import TransformerShape
from text2vec.models.q4_table import Q4Table

__all__ = [
    "KERNELS_VARIABLE",
    "KernelReport",
    "NativeEngine",
    "native_kernels",
    "native_problem",
    "native_supports",
]

KERNELS_VARIABLE = "TEXT2VEC_KERNELS"
"""Environment variable that stands in for ``kernels="auto"``."""

_SHAPE_FIELDS = (
    "hidden",
    "layers",
    "heads",
    "intermediate",
    "vocab_size",
    "max_positions",
    "position_offset",
    "layer_norm_eps",
    "activation",
)


# As derive() in csrc/packing.cpp has them: hidden size, layers, feed-forward size.
_LARGEST, _HIDDEN_UNIT = (8192, 256, 65536), 8
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")


@dataclass(frozen=True)
class KernelReport:
    """One set of kernels that is compiled in.

    Attributes
    ----------
    family, variant
        The instruction set, and which of its instructions: ``kernels="family/variant"`` asks for
        exactly this one.
    dtype
        The format that it computes in.
    missing
        What this machine lacks to run it; empty if nothing.
    """

    family: str
    variant: str
    dtype: str
    missing: str


def native_problem() -> str | None:
    """Return why the native engine is not there, and what to do; None if it is.

    Returns
    -------
    str | None
        One sentence or two.

    Examples
    --------
    >>> native_problem() is None or "compiler" in native_problem()
    True
    """
    try:
        _extension()
    except ImportError as error:
        return (
            f"the native engine is not built ({error}); install a C++17 compiler and run "
            "pip install --force-reinstall --no-deps text2vec"
        )
    return None


def native_kernels() -> list[KernelReport]:
    """Return every set of kernels that is compiled in, best first; none if nothing is built.

    Returns
    -------
    list[KernelReport]
        ``auto`` takes the first of its dtype that misses nothing, but never ``amx-emulated``.

    Examples
    --------
    >>> all(report.missing == "" for report in native_kernels() if report.family == "portable")
    True
    """
    if native_problem() is not None:
        return []
    return [KernelReport(*row) for row in _extension().available_kernels()]


def _extension() -> Any:
    # By name: where it is not built, a tool that reads imports takes the name for the package's.
    return importlib.import_module("text2vec._native")


def native_supports(shape: TransformerShape) -> bool:
    """Return whether the native engine knows all that an encoder of this shape does.

    Parameters
    ----------
    shape
        Sizes of the encoder.

    Returns
    -------
    bool
        False for activations that it lacks, and for sizes beyond its own: a hidden size that is
        no multiple of 8, above 8192, more than 256 layers, wider feed-forward layers than 65,536.

    Examples
    --------
    >>> native_supports(TransformerShape("bert", 8, 1, 2, 16, 30, 12))
    True
    """
    sizes = (shape.hidden, shape.layers, shape.intermediate)
    return (
        shape.activation in _ACTIVATIONS
        and all(size <= most for size, most in zip(sizes, _LARGEST, strict=True))
        and shape.hidden % _HIDDEN_UNIT == 0
        and 0 < shape.layer_norm_eps < 1
    )


def _arrays(shape: TransformerShape, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights as the extension takes them."""
    arrays = {k: v.blocks if isinstance(v, Q4Table) else v for k, v in weights.items()}
    if shape.relative_buckets:
        table = np.asarray(arrays.pop("relative_bias"), np.float32)
        arrays["distance_bias"] = distance_bias(table, shape.max_positions)
    return arrays


class NativeEngine:
    """Encode with the C++ kernels.

    A text's embedding is bitwise the same in any batch, in any order and on any number of threads.
    Several Python threads may use one engine at once; a process may fork between calls.

    Parameters
    ----------
    shape
        Sizes of the encoder.
    weights
        Canonical name -> float32 array, see ``models.checkpoint``. The word table, which may be in
        4 bits, is kept and read where it lies; the others are packed and may be freed.
    head
        Pooling and what follows it.
    dtype
        ``float32``, ``bfloat16`` or ``int8``: the format of weights and products. LayerNorm and
        pooling are float32 in each; attention is, but where a processor multiplies bfloat16 and
        the format is not float32.
    kernels
        ``auto``, a family of ``native_kernels``, or ``family/variant``. ``auto`` obeys the
        environment variable ``TEXT2VEC_KERNELS``.
    num_threads
        Threads of a call, and of the packing.

    Raises
    ------
    ValueError
        If a size, a weight's shape, the activation, the dtype or the kernels are not supported.
    ImportError
        If the extension is not built.
    """

    name = "native"

    def __init__(
        self,
        shape: TransformerShape,
        weights: Mapping[str, Any],
        head: Head,
        *,
        dtype: str = "float32",
        kernels: str = "auto",
        num_threads: int = 1,
    ) -> None:
        problem = native_problem()
        if problem is not None:
            raise ImportError(problem)
        if kernels == "auto":
            kernels = os.environ.get(KERNELS_VARIABLE) or "auto"
        self.dtype = dtype
        self.num_threads = num_threads
        self._head = head
        self._encoder = _extension().Encoder(
            {name: getattr(shape, name) for name in _SHAPE_FIELDS},
            _arrays(shape, weights),
            list(head.pooling),
            dtype,
            kernels,
            num_threads,
        )

    @property
    def kernels(self) -> str:
        """The ``family/variant`` that was chosen."""
        return str(self._encoder.kernels)

    def embed(self, batch: PackedBatch, skip: int = 0, max_texts: int | None = None) -> FloatMatrix:  # noqa: ARG002
        """Return one embedding per text, shape ``(n_texts, dim)``; see ``Engine.embed``."""
        # max_texts has nothing to bound: blocks hold about 192 tokens, however many are asked for.
        pooled: FloatMatrix = self._encoder.embed(batch.ids, batch.offsets, self.num_threads, skip)
        return self._head.project(pooled)

    def token_states(self, batch: PackedBatch) -> FloatMatrix:
        """Return the last layer's states, shape ``(n_tokens, hidden)``."""
        states: FloatMatrix = self._encoder.states(batch.ids, batch.offsets, self.num_threads)
        return states
