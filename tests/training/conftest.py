"""A data folder of a few dozen rows, and a model small enough to train in a second."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

from tests.tiny_models import SENTENCES


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def scored_rows(n_rows, seed=0, scale=5.0):
    random = np.random.default_rng(seed)
    words = " ".join(SENTENCES).split()
    rows = []
    for i in range(n_rows):
        first = " ".join(random.choice(words, int(random.integers(1, 9)))) + f" {i}"
        second = " ".join(random.choice(words, int(random.integers(1, 9)))) + f" {seed}"
        score = round(float(random.uniform(0, scale)), 2)
        rows.append({"sentence1": first, "sentence2": second, "score": score})
    return rows


@pytest.fixture
def data_folder(tmp_path):
    folder = tmp_path / "data"
    write_jsonl(folder / "train/a.jsonl", scored_rows(40))
    write_jsonl(folder / "eval/a.jsonl", scored_rows(20, 1))
    return folder


@pytest.fixture(autouse=True)
def quiet_libraries():
    """Keep progress bars out of the output; one thread, since two would wait for each other."""
    import transformers

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("text2vec").setLevel(logging.ERROR)
    yield
    torch.set_num_threads(n_threads)
    logging.getLogger("text2vec").setLevel(logging.NOTSET)
