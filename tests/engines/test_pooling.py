"""Poolings against sentence-transformers' modules, row by row of the tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling

from text2vec.engines.pooling import ACTIVATIONS, POOLINGS, DenseLayer, Head, gelu
from text2vec.similarities import normalize_rows

EXACT = 1e-6  # one float32 sum against another
LENGTHS = (5, 1, 12, 3)
OFFSETS = np.array([0, *np.cumsum(LENGTHS)])
STATES = np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)).astype(np.float32)


def pooled_by_sentence_transformers(mode, skip):
    module = Pooling(8, pooling_mode=mode, include_prompt=skip == 0)
    padded = torch.zeros(len(LENGTHS), max(LENGTHS), 8)
    mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    for i, n in enumerate(LENGTHS):
        padded[i, :n] = torch.from_numpy(STATES[OFFSETS[i] : OFFSETS[i + 1]])
        mask[i, :n] = 1
    features = {"token_embeddings": padded, "attention_mask": mask}
    if skip:
        features["prompt_length"] = skip
    return module(features)["sentence_embedding"].numpy()


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("mode", [m for m in POOLINGS if m != "first_last_avg"])
def test_pool_any_mode_equals_sentence_transformers(mode, skip):
    expected = pooled_by_sentence_transformers(mode, skip)
    got = Head((mode,)).pool([STATES], OFFSETS, skip)
    kept = np.array(LENGTHS) > skip  # of a text that is all prompt, ours is zeros, see below
    np.testing.assert_allclose(got[kept], expected[kept], atol=EXACT)


@pytest.mark.parametrize("mode", ["mean", "max", "weightedmean", "mean_sqrt_len_tokens"])
def test_pool_text_that_is_all_prompt_is_zeros(mode):
    got = Head((mode,)).pool([STATES], OFFSETS, 2)
    assert not got[1].any()
    assert got[0].any()


def test_pool_several_modes_are_concatenated_in_order():
    got = Head(("cls", "mean")).pool([STATES], OFFSETS)
    assert (got[:, :8] == STATES[OFFSETS[:-1]]).all()
    np.testing.assert_allclose(got[0, 8:], STATES[:5].mean(axis=0), atol=EXACT)


def test_pool_first_last_is_the_mean_of_both_layers():
    first = STATES[::-1].copy()
    got = Head(("first_last_avg",)).pool([first, STATES], OFFSETS)
    expected = (first[:5].mean(axis=0) + STATES[:5].mean(axis=0)) / 2
    np.testing.assert_allclose(got[0], expected, atol=EXACT)


def test_gelu_equals_the_error_function_everywhere():
    x = np.concatenate([np.linspace(-12, 12, 100_001), [0.0, -0.0, 1e-30, 60, -60]])
    expected = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    error = np.abs(gelu(x.astype(np.float32)) - expected) / np.maximum(1, np.abs(x))
    assert error.max() < 4e-7


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("gelu", torch.nn.functional.gelu),
        ("gelu_new", lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("identity", lambda x: x),
    ],
)
def test_activation_equals_torch(name, oracle):
    expected = oracle(torch.from_numpy(STATES)).numpy()
    np.testing.assert_allclose(ACTIVATIONS[name](STATES.copy()), expected, atol=EXACT)


def test_project_dense_and_length_one_equal_torch():
    rng = np.random.default_rng(1)
    weight, bias = (rng.standard_normal(s).astype(np.float32) for s in ((4, 8), (4,)))
    head = Head(("mean",), (DenseLayer(weight, bias, "tanh"),), normalize=True)
    rows = STATES[:3]
    linear = torch.nn.functional.linear(*map(torch.from_numpy, (rows, weight, bias)))
    expected = torch.nn.functional.normalize(torch.tanh(linear)).numpy()
    np.testing.assert_allclose(head.project(rows), expected, atol=EXACT)


def test_project_no_rows_have_the_new_width():
    head = Head(("mean",), (DenseLayer(np.ones((4, 8), np.float32), None, "identity"),))
    assert head.project(np.zeros((0, 8), np.float32)).shape == (0, 4)


def test_normalize_rows_keeps_zeros():
    assert normalize_rows(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0]] * 2
