"""Weights of a model folder, under the canonical names that every engine reads.

Keys and shapes are checked by name against the architecture's row before anything is used;
safetensors stay memory-mapped, and a ``.bin`` is opened by torch with ``weights_only``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import ModelFormatError, require
from text2vec.models.architectures import ARCHITECTURES, TransformerShape
from text2vec.models.q4_table import BLOCK_BYTES, BLOCK_WEIGHTS, Q4Table
from text2vec.models.safetensors_file import open_checkpoint
from text2vec.models.spec import DenseSpec

__all__ = [
    "Weights",
    "expected_shapes",
    "load_dense",
    "load_weights",
    "piece_width",
    "spread_scales",
]

Weights: TypeAlias = dict[str, Any]
"""Canonical name -> float32 array; ``word`` may be a ``Q4Table``, which gives its rows as such."""
Tensors: TypeAlias = Mapping[str, NDArray[np.generic]]

_SCALE = "_scale"  # behind the name of a matrix in int8: what one code is worth in each row
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
# Names that TensorFlow's LayerNorm left in checkpoints made before 2020.
_OLD_SUFFIXES = {".LayerNorm.weight": ".LayerNorm.gamma", ".LayerNorm.bias": ".LayerNorm.beta"}


def expected_shapes(shape: TransformerShape) -> dict[str, tuple[int, ...]]:
    """Return the shape that each canonical weight must have.

    Parameters
    ----------
    shape
        Sizes of the encoder.

    Returns
    -------
    dict[str, tuple[int, ...]]
        Canonical name -> shape. Matrices are ``(out, in)``, as in PyTorch.

    Examples
    --------
    >>> sizes = TransformerShape("bert", 8, 1, 2, 16, 30, 12, token_types=2)
    >>> expected_shapes(sizes)["layers.0.intermediate.weight"]
    (16, 8)
    """
    hidden, wide = shape.hidden, shape.intermediate
    shapes: dict[str, tuple[int, ...]] = {
        "word": (shape.vocab_size, hidden),
        "position": (shape.max_positions, hidden),
        "embedding_norm.weight": (hidden,),
        "embedding_norm.bias": (hidden,),
    }
    if shape.token_types:
        shapes["token_type"] = (shape.token_types, hidden)
    if shape.task_types:
        shapes["task_type"] = (shape.task_types, hidden)
    if shape.relative_buckets:
        shapes["relative_bias"] = (shape.relative_buckets, shape.heads)
    matrices = {"intermediate": (wide, hidden), "output": (hidden, wide)}
    for i in range(shape.layers):
        for stem in ARCHITECTURES[shape.architecture].layer:
            square = matrices.get(stem, (hidden, hidden))
            weight = (hidden,) if stem.endswith("_norm") else square
            shapes[f"layers.{i}.{stem}.weight"] = weight
            shapes[f"layers.{i}.{stem}.bias"] = weight[:1]
    return shapes


def load_weights(body: Path, shape: TransformerShape) -> Weights:
    """Return an encoder's weights under canonical names.

    Parameters
    ----------
    body
        Folder with ``model.safetensors``, its sharded form, or ``pytorch_model.bin``.
    shape
        Sizes that ``config.json`` states.

    Returns
    -------
    Weights
        Canonical name -> float32 array. float32 tensors of a safetensors file are read-only
        views of the mapped file; half precisions and int8 are widened, and a word table in 4
        bits stays so.

    Raises
    ------
    ModelFormatError
        If a tensor is missing, has another shape or dtype, or a layer is there that
        ``config.json`` does not know.
    MissingExtraError
        If there is only a ``.bin`` and torch is not installed.
    """
    tensors, where = _open(body)
    keys = _checkpoint_keys(shape)
    row = ARCHITECTURES[shape.architecture]
    prefix = row.prefix if any(k.startswith(row.prefix) for k in tensors) else ""
    if not any(k.startswith(f"{prefix}embeddings.") for k in tensors):
        prefix = ""
    weights: Weights = {}
    for name, expected in expected_shapes(shape).items():
        key = _existing(prefix + keys[name], tensors)
        if key is None:
            raise ModelFormatError(f"{where}: tensor {prefix}{keys[name]} is missing")
        if name == "word" and tensors[key].dtype == np.uint8:
            weights[name] = _as_q4_table(tensors, key, expected, where)
        else:
            weights[name] = _as_float32(tensors, key, expected, where)
    # All tables of the row are known, also one that config.json leaves out (ERNIE's tasks).
    known = {prefix + key for key in (*keys.values(), *row.tables.values(), *_BUFFERS)}
    _refuse_unknown(tensors, known, prefix, where)
    return weights


def load_dense(spec: DenseSpec) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return weight ``(out, in)`` and bias ``(out,)`` of a Dense module, or None for no bias.

    Raises
    ------
    ModelFormatError
        If a tensor is missing or has another shape.
    """  # noqa: DOC201 - said in the first line
    tensors, where = _open(spec.folder)
    for key in ("linear.weight", *(["linear.bias"] if spec.bias else [])):
        if key not in tensors:
            raise ModelFormatError(f"{where}: tensor {key} is missing")
    weight = _as_float32(tensors, "linear.weight", (spec.out_features, spec.in_features), where)
    bias = _as_float32(tensors, "linear.bias", (spec.out_features,), where) if spec.bias else None
    return weight, bias


