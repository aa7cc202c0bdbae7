import numpy as np
import pytest
from comparison import ANCHORS, make_parties
from figures import count_flop, measure_cosines, summarize_rounds
from peers import BASELINE, OURS, encode_sorted, list_peers, mean_states


def test_names_of_encoders_are_different_and_anchors_are_there():
    names = [row.name for row in list_peers(["avx512/vnni", "avx2"])]
    assert len(names) == len(set(names))
    assert set(ANCHORS) <= set(names)
    assert f"{BASELINE}, avx2" in names
    assert f"{BASELINE}, avx2" not in [row.name for row in list_peers()]


def test_anchors_sit_in_every_party_and_families_together():
    rows = list_peers(["avx2"])
    parties = make_parties(rows, 6)
    assert all({row.name for row in party} >= set(ANCHORS) for party in parties)
    assert all(len(party) <= 6 for party in parties)
    held = [row.name for row in parties[-1] if row.family]
    assert held == [row.name for row in rows if row.family == "avx2"]
    others = [row.name for party in parties for row in party if row.name not in ANCHORS]
    assert sorted([*others, *ANCHORS]) == sorted(row.name for row in rows)
    assert make_parties(rows[:1], 1) == [[rows[0]]]
    assert rows[0].name == OURS or rows[0].name not in ANCHORS


def test_ratios_are_taken_within_a_round():
    # the machine is twice as slow in the second round, and a third was run by one of them alone
    ours = {"1": 1.0, "2": 2.0, "3": 9.0}
    found = summarize_rounds(ours, {"base": {"1": 4.0, "2": 8.0}, "none": {}}, [3, 1])
    assert found["ratios"] == {"base": 4.0}
    assert found["texts_per_second"] == 1.0
    assert found["tokens_per_second"] == 2.0
    assert found["seconds"] == ours


def test_flop_of_the_default_models_shape():
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 12}
    n_parameters = 12 * (4 * 384 * 384 + 2 * 384 * 1536)
    assert count_flop(config, [10, 1]) == 11 * 2 * n_parameters + 12 * 4 * 384 * 101


def test_other_shapes_and_infinities_are_no_cosines():
    for rows in ([[1.0]], [[1.0, np.inf]]):
        with pytest.raises(ValueError, match="expected the same"):
            measure_cosines(rows, [[1.0, 2.0]])


def test_sorting_for_batches_keeps_the_order_of_rows():
    batches = []

    def run(batch):
        batches.append(batch)
        return np.array([[len(text)] for text in batch])

    texts = ["a", "ccc", "bb", "dddd", ""]
    assert encode_sorted(texts, 2, run)[:, 0].tolist() == [1, 3, 2, 4, 0]
    assert batches == [["dddd", "ccc"], ["bb", "a"], [""]]


def test_padding_is_no_part_of_a_mean():
    states = np.array([[[1.0], [3.0], [100.0]]])
    assert mean_states(states, np.array([[1, 1, 0]])).tolist() == [[2.0]]
