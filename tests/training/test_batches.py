"""The plan: one group a batch, every row once a pass, the same for every number of processes."""

from __future__ import annotations

import numpy as np
import pytest

from text2vec.training.batches import plan_batches, plan_chunks
from text2vec.training.corpus import Group
from text2vec.training.recipe import Recipe
from text2vec.training.sources import SourceRecipe


def group(name, n_rows, **source):
    asked = SourceRecipe(name, ("f",), "cosent", scale=(0.0, 1.0), **source)
    rows = np.arange(2 * n_rows).reshape(n_rows, 2)
    return Group(name, asked, rows, np.linspace(0, 1, n_rows) if n_rows else np.zeros(0))


def plan(groups, **recipe):
    lengths = [np.random.default_rng(3).integers(4, 60, len(g.rows)) for g in groups]
    asked = Recipe(tuple(g.source for g in groups), **{"batch_pairs": 8, **recipe})
    return plan_batches(groups, lengths, asked), lengths


def test_every_row_stands_once_in_a_pass_and_batches_hold_one_group():
    groups = [group("a", 100), group("b", 41), group("c", 1)]
    made, _ = plan(groups)
    for g in (0, 1):
        rows = np.concatenate([b.rows for (b,) in made.items if b.group == g])
        assert sorted(rows.tolist()) == list(range(len(groups[g].rows)))
    assert made.skipped == ["c"]  # one row cannot be ranked
    assert min(len(batch.rows) for (batch,) in made.items) >= 2


def test_rows_of_like_length_stand_together():
    made, (lengths,) = plan([group("a", 1600)])
    spread = np.mean([np.ptp(lengths[batch.rows]) for (batch,) in made.items])
    assert spread < 12  # of 56: not quite sorted, so that passes differ


def test_the_plan_depends_on_the_seed_alone():
    groups = [group("a", 100), group("b", 50)]
    one, again, other = (plan(groups, seed=s)[0].fingerprint() for s in (1, 1, 2))
    assert one == again != other


def test_second_pass_is_shuffled_anew():
    made, _ = plan([group("a", 64)], epochs=2)
    batches = [tuple(sorted(b.rows.tolist())) for (b,) in made.items]
    assert len(batches) == 16
    assert len(set(batches)) > 12


def test_shares_weights_and_steps_are_kept():
    groups = [group("a", 800, share=0.25), group("b", 400), group("c", 400, weight=3.0)]
    made, _ = plan(groups, steps=100)
    counts = np.bincount([item[0].group for item in made.items])
    assert counts.tolist() == [25, 19, 56]
    with pytest.raises(ValueError, match=r"shares of the sources add up to 1\.2"):
        plan([group("a", 80, share=0.7), group("b", 80, share=0.5)])


def test_a_source_with_every_comes_along():
    made, _ = plan([group("a", 80), group("b", 30, every=3)])
    assert [len(item) for item in made.items] == [1, 1, 2, 1, 1, 2, 1, 1, 2, 1]


def test_a_step_has_all_its_batches():
    made, _ = plan([group("a", 80)], batches_per_step=4)
    assert (made.n_steps, len(made.items)) == (2, 8)
    with pytest.raises(ValueError, match="1 batches are fewer than one step needs"):
        plan([group("a", 5)], batches_per_step=4)


def test_a_token_budget_cuts_batches():
    made, (lengths,) = plan([group("a", 200)], batch_pairs=64, batch_tokens=256)
    sums = [int(lengths[batch.rows].sum()) for (batch,) in made.items]
    assert max(sums) <= 256 + 60
    assert sum(len(b.rows) for (b,) in made.items) == 200


@pytest.mark.parametrize("seed", range(5))
def test_chunks_are_the_cheapest_division(seed):
    from text2vec.training import batches

    lengths = np.random.default_rng(seed).integers(3, 90, 9)
    order = np.sort(lengths)

    def cost(cuts):
        parts = np.split(order, cuts)
        return sum(len(p) * p[-1] + batches._CHUNK_TOKENS for p in parts)

    everything = [cost([i for i in range(1, 9) if mask >> (i - 1) & 1]) for mask in range(2**8)]
    found = plan_chunks(lengths)
    assert sorted(np.concatenate(found).tolist()) == list(range(9))
    total = sum(len(c) * lengths[c].max() + batches._CHUNK_TOKENS for c in found)
    assert total == min(everything)
    assert max(len(c) for c in plan_chunks(lengths, 2)) <= 2
    assert plan_chunks(np.zeros(0, np.int64)) == []
