"""The clock of texts per second, with a clock that one sets by hand."""

from __future__ import annotations

import pytest

from text2vec.evaluation.speed import CARD_TEXTS, Speed, measure_speed


def test_card_protocol_is_two_sentences_512_times():
    assert len(CARD_TEXTS) == 1024
    assert set(CARD_TEXTS) == {"如何更换花呗绑定银行卡", "花呗更改绑定银行卡"}


def test_every_round_is_timed_after_a_warm_up():
    calls, times = [], iter([0.0, 4.0, 10.0, 11.0, 20.0, 22.0])
    speed = measure_speed(lambda texts: calls.append(len(texts)), clock=lambda: next(times))
    assert calls == [64, 1024, 1024, 1024]
    assert speed == Speed(1024, (4.0, 1.0, 2.0))
    assert (speed.texts_per_second, speed.spread) == (512, 4)


def test_nothing_to_measure_is_refused():
    with pytest.raises(ValueError, match="0 texts and 3 rounds"):
        measure_speed(len, [])
