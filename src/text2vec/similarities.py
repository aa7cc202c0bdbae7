"""How alike two sets of embeddings are; a score is always higher for the more alike.

Pure functions of arrays, in numpy; a distance is turned into a score by its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from text2vec.arrays import FloatMatrix

__all__ = ["SIMILARITIES", "normalize_rows", "similarity", "similarity_pairwise"]


def normalize_rows(x: FloatMatrix) -> FloatMatrix:
    """Return each row scaled to length 1; a row of zeros stays so.

    Parameters
    ----------
    x
        Shape ``(n_texts, dim)``.

    Returns
    -------
    FloatMatrix
        Same shape, as ``torch.nn.functional.normalize`` with its floor of 1e-12.

    Examples
    --------
    >>> normalize_rows(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
    scaled: FloatMatrix = x / np.maximum(norms, np.float32(1e-12))
    return scaled


def _cosine(a: FloatMatrix, b: FloatMatrix) -> FloatMatrix:
    return normalize_rows(a) @ normalize_rows(b).T


def _dot(a: FloatMatrix, b: FloatMatrix) -> FloatMatrix:
    return a @ b.T


def _euclidean(a: FloatMatrix, b: FloatMatrix) -> FloatMatrix:
    # Row by row: the expanded square loses the small distances, the ones that matter.
    return np.array([-np.linalg.norm(b - row, axis=1) for row in a], np.float32)


def _manhattan(a: FloatMatrix, b: FloatMatrix) -> FloatMatrix:
    return np.array([-np.abs(b - row).sum(axis=1) for row in a], np.float32)


SIMILARITIES: Mapping[str, Callable[[FloatMatrix, FloatMatrix], FloatMatrix]] = MappingProxyType({
    "cosine": _cosine,
    "dot": _dot,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
})
"""Name, as in ``config_sentence_transformers.json`` -> function of two matrices."""


def similarity(a: ArrayLike, b: ArrayLike, name: str = "cosine") -> FloatMatrix:
    """Return the score of every row of ``a`` with every row of ``b``.

    Parameters
    ----------
    a, b
        Shapes ``(n, dim)`` and ``(m, dim)``; one embedding of shape ``(dim,)`` is one row.
    name
        Row of ``SIMILARITIES``; distances (``euclidean``, ``manhattan``) are negated.

    Returns
    -------
    FloatMatrix
        Shape ``(n, m)``, float32; no rows give ``(0, m)`` or ``(n, 0)``. A row of zeros has
        cosine 0 with everything.

    Raises
    ------
    ValueError
        If the name is unknown or the widths differ.

    Notes
    -----
    Source: the scores of ``sentence_transformers.SimilarityFunction``.

    Examples
    --------
    >>> similarity([[1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0]]).tolist()
    [[1.0, 0.0]]
    """
    left, right, function = _checked(a, b, name)
    if not len(left) or not len(right):
        return np.zeros((len(left), len(right)), np.float32)
    scores: FloatMatrix = function(left, right)
    return scores


def similarity_pairwise(a: ArrayLike, b: ArrayLike, name: str = "cosine") -> NDArray[np.float32]:
    """Return the score of each row of ``a`` with the same row of ``b``.

    Parameters
    ----------
    a, b
        Both of shape ``(n, dim)``.
    name
        Row of ``SIMILARITIES``.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(n,)``.

    Raises
    ------
    ValueError
        If the name is unknown or the shapes differ.

    Examples
    --------
    >>> similarity_pairwise([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 0.0]]).tolist()
    [1.0, 0.0]
    """
    left, right, _ = _checked(a, b, name)
    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} rows; expected as many in both")
    if name == "cosine":
        left, right = normalize_rows(left), normalize_rows(right)
    scores: NDArray[np.float32]
    if name in {"cosine", "dot"}:
        scores = np.einsum("ij,ij->i", left, right)
    else:
        scores = -np.linalg.norm(left - right, ord=2 if name == "euclidean" else 1, axis=1)
    return scores


def _as_rows(embeddings: ArrayLike) -> FloatMatrix:
    array = np.asarray(embeddings)
    if array.size and array.dtype.kind not in "biuf":
        raise ValueError(
            f"found values of type {array.dtype} ({type(embeddings).__name__}); expected "
            "embeddings: encode() the texts first"
        )
    array = array.astype(np.float32, copy=False)
    return array if not array.size else np.atleast_2d(array)


def _checked(a: ArrayLike, b: ArrayLike, name: str) -> tuple[FloatMatrix, FloatMatrix, Any]:
    if name not in SIMILARITIES:
        raise ValueError(f"unknown similarity {name!r}; expected one of {', '.join(SIMILARITIES)}")
    left, right = _as_rows(a), _as_rows(b)
    if not left.size and left.ndim == 1:  # [], which has no width
        left = left.reshape(0, right.shape[-1])
    if not right.size and right.ndim == 1:
        right = right.reshape(0, left.shape[-1])
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"shapes {left.shape} and {right.shape}; expected (n, dim) and (m, dim) of one width"
        )
    return left, right, SIMILARITIES[name]
