"""Tensors of safetensors files, memory-mapped and read-only.

A file is checked from its first byte to its last when it is opened, so that access cannot fail
later; which tensors a model needs, and under which names, is no matter of this module.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import ModelFormatError

__all__ = ["TensorFile", "open_checkpoint", "open_safetensors"]

_DTYPES: Mapping[str, str] = MappingProxyType({
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # numpy has no bfloat16: the bits are widened on access
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
})
_PREFIX_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_MAX_DIMS = 32  # numpy 1 allows no more
_MAX_ELEMENTS = 1 << 48  # of an empty tensor too, whose other sizes no data bounds
_FIELDS = {"dtype", "shape", "data_offsets"}
_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class _Tensor:
    buffer: mmap.mmap
    where: str  # for messages: file and key
    dtype: str
    shape: tuple[int, ...]
    begin: int  # in the buffer
    end: int


class TensorFile(Mapping[str, NDArray[Any]]):
    """The tensors of one safetensors file, or of all shards of a checkpoint.

    ``file[name]`` is a read-only view of the mapped file, valid as long as it is kept. BF16 comes
    as a fresh read-only copy, widened to float32; so does, in its own dtype, what the file does
    not align.

    Attributes
    ----------
    path
        The file, or the index of the shards.
    """

    def __init__(self, path: Path, tensors: Mapping[str, _Tensor]) -> None:
        self.path = path
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> NDArray[Any]:
        tensor = self._tensors[name]
        dtype = np.dtype(_DTYPES[tensor.dtype])
        count = math.prod(tensor.shape)
        if tensor.dtype == "BOOL":
            _check_booleans(tensor, count)
        array = np.frombuffer(tensor.buffer, dtype, count, tensor.begin).reshape(tensor.shape)
        if tensor.dtype == "BF16":
            # The upper half of a float32 is a bfloat16.
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif not array.flags.aligned:
            array = array.copy()
        array.flags.writeable = False
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape, unread; KeyError if unknown."""
        return self._tensors[name].shape

    def dtype(self, name: str) -> str:
        """Return a tensor's dtype in the file's words, as ``"BF16"``."""
        return self._tensors[name].dtype


def open_safetensors(path: Path) -> TensorFile:
    """Return the tensors of a safetensors file, mapped.

    Parameters
    ----------
    path
        The file. It must not be cut or rewritten in place while its tensors are in use.

    Returns
    -------
    TensorFile
        Name -> array; empty if the file holds no tensors.

    Raises
    ------
    ModelFormatError
        If the file is missing, unreadable, truncated or too long, or its header describes the
        data wrongly: dtype, shape, overlap, hole. The message says file, key, found, expected.

    Notes
    -----
    Source: https://github.com/huggingface/safetensors: 8 bytes of header length, little-endian,
    a JSON header, the data. Read are the ten dtypes that sentence encoders use; duplicate keys
    and unknown fields are refused.

    Examples
    --------
    >>> import tempfile
    >>> header = b'{"bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> data = np.array([1, 2], "<f4").tobytes()
    >>> with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    ...     path = Path(folder) / "tiny.safetensors"
    ...     _ = path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    ...     tensors = open_safetensors(path)
    ...     print(tensors.shape("bias"), tensors.dtype("bias"), tensors["bias"].tolist())
    (2,) F32 [1.0, 2.0]
    """
    return TensorFile(path, _read_tensors(path))


def open_checkpoint(folder: Path) -> TensorFile:
    """Return the tensors of a folder's ``model.safetensors``, or of its shards.

    Parameters
    ----------
    folder
        Holds ``model.safetensors``, else ``model.safetensors.index.json`` and the files that it
        names. A tensor in a shard that the index does not give to this shard is left out.

    Returns
    -------
    TensorFile
        Name -> array; of shards, in the order of the index.

    Raises
    ------
    ModelFormatError
        If neither is there, the index is malformed, names a file outside the folder or one that
        is missing, or a shard lacks a tensor; and for what ``open_safetensors`` refuses.

    Examples
    --------
    >>> open_checkpoint(Path("no_such_folder"))
    Traceback (most recent call last):
    ...
    text2vec.errors.ModelFormatError: no_such_folder has neither model.safetensors nor ...
    """
    if (folder / _SINGLE).is_file():
        return open_safetensors(folder / _SINGLE)
    index = folder / _INDEX
    if not index.is_file():
        raise ModelFormatError(f"{folder} has neither {_SINGLE} nor {_INDEX}")
    shards: dict[str, dict[str, _Tensor]] = {}
    tensors: dict[str, _Tensor] = {}
    for name, shard in _read_index(index).items():
        if shard not in shards:
            shards[shard] = _read_tensors(folder / shard)
        if name not in shards[shard]:
            raise ModelFormatError(f"{index}: tensor {name!r} is not in {shard!r}")
        tensors[name] = shards[shard][name]
    return TensorFile(index, tensors)


