"""SentenceModel as its users meet it: every option, every odd text, every fault at the door."""

from __future__ import annotations

import copy
import json
import logging
import math
import os
import pickle
import shutil
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from tests.tiny_models import SENTENCES, write_sentence_transformers
from text2vec import EncodeOptions, ModelFormatError, SentenceModel
from text2vec.encode_options import EncodeKeywords
from text2vec.engines.native import native_problem
from text2vec.errors import MissingExtraError
from text2vec.models.locate import DEFAULT_MODEL

ALONE = 1e-6  # what company may change in a vector of length 1
AGREES = 2e-6  # float32 of torch against float32 of ours, vectors of length 1
PROMPTS = {"query": "how to ", "document": "", "other": "replace the "}


@pytest.fixture(scope="session")
def folder(model_folder, tmp_path_factory):
    """Return a folder with prompts, a Dense layer and Normalize."""
    rng = np.random.default_rng(3)
    dense = {"in_features": 32, "out_features": 20, "bias": True}
    dense["activation_function"] = "torch.nn.modules.activation.Tanh"
    tensors = {
        # Not steeper than a trained layer: it would raise rounding above the bounds below.
        "linear.weight": 0.2 * rng.standard_normal((20, 32)).astype(np.float32),
        "linear.bias": rng.standard_normal(20).astype(np.float32),
    }
    made = write_sentence_transformers(
        model_folder("bert"),
        tmp_path_factory.mktemp("st") / "model",
        pooling={
            "word_embedding_dimension": 32,
            "pooling_mode_mean_tokens": True,
            "include_prompt": False,
        },
        modules=(("Dense", dense, tensors), ("Normalize", {}, None)),
    )
    (made / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": PROMPTS, "default_prompt_name": "other"})
    )
    return made


@pytest.fixture(scope="session", params=["reference", "native"])
def model(request, folder):
    if request.param == "native" and native_problem() is not None:
        pytest.skip("the extension is not built")
    return SentenceModel(folder, engine=request.param)


@pytest.fixture(scope="session")
def oracle(folder):
    return SentenceTransformer(str(folder), device="cpu")


TEXTS = list(SENTENCES)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt_name": "query"},
        {"prompt": "a prompt of mine "},
        {"prompt": ""},
        {"batch_size": 3},
        {"truncate_dim": 7},
        {"truncate_dim": 7, "normalize_embeddings": True},
        {"precision": "int8"},
        {"precision": "uint8"},
        {"precision": "binary"},
        {"precision": "ubinary", "truncate_dim": 9},
    ],
)
def test_encode_any_option_equals_sentence_transformers(model, oracle, options):
    got, expected = (m.encode(TEXTS, **options) for m in (model, oracle))
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    if got.dtype == np.float32:
        np.testing.assert_allclose(got, expected, atol=AGREES)
    else:  # a value on the edge of two steps may fall to either side
        assert (got != expected).mean() < 0.03
        assert np.abs(got.astype(int) - expected).max() <= 1 or "binary" in options["precision"]


def test_encode_query_and_document_take_their_prompts(model, oracle):
    for name in ("encode_query", "encode_document"):
        got, expected = (getattr(m, name)(TEXTS) for m in (model, oracle))
        np.testing.assert_allclose(got, expected, atol=AGREES)
        explicit = getattr(model, name)(TEXTS, prompt_name="query")
        np.testing.assert_allclose(explicit, model.encode(TEXTS, prompt_name="query"))


def test_encode_float16_is_the_rounded_float32(model):
    half = model.encode(TEXTS, precision="float16")
    assert half.dtype == np.float16
    assert (half == model.encode(TEXTS).astype(np.float16)).all()


def test_encode_one_string_gives_one_vector(model):
    one = model.encode(TEXTS[0])
    assert one.shape == (20,)
    np.testing.assert_allclose(one, model.encode([TEXTS[0]])[0], atol=ALONE)


