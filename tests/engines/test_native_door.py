"""What the native engine refuses, and how it behaves among threads and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.engines.encoder_oracle import (
    Sizes,
    forward,
    make_weights,
    pack,
    pool,
    random_texts,
    shape,
)
from text2vec.arrays import PackedBatch
from text2vec.engines.native import KERNELS_VARIABLE, NativeEngine, native_kernels
from text2vec.engines.pooling import DenseLayer, Head
from text2vec.models.architectures import TransformerShape

_native = pytest.importorskip("text2vec._native", reason="the native engine is not built")

SIZES = Sizes()


@pytest.fixture(scope="module")
def weights():
    return make_weights(SIZES)


@pytest.fixture(scope="module")
def small(weights):
    return _native.Encoder(shape(SIZES), weights, ["mean"])


def i32(*values):
    return np.array(values, np.int32)


def i64(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        (i32(1, -1), i64(0, 2), r"ids\[1\] is -1; expected 0 to 210"),
        (i32(1, 211), i64(0, 2), r"ids\[1\] is 211; expected 0 to 210"),
        (i32(1, 2), i64(), "offsets is empty"),
        (i32(1, 2), i64(1, 2), r"offsets\[0\] is 1; expected 0"),
        (i32(1, 2), i64(0, 2, 1), r"offsets\[2\] is 1; expected 2 to 2"),
        (i32(1, 2), i64(0, 3), r"offsets\[1\] is 3; expected 0 to 2"),
        (i32(1, 2), i64(0, -1), r"offsets\[1\] is -1"),
        (i32(1, 2), i64(0, 1), "offsets ends at 1; expected the number of ids, 2"),
        (np.zeros(519, np.int32), i64(0, 519), "has 519 tokens; the model has positions for 518"),
    ],
)
def test_bad_batches(small, ids, offsets, message):
    with pytest.raises(ValueError, match=message):
        small.embed(ids, offsets)
    with pytest.raises(ValueError, match=message):
        small.states(ids, offsets)


def test_bad_numbers(small):
    with pytest.raises(ValueError, match="num_threads is 0; expected at least 1"):
        small.embed(i32(1), i64(0, 1), 0)
    with pytest.raises(ValueError, match="skip is -1; expected 0 or more"):
        small.embed(i32(1), i64(0, 1), 1, -1)


@pytest.mark.parametrize("ids", [np.array([1.0]), np.array([1]), np.array([[1]], np.int32)])
def test_ids_of_another_kind(small, ids):
    with pytest.raises(TypeError, match="incompatible function arguments"):
        small.embed(ids, i64(0, 1))


def test_no_texts(small):
    assert small.embed(i32(), i64(0)).shape == (0, SIZES.hidden)
    assert small.states(i32(), i64(0, 0, 0)).shape == (0, SIZES.hidden)
    assert not small.embed(i32(), i64(*[0] * 300), 2).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": 68, "heads": 4}, 'shape."hidden". is 68; expected a multiple of 8'),
        ({"heads": 5}, "expected a multiple of shape"),
        ({"heads": 0}, 'shape."heads". is 0; expected 1 to 64'),
        ({"hidden": 1 << 20}, "expected 8 to 8192"),
        ({"layers": 0}, "expected 1 to 256"),
        ({"intermediate": 1 << 30}, "expected 1 to 65536"),
        ({"position_offset": 520}, "expected 0 to 519"),
        ({"layer_norm_eps": 0.0}, "expected a small positive number"),
        ({"layer_norm_eps": float("nan")}, "expected a small positive number"),
        ({"activation": "swish"}, "expected gelu, gelu_new, gelu_pytorch_tanh or relu"),
        ({"hidden": "wide"}, "is 'wide'; expected a whole number"),
        ({"vocab_size": 212}, r'weights."word". has shape \(211, 64\); expected \(212, 64\)'),
        ({"layers": 3}, r'weights."layers.2.query.weight". is missing; expected shape \(64, 64\)'),
        ({"layers": 1}, r'weights."layers.1\.\S+ is not part of this shape'),
    ],
)
def test_bad_shapes(weights, change, message):
    with pytest.raises(ValueError, match=message):
        _native.Encoder({**shape(SIZES), **change}, weights, ["mean"])


def test_a_missing_size(weights):
    sizes = shape(SIZES)
    del sizes["heads"]
    with pytest.raises(ValueError, match=r'shape."heads". is missing'):
        _native.Encoder(sizes, weights, ["mean"])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("layers.0.key.weight", np.zeros((64, 65), np.float32), r"has shape \(64, 65\)"),
        ("layers.0.key.bias", np.zeros((64, 1), np.float32), r"has shape \(64, 1\)"),
        ("word", np.zeros((211, 64)), "is not a contiguous array of float32"),
        ("word", np.zeros((64, 211), np.float32).T, "is not a contiguous array of float32"),
        ("word", None, "is not a contiguous array of float32"),
        ("layers.1.output.weight", np.full((64, 96), np.nan, np.float32), "is not finite"),
        ("position", np.full((520, 64), np.nan, np.float32), "position holds a number that is not"),
        ("layers.1.output_norm.bias", np.full(64, np.inf, np.float32), "is not finite"),
        ("relative_bias", np.zeros((32, 4), np.float32), "is not part of this shape"),
        (
            "distance_bias",
            np.zeros((4, 3), np.float32),
            r"has shape \(4, 3\); expected \(4, 1039\)",
        ),
        ("distance_bias", np.full((4, 1039), np.nan, np.float32), "is not finite"),
    ],
)
def test_bad_weights(weights, name, array, message):
    with pytest.raises(ValueError, match=message):
        _native.Encoder(shape(SIZES), {**weights, name: array}, ["mean"])


@pytest.mark.parametrize(
    ("head", "dtype", "kernels", "message"),
    [
        ([], "float32", "auto", "head is empty"),
        (["median"], "float32", "auto", 'pooling "median" is unknown; expected one of mean, cls'),
        (["mean"], "float16", "auto", "expected float32, bfloat16 or int8"),
        (["mean"], "int8", "avx1024", 'no kernels for dtype int8; expected "auto" or one of'),
        (["mean"], "int8", "portable/fma", "no kernels for dtype int8"),
    ],
)
def test_bad_choices(weights, head, dtype, kernels, message):
    with pytest.raises(ValueError, match=message):
        _native.Encoder(shape(SIZES), weights, head, dtype, kernels)


def test_a_family_that_the_machine_lacks_is_refused_by_name(weights):
    rows = _native.available_kernels()
    usable = {(family, dtype) for family, _, dtype, missing in rows if not missing}
    lacking = [row for row in rows if row[3] and (row[0], row[2]) not in usable]
    if not lacking:
        pytest.skip("this machine lacks no family")
    family, _, dtype, missing = lacking[0]
    with pytest.raises(ValueError, match=f"cannot run here .* needs {missing.split(' (')[0]}"):
        _native.Encoder(shape(SIZES), weights, ["mean"], dtype, family)


def test_the_portable_family_is_always_there():
    portable = {
        row[2] for row in _native.available_kernels() if row[0] == "portable" and not row[3]
    }
    assert portable == {"float32", "bfloat16", "int8"}


def test_the_word_table_outlives_its_name():
    weights = make_weights(SIZES)
    encoder = _native.Encoder(shape(SIZES), weights, ["mean"])
    ids, offsets = pack(random_texts(SIZES, (5, 9)))
    before = encoder.embed(ids, offsets)
    weights.clear()
    np.full((4096, 64), np.nan, np.float32)  # would take the freed memory
    assert encoder.embed(ids, offsets).tobytes() == before.tobytes()


def test_several_threads_use_one_encoder(small):
    batches = [pack(random_texts(SIZES, (3, 140, 0, 17), seed)) for seed in range(8)]
    alone = [small.embed(*batch, 1).tobytes() for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = pool.map(lambda batch: small.embed(*batch, 3).tobytes(), batches)
            assert list(together) == alone


def transformer_shape(**more):
    return TransformerShape("bert", **shape(SIZES), **more)


def test_the_engine_pools_projects_and_gives_states(weights, monkeypatch):
    monkeypatch.delenv(KERNELS_VARIABLE, raising=False)
    texts = random_texts(SIZES, (4, 0, 19))
    batch = PackedBatch(*pack(texts))
    head = Head(
        ("cls", "first_last_avg"),
        (DenseLayer(np.eye(9, 128, dtype=np.float32), None, "tanh"),),
        True,
    )
    engine = NativeEngine(transformer_shape(), weights, head, num_threads=2)
    expected = [forward(SIZES, weights, text) for text in texts]
    pooled = [
        np.concatenate([pool(mode, *states, 1) for mode in head.pooling]) for states in expected
    ]
    assert isinstance(engine.kernels, str)
    np.testing.assert_allclose(
        engine.embed(batch, skip=1), head.project(np.array(pooled, np.float32)), atol=1e-5
    )
    np.testing.assert_allclose(
        engine.token_states(batch), np.concatenate([last for _, last in expected]), atol=3e-5
    )


def test_the_environment_chooses_kernels(weights, monkeypatch):
    monkeypatch.setenv(KERNELS_VARIABLE, "portable")
    assert NativeEngine(transformer_shape(), weights, Head(("mean",))).kernels == "portable/plain"
    monkeypatch.setenv(KERNELS_VARIABLE, "abacus")
    with pytest.raises(ValueError, match="abacus"):
        NativeEngine(transformer_shape(), weights, Head(("mean",)))
    assert NativeEngine(transformer_shape(), weights, Head(("mean",)), kernels="portable").kernels


def test_without_the_extension_the_reason_is_said(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "text2vec._native", None)
    assert native_kernels() == []
    with pytest.raises(ImportError, match=r"not built .* install a C\+\+17 compiler"):
        NativeEngine(transformer_shape(), weights, Head(("mean",)))


FORK = """
import os, sys
import numpy as np
from tests.engines.encoder_oracle import Sizes, make_weights, pack, random_texts, shape
from text2vec import _native
sizes = Sizes()
encoder = _native.Encoder(shape(sizes), make_weights(sizes), ["mean"], "int8", "auto", 2)
batch = pack(random_texts(sizes, [40] * 20))
expected = encoder.embed(*batch, 2).tobytes()
child = os.fork()
if child == 0:
    os._exit(0 if encoder.embed(*batch, 2).tobytes() == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_encodes():
    assert subprocess.run([sys.executable, "-c", FORK], check=False, timeout=60).returncode == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timer that signals")
def test_signals_are_heard_during_a_call(weights):
    heard = []
    encoder = _native.Encoder(shape(SIZES), weights, ["mean"], "float32", "portable", 1)
    ids, offsets = pack([np.full(100, 7, np.int32)] * 3000)
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        encoder.embed(ids, offsets, 1)
        during = len(heard)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        with pytest.raises(KeyboardInterrupt):
            encoder.embed(ids, offsets, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert during > 1  # a call that hears nothing has one pending at its end
