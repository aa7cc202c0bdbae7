"""The network against our own engines; frozen parts; hard negatives by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.tiny_models import SENTENCES, write_sentence_transformers
from text2vec import SentenceModel
from text2vec.models.layout import read_spec
from text2vec.training.network import freeze_parts, open_network
from text2vec.training.recipe import parse_recipe
from text2vec.training.scoring import embed_tokens, padding_id

RECIPE = parse_recipe(
    '[[source]]\nname = "a"\nfiles = ["a.jsonl"]\nloss = "cosent"\nscale = [0, 5]\n'
)
MODES = ("mean", "cls", "max", "lasttoken", "weightedmean", "first_last_avg")


@pytest.mark.parametrize("mode", [*MODES, "mean_sqrt_len_tokens"])
def test_the_network_computes_what_the_engine_computes(model_folder, mode):
    spec = read_spec(model_folder("xlm-roberta")).with_pooling(mode)
    network = open_network(spec, RECIPE).eval()
    model = SentenceModel(spec.folder, pooling=mode, engine="reference")
    tokens = model.tokenize(SENTENCES).batch
    found = embed_tokens(network, tokens, padding_id(network))
    np.testing.assert_allclose(found, model.encode(SENTENCES), atol=2e-5)


def test_dense_and_normalize_are_part_of_the_network(model_folder, tmp_path):
    weight = np.random.default_rng(0).normal(0, 0.3, (8, 32)).astype(np.float32)
    config = {
        "in_features": 32, "out_features": 8, "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }  # fmt: skip
    tensors = {"linear.weight": weight, "linear.bias": np.ones(8, np.float32)}
    folder = write_sentence_transformers(
        model_folder("bert"),
        tmp_path / "st",
        pooling={"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        modules=(("Dense", config, tensors), ("Normalize", {}, None)),
    )
    network = open_network(read_spec(folder), RECIPE).eval()
    model = SentenceModel(folder, engine="reference")
    found = embed_tokens(network, model.tokenize(SENTENCES).batch, padding_id(network))
    np.testing.assert_allclose(found, model.encode(SENTENCES), atol=2e-5)


def test_frozen_parts_get_no_gradient(model_folder):
    network = open_network(read_spec(model_folder("bert")), RECIPE)
    transformer = network.transformer
    freeze_parts(transformer, ["word_embeddings"], 2)
    free = {name for name, weight in transformer.named_parameters() if weight.requires_grad}
    assert free
    assert all(name.startswith("encoder.layer.2.") for name in free)
    with pytest.raises(ValueError, match="no parameter's name holds 'nope'"):
        freeze_parts(transformer, ["nope"], 0)
    with pytest.raises(ValueError, match="frozen_layers is 4; the model has fewer"):
        freeze_parts(transformer, [], 4)
    with pytest.raises(ValueError, match="nothing is left to train"):
        freeze_parts(transformer, ["layer"], 3)


def test_no_texts_give_no_rows(model_folder):
    spec = read_spec(model_folder("bert"))
    tokens = SentenceModel(spec.folder).tokenize([]).batch
    assert embed_tokens(open_network(spec, RECIPE), tokens, 0).shape == (0, 0)
    assert torch.is_grad_enabled()
