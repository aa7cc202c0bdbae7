"""Every metric against scipy or scikit-learn, ties included."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from text2vec.evaluation import metrics

pair = st.tuples(st.integers(-3, 3), st.integers(0, 2))


@settings(deadline=None)
@given(st.lists(pair, min_size=2, max_size=60))
def test_correlations_equal_scipys_on_ties(rows):
    scores, labels = (np.array(x, float) for x in zip(*rows, strict=True))
    if len(set(scores)) < 2 or len(set(labels)) < 2:
        assert math.isnan(metrics.spearman(scores, labels))
        assert math.isnan(metrics.pearson(scores, labels))
        return
    expected = stats.spearmanr(scores, labels).statistic
    assert metrics.spearman(scores, labels) == pytest.approx(expected, abs=1e-12)
    expected = stats.pearsonr(scores, labels).statistic
    assert metrics.pearson(scores, labels) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=60))
def test_thresholds_equal_brute_force(rows):
    scores, labels = (np.array(x, float) for x in zip(*rows, strict=True))
    above = [scores >= t for t in [*scores, 99]]
    accuracy = max(float((a == labels).mean()) for a in above)
    assert metrics.best_accuracy(scores, labels) == pytest.approx(accuracy)
    if not labels.any():
        assert math.isnan(metrics.average_precision(scores, labels))
        assert math.isnan(metrics.best_f1(scores, labels))
        return
    expected = sklearn.metrics.average_precision_score(labels, scores)
    assert metrics.average_precision(scores, labels) == pytest.approx(expected)
    f1 = max(sklearn.metrics.f1_score(labels, a, zero_division=0.0) for a in above)
    assert metrics.best_f1(scores, labels) == pytest.approx(f1)


def test_interval_holds_the_value_and_is_as_wide_as_theory_says():
    chooser = np.random.default_rng(3)
    x = chooser.normal(size=800)
    y = x + chooser.normal(size=800)
    low, high = metrics.bootstrap_interval(metrics.pearson, x, y, seed=1)
    value = metrics.pearson(x, y)
    assert low < value < high
    # Fisher's interval: tanh(atanh(r) +- 1.96 / sqrt(n - 3))
    theory = math.tanh(math.atanh(value) + 1.96 / math.sqrt(797)) - value
    assert high - value == pytest.approx(theory, rel=0.35)
    assert metrics.bootstrap_interval(metrics.pearson, x, y, seed=1) == (low, high)


@pytest.mark.parametrize("n_pairs", [1, 2, 7, 300])
def test_counted_ranks_give_the_interval_of_sorted_ones(n_pairs):
    chooser = np.random.default_rng(n_pairs)
    x, y = chooser.normal(size=n_pairs).round(1), chooser.integers(0, 3, n_pairs)
    found = metrics.spearman_interval(x, y, seed=4)
    expected = metrics.bootstrap_interval(metrics.spearman, x, y, seed=4)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert math.isnan(metrics.spearman_interval([], [])[1])


def test_no_pairs_and_bad_numbers():
    assert math.isnan(metrics.spearman([], []))
    assert math.isnan(metrics.best_accuracy([], []))
    assert math.isnan(metrics.bootstrap_interval(metrics.spearman, [], [])[0])
    with pytest.raises(ValueError, match="score 1 is nan"):
        metrics.spearman([1, math.nan], [0, 1])
    with pytest.raises(ValueError, match=r"\(n_pairs,\) twice"):
        metrics.pearson([1, 2], [1])
    with pytest.raises(ValueError, match=r"label 1 is 0\.5; expected 0 or 1"):
        metrics.average_precision([1, 2], [1, 0.5])
    with pytest.raises(ValueError, match="n_resamples is 0"):
        metrics.bootstrap_interval(metrics.spearman, [1], [1], n_resamples=0)
