"""The numpy engine against transformers, architecture by architecture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_models import ARCHITECTURES
from text2vec.arrays import PackedBatch
from text2vec.engines import reference
from text2vec.engines.batching import gather_texts
from text2vec.engines.distances import relative_position_buckets
from text2vec.engines.native import NativeEngine, native_problem
from text2vec.engines.pooling import Head
from text2vec.engines.reference import ReferenceEngine
from text2vec.models.architectures import read_shape
from text2vec.models.checkpoint import load_weights

STATES = 1e-5  # float32 sums in another order, over three layers of weights as large as 0.2
ALONE = 1e-6  # what company may change in a vector of length 1: BLAS rounds by a row's place
LENGTHS = (1, 2, 7, 16, 17, 33, 64, 3, 3, 0, 17)


def open_parts(folder, head=("mean",), **options):
    config = json.loads((folder / "config.json").read_text())
    shape = read_shape(config, "config.json")
    return ReferenceEngine(shape, load_weights(folder, shape), Head(head), **options), shape


def some_batch(shape, lengths=LENGTHS, seed=0):
    rng = np.random.default_rng(seed)
    # 5 and above: no padding id, at which transformers' RoBERTa would count positions otherwise
    return PackedBatch.pack([rng.integers(5, shape.vocab_size, n).tolist() for n in lengths])


def states_of_transformers(folder, batch):
    model = transformers.AutoModel.from_pretrained(folder).eval()
    rows = []
    for start, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        if start < end:
            ids = torch.tensor(batch.ids[start:end].astype(np.int64))[None]
            with torch.no_grad():
                output = model(input_ids=ids, output_hidden_states=True)
            rows.append([layer[0].numpy() for layer in output.hidden_states])
    return [np.concatenate(layer) for layer in zip(*rows, strict=True)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_run_any_architecture_equals_transformers(architecture, model_folder):
    folder = model_folder(architecture)
    engine, shape = open_parts(folder)
    batch = some_batch(shape)
    expected = states_of_transformers(folder, batch)
    first, last = engine.run(batch, (0, -1))
    np.testing.assert_allclose(first, expected[1], atol=STATES, rtol=STATES)
    np.testing.assert_allclose(last, expected[-1], atol=STATES, rtol=STATES)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_run_any_activation_equals_transformers(activation, model_folder, tmp_path):
    model = transformers.AutoModel.from_pretrained(model_folder("bert"))
    model.config.hidden_act = activation
    model.save_pretrained(tmp_path)
    engine, shape = open_parts(tmp_path)
    batch = some_batch(shape)
    expected = states_of_transformers(tmp_path, batch)[-1]
    np.testing.assert_allclose(engine.token_states(batch), expected, atol=STATES, rtol=STATES)


def test_engine_unknown_activation_is_refused(model_folder, tmp_path):
    config = json.loads((model_folder("bert") / "config.json").read_text())
    shape = read_shape(config | {"hidden_act": "mish"}, "config.json")
    with pytest.raises(ValueError, match="unknown activation 'mish'; expected one of gelu"):
        ReferenceEngine(shape, {}, Head(("mean",)))


@pytest.mark.parametrize("architecture", ["bert", "mpnet"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_embed_alone_in_company_in_any_order_is_the_same(architecture, data, model_folder):
    engine, shape = open_parts(model_folder(architecture), num_threads=2)
    lengths = data.draw(st.lists(st.integers(0, shape.max_tokens), min_size=1, max_size=24))
    batch = some_batch(shape, lengths, seed=data.draw(st.integers(0, 99)))
    order = np.array(data.draw(st.permutations(range(len(lengths)))))
    max_texts = data.draw(st.none() | st.integers(1, 5))
    together = engine.embed(batch)
    shuffled = engine.embed(gather_texts(batch, order), max_texts=max_texts)
    bounds = ALONE * np.maximum(1, np.linalg.norm(together, axis=1))
    assert (np.abs(shuffled - together[order]).max(axis=1) <= bounds[order]).all()
    for i in range(len(lengths)):
        alone = engine.embed(gather_texts(batch, np.array([i])))
        assert np.abs(alone[0] - together[i]).max() <= bounds[i]


@pytest.mark.parametrize("architecture", ["roberta", "xlm-roberta", "mpnet", "bert"])
def test_padding_id_inside_a_text_has_no_position_of_its_own(architecture, model_folder):
    folder = model_folder(architecture)
    engine, shape = open_parts(folder)
    batch = PackedBatch.pack([[5, 6, max(shape.position_offset - 1, 0), 8, 9], [9, 8, 7]])
    expected = states_of_transformers(folder, batch)[-1]
    np.testing.assert_allclose(engine.token_states(batch), expected, atol=STATES, rtol=STATES)
    if native_problem() is None:
        native = NativeEngine(shape, load_weights(folder, shape), Head(("mean",)))
        np.testing.assert_allclose(native.token_states(batch), expected, atol=STATES, rtol=STATES)


@pytest.mark.parametrize("architecture", ["bert", "mpnet"])
@pytest.mark.parametrize("scores", [1, 200, 3000])
def test_attention_in_any_blocks_is_the_same(architecture, scores, model_folder, monkeypatch):
    engine, shape = open_parts(model_folder(architecture))
    batch = some_batch(shape, (9, 9, 9, 30, 2))
    expected = engine.token_states(batch)
    monkeypatch.setattr(reference, "SCORES", scores)
    np.testing.assert_allclose(engine.token_states(batch), expected, atol=STATES)


def test_interrupt_does_not_wait_for_what_has_not_begun(model_folder, monkeypatch):
    engine, shape = open_parts(model_folder("bert"), num_threads=2)
    monkeypatch.setattr(reference, "TOKEN_BUDGET", 4)
    begun = []

    def fail(some, layers):
        begun.append(some)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "_forward", fail)
    with pytest.raises(KeyboardInterrupt):
        engine.embed(some_batch(shape, [4] * 500))
    assert len(begun) < 500


def test_embed_no_texts_keeps_dim(model_folder):
    engine, shape = open_parts(model_folder("bert"), ("mean", "cls"))
    assert engine.embed(PackedBatch.pack([])).shape == (0, 2 * shape.hidden)


def test_embed_text_of_no_tokens_is_zeros(model_folder):
    engine, _ = open_parts(model_folder("bert"), ("mean", "max", "cls", "lasttoken"))
    rows = engine.embed(PackedBatch.pack([[5, 6], [], [7]]))
    assert not rows[1].any()
    assert rows[0].any()
    assert rows[2].any()


def test_embed_a_broken_text_does_not_reach_its_neighbours(model_folder):
    engine, _ = open_parts(model_folder("bert"))
    whole = engine.embed(PackedBatch.pack([[5, 6, 7], [8, 9, 10]]))
    word = engine._weights["word"].copy()
    word[8] = np.nan
    engine._weights["word"] = word
    with np.errstate(invalid="ignore"):
        broken = engine.embed(PackedBatch.pack([[5, 6, 7], [8, 9, 10]]))
    assert np.isnan(broken[1]).all()
    assert np.abs(broken[0] - whole[0]).max() <= ALONE * np.linalg.norm(whole[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[5], [5, 10**6]], "token id 1000000 in text 1"),
        ([[-1]], "token id -1 in text 0"),
        ([[5], [5] * 67], "text 1 has 67 tokens; the model has positions for 66"),
    ],
)
def test_embed_ids_outside_the_tables_are_refused(rows, message, model_folder):
    engine, _ = open_parts(model_folder("bert"))
    with pytest.raises(ValueError, match=message):
        engine.embed(PackedBatch.pack(rows))


@pytest.mark.parametrize("length", [1, 5, 130, 300])
def test_buckets_equal_those_of_transformers(length):
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    position = torch.arange(length)
    relative = position[None, :] - position[:, None]
    expected = MPNetEncoder.relative_position_bucket(relative, num_buckets=32)
    assert (relative_position_buckets(length, 32) == expected.numpy()).all()
