r"""The native tokenizer and its file, made once from a tokenizer.json.

Opening a large tokenizer.json takes the ``tokenizers`` library most of a second and hundreds of
megabytes; the compact file is mapped and read where it lies, and gives the same ids.

The format, little-endian::

    0   magic b"T2VTOK\r\n", u32 version (1), u32 number of sections, u64 size of the file
    24  SHA-256 of the tokenizer.json it was made from (32 bytes)
    56  u64 FNV-1a checksum of bytes 0 to 55, the section table and the plan
    64  section table: per section u32 kind, u32 zero, u64 offset (a multiple of 8), u64 bytes

    kind 1  plan     u32 words and length-prefixed UTF-8 padded to four bytes, in this order: model
                     (1 Unigram, 2 WordPiece), unknown id, f64 score of an unknown character,
                     bytes of the longest piece, characters of the longest word, continuation;
                     then counted lists of normaliser steps (kind, option, text), the splitter
                     (kind, prepend, text), ids before and ids after a text, added tokens (id,
                     flags, text)
    kind 2  trie     u64 units of the vocabulary's double array (csrc/tokenizer/trie.h)
    kind 3  scores   f64 by id, Unigram only
    kind 4  map      u32 units of the precompiled character map (darts-clone)
    kind 5  texts    its replacements, NUL-terminated UTF-8
"""

from __future__ import annotations

import importlib
import mmap
import os
import secrets
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from text2vec.arrays import BoolVector, IntVector, TokenIds
from text2vec.errors import MissingExtraError, ModelFormatError
from text2vec.text.compact_plan import TokenizerPlan
from text2vec.text.tokenizer_json import read_plan

__all__ = ["CompactTokenizer", "compile_tokenizer"]

_MAGIC, _VERSION = b"T2VTOK\r\n", 1
_HEADER = struct.Struct("<8sIIQ32s")
_CHECKSUM_OFFSET, _HEADER_BYTES = 56, 64
_PLAN, _TRIE, _SCORES, _MAP_UNITS, _MAP_TEXTS = 1, 2, 3, 4, 5
_LONGEST_CODE_POINT = 4  # bytes: what the search must see ahead at least


