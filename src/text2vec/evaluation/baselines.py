"""Floors that need no neural net: what plain words and characters already score.

Each row scores pairs of texts; the extra ``evaluate`` brings the libraries that do the work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import require
from text2vec.evaluation.subject import Subject

__all__ = ["BASELINES", "baseline_subject", "split_terms"]

# A character of Chinese or Japanese is a term, and so is a word of any other script.
_TERM = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+?(?=[\u3400-\u9fff]|\b)")


def split_terms(text: str) -> list[str]:
    """Return the terms of a text, lower-cased: Chinese characters one by one, other words whole.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    list[str]
        In order; empty for a text without letters and digits.

    Examples
    --------
    >>> split_terms("更换 Huabei绑定, OK!")
    ['更', '换', 'huabei', '绑', '定', 'ok']
    """
    return _TERM.findall(text.lower())


def _edit_distance(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
    distance = require("rapidfuzz.distance", "evaluate").Levenshtein
    pairs = zip(left, right, strict=True)
    return np.array([distance.normalized_similarity(a, b) for a, b in pairs], np.float64)


def _tfidf(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
    text = require("sklearn.feature_extraction.text", "evaluate")
    vectorizer = text.TfidfVectorizer(analyzer=split_terms)
    vectorizer.fit([*left, *right])
    a, b = vectorizer.transform(left), vectorizer.transform(right)  # rows of length 1
    return np.asarray(a.multiply(b).sum(axis=1), np.float64).ravel()


def _bm25(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
    """Score each first text as a query for its second one, among all second texts."""
    bm25s = require("bm25s", "evaluate")
    sparse = require("scipy.sparse", "evaluate")
    documents = [split_terms(text) for text in right]
    index = bm25s.BM25(k1=1.5, b=0.75)
    index.index(documents, show_progress=False)
    scores, terms = index.scores, index.vocab_dict
    weights = sparse.csc_array(  # (n_documents, n_terms)
        (scores["data"], scores["indices"], scores["indptr"]),
        shape=(len(documents), len(scores["indptr"]) - 1),
    )
    rows, columns = [], []
    for row, text in enumerate(left):
        known = [terms[term] for term in split_terms(text) if term in terms]
        rows += [row] * len(known)
        columns += known
    queries = sparse.csr_array(
        (np.ones(len(rows)), (rows, columns)), shape=(len(left), weights.shape[1])
    )
    return np.asarray(queries.multiply(weights.tocsr()).sum(axis=1), np.float64).ravel()


BASELINES: Mapping[str, Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]] = (
    MappingProxyType({
        "edit-distance": _edit_distance,
        "tf-idf": _tfidf,
        "bm25": _bm25,
    })
)
"""Name in ``text2vec evaluate --baseline`` -> function of both sides' texts."""


def baseline_subject(name: str) -> Subject:
    """Return a floor as a subject.

    Parameters
    ----------
    name
        Row of ``BASELINES``.

    Returns
    -------
    Subject
        It scores pairs, and nothing else.

    Raises
    ------
    ValueError
        If there is no such row.
    MissingExtraError
        When it scores, if its library is not installed.

    Examples
    --------
    >>> baseline_subject("tf-idf").score_pairs(["a b", "c"], ["a b", "d"]).round(6).tolist()
    [1.0, 0.0]
    """
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; expected one of {', '.join(BASELINES)}")
    return Subject(name, score_pairs=BASELINES[name], facts={"baseline": name})
