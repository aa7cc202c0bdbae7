"""A batch's loss: each text once, and the same gradients in sub-batches as in one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.training.conftest import write_jsonl
from text2vec.training.batches import Batch
from text2vec.training.loss_module import GroupLoss
from text2vec.training.network import open_network
from text2vec.training.preparation import prepare
from text2vec.training.recipe import parse_recipe
from text2vec.training.scoring import padding_id
from text2vec.training.tensors import TrainingData

RECIPE = """
model = "{model}"
pooling = "mean"
max_length = 32
[[source]]
name = "a"
files = ["train/p.jsonl"]
columns = ["q", "p"]
loss = "info-nce"
"""


@pytest.fixture
def parts(model_folder, data_folder):
    rows = [{"q": f"question {i % 7} a", "p": f"answer {i} the same word"} for i in range(12)]
    write_jsonl(data_folder / "train/p.jsonl", rows)
    recipe = parse_recipe(RECIPE.format(model=model_folder("bert")))
    preparation = prepare(recipe, data_folder)
    network = open_network(preparation.spec, recipe)
    groups = preparation.corpus.groups
    data = TrainingData(groups, preparation.tokens, {}, padding_id(network), 32)
    return data, network, groups


def gradients(network, groups, batch):
    network.zero_grad()
    loss = GroupLoss(network, groups, 32)([batch])
    loss.backward()
    grads = {n: w.grad.clone() for n, w in network.named_parameters() if w.grad is not None}
    return loss.item(), grads


def test_a_text_is_embedded_once(parts):
    data, _, _ = parts
    batch = data.make_batch(Batch(0, np.arange(12)))
    n_texts = sum(len(one["input_ids"]) for one in batch.passes)
    assert n_texts == 7 + 12
    assert batch.places.shape == (12, 2)
    assert batch.places.max() == n_texts - 1


def test_sub_batches_give_the_same_loss_and_gradients(parts):
    data, network, groups = parts
    whole, expected = gradients(network, groups, data.make_batch(Batch(0, np.arange(12))))
    groups[0].source = dataclasses.replace(groups[0].source, sub_batch=4)
    batch = data.make_batch(Batch(0, np.arange(12)))
    assert len(batch.passes) >= 5
    again, found = gradients(network, groups, batch)
    assert again == pytest.approx(whole, abs=1e-6)
    assert found.keys() == expected.keys()
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, atol=1e-6, rtol=1e-4)
