"""The compact form: what it holds, that every engine agrees on it, and the way back."""

from __future__ import annotations

import json
import lzma
from dataclasses import asdict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.tiny_models import SENTENCES, WIDE, write_sentence_transformers
from text2vec import SentenceModel
from text2vec.arrays import PackedBatch
from text2vec.cli.main import main
from text2vec.engines.native import NativeEngine, native_kernels, native_problem
from text2vec.engines.pooling import Head
from text2vec.errors import ModelFormatError
from text2vec.models.checkpoint import load_weights
from text2vec.models.compact_folder import write_compact_folder
from text2vec.models.layout import read_spec
from text2vec.models.q4_table import Q4Table

TEXTS = list(SENTENCES)
MEAN = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
built = pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")


@pytest.fixture(params=["bert", "ernie", "xlm-roberta", "distilbert"])
def whole(request, model_folder, tmp_path):
    return write_sentence_transformers(
        model_folder(request.param), tmp_path / "whole", pooling=MEAN
    )


@pytest.fixture
def compact(whole, tmp_path):
    write_compact_folder(whole, tmp_path / "compact")
    return tmp_path / "compact"


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_files_hold_codes_and_the_size_is_told(whole, tmp_path):
    lost = write_compact_folder(whole, tmp_path / "compact")
    before = load_file(whole / "model.safetensors")
    after = load_file(tmp_path / "compact/model.safetensors")
    matrices = [name for name, array in after.items() if array.dtype == np.int8]
    assert len(matrices) == 3 * 6
    worst = 0.0
    for name in matrices:
        scale = after[f"{name}_scale"]
        assert np.abs(after[name]).max(1).tolist() == [127] * len(scale)
        error = np.abs(after[name] * scale - before[name])
        assert (error <= scale * 0.501).all()
        worst = max(worst, float(error.max()))
    assert lost.linear == pytest.approx(worst)
    assert lost.word > 0
    files = [path for path in (tmp_path / "compact").rglob("*") if path.is_file()]
    assert lost.size_bytes == sum(path.stat().st_size for path in files)
    packed = (tmp_path / "compact/tokenizer.json.xz").read_bytes()
    assert lzma.decompress(packed) == (whole / "tokenizer.json").read_bytes()


@built
def test_limits_are_kept_whatever_their_file_is_called(model_folder, tmp_path):
    whole = write_sentence_transformers(
        model_folder("xlm-roberta"), tmp_path / "whole", pooling=MEAN
    )
    (whole / "sentence_bert_config.json").unlink(missing_ok=True)
    limits = {"max_seq_length": 12, "do_lower_case": True}
    (whole / "sentence_xlm-roberta_config.json").write_text(json.dumps(limits))
    write_compact_folder(whole, tmp_path / "compact")
    spec = read_spec(tmp_path / "compact")
    assert (spec.max_seq_length, spec.do_lower_case) == (12, True)


def test_every_engine_computes_the_same_model(compact):
    reference = SentenceModel(compact, engine="reference").encode(TEXTS)
    for report in native_kernels():
        if report.dtype == "float32" and not report.missing:
            kernels = f"{report.family}/{report.variant}"
            native = SentenceModel(compact, dtype="float32", kernels=kernels).encode(TEXTS)
            np.testing.assert_allclose(native, reference, rtol=1e-5, atol=1e-5)
    model = SentenceModel(compact)
    assert (model.describe()["engine"], model.describe()["dtype"]) == ("native", "int8")
    assert cosines(model.encode(TEXTS), reference).min() > 0.99


@built
@pytest.mark.parametrize("wide", [513, 1100])
def test_native_int8_loses_nothing_more(model_folder, tmp_path, wide):
    whole = write_sentence_transformers(model_folder("bert"), tmp_path / "whole", pooling=MEAN)
    tensors, rng = load_file(whole / "model.safetensors"), np.random.default_rng(0)
    for name, array in tensors.items():
        sizes = [wide if size == WIDE else size for size in array.shape]
        if sizes != list(array.shape):
            tensors[name] = rng.standard_normal(sizes).astype(np.float32) / 20
    save_file(tensors, whole / "model.safetensors")
    config = json.loads((whole / "config.json").read_text())
    (whole / "config.json").write_text(json.dumps({**config, "intermediate_size": wide}))
    write_compact_folder(whole, tmp_path / "compact")
    spec = read_spec(whole)
    before, after = (
        load_weights(spec.body, spec.shape),
        load_weights(tmp_path / "compact", spec.shape),
    )
    after["word"] = before["word"]
    batch = PackedBatch.pack([[2, 9, 7, 3], [5]])
    states = [
        NativeEngine(spec.shape, weights, Head(("mean",)), dtype="int8").token_states(batch)
        for weights in (before, after)
    ]
    # With one scale for all pieces, each piece is quantised twice and this is 1e-2.
    np.testing.assert_allclose(states[1], states[0], atol=1e-5)


