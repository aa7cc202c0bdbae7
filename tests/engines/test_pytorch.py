"""The PyTorch engine against our own, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engines.test_reference import open_parts, some_batch
from tests.tiny_models import ARCHITECTURES
from text2vec.arrays import PackedBatch
from text2vec.engines.pooling import Head
from text2vec.engines.pytorch import open_torch_engine
from text2vec.errors import ModelFormatError

ENGINES_AGREE = 2e-5  # float32 in torch against float32 in numpy, values up to 4


def open_torch(folder, pooling=("mean",), dtype="float32"):
    return open_torch_engine(folder, Head(pooling), dtype=dtype, device="cpu", num_threads=None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("pooling", [("mean",), ("first_last_avg", "cls")])
def test_embed_equals_the_reference_engine(architecture, pooling, model_folder):
    folder = model_folder(architecture)
    reference, shape = open_parts(folder, pooling)
    batch = some_batch(shape, (1, 9, 33, 4, 4))
    got = open_torch(folder, pooling).embed(batch, max_texts=2)
    np.testing.assert_allclose(got, reference.embed(batch), atol=ENGINES_AGREE)


def test_token_states_equal_the_reference_engine(model_folder):
    reference, shape = open_parts(model_folder("bert"))
    batch = some_batch(shape, (3, 8))
    got = open_torch(model_folder("bert")).token_states(batch)
    np.testing.assert_allclose(got, reference.token_states(batch), atol=ENGINES_AGREE)


def test_embed_bfloat16_stays_near(model_folder):
    reference, shape = open_parts(model_folder("bert"))
    batch = some_batch(shape, (3, 8))
    engine = open_torch(model_folder("bert"), dtype="bfloat16")
    assert engine.dtype == "bfloat16"
    left, right = engine.embed(batch), reference.embed(batch)
    cosines = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    assert cosines.min() > 0.999


def test_embed_no_texts_keeps_dim(model_folder):
    assert open_torch(model_folder("bert")).embed(PackedBatch.pack([])).shape == (0, 32)


def test_open_unknown_dtype_is_refused(model_folder):
    with pytest.raises(ValueError, match="has no dtype 'int3'; expected float32"):
        open_torch(model_folder("bert"), dtype="int3")


def test_open_damaged_folder_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(ModelFormatError, match="transformers cannot open it"):
        open_torch(tmp_path)
