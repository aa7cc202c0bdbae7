"""Which engine serves, and what each refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from tests.tiny_models import SENTENCES, make_model
from text2vec import SentenceModel
from text2vec.engines import opening
from text2vec.engines.native import native_problem

TEXTS = list(SENTENCES)
built = pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")


@built
def test_auto_is_native_where_it_can(model_folder):
    assert SentenceModel(model_folder("bert")).describe()["engine"] == "native"
    assert SentenceModel(model_folder("bert")).describe()["dtype"] == "float32"


@built
def test_auto_is_reference_where_the_native_engine_lacks_the_size(tmp_path):
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=36, num_attention_heads=2, num_hidden_layers=1,
        intermediate_size=8, max_position_embeddings=16,
    )  # fmt: skip
    folder = make_model("bert", tmp_path / "model")
    transformers.BertModel(config).save_pretrained(folder)
    assert SentenceModel(folder).describe()["engine"] == "reference"


def test_auto_is_reference_where_nothing_is_built(model_folder, monkeypatch):
    monkeypatch.setattr(opening, "native_problem", lambda: "no compiler")
    described = SentenceModel(model_folder("bert")).describe()
    assert (described["engine"], described["kernels"]) == ("reference", "numpy")


@built
@pytest.mark.parametrize(("dtype", "worst"), [("float32", 1 - 1e-6), ("bfloat16", 0.999)])
def test_native_agrees_with_reference(model_folder, dtype, worst):
    fast = SentenceModel(model_folder("bert"), dtype=dtype).encode(TEXTS)
    slow = SentenceModel(model_folder("bert"), engine="reference").encode(TEXTS)
    cosines = (fast * slow).sum(1) / np.linalg.norm(fast, axis=1) / np.linalg.norm(slow, axis=1)
    assert cosines.min() >= worst


@built
@pytest.mark.parametrize("architecture", ["ernie", "roberta", "xlm-roberta", "distilbert", "mpnet"])
def test_native_agrees_with_reference_on_any_architecture(model_folder, architecture):
    fast = SentenceModel(model_folder(architecture), engine="native").encode(TEXTS)
    slow = SentenceModel(model_folder(architecture), engine="reference").encode(TEXTS)
    np.testing.assert_allclose(fast, slow, atol=1e-5)


@built
def test_kernels_may_be_chosen_by_argument_and_environment(model_folder, monkeypatch):
    model = SentenceModel(model_folder("bert"), kernels="portable")
    assert model.describe()["kernels"].startswith("portable")
    monkeypatch.setenv("TEXT2VEC_KERNELS", "portable")
    assert SentenceModel(model_folder("bert")).describe()["kernels"].startswith("portable")


@built
def test_portable_kernels_say_that_they_are_slow(model_folder):
    model = SentenceModel(model_folder("bert"), kernels="portable")
    assert model.describe()["notes"][-1].startswith("portable kernels: ")


@built
def test_unknown_kernels_are_refused(model_folder):
    with pytest.raises(ValueError, match="sse9"):
        SentenceModel(model_folder("bert"), kernels="sse9")


def test_kernels_are_the_native_engines_alone(model_folder):
    with pytest.raises(ValueError, match="engine 'reference' has no kernels 'avx2'; expected"):
        SentenceModel(model_folder("bert"), engine="reference", kernels="avx2")


def test_native_without_the_extension_says_how_to_get_it(model_folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "text2vec._native", None)
    with pytest.raises(ImportError, match=r"the native engine is not built .*compiler"):
        SentenceModel(model_folder("bert"), engine="native")


@pytest.mark.parametrize("device", [None, "cpu", "cpu:0", torch.device("cpu")])
def test_every_name_of_the_cpu_is_the_cpu(device):
    assert opening.EngineRequest(device=device).on_cpu
