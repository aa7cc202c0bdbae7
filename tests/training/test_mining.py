"""Hard negatives against a search written out."""

from __future__ import annotations

import numpy as np

from text2vec.training.corpus import Group
from text2vec.training.mining import find_negatives, mine_negatives
from text2vec.training.sources import SourceRecipe


def unit(n_rows, seed):
    rows = np.random.default_rng(seed).normal(size=(n_rows, 6)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_negatives_are_the_nearest_that_are_clearly_less_near():
    queries, pool = unit(20, 0), unit(30, 1)
    own = np.arange(20)
    found = find_negatives(queries, pool[own], pool, [{i} for i in range(20)], 3)
    for i in range(20):
        scores = pool @ queries[i]
        allowed = [j for j in range(30) if j != i and scores[j] <= 0.95 * scores[i]]
        best = sorted(allowed, key=lambda j: -scores[j])[:3]
        assert found[i].tolist() == best + [-1] * (3 - len(best))


def test_no_right_answer_and_not_the_query_itself_is_a_negative():
    class Model:
        dim = 6

        def encode(self, texts):
            return unit(len(texts), 5)

    texts = [f"t{i}" for i in range(12)]
    rows = np.array([[0, 1], [0, 2], [3, 4], [5, 6], [7, 8], [4, 3]])
    source = SourceRecipe("s", ("f",), "info-nce", columns=("a", "b"), negatives=1)
    group = Group("s", source, rows, np.zeros(6))
    mine_negatives(group, texts, Model())
    assert group.rows.shape[1] == 3
    right = {(0, 1), (0, 2), (3, 4), (5, 6), (7, 8), (4, 3)}
    for query, positive, negative in group.rows.tolist():
        assert (query, positive) in right
        assert (query, negative) not in right
        assert negative != query
