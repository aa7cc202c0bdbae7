"""The card's eight systems: their rows, and each architecture from hub to score."""

from __future__ import annotations

import statistics

import pytest

from tests.evaluation.conftest import WORDS
from tests.hub import LocalHub
from tests.tiny_models import make_model, write_sentence_transformers
from text2vec import SentenceModel, Word2Vec
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import encoder_subject, model_subject
from text2vec.evaluation.systems import PUBLISHED_TASKS, SYSTEMS, loader_settings
from text2vec.evaluation.tasks import SUITES, find_tasks

MEAN = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
# Base model of the card -> architecture in its config.json, and whose kind of tokenizer it has.
ARCHITECTURES = {
    "xlm-roberta-base": ("bert", "xlm-roberta"),  # MiniLM-L12, which learned from XLM-R
    "hfl/chinese-roberta-wwm-ext": ("bert", "bert"),
    "hfl/chinese-macbert-base": ("bert", "bert"),
    "hfl/chinese-lert-large": ("bert", "bert"),
    "nghuyong/ernie-3.0-base-zh": ("ernie", "ernie"),
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2": ("bert", "xlm-roberta"),
}
TRANSFORMERS = [name for name, row in SYSTEMS.items() if row.max_seq_length]


def test_rows_are_those_of_the_card():
    assert SUITES["chinese"] == PUBLISHED_TASKS
    assert len(SYSTEMS) == 8
    for row in SYSTEMS.values():
        # The published means are of other roundings, or of other runs: up to 0.25 apart.
        assert statistics.mean(row.scores) == pytest.approx(row.mean, abs=0.25)
    best = max(SYSTEMS.values(), key=lambda row: row.mean)
    assert (best.hub, best.score("sohu-dc")) == (
        "shibing624/text2vec-base-chinese-paraphrase",
        63.30,
    )


@pytest.mark.parametrize("layout", ["sentence-transformers", "text2vec"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_system_loads_by_its_name_and_runs(
    name, layout, model_folder, data, tmp_path, monkeypatch
):
    architecture, vocabulary = ARCHITECTURES[SYSTEMS[name].base]
    if architecture == vocabulary:
        folder = model_folder(architecture)
    else:
        folder = make_model(architecture, tmp_path / "tiny", vocabulary=vocabulary)
    if layout == "sentence-transformers":
        folder = write_sentence_transformers(folder, tmp_path / "st", pooling=MEAN)
    with LocalHub({name: folder}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        settings = loader_settings(name) | {"max_seq_length": 64}  # as many as it has positions
        model = SentenceModel(name, cache_folder=tmp_path / "hub", **settings)
    found = evaluate(model_subject(model), find_tasks([], ["chinese"]), data)
    assert [e.result.task for e in found] == list(PUBLISHED_TASKS)
    assert all(e.result.score is not None for e in found)
    assert found[0].result.model["pooling"] == ["mean"]
    assert found[0].result.n_truncated == 0


def test_word_vectors_are_no_transformer():
    with pytest.raises(ValueError, match="--word-vectors FILE"):
        loader_settings("w2v-light-tencent-chinese")


def test_word_vectors_run(data, tmp_path):
    characters = sorted(set("".join(WORDS)))
    lines = [f"{c} {i % 5} {i % 3} {i % 7 - 3}\n" for i, c in enumerate(characters)]
    path = tmp_path / "vectors.txt"
    path.write_text(f"{len(characters)} 3\n{''.join(lines)}", encoding="utf-8")
    vectors = Word2Vec(path, unit="char", cache_folder=tmp_path)
    found = evaluate(encoder_subject("w2v", vectors), find_tasks([], ["chinese"]), data)
    assert len(found) == 7
    assert all(e.result.score is not None for e in found)
    assert found[0].result.n_truncated is None
