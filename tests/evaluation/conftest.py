"""A small data folder with the built-in file names, and an encoder that one can count."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pytest

from text2vec.evaluation.subject import encoder_subject

WORDS = [
    "猫",
    "狗",
    "茶",
    "银行",
    "卡",
    "花呗",
    "绑定",
    "更换",
    "tea",
    "bank",
    "card",
    "dog",
    "cat",
]


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    path.write_bytes(
        gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode()
    )
    return path


def make_pairs(seed, n_pairs, scores):
    chooser = np.random.default_rng(seed)
    rows = []
    for _ in range(n_pairs):
        words = chooser.choice(WORDS, 4)
        other = chooser.choice(WORDS, 4)
        score = float(chooser.choice(scores))
        keep = round(4 * (score - min(scores)) / (max(scores) - min(scores)))
        second = [*words[:keep], *other[keep:]]
        rows.append({"sentence1": "".join(words), "sentence2": "".join(second), "score": score})
    return rows


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return a folder with small files under the names of the built-in tasks."""
    folder = tmp_path_factory.mktemp("data")
    for seed, (name, scores) in enumerate(
        {
            "atec": [0, 1],
            "bq": [0, 1],
            "lcqmc": [0, 1],
            "pawsx": [0, 1],
            "stsb-zh": range(6),
            "sohu-dd": [0, 3, 5],
            "sohu-dc": [0, 3, 5],
        }.items()
    ):
        write_lines(folder / f"eval/{name}.test.jsonl.gz", make_pairs(seed, 40, list(scores)))
    for language in ("de", "en"):
        rows = make_pairs(9, 30, [0, 2.5, 5])
        for row in rows:
            row["sentence1"] = f"{language} {row['sentence1']}"
        write_lines(folder / f"eval/stsb-multi-{language}.test.jsonl.gz", rows)
    return folder


class CountingEncoder:
    """A text's vector is the mean of its characters' hashes; every text asked for is kept."""

    dim = 8

    def __init__(self):
        self.asked = []

    def encode(self, sentences):
        self.asked += list(sentences)
        return np.array([self._vector(text) for text in sentences], np.float32).reshape(-1, 8)

    def _vector(self, text):
        rows = [
            np.frombuffer(hashlib.blake2b(c.encode(), digest_size=8).digest(), np.int8)
            for c in text or " "
        ]
        return np.mean(rows, axis=0) / 100


@pytest.fixture
def encoder():
    return CountingEncoder()


@pytest.fixture
def subject(encoder):
    return encoder_subject("counting", encoder, {"fingerprint": "1"})
