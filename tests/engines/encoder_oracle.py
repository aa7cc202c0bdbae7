"""A slow forward pass in double precision, and seeded models to run it on: the engines' oracle."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import erf

LAYER_MATRICES = ("query", "key", "value", "attention_output", "intermediate", "output")


@dataclass(frozen=True)
class Sizes:
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    intermediate: int = 96
    vocab_size: int = 211
    max_positions: int = 520
    position_offset: int = 2
    layer_norm_eps: float = 1e-12
    activation: str = "gelu"


def shape(sizes):
    return asdict(sizes)


def make_weights(sizes, seed=0):
    rng = np.random.default_rng(seed)

    def normal(*dims, size=0.05):
        return (rng.standard_normal(dims) * size).astype(np.float32)

    hidden, inner = sizes.hidden, sizes.intermediate
    weights = {
        "word": normal(sizes.vocab_size, hidden, size=0.5),
        "position": normal(sizes.max_positions, hidden, size=0.2),
        "token_type": normal(2, hidden),
        "embedding_norm.weight": 1 + normal(hidden),
        "embedding_norm.bias": normal(hidden),
    }
    for i in range(sizes.layers):
        for name in LAYER_MATRICES:
            outputs = inner if name == "intermediate" else hidden
            inputs = inner if name == "output" else hidden
            weights[f"layers.{i}.{name}.weight"] = normal(outputs, inputs)
            weights[f"layers.{i}.{name}.bias"] = normal(outputs)
        for name in ("attention_norm", "output_norm"):
            weights[f"layers.{i}.{name}.weight"] = 1 + normal(hidden)
            weights[f"layers.{i}.{name}.bias"] = normal(hidden)
    return weights


ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu_pytorch_tanh": lambda x: ACTIVATIONS["gelu_new"](x),
    "relu": lambda x: np.maximum(x, 0),
}


def forward(sizes, weights, ids):
    """States after the first and after the last layer, each ``(n_tokens, hidden)``, of one text."""
    w = {name: array.astype(np.float64) for name, array in weights.items() if name != "word"}
    tokens, head_dim = len(ids), sizes.hidden // sizes.heads
    if tokens == 0:
        return np.empty((0, sizes.hidden)), np.empty((0, sizes.hidden))

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt(x.var(-1, keepdims=True) + sizes.layer_norm_eps)
        return centred / scale * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def heads(x):
        return x.reshape(tokens, sizes.heads, head_dim).transpose(1, 0, 2)

    padding = sizes.position_offset - 1  # an id that has a row of its own and does not count
    counts = np.asarray(ids) != padding
    places = np.where(counts, sizes.position_offset + np.cumsum(counts) - 1, padding)
    x = weights["word"][ids] + w["position"][places]
    for table in ("token_type", "task_type"):
        x = x + (w[table][0] if table in w else 0)
    x = norm(x, "embedding_norm")
    after = []
    for i in range(sizes.layers):
        at = f"layers.{i}."
        query, key, value = (heads(linear(x, at + name)) for name in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(head_dim)
        if "distance_bias" in w:
            place = np.arange(tokens)
            scores += w["distance_bias"][:, sizes.max_positions - 1 + place - place[:, None]]
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        context = (weight / weight.sum(-1, keepdims=True)) @ value
        context = context.transpose(1, 0, 2).reshape(tokens, sizes.hidden)
        x = norm(x + linear(context, at + "attention_output"), at + "attention_norm")
        inner = ACTIVATIONS[sizes.activation](linear(x, at + "intermediate"))
        x = norm(x + linear(inner, at + "output"), at + "output_norm")
        after.append(x)
    return after[0], after[-1]


def pool(mode, first, last, skip):
    """One text's vector, ``(hidden,)``."""
    rows = last[skip:]
    if mode == "cls" and len(last):
        return rows[0] if len(rows) else last[0]
    if mode == "lasttoken" and len(last):
        return last[-1]
    if not len(rows):
        return np.zeros(last.shape[1])
    if mode == "weightedmean":
        weight = np.arange(skip + 1, len(last) + 1)
        return weight @ rows / weight.sum()
    return {
        "mean": lambda: rows.mean(0),
        "max": lambda: rows.max(0),
        "mean_sqrt_len_tokens": lambda: rows.sum(0) / np.sqrt(len(rows)),
        "first_last_avg": lambda: (first[skip:] + rows).mean(0) / 2,
    }[mode]()


def random_texts(sizes, lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, sizes.vocab_size, n).astype(np.int32) for n in lengths]


def pack(texts):
    offsets = np.fromiter(itertools.accumulate(map(len, texts), initial=0), np.int64)
    return np.concatenate([*texts, np.empty(0, np.int32)]).astype(np.int32), offsets


def cosines(a, b):
    return (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-30)
