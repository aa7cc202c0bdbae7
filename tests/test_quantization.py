"""Fewer bytes, against sentence-transformers."""

from __future__ import annotations

import numpy as np
import pytest
from sentence_transformers.util import quantize_embeddings as oracle

from text2vec.quantization import quantize_embeddings

ROWS = np.random.default_rng(0).standard_normal((200, 20)).astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("n_rows", [0, 2, 200])
def test_quantize_equals_sentence_transformers(precision, n_rows):
    got, expected = (f(ROWS[:n_rows], precision) for f in (quantize_embeddings, oracle))
    assert got.dtype == expected.dtype
    assert (got == expected).all()
    assert got.shape == expected.shape


def test_quantize_with_ranges_equals_sentence_transformers():
    ranges = np.vstack([ROWS.min(0) / 2, ROWS.max(0) / 2])
    got = quantize_embeddings(ROWS[:1], "int8", ranges=ranges)
    assert (got == oracle(ROWS[:1], "int8", ranges=ranges)).all()


def test_quantize_int8_keeps_cosines():
    back = quantize_embeddings(ROWS, "uint8").astype(np.float32)
    back = back / 255 * (ROWS.max(0) - ROWS.min(0)) + ROWS.min(0)
    cosines = (back * ROWS).sum(1) / np.linalg.norm(back, axis=1) / np.linalg.norm(ROWS, axis=1)
    assert cosines.min() > 0.999


def test_quantize_float16_is_the_nearest():
    assert (quantize_embeddings(ROWS, "float16") == ROWS.astype(np.float16)).all()


@pytest.mark.parametrize(
    ("rows", "precision", "ranges", "message"),
    [
        (1, "int8", None, "needs the range of each dimension"),
        (3, "int8", np.zeros((2, 3)), r"ranges has shape \(2, 3\); expected \(2, 20\)"),
        (3, "int4", None, "unknown precision 'int4'; expected one of float32"),
    ],
)
def test_quantize_impossible_is_refused(rows, precision, ranges, message):
    with pytest.raises(ValueError, match=message):
        quantize_embeddings(ROWS[:rows], precision, ranges=ranges)


def test_lists_are_embeddings_and_one_embedding_has_no_range():
    rows = [[0.0, 1.0], [1.0, -1.0]]
    assert quantize_embeddings(rows, "uint8").tolist() == [[0, 255], [255, 0]]
    assert quantize_embeddings(rows, "ubinary").tolist() == [[64], [128]]
    with pytest.raises(ValueError, match="which one text does not show"):
        quantize_embeddings(np.array([0.0, 1.0]), "int8")
