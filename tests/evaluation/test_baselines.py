"""Floors against their formulas, computed plainly."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2vec.evaluation.baselines import BASELINES, baseline_subject, split_terms

LEFT = ["更换 花呗 卡", "tea tea cat", "", "unknown words"]
RIGHT = ["花呗 更改 银行卡", "tea dog", "cat", "卡 tea"]


def bm25_by_hand(query, document, documents, k1=1.5, b=0.75):
    """Lucene's BM25, which is the library's default."""
    terms = [split_terms(text) for text in documents]
    mean = sum(map(len, terms)) / len(terms)
    counts, total = Counter(split_terms(document)), 0.0
    for term in split_terms(query):
        n = sum(term in other for other in terms)
        idf = math.log(1 + (len(terms) - n + 0.5) / (n + 0.5))
        size = 1 - b + b * len(split_terms(document)) / mean
        total += idf * counts[term] / (k1 * size + counts[term]) if n else 0
    return total


def test_bm25_equals_the_formula():
    got = BASELINES["bm25"](LEFT, RIGHT)
    expected = [bm25_by_hand(q, d, RIGHT) for q, d in zip(LEFT, RIGHT, strict=True)]
    assert got == pytest.approx(expected, rel=1e-5)
    assert got[0] > 0 == got[2]


def test_edit_distance_and_tfidf():
    assert BASELINES["edit-distance"](["kitten"], ["sitting"])[0] == pytest.approx(1 - 3 / 7)
    assert BASELINES["tf-idf"](["a b", ""], ["b a", "x"]) == pytest.approx([1, 0])


@settings(deadline=None)
@given(st.text())
def test_terms_cover_letters_and_nothing_else(text):
    terms = split_terms(text)
    assert all(terms)
    assert [t.lower() for t in terms] == [t for t in terms if t]


def test_unknown_floor_is_refused():
    with pytest.raises(ValueError, match="expected one of edit-distance, tf-idf, bm25"):
        baseline_subject("luck")
