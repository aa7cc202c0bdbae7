"""A model that one can compute by hand, and a way to run the command line with it."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from text2vec.cli.main import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Console(io.TextIOWrapper):
    """Standard input that may say that it is a terminal."""

    terminal = False

    def isatty(self):
        return self.terminal


@dataclass
class FakeModel:
    """A character is a token, and a text's vector is its hash."""

    max_seq_length: int = 20
    dim: int = 8
    calls: list[int] = field(default_factory=list)
    opened_with: tuple = ()
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    batch_sizes: list = field(default_factory=list)

    def vector(self, text: str) -> np.ndarray:
        digest = hashlib.blake2b(text[: self.max_seq_length].encode(), digest_size=self.dim)
        return np.frombuffer(digest.digest(), np.int8).astype(np.float32) / 100

    def encode_result(
        self,
        sentences,
        *,
        prompt,
        prompt_name,
        batch_size,
        normalize_embeddings,
        precision,
        truncate_dim,
        show_progress_bar,
    ):
        texts = [{"q": "query: "}.get(prompt_name, prompt or "") + text for text in sentences]
        self.calls.append(len(texts))
        self.batch_sizes.append(batch_size)
        rows = np.array([self.vector(text) for text in texts], np.float32).reshape(-1, self.dim)
        rows = rows[:, :truncate_dim]
        if normalize_embeddings:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        if precision == "ubinary":
            rows = np.packbits(rows > 0, axis=1)
        return SimpleNamespace(
            embeddings=rows if precision == "ubinary" else rows.astype(precision),
            truncated=np.array([len(text) > self.max_seq_length for text in texts], bool),
        )

    def similarity(self, a, b):
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return a @ b.T

    def similarity_pairwise(self, a, b):
        return np.array([
            self.similarity(x[None], y[None])[0, 0] for x, y in zip(a, b, strict=True)
        ])

    def describe(self):
        return {"model": "fake", "dim": self.dim, "threads": 2, "notes": ["made for tests"]}


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def run(model, monkeypatch, capsys):
    """Run ``text2vec`` in this process; wrong usage gives argparse's exit code."""

    def factory(name, **options):
        model.opened_with = (name, options)
        return model

    def run(*argv, stdin=b"", terminal=False):
        buffer = io.BufferedReader(stdin) if isinstance(stdin, io.RawIOBase) else io.BytesIO(stdin)
        console = Console(buffer, encoding="ascii")
        console.terminal = terminal
        monkeypatch.setattr(sys, "stdin", console)
        try:
            code = main([str(word) for word in argv], model_factory=factory)
        except SystemExit as exc:
            code = exc.code
        return Outcome(code, *capsys.readouterr())

    return run