@pytest.mark.parametrize("kind", [tuple, iter, lambda x: (t for t in x), np.array])
def test_encode_any_iterable_keeps_order(model, kind):
    np.testing.assert_allclose(model.encode(kind(TEXTS)), model.encode(TEXTS), atol=ALONE)


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_encode_no_texts_keep_dim(model, precision):
    rows = model.encode([], precision=precision)
    assert rows.shape == ((0, 3) if precision == "binary" else (0, 20))


def test_encode_empty_text_is_a_text(model):
    assert np.isfinite(model.encode("")).all()
    assert model.encode("").any()


@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=12), data=st.data())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_encode_text_depends_on_itself_alone(model, texts, data):
    order = data.draw(st.permutations(range(len(texts))))
    size = data.draw(st.none() | st.integers(1, 4))
    together = model.encode(texts)
    shuffled = model.encode([texts[i] for i in order], batch_size=size)
    alone = np.array([model.encode(text) for text in texts])
    assert np.abs(shuffled - together[list(order)]).max() <= ALONE
    assert np.abs(alone - together).max() <= ALONE


def test_encode_from_several_threads_at_once(model):
    expected, results = model.encode(TEXTS), [None] * 6

    def work(i):
        results[i] = model.encode(TEXTS)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in results:
        np.testing.assert_allclose(rows, expected, atol=ALONE)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (None, "sentences is a NoneType; expected an iterable of str"),
        (5, "sentences is a int"),
        (b"bytes", "sentences is a bytes"),
        ({"a": 1}, "sentences is a dict"),
        (["a", None], 'text 1 is None; expected a str; use "" for a missing text'),
        ([math.nan], "text 0 is nan"),
        (["a", "b", 7], "text 2 is 7"),
        ([["a"]], r"text 0 is \['a'\]"),
        ([b"x" * 100], "text 0 is a bytes"),
    ],
)
def test_encode_what_is_no_text_is_refused(model, sentences, message):
    with pytest.raises(TypeError, match=message):
        model.encode(sentences)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"batch_size": 0}, "batch_size is 0; expected a whole number above 0"),
        ({"truncate_dim": -1}, "truncate_dim is -1"),
        ({"truncate_dim": "4"}, "truncate_dim is '4'; expected a whole number"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected a whole number"),
        ({"truncate_dim": 21}, "truncate_dim is 21; the model's embeddings have 20"),
        ({"prompt_name": "nope"}, "unknown prompt_name 'nope'; the model's prompts are: 'query'"),
    ],
)
def test_encode_impossible_option_is_refused_even_without_texts(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.encode([], **options)


def test_encode_lone_surrogate_is_refused_with_its_place(model):
    with pytest.raises(ValueError, match=r"text 4097 holds a lone surrogate U\+D800"):
        model.encode(["a"] * 4097 + ["\ud800"])
    with pytest.raises(ValueError, match=r"text 4097 holds a lone surrogate U\+D800"):
        list(model.encode_iter(["a"] * 4097 + ["\ud800"]))


def test_a_path_is_a_folder_whatever_it_is_called(model_folder, tmp_path, monkeypatch):
    shutil.copytree(model_folder("bert"), tmp_path / DEFAULT_MODEL)
    monkeypatch.chdir(tmp_path)
    dims = [SentenceModel(name).dim for name in (Path(DEFAULT_MODEL), f"./{DEFAULT_MODEL}")]
    assert dims == [32, 32]


def test_no_texts_have_no_states(model):
    assert model.encode_tokens([]) == []


def test_without_a_home_the_library_tokenises(model_folder, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("text2vec.pipeline.cache_home", homeless)
    assert SentenceModel(model_folder("bert")).describe()["tokenizer"] == "tokenizers"


def test_an_extension_that_does_not_load_leaves_the_library(model_folder, monkeypatch, tmp_path):
    def broken():
        raise MissingExtraError("undefined symbol")

    monkeypatch.setattr("text2vec.text.compact._extension", broken)
    monkeypatch.setenv("TEXT2VEC_CACHE", str(tmp_path))
    assert SentenceModel(model_folder("bert")).describe()["tokenizer"] == "tokenizers"


def test_encode_logs_once_how_many_texts_were_cut(model, caplog):
    texts = ["word " * 100 if i in {1, 5000} else "a" for i in range(5001)]
    with caplog.at_level(logging.WARNING, "text2vec"):
        model.encode(texts)
    assert [r.getMessage() for r in caplog.records] == [
        "2 of 5001 texts were cut at 32 tokens (text 1, 5000); encode_result() says which"
    ]


def test_encode_result_says_which_texts_were_cut(model, caplog):
    result = model.encode_result(["a", "word " * 100, ""], prompt="")
    assert result.truncated.tolist() == [False, True, False]
    assert result.n_tokens.tolist() == [3, 32, 2]
    assert result.embeddings.shape == (3, 20)
    assert not caplog.records


def test_encode_iter_equals_encode_and_bounds_memory(model):
    def endless():
        while True:
            yield from ("a", "b c", "word " * 30)

    rows = model.encode_iter(endless())
    expected = model.encode(["a", "b c", "word " * 30])
    first = [next(rows) for _ in range(6)]
    np.testing.assert_allclose(first, np.vstack([expected, expected]), atol=ALONE)
    tracemalloc.start()
    for _ in range(3 * 4096):
        next(rows)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2 * 4096):
        next(rows)
    assert tracemalloc.get_traced_memory()[0] < before + 2_000_000
    tracemalloc.stop()


def test_encode_iter_refuses_at_the_call_what_it_can(model):
    with pytest.raises(ValueError, match="takes each dimension's range from all texts"):
        model.encode_iter([], precision="int8")
    with pytest.raises(ValueError, match="unknown prompt_name"):
        model.encode_iter([], prompt_name="nope")


@pytest.mark.parametrize("method", ["encode_result", "encode_iter", "encode_tokens", "tokenize"])
@pytest.mark.parametrize("sentences", ["abc", {"a": 1}])
def test_a_single_string_is_not_taken_for_its_characters(model, method, sentences):
    with pytest.raises(TypeError, match="expected an iterable of str"):
        getattr(model, method)(sentences)


def test_encode_iter_that_is_left_early_still_says_what_was_cut(model, caplog):
    rows = model.encode_iter(["word " * 100] * 20)
    next(rows)
    rows.close()
    assert "20 of 20 texts were cut at 32 tokens (text 0, 1, 2, 3, 4, ...)" in caplog.text


def test_encode_iter_names_the_place_of_a_wrong_text(model):
    rows = model.encode_iter(["a"] * 4096 + [None])
    with pytest.raises(TypeError, match="text 4096 is None"):
        list(rows)


def test_encode_tokens_gives_a_matrix_per_text(model):
    states = model.encode_tokens(["a", "", "two words"])
    assert [s.shape[1] for s in states] == [32, 32, 32]
    assert [len(s) for s in states] == model.tokenize(["a", "", "two words"]).batch.lengths.tolist()


def test_similarity_equals_sentence_transformers(model, oracle):
    a, b = model.encode(TEXTS[:4]), model.encode(TEXTS[4:8])
    np.testing.assert_allclose(model.similarity(a, b), oracle.similarity(a, b).numpy(), atol=AGREES)
    np.testing.assert_allclose(
        model.similarity_pairwise(a, b), oracle.similarity_pairwise(a, b).numpy(), atol=AGREES
    )


@pytest.mark.parametrize("pooling", ["cls", "lasttoken", ("cls", "mean"), "first_last_avg"])
def test_pooling_may_be_chosen(model_folder, pooling, tmp_path):
    chosen = SentenceModel(model_folder("bert"), pooling=pooling)
    assert chosen.dim == (64 if isinstance(pooling, tuple) else 32)
    states = chosen.encode_tokens(TEXTS[:2])
    if pooling == "cls":
        np.testing.assert_allclose(chosen.encode(TEXTS[:2]), [s[0] for s in states], atol=1e-5)


def test_first_last_avg_of_one_text_is_that_of_the_original(model_folder):
    import torch
    import transformers

    body = model_folder("bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(body)
    inputs = tokenizer([TEXTS[2]], return_tensors="pt")
    with torch.no_grad():
        hidden = transformers.AutoModel.from_pretrained(body)(
            inputs["input_ids"], output_hidden_states=True
        ).hidden_states
    expected = (hidden[1].mean(1) + hidden[-1].mean(1)) / 2
    got = SentenceModel(body, pooling="first_last_avg").encode(TEXTS[2])
    np.testing.assert_allclose(got, expected[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_seq_length": 67}, "max_seq_length is 67; expected 1 to 66"),
        ({"max_seq_length": 2}, "expected more than the 2 special tokens"),
        ({"pooling": "meen"}, "unknown pooling 'meen'; expected cls"),
        ({"pooling": ("cls", "mean")}, "gives 64 dimensions; the model's Dense layer expects 32"),
        ({"engine": "magic"}, "unknown engine 'magic'; expected auto or one of"),
        ({"dtype": "int3", "engine": "reference"}, "engine 'reference' has no dtype 'int3'"),
        ({"device": "cuda", "engine": "reference"}, "engine 'reference' has no device 'cuda'"),
        ({"num_threads": 0}, "num_threads is 0; expected 1 to 1024"),
        ({"num_threads": "2"}, "num_threads is '2'; expected 1 to 1024"),
        ({"max_seq_length": "9"}, "max_seq_length is '9'; expected 1 to 66"),
        ({"truncate_dim": 21}, "truncate_dim is 21; the model's embeddings have 20"),
        ({"default_prompt_name": "nope"}, "unknown default_prompt_name 'nope'"),
    ],
)
def test_open_impossible_option_is_refused(folder, options, message):
    with pytest.raises(ValueError, match=message):
        SentenceModel(folder, **options)


def test_open_without_a_name_is_the_model_of_the_package(tmp_path, monkeypatch):
    (tmp_path / DEFAULT_MODEL).mkdir()  # a folder of that name is not meant
    monkeypatch.chdir(tmp_path)
    model = SentenceModel()
    facts = model.describe()
    assert (model.name, model.dim, facts["dtype"]) == (DEFAULT_MODEL, 384, "int8")
    cat, katze, train = model.encode(["A cat sleeps.", "Eine Katze schläft.", "火车八点出发。"])
    assert cat @ katze > cat @ train


def test_open_without_tokenizer_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(ModelFormatError, match="has no tokenizer"):
        SentenceModel(broken)


def test_open_truncated_weights_are_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    whole = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ModelFormatError, match=r"model.safetensors"):
        SentenceModel(broken)


def test_open_unreadable_folder_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "config.json").unlink()
    (broken / "config.json").mkdir()
    with pytest.raises(ModelFormatError, match=r"config.json"):
        SentenceModel(broken)


