"""The command line as a process of its own: signals, pipes, and a real if tiny model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from safetensors.numpy import save_file

from text2vec.sentence_model import SentenceModel

# A shell starts what runs in the background with SIGINT ignored, and children inherit that.
WITH_FAKE_MODEL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from conftest import FakeModel
from text2vec.cli.main import main
sys.exit(main(sys.argv[1:], model_factory=lambda *_, **__: FakeModel()))
"""
TEXTS = ["the cat sat", "", "a dog ran", "the cat sat", "the " * 40]


def start(*words):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    }
    return subprocess.Popen(
        [sys.executable, "-c", WITH_FAKE_MODEL, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def wait_for_temporary(folder, process):
    """Feed texts until the output file is being written; the pipe paces both sides."""
    while not [path for path in folder.iterdir() if path.stat().st_size > 10_000]:
        process.stdin.write(b"text\n" * 1000)
        process.stdin.flush()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (getattr(signal, "SIGKILL", 9), -9)],
)
def test_stopped_while_writing_makes_no_output(tmp_path, number, code):
    process = start("encode", "--chunk-size", 100, "--output", tmp_path / "o.npy")
    wait_for_temporary(tmp_path, process)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code
    assert err == b""
    left = [path.name for path in tmp_path.iterdir()]
    assert "o.npy" not in left
    # Nobody can tidy up after SIGKILL, but what stays cannot be taken for the result.
    assert left == [] if code > 0 else all(name.endswith(".tmp") for name in left)


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as EINVAL")
def test_reader_that_stops_early_is_no_error():
    process = start("encode", "--chunk-size", 1)
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["text"] == "first"
    process.stdout.close()
    process.stdin.write(b"more\n" * 10)
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.skipif(
    sys.platform != "linux", reason="arguments that are no UTF-8 are passed as bytes"
)
def test_argument_that_is_no_utf8_is_named():
    process = start("encode", os.fsdecode(b"caf\xe9"))
    _, err = process.communicate()
    assert process.returncode == 2
    assert err.endswith(b"error: texts: 'caf\\udce9' is not valid UTF-8\n")


HIDDEN = 32
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "a", "dog", "ran"]
CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": len(WORDS),
    "hidden_size": HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "hidden_act": "gelu",
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


def bert_shapes():
    yield from {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (32, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }.items()
    layer = "encoder.layer.0"
    linear = {
        f"{layer}.attention.self.query": (HIDDEN, HIDDEN),
        f"{layer}.attention.self.key": (HIDDEN, HIDDEN),
        f"{layer}.attention.self.value": (HIDDEN, HIDDEN),
        f"{layer}.attention.output.dense": (HIDDEN, HIDDEN),
        f"{layer}.intermediate.dense": (64, HIDDEN),
        f"{layer}.output.dense": (HIDDEN, 64),
        "embeddings.LayerNorm": (HIDDEN,),
        f"{layer}.attention.output.LayerNorm": (HIDDEN,),
        f"{layer}.output.LayerNorm": (HIDDEN,),
    }
    for name, shape in linear.items():
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A BERT of one layer in a plain transformers folder, made by seed."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tokenizers.BertWordPieceTokenizer(
        {word: place for place, word in enumerate(WORDS)}, lowercase=True
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    random = np.random.default_rng(0)
    tensors = {name: random.normal(0, 0.5, shape) for name, shape in bert_shapes()}
    weights = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def text2vec(*words, stdin=""):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "text2vec.cli.main", *map(str, words)],
        input=stdin.encode(),
        capture_output=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def oracle(tiny_model):
    """The same model, asked without the command line."""
    return SentenceModel(str(tiny_model))


def test_encode_with_a_model_from_disk(tiny_model, oracle, tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    out, err = text2vec("encode", "--model", tiny_model, "--input", path, "--output",
                        tmp_path / "o.npy", "--json")  # fmt: skip
    summary = json.loads(out)
    assert (summary["texts"], summary["dim"], summary["truncated"]) == (5, 32, 1)
    assert f"and were cut: {path}:5" in err
    expected = oracle.encode(TEXTS)
    assert np.abs(np.load(tmp_path / "o.npy") - expected).max() < 1e-6
    out, _ = text2vec("encode", "--model", tiny_model, stdin="\n".join(TEXTS))
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    assert np.abs(np.float32([row["embedding"] for row in rows]) - expected).max() < 1e-6


def test_search_and_similarity_with_a_model_from_disk(tiny_model, oracle):
    out, _ = text2vec("search", "a dog ran", "--model", tiny_model, "--input", "-", "--json",
                      stdin="\n".join(TEXTS))  # fmt: skip
    best = json.loads(out)["hits"][0]
    assert (best["line"], best["text"]) == (3, "a dog ran")
    assert best["score"] == pytest.approx(1, abs=1e-6)
    out, _ = text2vec("similarity", "the cat", "a dog", "--model", tiny_model)
    a, b = oracle.encode(["the cat", "a dog"])
    assert float(out) == pytest.approx(float(oracle.similarity(a[None], b[None])[0, 0]), abs=2e-6)


def test_info_with_a_model_from_disk(tiny_model, oracle):
    out, _ = text2vec("info", "--model", tiny_model, "--json")
    assert json.loads(out)["model"]["dim"] == 32
