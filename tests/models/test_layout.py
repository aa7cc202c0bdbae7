"""What is read of a model folder, layout by layout, and what is refused."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.tiny_models import write_sentence_transformers
from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.layout import LAYOUTS, read_spec


@pytest.fixture
def folder(model_folder, tmp_path):
    """Return a sentence-transformers folder that a test may damage."""
    return write_sentence_transformers(
        model_folder("bert"),
        tmp_path / "model",
        pooling={"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
    )


def edit(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "remove"}))


def test_read_sentence_transformers_layout(folder):
    spec = read_spec(folder)
    assert (spec.layout, spec.pooling, spec.max_seq_length) == (
        "sentence-transformers",
        ("mean",),
        32,
    )
    assert (spec.dim, spec.normalize, spec.notes) == (32, False, ())


def test_read_plain_layout_says_what_it_assumes(model_folder):
    spec = read_spec(model_folder("bert"))
    assert (spec.layout, spec.pooling, spec.max_seq_length) == ("transformers", ("mean",), 66)
    assert "mean pooling and 66 tokens assumed" in spec.notes[0]


def test_read_text2vec_layout_names_its_pooling(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "old")
    (folder / "eval_results.txt").write_text("spearman = 0.79\n")
    spec = read_spec(folder)
    assert spec.layout == "text2vec"
    assert "first_last_avg" in spec.notes[0]


@pytest.mark.parametrize("flags", [("cls",), ("max", "mean"), ("mean_sqrt_len_tokens",)])
def test_read_pooling_flags_in_the_order_of_concatenation(folder, flags):
    names = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens"}
    keys = {f"pooling_mode_{names.get(flag, flag)}": True for flag in flags}
    path = folder / "1_Pooling/config.json"
    path.write_text(json.dumps({"word_embedding_dimension": 32, **keys}))
    assert read_spec(folder).pooling == flags
    assert read_spec(folder).dim == 32 * len(flags)


def test_read_pooling_of_sentence_transformers_six(folder):
    config = {"embedding_dimension": 32, "pooling_mode": ["cls", "mean"], "include_prompt": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    spec = read_spec(folder)
    assert (spec.pooling, spec.include_prompt) == (("cls", "mean"), False)


def test_read_length_from_the_tokenizer_where_no_other_is(folder):
    (folder / "sentence_bert_config.json").write_text("{}")
    edit(folder / "tokenizer_config.json", model_max_length=40)
    assert read_spec(folder).max_seq_length == 40
    edit(folder / "tokenizer_config.json", model_max_length=10**30)
    assert read_spec(folder).max_seq_length == 66


def test_read_prompts(folder):
    content = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(content))
    spec = read_spec(folder)
    assert (dict(spec.prompts), spec.default_prompt_name) == ({"query": "query: "}, "query")


def test_read_unknown_architecture_leaves_it_to_torch(folder):
    edit(folder / "config.json", model_type="modernbert")
    assert read_spec(folder).shape is None


def test_read_missing_folder_is_not_found(tmp_path):
    with pytest.raises(ModelNotFoundError, match="nowhere is no folder"):
        read_spec(tmp_path / "nowhere")


def test_read_folder_without_markers_is_refused(tmp_path):
    with pytest.raises(ModelFormatError, match=r"neither modules.json nor config.json"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 33}, "hidden size 33 is no multiple of 4 heads"),
        ({"hidden_size": 10**9}, "hidden_size is 1000000000; expected 1 to"),
        ({"hidden_size": "32"}, "hidden_size is '32'; expected a whole number"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0; expected 1 to"),
        ({"vocab_size": "remove"}, "vocab_size is None; expected a whole number"),
        ({"layer_norm_eps": -1}, "layer_norm_eps is -1; expected 0 to 1"),
        ({"position_embedding_type": "relative_key"}, "know 'absolute' only"),
    ],
)
def test_read_absurd_config_is_refused(folder, change, message):
    edit(folder / "config.json", **change)
    with pytest.raises(ModelFormatError, match=message):
        read_spec(folder)


@pytest.mark.parametrize("path", ["../outside", "/etc", "a/../../b", "c:\\windows", None])
def test_read_module_path_that_leaves_the_folder_is_refused(folder, path):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelFormatError, match="leaves the model folder"):
        read_spec(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", "[", "is no valid JSON"),
        ("modules.json", "{}", "holds no list of modules"),
        ("modules.json", '[{"path": ""}]', "has no type"),
        ("modules.json", '[{"type": "a.Pooling", "path": "1_Pooling"}]', "expected Transformer"),
        ("modules.json", '[{"type": "a.Transformer", "path": ""}]', "no Pooling module"),
        ("config.json", "[1]", "holds a list; expected a JSON object"),
        ("config.json", '{"a": "\udcff"}', "is no valid JSON"),
        ("config.json", "[" * 100_000, "is no valid JSON"),
        ("1_Pooling/config.json", '{"pooling_mode": "meen"}', "unknown pooling 'meen' in"),
        ("sentence_bert_config.json", '{"max_seq_length": 0}', "max_seq_length is 0"),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": "q"}',
            "'q' is not among its prompts",
        ),
        ("config_sentence_transformers.json", '{"prompts": {"q": 1}}', "expected name: text"),
    ],
)
def test_read_damaged_file_is_refused(folder, name, content, message):
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelFormatError, match=message):
        read_spec(folder)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["Normalize", "Dense"], "Dense after Normalize is not supported"),
        (["CNN"], "module CNN is not supported here"),
    ],
)
def test_read_unknown_module_is_refused(folder, kinds, message):
    modules = json.loads((folder / "modules.json").read_text())
    modules += [{"type": f"sentence_transformers.models.{k}", "path": k} for k in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelFormatError, match=message):
        read_spec(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_features": 31}, "in_features is 31; expected 32"),
        ({"in_features": -1}, "in_features and out_features are"),
        ({"activation_function": "os.system"}, "activation 'os.system'; expected one of"),
        ({"use_residual": True}, "only plain Dense layers"),
    ],
)
def test_read_impossible_dense_is_refused(model_folder, tmp_path, change, message):
    dense = {"in_features": 32, "out_features": 4, "bias": True} | change
    folder = write_sentence_transformers(
        model_folder("bert"), tmp_path / "m", pooling={}, modules=(("Dense", dense, None),)
    )
    with pytest.raises(ModelFormatError, match=message):
        read_spec(folder)


def test_layouts_are_told_apart_by_their_markers():
    assert [layout.name for layout in LAYOUTS] == [
        "sentence-transformers",
        "text2vec",
        "transformers",
    ]