def test_open_says_aloud_what_it_assumes(model_folder, caplog):
    with caplog.at_level(logging.WARNING, "text2vec"):
        SentenceModel(model_folder("bert"))
    assert "mean pooling and 66 tokens assumed" in caplog.text


def test_prompts_may_be_replaced(folder):
    model = SentenceModel(folder, prompts={"mine": "word "}, default_prompt_name="mine")
    same = SentenceModel(folder).encode(TEXTS, prompt="word ")
    np.testing.assert_allclose(model.encode(TEXTS), same, atol=ALONE)


def test_describe_is_json(model):
    described = json.loads(json.dumps(model.describe()))
    assert described["engine"] in {"reference", "native"}
    assert described["dim"] == 20


def test_keywords_are_the_options():
    assert set(EncodeKeywords.__annotations__) == set(EncodeOptions.__dataclass_fields__)


def test_progress_bar_is_shown_where_asked(model, capsys):
    model.encode(["a", "b"], show_progress_bar=True)
    shown = capsys.readouterr()
    assert "encode: 100%" in shown.err
    assert not shown.out


def test_progress_bar_is_not_shown_where_nobody_looks(model, capsys):
    model.encode(["a"] * 5000)
    assert not capsys.readouterr().err


def test_environment_is_left_alone(folder):
    before = dict(os.environ)
    SentenceModel(folder).encode(["a"])
    assert dict(os.environ) == before


