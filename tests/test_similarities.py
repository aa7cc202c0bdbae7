"""Scores against sentence-transformers' similarity functions."""

from __future__ import annotations

import numpy as np
import pytest
from sentence_transformers import SimilarityFunction

from text2vec.similarities import SIMILARITIES, similarity, similarity_pairwise

A, B = (np.random.default_rng(s).standard_normal((n, 12)).astype("f4") for s, n in ((0, 5), (1, 7)))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarity_equals_sentence_transformers(name):
    expected = SimilarityFunction.to_similarity_fn(name)(A, B).numpy()
    np.testing.assert_allclose(similarity(A, B, name), expected, atol=2e-6)
    pairs = SimilarityFunction.to_similarity_pairwise_fn(name)(A, B[:5]).numpy()
    np.testing.assert_allclose(similarity_pairwise(A, B[:5], name), pairs, atol=2e-6)


def test_similarity_of_zeros_is_zero():
    assert similarity(np.zeros((1, 3)), np.ones((2, 3))).tolist() == [[0, 0]]


@pytest.mark.parametrize(("n", "m"), [(0, 2), (2, 0), (0, 0)])
def test_similarity_of_no_rows_keeps_its_shape(n, m):
    assert similarity(np.zeros((n, 3)), np.zeros((m, 3)), "euclidean").shape == (n, m)


def test_similarity_of_one_embedding_is_one_row():
    assert similarity(A[0], B).shape == (1, 7)


@pytest.mark.parametrize(
    ("a", "b", "name", "message"),
    [
        (A, B[:, :3], "cosine", r"shapes \(5, 12\) and \(7, 3\)"),
        (A, B, "cos", "unknown similarity 'cos'; expected one of cosine"),
        (A[None], B, "cosine", "expected \\(n, dim\\)"),
    ],
)
def test_similarity_impossible_is_refused(a, b, name, message):
    with pytest.raises(ValueError, match=message):
        similarity(a, b, name)


def test_pairwise_of_unequal_numbers_is_refused():
    with pytest.raises(ValueError, match="5 and 7 rows"):
        similarity_pairwise(A, B)


def test_no_embeddings_have_no_scores():
    assert similarity_pairwise([], []).shape == (0,)
    assert similarity([], np.ones((3, 4))).shape == (0, 3)
    assert similarity(np.ones((3, 4)), []).shape == (3, 0)


@pytest.mark.parametrize("wrong", [["a"], None, [[None, 1.0]]])
def test_texts_are_no_embeddings(wrong):
    with pytest.raises(ValueError, match=r"expected embeddings: encode\(\) the texts first"):
        similarity(wrong, np.ones((3, 4)))
