"""The forward pass in plain numpy over packed tokens: the oracle of every engine, and the fallback.

Texts lie back to back without padding, so that company changes a text's vector by no more than the
rounding of a matrix product. Batches run side by side in threads, each on one thread of BLAS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix, IntVector, PackedBatch
from text2vec.engines.base import check_batch
from text2vec.engines.batching import (
    gather_texts,
    length_runs,
    plan_batches,
    token_places,
)
from text2vec.engines.distances import relative_position_buckets
from text2vec.engines.pooling import ACTIVATIONS, Head
from text2vec.engines.threads import single_threaded_blas
from text2vec.models.architectures import TransformerShape

__all__ = ["ReferenceEngine"]

TOKEN_BUDGET = 1024
"""Tokens that one thread computes together: enough for BLAS, little enough for the cache."""
SCORES = 1 << 22
"""Attention scores in memory at once: a text of 8,192 tokens needs them head by head."""
GELU_ELEMENTS = 1 << 15
"""Activations are computed in pieces that stay in a core's level-2 cache with their temporaries."""


class ReferenceEngine:
    """Encode with numpy alone.

    Parameters
    ----------
    shape
        Sizes of the encoder.
    weights
        Canonical name -> float32 array, see ``models.checkpoint``.
    head
        Pooling and what follows it.

    Raises
    ------
    ValueError
        If the activation is not one of ``ACTIVATIONS``.

    Notes
    -----
    Source: Devlin et al. 2018, arXiv:1810.04805; Song et al. 2020, arXiv:2004.09297 for MPNet's
    relative positions; the modules of transformers for what papers leave open.
    """

    name = "reference"
    dtype = "float32"
    kernels = "numpy"

    def __init__(
        self,
        shape: TransformerShape,
        weights: Mapping[str, NDArray[np.float32]],
        head: Head,
        num_threads: int = 1,
    ) -> None:
        if shape.activation not in ACTIVATIONS:
            raise ValueError(
                f"unknown activation {shape.activation!r}; expected one of {', '.join(ACTIVATIONS)}"
            )
        self.num_threads = num_threads
        self._shape = shape
        self._weights = weights
        self._head = head
        self._activation = ACTIVATIONS[shape.activation]

    def embed(self, batch: PackedBatch, skip: int = 0, max_texts: int | None = None) -> FloatMatrix:
        """Return one embedding per text, shape ``(n_texts, dim)``; see ``Engine.embed``."""
        check_batch(batch, self._shape.vocab_size, self._shape.max_tokens)
        layers = (0, -1) if self._head.needs_first_layer else (-1,)
        pooled = np.empty((batch.n_texts, self._shape.hidden * len(self._head.pooling)), np.float32)

        def embed_some(texts: IntVector) -> None:
            some = gather_texts(batch, texts)
            pooled[texts] = self._head.pool(self._forward(some, layers), some.offsets, skip)

        plan = plan_batches(batch.lengths, TOKEN_BUDGET, max_texts)
        with single_threaded_blas():
            if self.num_threads == 1 or batch.n_texts == 1:
                for texts in plan:
                    embed_some(texts)
            else:
                self._side_by_side(embed_some, plan)
        return self._head.project(pooled)

    def token_states(self, batch: PackedBatch) -> FloatMatrix:
        """Return the last layer's states, shape ``(n_tokens, hidden)``."""
        check_batch(batch, self._shape.vocab_size, self._shape.max_tokens)
        states = np.empty((len(batch.ids), self._shape.hidden), np.float32)
        with single_threaded_blas():
            for texts in plan_batches(batch.lengths, TOKEN_BUDGET):
                some = self._forward(gather_texts(batch, texts), (-1,))[0]
                states[token_places(batch, texts)] = some
        return states

    def _side_by_side(self, work: Callable[[IntVector], None], plan: Iterable[IntVector]) -> None:
        pool = ThreadPoolExecutor(self.num_threads)
        try:
            for done in [pool.submit(work, texts) for texts in plan]:
                done.result()
        finally:  # an interrupt or an error does not wait for what has not begun
            pool.shutdown(wait=True, cancel_futures=True)

    def run(self, batch: PackedBatch, layers: Sequence[int] = (-1,)) -> list[FloatMatrix]:
        """Return the states after each of the named layers.

        Parameters
        ----------
        batch
            Packed ids; neighbours of equal length make attention faster.
        layers
            Layers whose output is wanted, as a list's indices.

        Returns
        -------
        list[FloatMatrix]
            One array of shape ``(n_tokens, hidden)`` for each.

        Raises
        ------
        ValueError
            If an id or a length is outside the model's tables.
        """
        check_batch(batch, self._shape.vocab_size, self._shape.max_tokens)
        return self._forward(batch, layers)

    def _forward(self, batch: PackedBatch, layers: Sequence[int]) -> list[FloatMatrix]:
        wanted = [range(self._shape.layers)[i] for i in layers]
        states = self._embed_tokens(batch)
        bias = self._position_bias(int(batch.lengths.max(initial=0)))
        kept: dict[int, FloatMatrix] = {}
        for i in range(self._shape.layers):
            states = self._layer(i, states, batch.offsets, bias)
            if i in wanted:
                kept[i] = states
        return [kept[i] for i in wanted]

    def _embed_tokens(self, batch: PackedBatch) -> FloatMatrix:
        weights = self._weights
        states = weights["word"][batch.ids]  # (n_tokens, hidden)
        states += weights["position"][self._positions(batch)]
        for table in ("token_type", "task_type"):
            if table in weights:
                states += weights[table][0]
        return self._norm("embedding_norm", states)

    def _positions(self, batch: PackedBatch) -> IntVector:
        offset = self._shape.position_offset
        counted = np.ones(len(batch.ids), np.int64)
        if offset:  # RoBERTa and its kin leave out the padding id, wherever a text has it
            counted[batch.ids == offset - 1] = 0
        ends = np.cumsum(counted)
        before = np.concatenate([[0], ends])[batch.offsets[:-1]]
        places = ends - np.repeat(before, batch.lengths) - 1 + offset
        return np.where(counted == 1, places, offset - 1)

    def _layer(
        self, i: int, states: FloatMatrix, offsets: IntVector, bias: FloatMatrix | None
    ) -> FloatMatrix:
        stem = f"layers.{i}."
        q, k, v = (self._linear(stem + name, states) for name in ("query", "key", "value"))
        mixed = self._attend(q, k, v, offsets, bias)
        mixed = self._linear(stem + "attention_output", mixed)
        mixed += states
        states = self._norm(stem + "attention_norm", mixed)
        wide = self._linear(stem + "intermediate", states)
        flat = wide.reshape(-1)
        for start in range(0, flat.size, GELU_ELEMENTS):
            piece = flat[start : start + GELU_ELEMENTS]
            piece[:] = self._activation(piece)
        out = self._linear(stem + "output", wide)
        out += states
        return self._norm(stem + "output_norm", out)

    def _linear(self, stem: str, x: FloatMatrix) -> FloatMatrix:
        out = x @ self._weights[stem + ".weight"].T
        out += self._weights[stem + ".bias"]
        return out

    def _norm(self, stem: str, x: FloatMatrix) -> FloatMatrix:
        x -= x.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", x, x) / np.float32(x.shape[1])
        scale = 1 / np.sqrt(variance + np.float32(self._shape.layer_norm_eps))
        x *= scale[:, None]
        x *= self._weights[stem + ".weight"]
        x += self._weights[stem + ".bias"]
        return x

    def _attend(
        self,
        q: FloatMatrix,
        k: FloatMatrix,
        v: FloatMatrix,
        offsets: IntVector,
        bias: FloatMatrix | None,
    ) -> FloatMatrix:
        heads, head_dim = self._shape.heads, self._shape.head_dim
        q *= np.float32(head_dim**-0.5)
        mixed = np.zeros_like(q)
        lengths = np.diff(offsets)
        for first, end, some in _score_blocks(lengths, heads):
            length = int(lengths[first])
            rows = slice(int(offsets[first]), int(offsets[end]))
            split = (end - first, length, heads, head_dim)
            # (n_texts, some heads, length, head_dim), views
            q4, k4, v4 = (x[rows].reshape(split).swapaxes(1, 2)[:, some] for x in (q, k, v))
            scores = q4 @ k4.swapaxes(2, 3)  # (n_texts, some heads, length, length)
            if bias is not None:
                scores += bias[some, :length, :length]
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed[rows].reshape(split)[:, :, some] = (scores @ v4).swapaxes(1, 2)
        return mixed

    def _position_bias(self, longest: int) -> FloatMatrix | None:
        table = self._weights.get("relative_bias")
        if table is None:
            return None
        buckets = relative_position_buckets(longest, len(table))
        return np.ascontiguousarray(table[buckets].transpose(2, 0, 1))  # (heads, longest, longest)


def _score_blocks(lengths: IntVector, heads: int) -> Iterator[tuple[int, int, slice]]:
    """Yield first text, end, and heads of each block of equal texts whose scores fit."""
    for first, end in length_runs(lengths):
        length = int(lengths[first])
        if not length:
            continue
        n_heads = min(heads, max(1, SCORES // length**2))
        n_texts = max(1, SCORES // (heads * length**2))
        for text in range(first, end, n_texts):
            for head in range(0, heads, n_heads):
                yield text, min(text + n_texts, end), slice(head, head + n_heads)