def test_names_of_sentence_transformers_work_or_say_what_does(folder):
    model = SentenceModel(folder)
    assert model.get_sentence_embedding_dimension() == model.dim
    same = model.encode("a", convert_to_numpy=True, convert_to_tensor=False)
    assert np.array_equal(same, model.encode("a"))
    for keywords in ({"convert_to_tensor": True}, {"convert_to_numpy": False}):
        with pytest.raises(ValueError, match="encode gives numpy arrays; expected torch"):
            model.encode("a", **keywords)
    with pytest.raises(AttributeError, match=r"cannot be set; expected .*max_seq_length=8"):
        model.max_seq_length = 8


def test_truncate_dim_of_a_folder_is_obeyed_and_kept(model_folder, tmp_path):
    whole = write_sentence_transformers(
        model_folder("bert"),
        tmp_path / "whole",
        pooling={"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
    )
    theirs = SentenceTransformer(str(whole), truncate_dim=16, device="cpu")
    theirs.save(str(tmp_path / "theirs"))
    ours = SentenceModel(tmp_path / "theirs")
    assert ours.dim == 16
    np.testing.assert_allclose(ours.encode("a dog"), theirs.encode("a dog"), atol=1e-5)
    ours.save(tmp_path / "ours")
    again = SentenceTransformer(str(tmp_path / "ours"), device="cpu")
    assert again.encode("a dog").shape == (16,)
    assert SentenceModel(tmp_path / "theirs", truncate_dim=8).dim == 8


def test_a_model_can_be_copied_and_pickled(model_folder):
    model = SentenceModel(model_folder("bert"), truncate_dim=8, prompts={"q": "ask: "})
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (copied.name, copied.dim, dict(copied.prompts)) == (model.name, 8, {"q": "ask: "})
        np.testing.assert_array_equal(copied.encode(SENTENCES), model.encode(SENTENCES))


@pytest.mark.parametrize("texts", [np.array("abc"), np.array([["a", "b"]])])
def test_a_table_or_a_scalar_is_no_column_of_texts(model, texts):
    with pytest.raises(TypeError, match="axes; expected one column of texts"):
        model.encode(texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": 5}, "prompt is a int; expected a str"),
        ({"prompt": b"x"}, "prompt is a bytes; expected a str"),
        ({"prompt_name": ["x"]}, "prompt_name is a list; expected a str"),
        ({"prompt": "x\ud800"}, "holds a lone surrogate"),
    ],
)
def test_a_prompt_is_a_text(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.encode(["ok"], **options)


@pytest.mark.parametrize("prompts", [{"q": 5}, ["q"]])
def test_prompts_are_texts_by_name(model_folder, prompts):
    with pytest.raises(ValueError, match="expected name: text"):
        SentenceModel(model_folder("bert"), prompts=prompts)


def test_wrong_options_of_a_stream_raise_at_once(model):
    with pytest.raises(ValueError, match="truncate_dim is 1000"):
        model.encode_iter(["a"], truncate_dim=1000)
    with pytest.raises(TypeError, match="unexpected keyword 'hue'; expected batch_size, "):
        model.encode_iter(["a"], hue=3)
