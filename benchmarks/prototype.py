"""Opens a prototype engine from a folder with its ``encoder.cpp``: compiled once, then called.

It runs a BERT of 12 layers and 384 dimensions on processors with AMX, from token ids.
"""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peers import read_max_length

_FLOATS = ctypes.POINTER(ctypes.c_float)
_CHUNKS = {False: 384, True: 768}
"""Columns of the feed-forward net at a time: what is fastest without and with int8."""

_BLOCK = 256  # tokens that a thread takes at a time
_LAYERS, _DIM, _INNER = 12, 384, 1536
_PARTS = ("query", "key", "value")
_OF_LAYER = (
    "attention.output.dense.weight",
    "attention.output.dense.bias",
    "intermediate.dense.weight",
    "intermediate.dense.bias",
    "output.dense.weight",
    "output.dense.bias",
    "attention.output.LayerNorm.weight",
    "attention.output.LayerNorm.bias",
    "output.LayerNorm.weight",
    "output.LayerNorm.bias",
)
_OF_WORDS = (
    "word_embeddings.weight",
    "token_type_embeddings.weight",
    "position_embeddings.weight",
    "LayerNorm.weight",
    "LayerNorm.bias",
)


def open_prototype(opening: Any, *, int8: bool) -> Callable[[Sequence[str], int], np.ndarray]:
    """Return the prototype's encode function.

    Parameters
    ----------
    opening
        ``folder``, ``prototype`` (with ``encoder.cpp``) and ``threads``.
    int8
        Whether it multiplies in int8 instead of bfloat16.

    Returns
    -------
    Callable[[Sequence[str], int], np.ndarray]
        Takes texts and a batch size, which it has no use for.

    Raises
    ------
    RuntimeError
        If no folder was given, the processor has no AMX, or the compiler fails.
    """
    if opening.prototype is None:
        raise RuntimeError("no folder was given: --prototype FOLDER")
    if "amx_tile" not in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace"):
        raise RuntimeError("the prototype needs a processor with AMX, and this one has none")
    library = _compile(opening.prototype / "encoder.cpp", _CHUNKS[int8])
    engine, kept = _load(library, opening.folder, int8=int8)
    tokenizer = _open_tokenizer(opening.folder)

    def encode(texts: Sequence[str], batch_size: int) -> np.ndarray:
        del batch_size
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
        offsets = np.cumsum([0, *map(len, ids)]).astype(np.int32)
        flat = np.fromiter(itertools.chain.from_iterable(ids), np.int32, int(offsets[-1]))
        rows = np.empty((len(ids), _DIM), np.float32)
        library.eng_run(
            engine, _address(flat), _address(offsets), len(ids), rows.ctypes.data_as(_FLOATS),
            opening.threads, _BLOCK,
        )  # fmt: skip
        return rows

    encode.kept = kept  # type: ignore[attr-defined]  # arrays that the engine points into
    return encode


def _compile(source: Path, chunk: int) -> ctypes.CDLL:
    target = Path(tempfile.mkdtemp(prefix="prototype-")) / "encoder.so"
    flags = ["-O3", "-march=sapphirerapids", "-std=c++17", "-shared", "-fPIC", "-pthread"]
    command = ["g++", *flags, f"-DCH={chunk}", str(source), "-o", str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr.strip()[-400:]}")
    library = ctypes.CDLL(str(target))
    library.eng_new.restype = ctypes.c_void_p
    library.eng_run.restype = ctypes.c_double
    return library


def _load(library: ctypes.CDLL, folder: Path, *, int8: bool) -> tuple[ctypes.c_void_p, list[Any]]:
    from safetensors.numpy import load_file

    weights = load_file(str(folder / "model.safetensors"))
    kept: list[np.ndarray] = []

    def floats(array: np.ndarray) -> Any:
        kept.append(np.ascontiguousarray(array, np.float32))
        return kept[-1].ctypes.data_as(_FLOATS)

    arrays = []
    for layer in range(_LAYERS):
        own = {name: weights[f"encoder.layer.{layer}.{name}"] for name in _OF_LAYER}
        for kind in ("weight", "bias"):
            names = [f"encoder.layer.{layer}.attention.self.{part}.{kind}" for part in _PARTS]
            arrays.append(floats(np.concatenate([weights[name] for name in names])))
        arrays += [floats(own[name]) for name in _OF_LAYER]
        arrays.append(floats(np.ones(_INNER)))
    layers = (_FLOATS * len(arrays))(*arrays)
    words, types, places, scale, shift = (weights[f"embeddings.{name}"] for name in _OF_WORDS)
    engine = library.eng_new(
        int(int8), words.shape[0], floats(words), floats(types[0]), floats(places), floats(scale),
        floats(shift), layers, 0,
    )  # fmt: skip
    return ctypes.c_void_p(engine), [*kept, layers]


def _open_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(read_max_length(folder))
    return tokenizer


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
