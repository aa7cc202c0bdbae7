"""What a lower precision costs: its embeddings against float32 ones of the same weights and texts.

The comparison is made where vectors are finished, so that pooling and projection count too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from text2vec.encode_options import EncodeOptions
from text2vec.engines.base import Engine
from text2vec.engines.native import native_kernels
from text2vec.engines.opening import EngineRequest, open_engine
from text2vec.models.spec import ModelSpec
from text2vec.pipeline import Pipeline

__all__ = ["Agreement", "compare_embeddings", "measure_agreement"]


@dataclass(frozen=True)
class Agreement:
    """How near embeddings are to the exact ones, as cosines of the same text's two vectors.

    Attributes
    ----------
    n_texts
        Texts that were compared.
    mean, worst
        Mean and smallest cosine, -1 to 1; 1 is no difference of direction.
    worst_text
        Place of the text with the smallest cosine, counted from 0.
    computed, exact
        What made the two sides, for example ``native int8 avx2/pairs``.
    """

    n_texts: int
    mean: float
    worst: float
    worst_text: int
    computed: str = ""
    exact: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"{self.computed} against {self.exact}, {self.n_texts} texts: "
            f"mean cosine {self.mean:.6f}, worst {self.worst:.6f} (text {self.worst_text})"
        )


def compare_embeddings(
    embeddings: ArrayLike, exact: ArrayLike, *, names: tuple[str, str] = ("", "")
) -> Agreement:
    """Return mean and worst cosine of two embeddings of each text.

    Parameters
    ----------
    embeddings, exact
        Both of shape ``(n_texts, dim)``; summed in float64.
    names
        What made them, for the line that people read.

    Returns
    -------
    Agreement
        Two rows of zeros agree (1); a row of zeros and another one do not (0).

    Raises
    ------
    ValueError
        If there is no text, if the shapes differ, or if a number is NaN or infinite.

    Examples
    --------
    >>> found = compare_embeddings([[1.0, 0.0], [0.6, 0.8]], [[2.0, 0.0], [1.0, 0.0]])
    >>> found.n_texts, round(found.mean, 6), round(found.worst, 6), found.worst_text
    (2, 0.8, 0.6, 1)
    """
    left, right = (np.asarray(x, np.float64) for x in (embeddings, exact))
    if left.ndim != 2 or left.shape != right.shape or not len(left):
        raise ValueError(
            f"shapes {left.shape} and {right.shape}; expected (n_texts, dim) twice, n_texts above 0"
        )
    for side, rows in (("embeddings", left), ("exact", right)):
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            raise ValueError(f"{side} of text {int(finite.argmin())} holds NaN or infinity")
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    both_zero = ~left.any(axis=1) & ~right.any(axis=1)
    cosines = np.where(both_zero, 1.0, np.einsum("ij,ij->i", left, right))
    cosines = np.clip(cosines / np.where(lengths > 0, lengths, 1.0), -1.0, 1.0)
    worst = int(cosines.argmin())
    return Agreement(len(left), float(cosines.mean()), float(cosines[worst]), worst, *names)


def measure_agreement(spec: ModelSpec, pipeline: Pipeline, texts: Sequence[str]) -> Agreement:
    """Return how far an engine's embeddings are from float32 ones of the same weights.

    Parameters
    ----------
    spec
        The model; it is opened a second time in float32.
    pipeline
        What computes the embeddings that are judged.
    texts
        Checked texts, at least one; they count as documents without a prompt.

    Returns
    -------
    Agreement
        A native engine in float32 is held against the numpy engine, any other against its own
        kind in float32.

    Raises
    ------
    ValueError
        If there is no text.
    """
    if not texts:
        raise ValueError("no texts to compare; give some that are like those you will encode")
    judged, options = pipeline.engine, EncodeOptions()
    exact = open_engine(spec, _exact_request(judged))
    other = Pipeline(pipeline.tokenizer, exact, dim=pipeline.dim, include_prompt=True)
    return compare_embeddings(
        pipeline.run(texts, "", options).embeddings,
        other.run(texts, "", options).embeddings,
        names=(_named(judged), _named(exact)),
    )


def _exact_request(engine: Engine) -> EngineRequest:
    threads = engine.num_threads
    if engine.name == "native":
        if engine.dtype == "float32":
            return EngineRequest("reference", num_threads=threads)
        return EngineRequest("native", "float32", None, threads, _exact_kernels(engine))
    device = engine.kernels if engine.name == "torch" else None
    return EngineRequest(engine.name, "float32", device, threads)


def _exact_kernels(engine: Engine) -> str:
    """Return what computes float32: not every family does, and a variable may ask for one."""
    exact = [row for row in native_kernels() if row.dtype == "float32" and not row.missing]
    family = engine.kernels.partition("/")[0]
    best = next((row for row in exact if row.family == family), exact[0])
    return f"{best.family}/{best.variant}"


def _named(engine: Engine) -> str:
    return f"{engine.name} {engine.dtype} {engine.kernels}"
