"""Queries and documents are embedded as the model's own encode_query and encode_document do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.conftest import write_lines
from text2vec.evaluation.ablation import ablate
from text2vec.evaluation.ranking import rank_documents, score_rankings
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import Embedded, Subject, model_subject, role_prompts
from text2vec.evaluation.tasks import Task
from text2vec.sentence_model import SentenceModel

TEXTS = ["the same word", "Een man speelt op een grote fluit.", "Ein Flugzeug hebt gerade ab."]


@pytest.fixture
def tasks(tmp_path):
    """Return a retrieval task whose queries are documents too, and a task of pairs with them."""
    write_lines(tmp_path / "d.jsonl", [{"_id": f"{i}", "text": t} for i, t in enumerate(TEXTS)])
    rows = [f"{i}\t{(i + 1) % 3}\t1" for i in range(3)]
    (tmp_path / "r.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    rows = [{"text1": t, "text2": TEXTS[0], "score": i} for i, t in enumerate(TEXTS)]
    write_lines(tmp_path / "p.jsonl", rows)
    return [
        Task("r", "retrieval", ("d.jsonl", "d.jsonl", "r.tsv"), "en"),
        Task("p", "pairs", ("p.jsonl",), "en"),
    ]


@pytest.mark.parametrize(
    "prompts",
    [
        {"query": "query: ", "document": "document: ", "passage": "no"},
        {"query": "query: ", "passage": "passage: ", "corpus": "no"},
        {"corpus": "corpus: "},
        {"query": "query: "},
    ],
)
@pytest.mark.parametrize("default", [None, "mine"])
def test_roles_are_those_of_the_model(prompts, default, model_folder):
    prompts = {"mine": "mine: ", **prompts}
    model = SentenceModel(model_folder("bert"), prompts=prompts, default_prompt_name=default)
    subject = model_subject(model)
    assert np.array_equal(subject.roles["query"](TEXTS).embeddings, model.encode_query(TEXTS))
    assert np.array_equal(subject.roles["document"](TEXTS).embeddings, model.encode_document(TEXTS))
    assert np.array_equal(subject.embed(TEXTS).embeddings, model.encode(TEXTS))
    assert subject.facts["prompts"] == role_prompts(model)


@pytest.mark.parametrize(
    ("prompts", "default"),
    [
        ({}, None),
        ({"mine": "mine: "}, "mine"),
        ({"query": "", "document": ""}, None),  # as sentence-transformers 5 writes it
        ({"query": "text: ", "passage": "text: "}, "query"),
    ],
)
def test_a_model_without_prompts_of_its_own_for_roles_has_none(prompts, default, model_folder):
    model = SentenceModel(model_folder("bert"), prompts=prompts, default_prompt_name=default)
    subject = model_subject(model)
    assert (role_prompts(model), subject.roles) == ({}, {})
    assert "prompts" not in subject.facts


def test_retrieval_takes_the_roles(tasks, model_folder, tmp_path):
    prompts = {"query": "Ein Flugzeug ", "document": "una mujer "}
    model = SentenceModel(model_folder("bert"), prompts=prompts, dtype="float32")
    found = evaluate(model_subject(model), tasks, tmp_path)
    ranked = rank_documents(model.encode_query(TEXTS), model.encode_document(TEXTS), 100)
    expected = score_rankings(ranked, found[0].data.relevant).values
    scores = dict(found[0].result.scores)
    assert scores == pytest.approx({k: 100 * v for k, v in expected.items()})
    texts = model.encode(TEXTS)
    pairs = model.similarity_pairwise(texts, texts[:1].repeat(3, axis=0))
    np.testing.assert_allclose(found[1].pair_scores, pairs, atol=1e-6)


def test_a_text_is_embedded_once_a_role_and_counted_once(tasks, encoder, tmp_path):
    asked = []

    def embed_as(role):
        def embed(texts):
            asked.append((role, list(texts)))
            return Embedded(encoder.encode(texts), np.array([t == TEXTS[0] for t in texts]))

        return embed

    roles = {"query": embed_as("query"), "document": embed_as("document")}
    subject = Subject("s", embed_as(""), roles=roles)
    found = evaluate(subject, [*tasks, tasks[0]], tmp_path)
    assert asked == [("query", TEXTS), ("document", TEXTS), ("", TEXTS)]
    assert [(e.result.n_texts, e.result.n_truncated) for e in found] == 3 * [(3, 1)]
    asked.clear()
    evaluate(Subject("s", embed_as("")), [*tasks, tasks[0]], tmp_path)
    assert asked == [("", TEXTS)]


def test_an_ablation_takes_the_roles(tasks, model_folder, tmp_path):
    folder = str(model_folder("bert"))
    scores = []
    for prompts in ({}, {"query": "Ein Flugzeug ", "document": "una mujer "}):
        model = SentenceModel(folder, dtype="float32", prompts=prompts)
        rows = ablate(folder, tasks[:1], tmp_path, factory=lambda *_, model=model, **__: model)
        scores.append(evaluate(model_subject(model), tasks[:1], tmp_path)[0].result.score)
        assert rows[0].score == scores[-1]
    assert scores[0] != scores[1]
