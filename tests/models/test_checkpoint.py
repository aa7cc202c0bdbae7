"""Weights by name and shape: what is found, and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.tiny_models import ARCHITECTURES
from text2vec.errors import ModelFormatError
from text2vec.models.architectures import ARCHITECTURES as ROWS
from text2vec.models.architectures import read_shape
from text2vec.models.checkpoint import expected_shapes, load_weights


def shape_of(folder):
    return read_shape(json.loads((folder / "config.json").read_text()), "config.json")


@pytest.fixture
def bert(model_folder, tmp_path):
    """Return a folder that a test may damage, its tensors, and its sizes."""
    folder = shutil.copytree(model_folder("bert"), tmp_path / "bert")
    return folder, load_file(folder / "model.safetensors"), shape_of(folder)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_load_every_canonical_name_and_nothing_else(architecture, model_folder):
    shape = shape_of(model_folder(architecture))
    weights = load_weights(model_folder(architecture), shape)
    assert {name: w.shape for name, w in weights.items()} == expected_shapes(shape)
    assert all(w.dtype == np.float32 for w in weights.values())


def test_load_float32_stays_mapped(bert):
    folder, _, shape = bert
    word = load_weights(folder, shape)["word"]
    assert not word.flags.owndata
    assert not word.flags.writeable


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_load_other_float_is_widened(bert, dtype, tmp_path):
    from safetensors.torch import save_file as save_torch

    folder, tensors, shape = bert
    changed = {name: torch.from_numpy(t).to(dtype) for name, t in tensors.items()}
    save_torch(changed, folder / "model.safetensors")
    word = load_weights(folder, shape)["word"]
    key = "embeddings.word_embeddings.weight"
    assert word.dtype == np.float32
    assert (word == changed[key].float().numpy()).all()


def test_load_checkpoint_with_a_head_takes_the_encoder(bert):
    folder, tensors, shape = bert
    renamed = {f"bert.{name}": t for name, t in tensors.items()}
    renamed["cls.predictions.bias"] = np.zeros(200, np.float32)
    renamed["bert.embeddings.position_ids"] = np.zeros((1, 66), np.int64)
    save_file(renamed, folder / "model.safetensors")
    key = "encoder.layer.2.output.dense.weight"
    assert (load_weights(folder, shape)["layers.2.output.weight"] == tensors[key]).all()


def test_load_old_layer_norm_names(bert):
    folder, tensors, shape = bert
    swap = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in swap.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    save_file(renamed, folder / "model.safetensors")
    weights = load_weights(folder, shape)
    assert (weights["embedding_norm.bias"] == tensors["embeddings.LayerNorm.bias"]).all()


def test_load_bin_through_weights_only(bert):
    folder, tensors, shape = bert
    (folder / "model.safetensors").unlink()
    state = {name: torch.from_numpy(t) for name, t in tensors.items()}
    torch.save(state, folder / "pytorch_model.bin")
    key = "embeddings.word_embeddings.weight"
    assert (load_weights(folder, shape)["word"] == tensors[key]).all()


def test_load_bin_that_would_run_code_is_refused(bert):
    folder, _, shape = bert
    (folder / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(ModelFormatError, match=r"cannot be opened safely \(weights_only\)"):
        load_weights(folder, shape)


def test_load_sharded_checkpoint(bert):
    folder, tensors, shape = bert
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    key = "embeddings.word_embeddings.weight"
    assert (load_weights(folder, shape)["word"] == tensors[key]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.pop("encoder.layer.1.output.dense.bias"),
            r"tensor encoder.layer.1.output.dense.bias is missing",
        ),
        (
            lambda t: t.update({"encoder.layer.0.output.dense.bias": np.zeros(5, np.float32)}),
            r"has shape \(5,\); expected \(32,\)",
        ),
        (
            lambda t: t.update({"encoder.layer.3.output.dense.bias": np.zeros(32, np.float32)}),
            r"encoder.layer.3.output.dense.bias belongs to no layer",
        ),
        (
            lambda t: t.update({"embeddings.LayerNorm.bias": np.zeros(32, np.int64)}),
            r"is int64; expected floats",
        ),
    ],
)
def test_load_wrong_tensor_is_refused_by_name(bert, change, message):
    folder, tensors, shape = bert
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelFormatError, match=message):
        load_weights(folder, shape)


def test_load_folder_without_weights_is_refused(bert):
    folder, _, shape = bert
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFormatError, match=r"has no weights; expected model.safetensors or"):
        load_weights(folder, shape)


def test_every_architecture_names_every_weight():
    for name, row in ROWS.items():
        assert set(row.layer) == set(ROWS["bert"].layer), name
        assert {"word", "position", "embedding_norm.weight"} <= set(row.tables), name
