"""One folder, three routes: text2vec, sentence-transformers, transformers with mean pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer

from tests.tiny_models import SENTENCES, write_sentence_transformers
from text2vec import SentenceModel

TEXTS = list(SENTENCES)
AGREES = 1e-5  # float32 of torch against float32 of numpy, values up to 4


def encoded_by_the_card(folder, texts):
    """The code of the published model card, for transformers alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder)
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.no_grad():
        states = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])[0]
    mask = inputs["attention_mask"].unsqueeze(-1).expand(states.size()).float()
    return (torch.sum(states * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)).numpy()


@pytest.fixture
def folder(any_model_folder, tmp_path):
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    return write_sentence_transformers(any_model_folder, tmp_path / "model", pooling=pooling)


def test_three_routes_agree_on_the_folder_and_on_a_saved_copy(folder, tmp_path):
    model = SentenceModel(folder)
    model.save(tmp_path / "copy")
    expected = encoded_by_the_card(folder, TEXTS)
    for route in (
        model.encode(TEXTS),
        SentenceModel(tmp_path / "copy").encode(TEXTS),
        SentenceTransformer(str(folder), device="cpu").encode(TEXTS),
        SentenceTransformer(str(tmp_path / "copy"), device="cpu").encode(TEXTS),
        encoded_by_the_card(tmp_path / "copy", TEXTS),
    ):
        np.testing.assert_allclose(route, expected, atol=AGREES)


def test_a_folder_that_sentence_transformers_saved_opens(folder, tmp_path):
    theirs = SentenceTransformer(str(folder), device="cpu")
    theirs.save(str(tmp_path / "theirs"))
    model = SentenceModel(tmp_path / "theirs")
    assert model.max_seq_length == 32
    np.testing.assert_allclose(model.encode(TEXTS), theirs.encode(TEXTS), atol=AGREES)
