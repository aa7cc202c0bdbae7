from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from tests.models.base_model.tiny_q4 import CHARACTER_MAP, PIECES, VOCAB_ROWS, make_tiny_q4
from text2vec.errors import ModelFormatError
from text2vec.models.base_model import q4_tensors
from text2vec.models.base_model.q4_file import Q4File, read_q4
from text2vec.models.base_model.q4_tensors import tensor_shapes

TINY = make_tiny_q4()
ENTRY = TINY.parts["directory"] + 4  # of emb.word: u16, 8 bytes of name, u8, u32, u64, u64


def patched(at: int, form: str, value: object) -> bytes:
    raw = struct.pack("<" + form, value)
    return TINY.data[:at] + raw + TINY.data[at + len(raw) :]


def test_read_q4_returns_what_was_written():
    q4 = read_q4(TINY.data, "tiny.bin")
    assert (q4.header.hidden, q4.header.layers, q4.header.vocab_rows) == (64, 2, VOCAB_ROWS)
    assert (q4.header.bos, q4.header.eos, q4.header.pad, q4.header.unk) == (0, 2, 1, 3)
    assert np.float32(q4.header.layer_norm_eps) == np.float32(1e-12)
    assert list(q4.pieces) == PIECES
    assert q4.scores.tolist() == TINY.scores
    assert q4.character_map == CHARACTER_MAP
    assert list(q4.tensors) == list(tensor_shapes(q4.header))
    assert q4.tensors["emb.word"].quantised
    assert not q4.tensors["l1.oln.b"].quantised


@pytest.mark.parametrize("chunk_weights", [32, 96, 1 << 20])
def test_chunks_equal_weights_worked_out_by_hand(monkeypatch, chunk_weights):
    monkeypatch.setattr(q4_tensors, "_CHUNK_WEIGHTS", chunk_weights)
    q4 = read_q4(TINY.data, "tiny.bin")
    for name, expected in TINY.tensors.items():
        chunks = list(q4.chunks(name))
        assert max(map(len, chunks)) <= chunk_weights
        assert {chunk.dtype for chunk in chunks} == {np.dtype(np.float32)}
        assert np.concatenate(chunks).tolist() == expected, name


def test_read_q4_repr_leaves_the_bytes_out():
    assert repr(TINY.data[:16])[2:-1] not in repr(read_q4(TINY.data, "tiny.bin"))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", r"tiny.bin, byte 0: size of the header in bytes is 64; expected at most the 0"),
        (patched(0, "4s", b"GGUF"), r"byte 0: magic is b'GGUF'; expected b'E5S1'"),
        (patched(4, "I", 2), r"version is 2; expected 1"),
        (patched(8, "i", 0), r"hidden is 0; expected 1 to 8192"),
        (patched(8, "i", 62), r"hidden is 62; expected a multiple of heads, 4"),
        (patched(12, "i", 2**31 - 1), r"layers is 2147483647; expected 1 to 128"),
        (patched(24, "i", -5), r"vocab_rows is -5; expected 1 to 4000000"),
        (patched(24, "i", 4_000_000), r"elements of emb.word is \d+; expected 256000000"),
        (patched(36, "f", float("nan")), r"layer-norm eps is nan"),
        (patched(40, "i", 64), r"block size is 64; expected 32"),
        (patched(44, "i", VOCAB_ROWS + 1), rf"number of pieces is \d+; expected 4 to {VOCAB_ROWS}"),
        (patched(48, "i", 2), r"bos, eos, pad, unk is \(2, 2, 1, 3\); expected four ids"),
        (patched(60, "i", len(PIECES)), r"expected four ids below"),
        (patched(64, "Q", 2**63), r"size of the pieces in bytes is 9223372036854775808"),
        (patched(72, "I", 1), r"run of the piece offsets is 1 to \d+; expected rising from 0"),
        (patched(76, "I", 10**6), r"run of the piece offsets"),
        (patched(TINY.parts["text"] - 4, "f", float("inf")), r"a score is inf; expected a finite"),
        (patched(TINY.parts["text"], "B", 0xFF), r"a piece is b'\\xffs>'; expected UTF-8"),
        (TINY.data.replace(b"abcdef", b"aacdef"), r"number of different pieces is \d+; expected"),
        (patched(TINY.parts["map"], "i", -1), r"number of different mapped characters is 0"),
        (patched(TINY.parts["map"], "i", 2**31 - 1), r"an entry of the character map"),
        (patched(TINY.parts["map"] + 4, "I", 2**32 - 1), r"size of the character map in bytes"),
        (patched(TINY.parts["map"] + 8, "I", 0xD800), r"a code point is 0xd800"),
        (patched(TINY.parts["map"] + 8, "I", 0x110000), r"a code point is 0x110000"),
        (patched(TINY.parts["map"] + 8, "I", 0x3000), r"mapped characters is \d+; expected \d+ in"),
        (patched(ENTRY - 4, "i", 36), r"number of tensors is 36; expected 37"),
        (patched(ENTRY, "H", 60_000), r"size of a tensor's name in bytes|tensor name"),
        (patched(ENTRY + 2, "8s", b"emb.wurd"), r"tensor name is 'emb.wurd'; expected one of"),
        (TINY.data.replace(b"emb.ln.b", b"emb.ln.w"), r"tensor name is 'emb.ln.w'; expected each"),
        (patched(ENTRY + 10, "B", 2), r"type of emb.word is 2; expected 0 \(f32\) or 1"),
        (patched(ENTRY + 10, "B", 0), r"bytes of emb.word"),
        (patched(ENTRY + 11, "I", 7), r"elements of emb.word is 7; expected \d+, shape"),
        (patched(ENTRY + 15, "Q", 0), r"offset of emb.word is 0; expected \d+ to"),
        (patched(ENTRY + 15, "Q", 2**63), r"offset of emb.word is 9223372036854775808"),
        (patched(ENTRY + 15, "Q", TINY.parts["data"] + 18), r"offset of emb.pos is"),
        (patched(ENTRY + 23, "Q", 2**40), r"bytes of emb.word is 1099511627776"),
    ],
)
def test_read_q4_damaged_file_is_refused_by_name(data, match):
    with pytest.raises(ModelFormatError, match=match):
        read_q4(data, "tiny.bin")


def test_read_q4_cut_anywhere_is_refused():
    cuts = [*range(TINY.parts["data"]), *range(TINY.parts["data"], len(TINY.data), 257)]
    for cut in (*cuts, len(TINY.data) - 1):
        with pytest.raises(ModelFormatError, match=r"tiny.bin"):
            read_q4(TINY.data[:cut], "tiny.bin")


def test_read_q4_flipped_bytes_are_read_or_refused():
    rng = random.Random(3)
    refused = 0
    for _ in range(2000):
        data = bytearray(TINY.data)
        data[rng.randrange(TINY.parts["data"])] ^= rng.randrange(1, 256)
        try:
            assert isinstance(read_q4(bytes(data), "tiny.bin"), Q4File)
        except ModelFormatError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("name", ["emb.word", "emb.ln.w"])
def test_chunks_with_an_infinite_number_are_refused(name):
    place = read_q4(TINY.data, "tiny.bin").tensors[name]
    form, value = ("e", float("inf")) if place.quantised else ("f", float("nan"))
    q4 = read_q4(patched(place.offset, form, value), "tiny.bin")
    with pytest.raises(ModelFormatError, match=rf"tiny.bin: {name}, byte {place.offset}"):
        list(q4.chunks(name))
