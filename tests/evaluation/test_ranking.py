"""Rankings, clusters and translations against scikit-learn and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics

from text2vec.evaluation import ranking


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)


@pytest.mark.parametrize("top_k", [1, 7, 40, 99])
def test_nearest_documents_equal_brute_force(rows, top_k):
    queries, documents = rows[:9], np.vstack([rows, rows[:5]])  # equal documents, equal scores
    scores = sklearn.metrics.pairwise.cosine_similarity(queries, documents).round(5)
    expected = [sorted(range(45), key=lambda d: (-scores[q, d], d))[:top_k] for q in range(9)]
    got = ranking.rank_documents(queries, documents, top_k)
    assert got.shape == (9, min(top_k, 45))
    np.testing.assert_allclose(
        np.take_along_axis(scores, got, 1), np.take_along_axis(scores, np.array(expected), 1)
    )


@pytest.mark.parametrize("top_k", [1, 3, 299])
def test_of_equal_documents_the_earlier_come_first_even_at_the_end(top_k):
    kinds = np.random.default_rng(5).integers(0, 3, 300)
    query = np.array([[3, 2, 1]], np.float32)
    got = ranking.rank_documents(query, np.eye(3, dtype=np.float32)[kinds], top_k)
    assert got[0].tolist() == sorted(range(300), key=lambda d: (kinds[d], d))[:top_k]


def test_scores_of_rankings_equal_sklearns_and_hand_counts():
    chooser = np.random.default_rng(1)
    grades = chooser.integers(0, 4, (6, 12)).astype(float)
    ranked = np.argsort(-chooser.normal(size=(6, 12)), axis=1)
    found = ranking.score_rankings(
        ranked, [{d: g for d, g in enumerate(row) if g > 0} for row in grades]
    ).values
    position_scores = np.empty_like(grades)
    np.put_along_axis(position_scores, ranked, -np.arange(12.0)[None].repeat(6, 0), 1)
    expected = sklearn.metrics.ndcg_score(grades, position_scores, k=10)
    assert found["ndcg@10"] == pytest.approx(expected)
    first = [
        next(i for i, d in enumerate(row) if g[d] > 0)
        for row, g in zip(ranked, grades, strict=True)
    ]
    assert found["mrr@10"] == pytest.approx(np.mean([1 / (i + 1) for i in first]))
    hits = [(g[row[:1]] > 0).sum() / (g > 0).sum() for row, g in zip(ranked, grades, strict=True)]
    assert found["recall@1"] == pytest.approx(np.mean(hits))
    assert found["recall@100"] == 1


def test_queries_without_a_relevant_document_do_not_count():
    with_one = ranking.score_rankings([[0], [0]], [{0: 2.0}, {}])
    assert (with_one.values["ndcg@10"], with_one.parts.tolist()) == (1, [1])
    assert math.isnan(ranking.score_rankings([[0]], [{}]).values["mrr@10"])
    with pytest.raises(ValueError, match="1 rankings for 2 queries"):
        ranking.score_rankings([[0]], [{}, {}])


def test_translations_equal_sklearns_weighted_f1(rows):
    noisy = rows + np.random.default_rng(2).normal(size=rows.shape).astype(np.float32)
    gold = np.arange(len(rows))
    scores = sklearn.metrics.pairwise.cosine_similarity(rows, noisy)
    expected = np.mean([
        sklearn.metrics.f1_score(gold, s.argmax(1), average="weighted", zero_division=0)
        for s in (scores, scores.T)
    ])
    found, parts = ranking.match_translations(rows, noisy)
    assert parts.mean() == pytest.approx(found["f1"])
    assert found["f1"] == pytest.approx(expected)
    assert 0.1 < found["accuracy"] < 0.9
    assert math.isnan(ranking.match_translations(rows[:0], rows[:0]).values["f1"])
    with pytest.raises(ValueError, match="expected the same"):
        ranking.match_translations(rows, rows[:3])


def test_clusters_are_found_and_chance_is_not(rows):
    centres = np.repeat(10 * np.eye(4, 8, dtype=np.float32), 10, axis=0)
    labels = [str(i // 10) for i in range(40)]
    assert ranking.v_measure(centres + rows, labels) > 0.99
    assert ranking.v_measure(rows, labels) < 0.5
    assert math.isnan(ranking.v_measure(rows[:0], []))