def _fault(where: object, found: object, expected: object) -> ModelFormatError:
    return ModelFormatError(f"{where}: found {str(found)[:200]}; expected {expected}")


def _read_tensors(path: Path) -> dict[str, _Tensor]:
    buffer = _map(path)
    length = int.from_bytes(buffer[:_PREFIX_BYTES], "little")
    start = _PREFIX_BYTES + length
    allowed = min(_MAX_HEADER_BYTES, len(buffer) - _PREFIX_BYTES)
    if length > allowed:  # below 0 where there is no room for a length
        # What a truncated file looks like, and most files that are no safetensors.
        found = f"a header length of {length} in a file of {len(buffer)} bytes"
        raise _fault(path, found, f"at most {max(allowed, 0)}")
    if buffer[_PREFIX_BYTES : _PREFIX_BYTES + 1] != b"{":
        raise _fault(path, buffer[_PREFIX_BYTES : _PREFIX_BYTES + 1], "a header that starts with {")
    header = _parse_object(buffer[_PREFIX_BYTES:start], path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _fault(f"{path}: __metadata__", metadata, "an object of strings")
    tensors = {n: _read_entry(f"{path}: {n!r}", e, buffer, start) for n, e in header.items()}
    return _check_contiguous(tensors, start, len(buffer), path)


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as exc:  # an empty file, or NUL in a name, is a ValueError
        raise ModelFormatError(f"{path} cannot be read: {exc}") from exc


def _parse_object(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise ModelFormatError(f"{path} holds no valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise _fault(path, f"a {type(value).__name__}", "a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        key.encode()  # a lone surrogate is a ValueError
        if key in found:
            raise ValueError(f"key {key!r} twice")
        found[key] = value
    return found


def _read_entry(where: str, entry: Any, buffer: mmap.mmap, start: int) -> _Tensor:
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise _fault(where, entry, f"an object of {', '.join(sorted(_FIELDS))}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _fault(f"{where}: dtype", repr(dtype), f"one of {', '.join(_DTYPES)}")
    if not _is_sizes(shape) or len(shape) > _MAX_DIMS:
        raise _fault(f"{where}: shape", shape, f"up to {_MAX_DIMS} whole numbers from 0")
    if math.prod(n or 1 for n in shape) > _MAX_ELEMENTS:
        raise _fault(f"{where}: shape", shape, f"at most {_MAX_ELEMENTS} elements")
    room = len(buffer) - start
    if not _is_sizes(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= room:
        # What a truncated file looks like, too.
        raise _fault(f"{where}: data_offsets", offsets, f"[begin, end] within {room} bytes")
    begin, end = offsets
    size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if end - begin != size:
        raise _fault(where, f"{end - begin} bytes of data", f"{size} for {dtype} {shape}")
    return _Tensor(buffer, where, dtype, tuple(shape), start + begin, start + end)


def _is_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _check_contiguous(
    tensors: dict[str, _Tensor], start: int, size: int, path: Path
) -> dict[str, _Tensor]:
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))
    end = start
    for tensor in ordered.values():
        if tensor.begin != end:
            kind = "an overlap" if tensor.begin < end else "a hole"
            found = f"{kind}: data that begins at {tensor.begin - start}"
            raise _fault(tensor.where, found, f"{end - start}, where the tensor before it ends")
        end = tensor.end
    if end != size:
        raise _fault(path, f"{size} bytes", f"{end}, where the last tensor ends")
    return ordered


def _check_booleans(tensor: _Tensor, count: int) -> None:
    largest = np.frombuffer(tensor.buffer, np.uint8, count, tensor.begin).max(initial=0)
    if largest > 1:
        raise _fault(tensor.where, f"byte {largest} in BOOL data", "0 or 1")


def _read_index(path: Path) -> dict[str, str]:
    raw = _map(path)
    if len(raw) > _MAX_HEADER_BYTES:
        raise _fault(path, f"{len(raw)} bytes", f"at most {_MAX_HEADER_BYTES}")
    shards = _parse_object(raw[:], path).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(s, str) for s in shards.values()):
        raise _fault(f"{path}: weight_map", shards, "an object of tensor: file")
    for name, shard in shards.items():
        # Lexically: in a hub cache every file is a link that leads out of its folder.
        parts = PureWindowsPath(shard).parts
        if not shard or ".." in parts or "\\" in shard or ":" in shard or shard.startswith("/"):
            raise _fault(f"{path}: {name!r}", repr(shard), "a file inside the model folder")
    return shards
