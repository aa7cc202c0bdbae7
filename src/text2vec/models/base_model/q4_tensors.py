"""The tensors of a 4-bit file: which there must be, where they lie, and their weights.

Weights are handed out in chunks, so that no tensor must be in memory as a whole.

The directory is an i32 count, then for each tensor: u16 length of the name, the name, u8 type
(0 = f32, 1 = Q4_0), u32 elements, u64 offset from the start of the file, u64 bytes. A Q4_0 block
is what ``models.q4_table`` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import ModelFormatError
from text2vec.models.base_model.byte_cursor import ByteCursor
from text2vec.models.q4_table import BLOCK_BYTES, BLOCK_WEIGHTS, dequantise_blocks

__all__ = [
    "Q4Header",
    "Q4Tensor",
    "read_tensors",
    "tensor_shapes",
    "weight_chunks",
]

_BLOCK = np.dtype(("V", BLOCK_BYTES))
_CHUNK_WEIGHTS = 1 << 20  # 4 MiB of float32


@dataclass(frozen=True)
class Q4Header:
    """The sizes of the encoder and the ids of the special pieces.

    Attributes
    ----------
    hidden, layers, heads, ffn
        Sizes of the encoder; ``hidden`` is a multiple of ``heads``.
    vocab_rows
        Rows of the embedding table; never fewer than there are pieces.
    positions, token_types
        Rows of the position and of the segment table.
    layer_norm_eps
        Added to the variance in every LayerNorm.
    bos, eos, pad, unk
        Ids of the pieces that start and end a text, fill a batch, stand for the unknown.
    """

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocab_rows: int
    positions: int
    token_types: int
    layer_norm_eps: float
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Q4Tensor:
    """Where one tensor lies: its shape, whether it is in 4 bits, its bytes in the file."""

    shape: tuple[int, ...]
    quantised: bool
    offset: int
    size_bytes: int


def tensor_shapes(header: Q4Header) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor that a file with this header must hold, by name.

    Parameters
    ----------
    header
        The encoder's sizes.

    Returns
    -------
    dict[str, tuple[int, ...]]
        Weights are ``(out, in)``; the order is the order of the file.

    Examples
    --------
    >>> header = Q4Header(64, 1, 2, 128, 10, 16, 2, 1e-12, 0, 2, 1, 3)
    >>> shapes = tensor_shapes(header)
    >>> len(shapes), shapes["emb.word"], shapes["l0.fi.w"]
    (21, (10, 64), (128, 64))
    """
    hidden, ffn = header.hidden, header.ffn
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (header.vocab_rows, hidden),
        "emb.pos": (header.positions, hidden),
        "emb.type": (header.token_types, hidden),
        "emb.ln.w": (hidden,),
        "emb.ln.b": (hidden,),
    }
    square, norm = (hidden, hidden), (hidden,)
    layer = {"q": square, "k": square, "v": square, "ao": square, "aln": norm}
    layer |= {"fi": (ffn, hidden), "fo": (hidden, ffn), "oln": norm}
    for i in range(header.layers):
        for stem, shape in layer.items():
            shapes[f"l{i}.{stem}.w"] = shape
            shapes[f"l{i}.{stem}.b"] = shape[:1]
    return shapes


def read_tensors(cursor: ByteCursor, header: Q4Header) -> dict[str, Q4Tensor]:
    """Return the place of every tensor, read from the directory at the cursor.

    Parameters
    ----------
    cursor
        Stands at the directory, and is moved behind it.
    header
        The encoder's sizes; they say which tensors there must be.

    Returns
    -------
    dict[str, Q4Tensor]
        Exactly the names of ``tensor_shapes``; no two overlap, none leaves the file.

    Raises
    ------
    ModelFormatError
        If a name, type, size or offset is not what the header asks for.
    """
    shapes = tensor_shapes(header)
    (n_tensors,) = cursor.numbers("i", "the number of tensors")
    if n_tensors != len(shapes):
        cursor.fail("number of tensors", len(shapes), n_tensors)
    found: dict[str, Q4Tensor] = {}
    for _ in range(n_tensors):
        name, tensor = _read_entry(cursor, shapes)
        if name in found:
            cursor.fail("tensor name", "each name once", repr(name))
        found[name] = tensor
    end = cursor.at
    for name, tensor in sorted(found.items(), key=lambda item: item[1].offset):
        last = cursor.end - tensor.size_bytes
        if not end <= tensor.offset <= last:
            cursor.fail(f"offset of {name}", f"{end} to {last}", tensor.offset)
        end = tensor.offset + tensor.size_bytes
    return found


def weight_chunks(data: bytes, tensor: Q4Tensor, what: str) -> Iterator[NDArray[np.float32]]:
    """Yield a tensor's weights as float32, row-major, in flat chunks of at most 4 MiB.

    Parameters
    ----------
    data
        The whole file.
    tensor
        Its place in the file.
    what
        What an error calls it.

    Yields
    ------
    NDArray[np.float32]
        The next weights, shape ``(n,)``; together they are the tensor.

    Raises
    ------
    ModelFormatError
        If a weight or a scale is not finite.

    Examples
    --------
    >>> block = np.float16(0.5).tobytes() + bytes([0x78] + [0x88] * 15)
    >>> (weights,) = weight_chunks(block, Q4Tensor((32,), True, 0, 18), "a block")
    >>> weights[0], weights[16], weights.shape
    (np.float32(0.0), np.float32(-0.5), (32,))
    """
    dtype = _BLOCK if tensor.quantised else np.dtype("<f4")
    step = _CHUNK_WEIGHTS // BLOCK_WEIGHTS if tensor.quantised else _CHUNK_WEIGHTS
    stored = np.frombuffer(data, dtype, tensor.size_bytes // dtype.itemsize, tensor.offset)
    for start in range(0, len(stored), step):
        part = stored[start : start + step]
        with np.errstate(invalid="ignore"):  # an infinite scale times 0 is found below
            weights = (
                dequantise_blocks(part.view(np.uint8).reshape(1, -1))[0]
                if tensor.quantised
                else part.astype(np.float32)
            )
        if not np.isfinite(weights).all():
            raise ModelFormatError(
                f"{what}, byte {tensor.offset + start * dtype.itemsize} or after: a number that "
                "is not finite; expected finite weights"
            )
        yield weights


def _read_entry(cursor: ByteCursor, shapes: dict[str, tuple[int, ...]]) -> tuple[str, Q4Tensor]:
    (length,) = cursor.numbers("H", "the length of a tensor's name")
    name = cursor.take(length, "a tensor's name").decode("utf-8", "replace")
    if name not in shapes:
        cursor.fail("tensor name", "one of this encoder's", repr(name))
    kind, n_elements, offset, size_bytes = cursor.numbers("BIQQ", f"the place of {name}")
    if kind not in {0, 1}:
        cursor.fail(f"type of {name}", "0 (f32) or 1 (Q4_0)", kind)
    expected = math.prod(shapes[name])
    if n_elements != expected or (kind == 1 and expected % BLOCK_WEIGHTS):
        cursor.fail(f"elements of {name}", f"{expected}, shape {shapes[name]}", n_elements)
    expected = expected // BLOCK_WEIGHTS * _BLOCK.itemsize if kind == 1 else expected * 4
    if size_bytes != expected:
        cursor.fail(f"bytes of {name}", expected, size_bytes)
    return name, Q4Tensor(shapes[name], kind == 1, offset, size_bytes)
