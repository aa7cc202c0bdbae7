"""A short run of the fuzz targets; csrc/README.md says how to run them long."""

from __future__ import annotations

import pytest

pytest.importorskip("text2vec._native", reason="the native engine is not built")

from tests import native_fuzz

ROUNDS = {"encoder": 25, "weights": 100, "safetensors": 150, "tokenizer": 150}


@pytest.mark.parametrize("target", sorted(native_fuzz.TARGETS))
def test_random_and_damaged_input(target, tmp_path):
    native_fuzz.run(target, 0, ROUNDS[target], tmp_path)


def test_a_failing_round_says_its_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(native_fuzz.TARGETS, "weights", lambda rng, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        native_fuzz.run("weights", 7, 1, tmp_path)
    assert "--target weights --first 7 --rounds 1" in capsys.readouterr().err
