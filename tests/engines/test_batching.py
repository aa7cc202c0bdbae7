"""Plans: every text once, within the budget, longest first."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2vec.arrays import PackedBatch
from text2vec.engines.batching import gather_texts, length_runs, plan_batches

lengths_of_texts = (
    st.lists(st.integers(0, 50), max_size=60).map(np.array).map(lambda a: a.astype(np.int64))
)


@given(lengths_of_texts, st.integers(1, 80), st.none() | st.integers(1, 9))
def test_plan_every_text_once_within_budget(lengths, budget, max_texts):
    plan = list(plan_batches(lengths, budget, max_texts))
    assert sorted(i for batch in plan for i in batch.tolist()) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) == 1 or lengths[batch].sum() <= budget
        assert max_texts is None or len(batch) <= max_texts
    flat = [int(lengths[i]) for batch in plan for i in batch]
    assert flat == sorted(flat, reverse=True)


@pytest.mark.parametrize(("budget", "max_texts"), [(0, None), (5, 0)])
def test_plan_without_room_is_refused(budget, max_texts):
    with pytest.raises(ValueError, match="expected at least 1"):
        next(plan_batches(np.array([1]), budget, max_texts))


@given(st.data())
def test_gather_equals_packing_the_chosen_rows(data):
    rows = data.draw(st.lists(st.lists(st.integers(0, 99), max_size=8), min_size=1, max_size=20))
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20))
    got = gather_texts(PackedBatch.pack(rows), np.array(chosen, np.int64))
    expected = PackedBatch.pack([rows[i] for i in chosen])
    assert got.ids.tolist() == expected.ids.tolist()
    assert got.offsets.tolist() == expected.offsets.tolist()


@given(lengths_of_texts)
def test_runs_cover_all_texts_with_equal_lengths(lengths):
    runs = length_runs(lengths)
    assert [i for first, end in runs for i in range(first, end)] == list(range(len(lengths)))
    assert all(len(set(lengths[first:end].tolist())) == 1 for first, end in runs)
    assert all(lengths[a[0]] != lengths[b[0]] for a, b in itertools.pairwise(runs))
