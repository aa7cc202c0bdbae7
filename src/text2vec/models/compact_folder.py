"""A model in a sixth of its size: word table in 4 bits, matrices in int8, the rest as it is.

The folder is read by the same code as any other. Its ``model.safetensors`` holds, under the names
of transformers, the word table as uint8 (blocks of ``q4_table``), every matrix of a linear layer
as int8 beside a float32 ``..._scale`` for each output (and each piece of the second feed-forward
matrix, as the native engine cuts it, so that it finds these codes again), and everything else in
float32; its ``config.json`` says so under ``text2vec_storage``.
"""

from __future__ import annotations

import lzma
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix
from text2vec.models.architectures import ARCHITECTURES
from text2vec.models.checkpoint import load_weights, piece_width, spread_scales
from text2vec.models.checksums import write_checksums
from text2vec.models.layout import read_spec
from text2vec.models.q4_table import Q4Table, quantise_rows
from text2vec.models.saved_folder import check_other_folder, check_target, new_folder, write_json
from text2vec.models.spec import STORAGE_KEY, ModelSpec

__all__ = ["CompactLoss", "write_compact_folder"]

_PIECE = 512  # the most columns of the second feed-forward matrix that share a scale: csrc/model.h
_CODES = 127  # the largest code, as in csrc/kernels/product_int8.h: -128 is not used
_SMALL_FILES = (
    "modules.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "README.md",
)


@dataclass(frozen=True)
class CompactLoss:
    """How far the compact weights are from the others, at most.

    Attributes
    ----------
    word
        Largest difference of a weight of the word table; 0 where it was in 4 bits before.
    linear
        Largest difference of a weight of a linear layer.
    size_bytes
        Of all files together.
    """

    word: float
    linear: float
    size_bytes: int


def write_compact_folder(source: Path, target: Path) -> CompactLoss:
    """Write the compact form of a model folder.

    Parameters
    ----------
    source
        A folder in the layout of sentence-transformers with a ``tokenizer.json``, an architecture
        that our engines know, and no Dense module.
    target
        The folder to write; it appears complete or not at all, and one that holds a model and
        nothing else is replaced.

    Returns
    -------
    CompactLoss
        What was lost, and the size.

    Raises
    ------
    ValueError
        If the folder is no such model, or ``target`` is the same one or holds something else.
    ModelFormatError
        If a file of the model is missing or wrong.
    """
    check_target(target.absolute())
    check_other_folder(target, [source])
    spec = read_spec(source)
    if spec.shape is None or spec.dense or spec.body != spec.folder:
        raise ValueError(f"{source} has no compact form: expected one transformer and a pooling")
    if spec.stored_dtype != "float32":
        raise ValueError(f"{source} is in compact form already")
    if not (source / "tokenizer.json").is_file():
        raise ValueError(
            f"{source} has no tokenizer.json, which the compact form needs: "
            f"SentenceModel({str(source)!r}).save(folder) writes one"
        )
    if not (source / "1_Pooling").is_dir():
        raise ValueError(
            f"{source} has no 1_Pooling; expected a folder in the layout of sentence-transformers: "
            f"SentenceModel({str(source)!r}).save(folder) writes one, which can be packed"
        )
    tensors, lost = _compact_tensors(spec)
    with new_folder(target.absolute()) as folder:
        from safetensors.numpy import save_file

        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        write_json(folder / "config.json", {**spec.config, STORAGE_KEY: "int8"})
        limits = {"max_seq_length": spec.max_seq_length, "do_lower_case": spec.do_lower_case}
        write_json(folder / "sentence_bert_config.json", limits)  # whatever name it had
        for name in _SMALL_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        shutil.copytree(source / "1_Pooling", folder / "1_Pooling")
        packed = lzma.compress((source / "tokenizer.json").read_bytes(), preset=9)
        (folder / "tokenizer.json.xz").write_bytes(packed)
        write_checksums(folder, {"form": "compact"})
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return CompactLoss(lost["word"], lost["linear"], size)


def _compact_tensors(spec: ModelSpec) -> tuple[dict[str, NDArray[Any]], Mapping[str, float]]:
    if spec.shape is None:
        raise ValueError(f"{spec.folder}: unknown architecture")
    row = ARCHITECTURES[spec.shape.architecture]
    tensors: dict[str, NDArray[Any]] = {}
    lost = {"word": 0.0, "linear": 0.0}
    for name, value in load_weights(spec.body, spec.shape).items():
        if name == "word":
            blocks = value.blocks if isinstance(value, Q4Table) else quantise_rows(value)
            lost["word"] = _largest_difference(Q4Table(blocks), value)
            tensors[row.tables[name]] = blocks
            continue
        array = np.asarray(value, np.float32)
        if name in row.tables:
            tensors[row.tables[name]] = np.ascontiguousarray(array)
            continue
        stem, _, part = name.rpartition(".")
        _, i, stem = stem.split(".", 2)
        key = f"{row.layer[stem].format(i=i)}.{part}"
        if array.ndim == 1:
            tensors[key] = np.ascontiguousarray(array)
            continue
        codes, scales = _encode_matrix(array, _pieces(array) if stem == "output" else 1)
        tensors[key], tensors[f"{key}_scale"] = codes, scales
        found = codes.astype(np.float32) * spread_scales(scales, array.shape)
        lost["linear"] = max(lost["linear"], float(np.abs(found - array).max()))
    return tensors, lost


def _pieces(matrix: FloatMatrix) -> int:
    """Return in how many pieces the native engine cuts the columns, as in csrc/packing.cpp."""
    inputs = int(matrix.shape[1])
    return math.ceil(inputs / piece_width(inputs, math.ceil(inputs / _PIECE)))


def _encode_matrix(matrix: FloatMatrix, pieces: int) -> tuple[NDArray[np.int8], FloatMatrix]:
    """Return codes, and what one code is worth in each row and piece of columns."""
    starts = np.arange(pieces) * piece_width(matrix.shape[1], pieces)
    tops = np.maximum.reduceat(np.abs(matrix), starts, axis=1)
    scales = tops.astype(np.float32) / np.float32(_CODES)
    divisor = spread_scales(np.where(scales > 0, scales, np.float32(1)), matrix.shape)
    codes = np.clip(np.rint(matrix / divisor), -_CODES, _CODES).astype(np.int8)
    return codes, scales


def _largest_difference(table: Q4Table, rows: Any) -> float:
    worst = 0.0
    for start in range(0, table.shape[0], 16384):
        part = slice(start, start + 16384)
        worst = max(worst, float(np.abs(table[part] - rows[part]).max()))
    return worst
