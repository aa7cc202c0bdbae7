"""A tiny file of the 4-bit format, made by seed, with its weights worked out by hand."""

from __future__ import annotations

import hashlib
import random
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from text2vec.models.base_model.builder import BaseSource

REQUIREMENT = "tinye5==1.2.3"
MEMBER = "tinye5/tiny-q4.bin"
WHEEL_NAME = "tinye5-1.2.3-py3-none-manylinux2014_x86_64.whl"
HIDDEN, LAYERS, HEADS, FFN, POSITIONS, TOKEN_TYPES = 64, 2, 4, 96, 40, 2
PIECES = [
    *("<s>", "<pad>", "</s>", "<unk>", "▁", "▁hello", "▁world", "lo", "hel", "FULL", "你好", "你"),
    *("ガ", "é", *"abcdefghijklmnopqrstuvwxyz0123456789.,!", "<mask>"),
]
CHARACTER_MAP = {"\u200d": " ", "\u3000": " ", "\t": " ", "\n": " ", "\u200b": " ", "\x01": ""}
CHARACTER_MAP |= {chr(0xFF21 + i): chr(0x41 + i) for i in range(26)} | {"ﬁ": "fi", "①": "1"}
VOCAB_ROWS = len(PIECES) + 3  # the real file pads its table too


@dataclass(frozen=True)
class TinyQ4:
    """The bytes, where their parts start, and every tensor as a flat list of floats."""

    data: bytes
    parts: dict[str, int]
    tensors: dict[str, list[float]]
    scores: list[float]


def make_tiny_q4(seed: int = 7) -> TinyQ4:
    rng = random.Random(seed)
    scores = [0.0 if p.startswith("<") else -2.0 - rng.randrange(64) / 8 for p in PIECES]
    head = struct.pack(
        "<4sI7ifi5i",
        *(b"E5S1", 1, HIDDEN, LAYERS, HEADS, FFN, VOCAB_ROWS, POSITIONS, TOKEN_TYPES, 1e-12, 32),
        *(len(PIECES), 0, 2, 1, 3),
    )
    parts = {"pieces": len(head)}
    texts = [piece.encode() for piece in PIECES]
    ends = [sum(map(len, texts[:i])) for i in range(len(texts) + 1)]
    head += struct.pack(f"<Q{len(ends)}I{len(scores)}f", ends[-1], *ends, *scores)
    parts["text"] = len(head)
    head += b"".join(texts)
    parts["map"] = len(head)
    entries = b"".join(
        struct.pack(f"<IB{len(target)}I", ord(source), len(target), *map(ord, target))
        for source, target in CHARACTER_MAP.items()
    )
    head += struct.pack("<iI", len(CHARACTER_MAP), len(entries)) + entries
    parts["directory"] = len(head)
    stored, tensors = {}, {}
    for name, size in _sizes().items():
        quantised = size % 32 == 0 and not name.endswith((".b", "ln.w")) and "emb.t" not in name
        make = _q4_blocks if quantised else _f32
        stored[name], tensors[name] = make(rng, size)
    offset = len(head) + 4 + sum(2 + len(name) + 21 for name in stored)
    parts["data"] = offset
    head += struct.pack("<i", len(stored))
    for name, raw in stored.items():
        quantised = len(raw) < 4 * len(tensors[name])
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", quantised, len(tensors[name]), offset, len(raw))
        offset += len(raw)
    return TinyQ4(head + b"".join(stored.values()), parts, tensors, scores)


def make_tiny_wheel(folder: Path, data: bytes) -> Path:
    """Write a wheel around a 4-bit file that pip accepts."""
    info = "tinye5-1.2.3.dist-info"
    wheel = folder / WHEEL_NAME
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, data)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinye5\nVersion: 1.2.3\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n"
            "Tag: py3-none-manylinux2014_x86_64\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def tiny_source(data: bytes) -> BaseSource:
    return BaseSource(
        REQUIREMENT, "manylinux2014_x86_64", MEMBER, len(data), hashlib.sha256(data).hexdigest()
    )


def _sizes() -> dict[str, int]:
    sizes = {
        "emb.word": VOCAB_ROWS * HIDDEN,
        "emb.pos": POSITIONS * HIDDEN,
        "emb.type": TOKEN_TYPES * HIDDEN,
        "emb.ln.w": HIDDEN,
        "emb.ln.b": HIDDEN,
    }
    for i in range(LAYERS):
        for stem in ("q", "k", "v", "ao"):
            sizes |= {f"l{i}.{stem}.w": HIDDEN * HIDDEN, f"l{i}.{stem}.b": HIDDEN}
        sizes |= {f"l{i}.aln.w": HIDDEN, f"l{i}.aln.b": HIDDEN}
        sizes |= {f"l{i}.fi.w": FFN * HIDDEN, f"l{i}.fi.b": FFN}
        sizes |= {f"l{i}.fo.w": FFN * HIDDEN, f"l{i}.fo.b": HIDDEN}
        sizes |= {f"l{i}.oln.w": HIDDEN, f"l{i}.oln.b": HIDDEN}
    return sizes


def _f32(rng: random.Random, size: int) -> tuple[bytes, list[float]]:
    values = [rng.randrange(-64, 64) / 64 for _ in range(size)]
    return struct.pack(f"<{size}f", *values), values


def _q4_blocks(rng: random.Random, size: int) -> tuple[bytes, list[float]]:
    raw, values = b"", []
    for _ in range(size // 32):
        scale = struct.unpack("<e", struct.pack("<e", rng.uniform(-0.03, 0.03)))[0]
        halves = [rng.randrange(16) for _ in range(32)]
        packed = bytes(halves[j] | halves[j + 16] << 4 for j in range(16))
        raw += struct.pack("<e", scale) + packed
        values += [(half - 8) * scale for half in halves]
    return raw, values