class CompactTokenizer:
    """A tokenizer over a mapped compact file, for any number of threads at once.

    Parameters
    ----------
    path
        A file that :func:`compile_tokenizer` wrote.

    Raises
    ------
    ModelFormatError
        If the file is cut off or of another version, or its header or plan is damaged; trie, scores
        and map are trusted, since reading them whole would cost what mapping saves.
    MissingExtraError
        If the native module is not built.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        native = _extension()
        with Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelFormatError(f"{path} is empty; expected a compact tokenizer file")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._tokenizer: Any = native.CompactTokenizer(np.frombuffer(mapped, np.uint8))
        except ValueError as exc:
            raise ModelFormatError(
                f"{path} is no usable compact tokenizer file: {exc}; delete it and compile it again"
            ) from exc

    @property
    def n_special(self) -> int:
        """Number of special tokens around every text."""
        return int(self._tokenizer.n_special)

    def encode(
        self, texts: Sequence[str], max_length: int, num_threads: int
    ) -> tuple[TokenIds, IntVector, BoolVector]:
        """Return the ids of the texts, special tokens included.

        Parameters
        ----------
        texts
            Any number of texts; an empty text gives the special tokens alone.
        max_length
            The most ids that a text may have, special tokens included; longer ones are cut on
            the right. At least :attr:`n_special`.
        num_threads
            Threads to use, at least 1; the result does not depend on it.

        Returns
        -------
        tuple[TokenIds, IntVector, BoolVector]
            Ids, shape ``(n_tokens,)``; offsets, shape ``(n_texts + 1,)``; and whether each text
            was cut, shape ``(n_texts,)``. No texts give ``offsets == [0]``.

        Raises
        ------
        TypeError
            If ``texts`` is one string or holds something else than strings.
        ValueError
            If ``max_length`` or ``num_threads`` is too small, or if a text holds a lone surrogate.
        """
        if isinstance(texts, str):
            raise TypeError("texts is one string; expected a list of strings")
        if max_length < self.n_special:
            raise ValueError(
                f"max_length is {max_length}; expected {self.n_special} or more, "
                "for the special tokens around every text"
            )
        if num_threads < 1:
            raise ValueError(f"num_threads is {num_threads}; expected 1 or more")
        ids, offsets, truncated = self._tokenizer.encode(list(texts), max_length, num_threads)
        return ids, offsets, truncated


def _extension() -> Any:
    # By name: where it is not built, a tool that reads imports takes the name for the package's.
    try:
        return importlib.import_module("text2vec._native")
    except ImportError as exc:
        raise MissingExtraError(
            "text2vec._native is not built; install text2vec where a C++ compiler is, "
            "or use the tokenizers library"
        ) from exc


def compile_tokenizer(tokenizer_json: Path, target: Path) -> None:
    """Write the compact form of a tokenizer.json.

    Parameters
    ----------
    tokenizer_json
        The file to read.
    target
        The file to write; it appears complete or not at all.

    Raises
    ------
    ModelFormatError
        If the native tokenizer does not cover what tokenizer.json asks for; the message names the
        component, and the tokenizers library must be used instead.
    MissingExtraError
        If the native module is not built.
    """
    plan = read_plan(tokenizer_json)
    try:
        sections = _build_sections(plan)
    except (ValueError, struct.error) as exc:
        raise ModelFormatError(
            f"{tokenizer_json} cannot be made compact: {exc}; use the tokenizers library"
        ) from exc
    _write_file(target, _assemble(sections, plan.source))


def _build_sections(plan: TokenizerPlan) -> dict[int, bytes]:
    """Return the bytes of each section, by kind."""
    trie = _extension().build_double_array(plan.entries)
    sections = {_PLAN: _pack_plan(plan), _TRIE: trie.astype("<u8", copy=False).tobytes()}
    if plan.is_unigram:
        sections[_SCORES] = np.asarray(plan.scores, "<f8").tobytes()
    if plan.charsmap:
        (n_bytes,) = struct.unpack_from("<I", plan.charsmap)
        if n_bytes % 4 or n_bytes > len(plan.charsmap) - 4:
            raise ValueError(f"the precompiled character map claims a trie of {n_bytes} bytes")
        sections[_MAP_UNITS] = plan.charsmap[4 : 4 + n_bytes]
        sections[_MAP_TEXTS] = plan.charsmap[4 + n_bytes :]
    return sections


def _pack_plan(plan: TokenizerPlan) -> bytes:
    """Return the plan section."""
    longest = max(map(len, plan.entries), default=0)
    parts = [
        struct.pack("<II", 1 if plan.is_unigram else 2, plan.unknown_id),
        struct.pack("<d", plan.unknown_score),
        struct.pack("<II", max(longest, _LONGEST_CODE_POINT), plan.max_word_chars),
        _pack_text(plan.continuation),
        struct.pack("<I", len(plan.stages)),
    ]
    for stage in plan.stages:
        parts += [struct.pack("<II", stage.kind, stage.option), _pack_text(stage.content)]
    parts += [struct.pack("<II", plan.splitter, plan.prepend), _pack_text(plan.replacement)]
    parts += [struct.pack(f"<I{len(ids)}I", len(ids), *ids) for ids in (plan.before, plan.after)]
    parts.append(struct.pack("<I", len(plan.added_tokens)))
    for token in plan.added_tokens:
        parts += [struct.pack("<II", token.id, token.flags), _pack_text(token.content)]
    return b"".join(parts)


def _pack_text(text: str) -> bytes:
    """Return a length-prefixed text padded to four bytes."""
    data = text.encode()
    return struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)


def _fnv1a(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def _assemble(sections: dict[int, bytes], source: bytes) -> bytes:
    """Return the whole file."""
    table, body = b"", b""
    offset = start = _HEADER_BYTES + 24 * len(sections)
    for kind, data in sections.items():
        table += struct.pack("<IIQQ", kind, 0, offset, len(data))
        body += data + bytes(-len(data) % 8)
        offset = start + len(body)
    header = _HEADER.pack(_MAGIC, _VERSION, len(sections), start + len(body), source)
    checksum = _fnv1a(header[:_CHECKSUM_OFFSET] + table + sections[_PLAN])
    return header + struct.pack("<Q", checksum) + table + body


def _write_file(target: Path, data: bytes) -> None:
    """Write to a temporary name beside the target, then rename."""
    # Not tempfile, whose files only their owner may read: a cache can be shared.
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            # else a power cut could leave a file of full length and no content
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