def test_scales_of_another_shape_are_refused(compact):
    path = compact / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("_scale"))
    for wrong in (tensors[name][:-1], tensors[name][:, :0], tensors[name][0, 0].reshape(())):
        save_file({**tensors, name: np.ascontiguousarray(wrong)}, path)
        with pytest.raises(ModelFormatError, match="_scale has"):
            SentenceModel(compact, engine="reference")


@built
def test_a_text_is_the_same_in_any_company(compact):
    model = SentenceModel(compact)
    together = model.encode(TEXTS)
    alone = np.array([model.encode(text) for text in TEXTS])
    assert np.array_equal(together, alone)


def test_saved_copy_is_whole_and_opens_elsewhere(compact, tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceModel(compact, engine="reference")
    model.save(tmp_path / "copy")
    assert "text2vec_storage" not in json.loads((tmp_path / "copy/config.json").read_text())
    theirs = SentenceTransformer(str(tmp_path / "copy"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(model.encode(TEXTS), theirs, rtol=1e-4, atol=1e-5)
    again = write_compact_folder(tmp_path / "copy", tmp_path / "again")
    assert (again.word, again.linear) == (0.0, pytest.approx(0, abs=1e-6))
    first, second = (load_file(tmp_path / f"{x}/model.safetensors") for x in ("compact", "again"))
    # Blocks of 4 bits may be written in two ways, which is why `again.word` is asked above.
    assert all(np.array_equal(first[n], second[n]) for n in first if first[n].dtype == np.int8)


def test_command_prints_size_and_loss(whole, tmp_path, capsys):
    words = ["pack-model", "--model", str(whole), "--output", str(tmp_path / "small")]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "folder": str(tmp_path / "small"),
        **asdict(write_compact_folder(whole, tmp_path / "x")),
    }
    assert main(words) == 0
    assert "MB; largest difference of a weight" in capsys.readouterr().out


@built
def test_native_engine_refuses_half_a_block(compact):
    spec = read_spec(compact)
    weights = load_weights(spec.body, spec.shape)
    weights["word"] = Q4Table(np.zeros((3, 18), np.uint8))
    with pytest.raises(ValueError, match=r'weights\["word"\] has shape \(3, 32\); expected'):
        NativeEngine(spec.shape, weights, Head(("mean",), (), False))
    weights["word"].blocks = np.zeros((3, 17), np.uint8)
    with pytest.raises(ValueError, match="rows of 17 bytes; expected a multiple of 18"):
        NativeEngine(spec.shape, weights, Head(("mean",), (), False))


def test_damage_is_named(compact):
    packed = compact / "tokenizer.json.xz"
    content = packed.read_bytes()
    packed.write_bytes(content[:-20])
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json\.xz (is cut off|cannot be)"):
        SentenceModel(compact, engine="reference")
    packed.write_bytes(b"no xz at all")
    with pytest.raises(ModelFormatError, match="cannot be unpacked"):
        SentenceModel(compact, engine="reference")
    packed.write_bytes(content)
    config = json.loads((compact / "config.json").read_text())
    key = next(k for k in ("vocab_size",) if k in config)
    (compact / "config.json").write_text(json.dumps({**config, key: config[key] + 1}))
    with pytest.raises(ModelFormatError, match="weights in 4 bits"):
        SentenceModel(compact, engine="reference")


def test_what_has_no_compact_form_is_refused(model_folder, compact, tmp_path):
    dense = {"in_features": 32, "out_features": 8, "bias": False}
    tensors = {"linear.weight": np.ones((8, 32), np.float32)}
    folder = write_sentence_transformers(
        model_folder("bert"), tmp_path / "d", pooling=MEAN, modules=(("Dense", dense, tensors),)
    )
    with pytest.raises(ValueError, match="no compact form"):
        write_compact_folder(folder, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.filterwarnings("default")
def test_torch_reads_the_same_weights(compact):
    expected = SentenceModel(compact, engine="reference").encode(TEXTS)
    found = SentenceModel(compact, engine="torch").encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_compact_folder_is_not_packed_again(compact, tmp_path):
    with pytest.raises(ValueError, match="is in compact form already"):
        write_compact_folder(compact, tmp_path / "again")
