"""Cosines to float32: by hand, and of a model's precisions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tiny_models import SENTENCES
from text2vec import SentenceModel
from text2vec.agreement import compare_embeddings
from text2vec.cli.main import main
from text2vec.engines.native import native_problem

built = pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")


def test_cosines_are_those_computed_by_hand():
    found = compare_embeddings([[3, 4], [0, 0], [0, 0], [-1, 0]], [[4, 3], [0, 0], [1, 0], [1, 0]])
    assert (found.n_texts, found.worst, found.worst_text) == (4, -1.0, 3)
    assert found.mean == pytest.approx((0.96 + 1 + 0 - 1) / 4)


@pytest.mark.parametrize(
    ("embeddings", "exact", "message"),
    [
        (np.zeros((0, 4)), np.zeros((0, 4)), "n_texts above 0"),
        (np.ones((2, 4)), np.ones((2, 3)), "n_texts above 0"),
        (np.ones((2, 2)), [[1, 1], [1, np.nan]], "exact of text 1 holds NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(embeddings, exact, message):
    with pytest.raises(ValueError, match=message):
        compare_embeddings(embeddings, exact)


@built
def test_int8_is_told_from_float32_and_float32_from_nothing(model_folder):
    exact = SentenceModel(model_folder("bert")).agreement(SENTENCES)
    assert exact.worst > 1 - 1e-9
    assert "against reference float32 numpy, 14 texts" in str(exact)
    coarse = SentenceModel(model_folder("bert"), dtype="int8").agreement(SENTENCES)
    assert 0.98 < coarse.worst <= coarse.mean < 1 - 1e-7
    by_hand = compare_embeddings(
        SentenceModel(model_folder("bert"), dtype="int8").encode(SENTENCES),
        SentenceModel(model_folder("bert")).encode(SENTENCES),
    )
    assert coarse.worst_text == by_hand.worst_text
    assert coarse.worst == pytest.approx(by_hand.worst, abs=1e-9)


@built
def test_a_family_without_float32_is_judged_by_another(model_folder, monkeypatch):
    monkeypatch.setenv("TEXT2VEC_KERNELS", "amx-emulated")
    found = SentenceModel(model_folder("bert"), dtype="int8").agreement(SENTENCES)
    assert found.computed.startswith("native int8 amx-emulated/")
    assert found.exact.startswith("native float32 ")


def test_no_texts_are_refused(model_folder):
    with pytest.raises(ValueError, match="no texts to compare"):
        SentenceModel(model_folder("bert")).agreement([])


@built
def test_info_shows_the_agreement_of_a_file(model_folder, tmp_path, capsys):
    path = tmp_path / "texts.txt"
    path.write_text("a\nb\n", encoding="utf-8")
    words = ["info", "--model", str(model_folder("bert")), "--dtype", "int8", "--json"]
    assert main([*words, "--agreement", str(path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["agreement"]["n_texts"] == 2
    assert "int8 loses a little" in facts["model"]["notes"][-1]
