"""Rows in 4 bits: against a plain reading of the format, and back again."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from text2vec.models.q4_table import Q4Table, dequantise_blocks, quantise_rows


def random_blocks(seed, n_rows, n_blocks):
    chooser = np.random.default_rng(seed)
    blocks = chooser.integers(0, 256, (n_rows, n_blocks, 18), np.uint8)
    scales = chooser.normal(0, 0.05, (n_rows, n_blocks)).astype(np.float16)
    scales.flat[0] = 0
    blocks[:, :, :2] = scales.view(np.uint8).reshape(n_rows, n_blocks, 2)
    return blocks.reshape(n_rows, n_blocks * 18)


def read_plainly(row):
    weights = []
    for start in range(0, len(row), 18):
        block = row[start : start + 18].tobytes()
        (scale,) = struct.unpack("<e", block[:2])
        weights += [(byte & 15) - 8 for byte in block[2:]] + [(byte >> 4) - 8 for byte in block[2:]]
        weights[-32:] = [w * scale for w in weights[-32:]]
    return weights


def test_weights_are_those_of_the_format():
    blocks = random_blocks(0, 7, 3)
    table = Q4Table(blocks)
    expected = np.array([read_plainly(row) for row in blocks], np.float32)
    np.testing.assert_array_equal(np.asarray(table), expected)
    np.testing.assert_array_equal(table[np.array([5, 0, 5])], expected[[5, 0, 5]])
    assert table.shape == expected.shape == (7, 96)
    assert table[np.zeros(0, int)].shape == (0, 96)


def test_rows_that_came_from_blocks_lose_nothing():
    rows = dequantise_blocks(random_blocks(1, 300, 4))
    rows[3, :32] = 0
    rows[4, :32] = np.where(np.arange(32) == 5, 0.25, 0)  # one weight: any step fits
    np.testing.assert_array_equal(dequantise_blocks(quantise_rows(rows)), rows)


def test_other_rows_are_within_half_a_step():
    rows = np.random.default_rng(2).normal(0, 0.1, (200, 64)).astype(np.float32)
    found = dequantise_blocks(quantise_rows(rows))
    largest = np.abs(rows.reshape(-1, 32)).max(1)
    error = np.abs(found - rows).reshape(-1, 32).max(1)
    assert (error <= largest / 7 / 2 * 1.01).all()
    assert error.max() > 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((1, 33), np.float32), "dim times 32"),
        (np.full((1, 32), np.nan, np.float32), "not finite, or too large"),
        (np.full((1, 32), 1e6, np.float32), "not finite, or too large"),
    ],
)
def test_what_has_no_blocks_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        quantise_rows(rows)


def test_blocks_at_the_door():
    with pytest.raises(ValueError, match=r"expected \(n_rows, n_blocks \* 18\)"):
        Q4Table(np.zeros((2, 19), np.uint8))
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(Q4Table(np.zeros((2, 18), np.uint8)), copy=False)