def _open(folder: Path) -> tuple[Tensors, str]:
    if any((folder / n).is_file() for n in ("model.safetensors", "model.safetensors.index.json")):
        return open_checkpoint(folder), str(folder / "model.safetensors")
    path = folder / "pytorch_model.bin"
    if not path.is_file():
        raise ModelFormatError(
            f"{folder} has no weights; expected model.safetensors or pytorch_model.bin"
        )
    return _read_bin(path), str(path)


def _read_bin(path: Path) -> Tensors:
    torch = require("torch", "torch")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # torch raises pickle, zip and runtime errors alike
        raise ModelFormatError(
            f"{path} cannot be opened safely (weights_only): {type(exc).__name__}: {exc}"
        ) from exc
    if not isinstance(state, dict) or not all(hasattr(v, "numpy") for v in state.values()):
        raise ModelFormatError(f"{path} is no dictionary of tensors")
    return {str(k): (v.float() if v.is_floating_point() else v).numpy() for k, v in state.items()}


def _checkpoint_keys(shape: TransformerShape) -> dict[str, str]:
    row = ARCHITECTURES[shape.architecture]
    keys = dict(row.tables)
    for i in range(shape.layers):
        for stem, template in row.layer.items():
            for part in ("weight", "bias"):
                keys[f"layers.{i}.{stem}.{part}"] = f"{template.format(i=i)}.{part}"
    expected = expected_shapes(shape)
    return {name: key for name, key in keys.items() if name in expected}


def _existing(key: str, tensors: Tensors) -> str | None:
    if key in tensors:
        return key
    for new, old in _OLD_SUFFIXES.items():
        if key.endswith(new) and key.removesuffix(new) + old in tensors:
            return key.removesuffix(new) + old
    return None


def _as_float32(
    tensors: Tensors, key: str, expected: tuple[int, ...], where: str
) -> NDArray[np.float32]:
    tensor = tensors[key]
    if tensor.shape != expected:
        raise ModelFormatError(
            f"{where}: tensor {key} has shape {tensor.shape}; expected {expected} from config.json"
        )
    if tensor.dtype == np.int8 and key + _SCALE in tensors:
        pieces = tensors[key + _SCALE].shape[-1] if tensors[key + _SCALE].ndim else 1
        scales = _as_float32(tensors, key + _SCALE, (expected[0], pieces), where)
        if not 0 < pieces <= expected[1]:
            raise ModelFormatError(
                f"{where}: tensor {key + _SCALE} has {pieces} columns; expected 1 or more"
            )
        return tensor.astype(np.float32) * spread_scales(scales, expected)
    if tensor.dtype.kind != "f":
        raise ModelFormatError(f"{where}: tensor {key} is {tensor.dtype}; expected floats")
    return tensor.astype(np.float32, copy=False)


def piece_width(inputs: int, pieces: int) -> int:
    """Return how many columns of a matrix in so many pieces share a scale, as csrc/packing.cpp.

    Parameters
    ----------
    inputs
        Columns.
    pieces
        At least 1.

    Returns
    -------
    int
        A multiple of 64.

    Examples
    --------
    >>> piece_width(1536, 3), piece_width(1000, 2)
    (512, 512)
    """
    share = math.ceil(inputs / pieces)
    return math.ceil(share / 64) * 64


def spread_scales(scales: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the scale of every weight, to multiply codes of ``shape`` with.

    Parameters
    ----------
    scales
        Shape ``(n_outputs, n_pieces)``.
    shape
        Of the matrix.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(n_outputs, 1)`` of one piece, else ``shape``.

    Examples
    --------
    >>> spread_scales(np.array([[1, 2]], np.float32), (1, 66))[0, [63, 64]].tolist()
    [1.0, 2.0]
    """
    if scales.shape[1] == 1:
        return scales
    return scales.repeat(piece_width(shape[1], scales.shape[1]), axis=1)[:, : shape[1]]


def _as_q4_table(tensors: Tensors, key: str, expected: tuple[int, ...], where: str) -> Q4Table:
    blocks = tensors[key]
    stored = (expected[0], expected[1] // BLOCK_WEIGHTS * BLOCK_BYTES)
    if expected[1] % BLOCK_WEIGHTS or blocks.shape != stored:
        raise ModelFormatError(
            f"{where}: tensor {key} has shape {blocks.shape}; expected {stored} for {expected} "
            "weights in 4 bits"
        )
    return Q4Table(blocks.astype(np.uint8, copy=False))


def _refuse_unknown(tensors: Iterable[str], known: set[str], prefix: str, where: str) -> None:
    # A head (pooler, cls, lm_head) may stand beside the encoder; its own rooms hold no strangers.
    rooms = tuple(f"{prefix}{room}." for room in ("embeddings", "encoder", "transformer"))
    renamed = {old: new for new, old in _OLD_SUFFIXES.items()}
    for key in tensors:
        name = key.removesuffix(_SCALE)
        for old, new in renamed.items():
            name = name.removesuffix(old) + new if name.endswith(old) else name
        if name.startswith(rooms) and name not in known:
            raise ModelFormatError(
                f"{where}: tensor {key} belongs to no layer that config.json describes"
            )
