"""Random and damaged input for the native code: ``python -m tests.native_fuzz --rounds 100000``.

A round is made by its seed alone, which is printed when it fails: ``--first SEED --rounds 1`` runs
it again. A target passes if it ends well or with the error that its door promises; a crash, a
sanitizer's report, a number that is not finite or a text that depends on its neighbours fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.engines.encoder_oracle import Sizes, make_weights, pack, random_texts, shape
from tests.text.fuzzed_texts import fuzzed_texts
from text2vec import _native
from text2vec.errors import ModelFormatError
from text2vec.models.safetensors_file import open_safetensors
from text2vec.text.compact import CompactTokenizer, compile_tokenizer

POOLINGS = ("mean", "cls", "max", "lasttoken", "first_last_avg", "mean_sqrt_len_tokens")
USABLE = [
    (f"{family}/{variant}", dtype)
    for family, variant, dtype, missing in _native.available_kernels()
    if not missing and family != "amx"
]


def random_sizes(rng):
    heads = int(rng.choice([1, 2, 3, 4, 5, 6, 8]))
    head_dim = int(rng.integers(1, 34)) if heads == 8 else int(rng.integers(1, 5)) * 8
    return Sizes(
        hidden=heads * head_dim,
        layers=int(rng.integers(1, 3)),
        heads=heads,
        intermediate=int(rng.choice([1, 7, 64, 511, 513, rng.integers(1, 1100)])),
        vocab_size=int(rng.integers(1, 300)),
        max_positions=int(rng.integers(4, 140) if rng.random() < 0.8 else rng.integers(140, 420)),
        position_offset=int(rng.integers(0, 3)),
        activation=str(rng.choice(["gelu", "gelu_new", "relu"])),
    )


def fuzz_encoder(rng, folder):
    """Any shape, family, pooling and lengths: finite, and bitwise the same alone and together."""
    sizes = random_sizes(rng)
    kernels, dtype = USABLE[rng.integers(len(USABLE))]
    head = list(rng.choice(POOLINGS, rng.integers(1, 3), replace=False))
    weights = make_weights(sizes)
    if rng.random() < 0.3:
        distances = (sizes.heads, 2 * sizes.max_positions - 1)
        weights["distance_bias"] = rng.normal(size=distances).astype(np.float32)
    encoder = _native.Encoder(shape(sizes), weights, head, dtype, kernels, 2)
    longest = sizes.max_positions - sizes.position_offset
    lengths = rng.choice([0, 1, longest, rng.integers(0, longest + 1)], rng.integers(1, 9))
    texts = random_texts(sizes, lengths.tolist(), int(rng.integers(1 << 30)))
    skip = int(rng.integers(0, 3))
    together = encoder.embed(*pack(texts), int(rng.integers(1, 4)), skip)
    assert np.isfinite(together).all()
    i = rng.integers(len(texts))
    assert encoder.embed(*pack([texts[i]]), 1, skip).tobytes() == together[i].tobytes()
    for _ in range(8):  # ids and offsets that nobody checked
        ids = rng.integers(-2, sizes.vocab_size + 2, rng.integers(0, 40)).astype(np.int32)
        offsets = rng.integers(-2, len(ids) + 3, rng.integers(0, 6)).astype(np.int64)
        if rng.random() < 0.5:
            offsets = np.concatenate([[0], np.sort(np.abs(offsets)), [len(ids)]]).astype(np.int64)
        try:
            assert np.isfinite(encoder.states(ids, offsets, 2)).all()
        except ValueError:
            continue


def fuzz_weights(rng, folder):
    """A checkpoint with one array missing, misshapen, of another kind or not finite is refused."""
    sizes = Sizes(hidden=32, heads=2, layers=1, intermediate=40, vocab_size=9, max_positions=12)
    weights = make_weights(sizes)
    name = str(rng.choice(sorted(weights)))
    array = weights.pop(name)
    damage = rng.integers(5)
    if damage == 1:
        weights[name] = array[:-1]
    elif damage == 2:
        weights[name] = array[None]
    elif damage == 3:
        weights[name] = array.astype(rng.choice(["f8", "i1", "f2"]))
    elif damage == 4:
        weights[f"{name}.more"], weights[name] = array, array
    kernels, dtype = USABLE[rng.integers(len(USABLE))]
    try:
        _native.Encoder(shape(sizes), weights, ["mean"], dtype, kernels)
    except ValueError:
        return
    assert name == "token_type", f"{name} damaged by {damage} was taken"


def damaged(rng, data):
    """Return the bytes with a few changed, or an end cut off, or something behind it."""
    out = bytearray(data)
    kind = rng.integers(4)
    if kind == 0:
        del out[rng.integers(len(out)) :]
    elif kind == 1:
        out += rng.bytes(int(rng.integers(1, 40)))
    else:
        for _ in range(rng.integers(1, 5)):
            at, size = rng.integers(len(out)), int(rng.choice([1, 1, 4, 8]))
            values = [b"\xff" * size, b"\0" * size, rng.bytes(size)]
            out[at : at + size] = values[rng.integers(3)]
    return bytes(out)


def fuzz_safetensors(rng, folder):
    """A damaged weight file is refused, or all its tensors can be read."""
    tensors = {
        "word": rng.integers(0, 255, (5, 18), np.uint8),
        "a.weight": rng.integers(-127, 127, (3, 4)).astype(np.int8),
        "a.weight_scale": np.ones(3, np.float32),
        "b": np.ones((2, 0), np.float16),
    }
    path = folder / "model.safetensors"
    path.write_bytes(damaged(rng, save(tensors)))
    try:
        for array in dict(open_safetensors(path)).values():
            array.tobytes()
    except ModelFormatError:
        return


def make_compact(folder):
    """Compile one tokenizer of each kind and return the bytes of both compact files."""
    pieces = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    texts = ["▁", "a", "b", "é", "好", "▁a", "ab", "▁ab", "éa", "好好"]
    pieces += [(text, -1.0 - i / 9) for i, text in enumerate(texts)]
    unigram = Tokenizer(models.Unigram(pieces, unk_id=2))
    unigram.normalizer = normalizers.Strip()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    words = ["[UNK]", "[CLS]", "[SEP]", "a", "b", "##a", "##b", "é", "好", "##é"]
    word_piece = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    word_piece.normalizer = normalizers.BertNormalizer()
    word_piece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    word_piece.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    files = []
    for name, tokenizer in (("unigram", unigram), ("word_piece", word_piece)):
        tokenizer.save(str(folder / f"{name}.json"))
        target = folder / f"{name}.compact"
        if not target.is_file():
            compile_tokenizer(folder / f"{name}.json", target)
        files.append(target.read_bytes())
    return files


def fuzz_tokenizer(rng, folder):
    """A damaged compact file is refused, or reads any text without leaving its memory."""
    found = [folder / "unigram.compact", folder / "word_piece.compact"]
    files = [p.read_bytes() for p in found] if found[1].is_file() else make_compact(folder)
    data = files[rng.integers(2)]
    path = folder / "damaged.compact"
    path.write_bytes(damaged(rng, data) if rng.random() < 0.9 else data)
    try:
        tokenizer = CompactTokenizer(path)
    except ModelFormatError:
        return
    texts = [*fuzzed_texts(4, int(rng.integers(1 << 30))), "abé好好 ab", ""]
    try:
        ids, offsets, cut = tokenizer.encode(texts, int(rng.choice([3, 7, 512])), 2)
    except ValueError:  # a lone surrogate, or more special tokens than the limit
        return
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    assert len(cut) == len(texts)


TARGETS = {
    "encoder": fuzz_encoder,
    "weights": fuzz_weights,
    "safetensors": fuzz_safetensors,
    "tokenizer": fuzz_tokenizer,
}


def run(target, first, rounds, folder):
    """Run rounds ``first`` to ``first + rounds - 1`` of a target."""
    place = sorted(TARGETS).index(target)
    seed = first
    try:
        for seed in range(first, first + rounds):
            TARGETS[target](np.random.default_rng([seed, place]), folder)
    except BaseException:
        sys.stderr.write(f"failed: --target {target} --first {seed} --rounds 1\n")
        raise


def main():
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for target in args.target or sorted(TARGETS):
            run(target, args.first, args.rounds, Path(name))
            sys.stdout.write(f"{target}: {args.rounds} rounds\n")


if __name__ == "__main__":
    main()
