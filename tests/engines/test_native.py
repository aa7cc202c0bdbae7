"""Every kernel family and format against a slow forward pass, and against itself in company."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.encoder_oracle import (
    Sizes,
    cosines,
    forward,
    make_weights,
    pack,
    pool,
    random_texts,
    shape,
)

_native = pytest.importorskip("text2vec._native", reason="the native engine is not built")

RUNNABLE = [row for row in _native.available_kernels() if not row[3]]
KERNELS = pytest.mark.parametrize(
    ("kernels", "dtype"),
    [(f"{family}/{variant}", dtype) for family, variant, dtype, _ in RUNNABLE],
)
POOLINGS = [
    "mean",
    "cls",
    "max",
    "mean_sqrt_len_tokens",
    "weightedmean",
    "lasttoken",
    "first_last_avg",
]
# Around the widths of vectors (4, 8, 16), tiles (6, 12), panels (32) and blocks (128).
TAILS = (0, 1, 2, 3, 5, 7, 11, 12, 13, 15, 16, 17, 31, 33, 0, 127, 128, 129)

# Rounding of sums of some hundred float32 products, relative to the largest state.
FLOAT32_BOUND = 1e-5
# Mean and worst cosine of a token's state: these random models are small, so this is no measure of
# what a format costs a real model, but a wrong scale or sign would be far outside.
COSINES = {"bfloat16": (0.9999, 0.999), "int8": (0.999, 0.99)}


def encoder(sizes, weights, kernels, dtype, head=("mean",)):
    return _native.Encoder(shape(sizes), weights, list(head), dtype, kernels, 2)


@cache
def oracle(sizes, lengths):
    weights = make_weights(sizes)
    texts = random_texts(sizes, lengths)
    return weights, texts, [forward(sizes, weights, ids) for ids in texts]


def assert_states_agree(states, expected, dtype):
    if dtype == "float32":
        assert np.abs(states - expected).max() <= FLOAT32_BOUND * np.abs(expected).max()
    else:
        cosine = cosines(states, expected)
        mean, worst = COSINES[dtype]
        assert cosine.mean() >= mean
        assert cosine.min() >= worst
        # Cosines do not see the length of a vector.
        assert np.abs(states - expected).max() <= 0.1 * np.abs(expected).max()


@KERNELS
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(),
        Sizes(hidden=128, heads=4, intermediate=512, layers=2),
        Sizes(hidden=128, heads=2, intermediate=520, layers=1),
        Sizes(hidden=384, heads=12, intermediate=1536, layers=1),
        Sizes(hidden=72, heads=9, intermediate=40, layers=2, position_offset=0),
        Sizes(hidden=40, heads=5, intermediate=33, layers=2, activation="relu"),
        Sizes(hidden=96, heads=4, intermediate=1030, layers=1, activation="gelu_new"),
        Sizes(hidden=56, heads=8, intermediate=40, layers=2),
        Sizes(hidden=264, heads=8, intermediate=64, layers=1),
        Sizes(hidden=120, heads=1, intermediate=64, layers=1, activation="gelu_pytorch_tanh"),
        Sizes(hidden=64, heads=1, intermediate=64, layers=24, layer_norm_eps=1e-5),
    ],
    ids=lambda s: f"{s.hidden}x{s.layers}-{s.heads}-{s.intermediate}-{s.activation}",
)
def test_states_agree_with_the_slow_forward_pass(sizes, kernels, dtype):
    weights, texts, expected = oracle(sizes, TAILS)
    states = encoder(sizes, weights, kernels, dtype).states(*pack(texts), 1)
    assert_states_agree(states, np.concatenate([last for _, last in expected]), dtype)


@KERNELS
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(hidden=768, heads=12, intermediate=3072, layers=1),
        Sizes(hidden=1024, heads=16, intermediate=4096, layers=1),
    ],
    ids=["base", "large"],
)
def test_wide_models(sizes, kernels, dtype):
    weights, texts, expected = oracle(sizes, (1, 14, 33))
    states = encoder(sizes, weights, kernels, dtype).states(*pack(texts), 2)
    assert_states_agree(states, np.concatenate([last for _, last in expected]), dtype)


@KERNELS
def test_long_texts(kernels, dtype):
    sizes = Sizes(layers=1)
    weights, texts, expected = oracle(sizes, (255, 256, 257, 512, 511))
    states = encoder(sizes, weights, kernels, dtype).states(*pack(texts), 2)
    assert_states_agree(states, np.concatenate([last for _, last in expected]), dtype)


@KERNELS
@pytest.mark.parametrize("skip", [0, 1, 4])
def test_poolings(kernels, dtype, skip):
    sizes = Sizes()
    weights, texts, expected = oracle(sizes, TAILS)
    states = encoder(sizes, weights, kernels, dtype, POOLINGS).embed(*pack(texts), 2, skip)
    by_hand = np.array([
        np.concatenate([pool(mode, first, last, skip) for mode in POOLINGS])
        for first, last in expected
    ])
    bound = 2e-5 if dtype == "float32" else 0.02 if dtype == "bfloat16" else 0.1
    assert states.shape == (len(texts), sizes.hidden * len(POOLINGS))
    assert np.abs(states - by_hand).max() <= bound * np.abs(by_hand).max()
    assert not states[0].any()  # a text of no tokens


@KERNELS
def test_mpnet_adds_what_a_distance_is_worth(kernels, dtype):
    sizes = Sizes(layers=1, max_positions=140)
    weights = make_weights(sizes)
    shape = (sizes.heads, 2 * sizes.max_positions - 1)
    weights["distance_bias"] = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    texts = random_texts(sizes, (1, 16, 17, 45, 138))
    states = encoder(sizes, weights, kernels, dtype).states(*pack(texts), 2)
    expected = np.concatenate([forward(sizes, weights, ids)[1] for ids in texts])
    assert_states_agree(states, expected, dtype)
    alone = encoder(sizes, weights, kernels, dtype).states(*pack(texts[3:4]), 1)
    assert np.array_equal(alone, states[34:79])


@KERNELS
def test_ernie_adds_its_task_row(kernels, dtype):
    sizes = Sizes(layers=1)
    weights = make_weights(sizes)
    weights["task_type"] = np.full((3, sizes.hidden), np.linspace(-1, 1, sizes.hidden), np.float32)
    texts = random_texts(sizes, (9,))
    states = encoder(sizes, weights, kernels, dtype).states(*pack(texts), 1)
    assert_states_agree(states, forward(sizes, weights, texts[0])[1], dtype)


@cache
def small_encoder(kernels, dtype):
    sizes = Sizes(hidden=56, heads=8, intermediate=40, max_positions=400)
    return sizes, encoder(sizes, make_weights(sizes), kernels, dtype, ("mean", "first_last_avg"))


@KERNELS
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40) | st.sampled_from([130, 385]), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    threads=st.integers(1, 3),
)
def test_a_text_is_bitwise_the_same_in_any_company(kernels, dtype, lengths, seed, threads):
    sizes, small = small_encoder(kernels, dtype)
    texts = random_texts(sizes, lengths, seed)
    together = small.embed(*pack(texts), threads)
    order = np.random.default_rng(seed).permutation(len(texts))
    shuffled = small.embed(*pack([texts[i] for i in order]), 4 - threads)
    alone = np.concatenate([small.embed(*pack([text])) for text in texts])
    assert together.tobytes() == alone.tobytes()
    assert together[order].tobytes() == shuffled.tobytes()


@KERNELS
@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_stays_in_its_text(kernels, dtype, poison):
    sizes = Sizes(hidden=56, heads=8, intermediate=40)  # 7 to a head: an odd number
    weights = make_weights(sizes)
    weights["word"][7] = poison
    small = encoder(sizes, weights, kernels, dtype)
    texts = [np.where(t == 7, 8, t).astype(np.int32) for t in random_texts(sizes, (3, 20, 1, 14))]
    clean = small.embed(*pack(texts))
    bad = np.array([1, 7, 2], np.int32)
    for place in range(len(texts) + 1):
        mixed = small.embed(*pack([*texts[:place], bad, *texts[place:]]))
        assert np.isnan(mixed[place]).all()
        assert np.delete(mixed, place, 0).tobytes() == clean.tobytes()
        assert small.embed(*pack(texts)).tobytes() == clean.tobytes()  # nothing stays behind
