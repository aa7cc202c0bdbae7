"""mteb itself runs a task of its own kind on our model, and finds our scores."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.tiny_models import SENTENCES
from text2vec import SentenceModel
from text2vec.evaluation.mteb_model import MtebModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mteb():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its many dependencies, at import
        return pytest.importorskip("mteb")


def make_task(mteb, rows):
    from datasets import Dataset
    from mteb.abstasks import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    class LocalTask(AbsTaskSTS):
        metadata = TaskMetadata(
            name="LocalTask",
            description="Made in a test.",
            reference=None,
            dataset={"path": "local/none", "revision": "1"},
            type="STS",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["deu-Latn"],
            main_score="cosine_spearman",
            date=None,
            domains=None,
            task_subtypes=None,
            license=None,
            annotations_creators=None,
            dialect=None,
            sample_creation=None,
            bibtex_citation="",
        )

        def load_data(self, **keywords):
            self.dataset = {"test": Dataset.from_list(rows)}
            self.data_loaded = True

    return LocalTask()


@pytest.mark.filterwarnings("ignore")  # of mteb's dependencies; ours are errors elsewhere
def test_mteb_finds_the_score_that_we_compute(mteb, model_folder, tmp_path):
    model = SentenceModel(model_folder("bert"))
    pairs = [(a, b) for a in SENTENCES[:6] for b in SENTENCES[6:11]]
    rows = [
        {"sentence1": a, "sentence2": b, "score": float(i % 6)} for i, (a, b) in enumerate(pairs)
    ]
    found = mteb.evaluate(
        MtebModel(model), make_task(mteb, rows), cache=None, show_progress_bar=False
    )
    left, right = (model.encode([row[key] for row in rows]) for key in ("sentence1", "sentence2"))
    expected = spearmanr(model.similarity_pairwise(left, right), [r["score"] for r in rows])
    scores = found.task_results[0].scores["test"][0]
    assert scores["cosine_spearman"] == pytest.approx(expected.statistic, abs=1e-6)
    assert np.isfinite(scores["main_score"])


@pytest.mark.filterwarnings("ignore")
def test_mteb_never_takes_one_models_results_for_anothers(mteb, model_folder, tmp_path):
    rows = [
        {"sentence1": a, "sentence2": b, "score": float(i % 3)}
        for i, (a, b) in enumerate(itertools.pairwise(SENTENCES[:10]))
    ]
    models = [
        SentenceModel(model_folder("bert")),
        SentenceModel(model_folder("bert"), max_seq_length=4),
        SentenceModel(model_folder("ernie")),
    ]
    cache = mteb.ResultCache(tmp_path)
    for _ in range(2):  # the second time out of the cache
        for model in models:
            found = mteb.evaluate(
                MtebModel(model), make_task(mteb, rows), cache=cache, show_progress_bar=False
            )
            left, right = (model.encode([row[k] for row in rows]) for k in rows[0] if k != "score")
            expected = spearmanr(model.similarity_pairwise(left, right), [r["score"] for r in rows])
            score = found.task_results[0].scores["test"][0]["main_score"]
            assert score == pytest.approx(expected.statistic, abs=1e-6)


def test_facts_name_the_model_and_its_languages(mteb, model_folder):
    meta = MtebModel(SentenceModel(model_folder("bert"))).mteb_model_meta
    assert meta.name.startswith("text2vec/")
    assert (meta.embed_dim, len(meta.languages)) == (32, 10)
    assert meta.revision.endswith("-float32-mean-66")
