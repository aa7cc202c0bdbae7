"""Smaller vectors score as if each were evaluated by itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from text2vec import SentenceModel
from text2vec.engines.native import native_problem
from text2vec.evaluation.ablation import ablate, draw_ablation, format_ablation
from text2vec.evaluation.task_data import load_task
from text2vec.evaluation.tasks import find_tasks

pytestmark = pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")


def test_rows_are_scores_of_their_own_vectors(model_folder, data, tmp_path):
    tasks = find_tasks(["stsb-zh"])
    rows = ablate(str(model_folder("bert")), tasks, data)
    forms = [(r.dtype, r.dim, r.precision, r.bytes_per_vector) for r in rows]
    assert forms == [
        ("float32", 32, "float32", 128),
        ("bfloat16", 32, "float32", 128),
        ("int8", 32, "float32", 128),
        ("int8", 16, "float32", 64),
        ("int8", 10, "float32", 40),
        ("int8", 5, "float32", 20),
        ("int8", 32, "int8", 32),
        ("int8", 32, "binary", 4),
    ]
    pairs = load_task(tasks[0], data)
    model = SentenceModel(model_folder("bert"), dtype="int8")
    left, right = (model.encode(side) for side in (pairs.left, pairs.right))
    short = model.similarity_pairwise(left[:, :10], right[:, :10])
    assert rows[4].score == pytest.approx(100 * spearmanr(short, pairs.labels).statistic)
    hamming = np.count_nonzero((left > 0) != (right > 0), axis=1)
    assert rows[7].score == pytest.approx(100 * spearmanr(-hamming, pairs.labels).statistic)
    draw_ablation(tmp_path / "a.html", rows)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.count("<circle") == 8
    assert format_ablation(rows).splitlines()[-1] in text
