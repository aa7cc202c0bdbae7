"""Our engines beside sentence-transformers: same weights, texts, threads and process, taking turns.

    python benchmarks/encode.py [--texts FILE] [--rounds 3] [--kernels avx2 ...] [--json FILE]

From strings to vectors, tokenising included. The medians of texts/s and of the ratios of each
round are printed. Without a file of texts, 4,096 are made by seed from the demo's sentences.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from text2vec import SentenceModel
from text2vec.engines.native import native_problem
from text2vec.models.base_model.builder import build_base_model

N_TEXTS = 4096
BASELINE = "sentence-transformers fp32"


def read_texts(path: Path | None) -> list[str]:
    """Return the texts of a file, one a line, or made ones."""
    if path is not None:
        return path.read_text(encoding="utf-8").splitlines()[:N_TEXTS]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    from demo import SENTENCES

    chooser = random.Random(0)
    words = [text.split() if " " in text else list(text) for _, text in SENTENCES]
    return [
        (" " if len(some[0]) > 1 else "").join(chooser.choices(some, k=chooser.randint(4, 24)))
        for some in chooser.choices(words, k=N_TEXTS)
    ]


def open_models(folder: Path, kernels: list[str], threads: int) -> dict[str, SentenceModel]:
    """Return our engines by the name of their row."""
    models = {}
    if native_problem() is None:
        for family in ["auto", *kernels]:
            for dtype in ("int8", "bfloat16", "float32"):
                model = SentenceModel(
                    folder, engine="native", dtype=dtype, kernels=family, num_threads=threads
                )
                models[f"native {dtype} {model.describe()['kernels']}"] = model
    models["numpy float32"] = SentenceModel(folder, engine="reference", num_threads=threads)
    return models


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_milliseconds(run: Callable[[], object], times: int = 300) -> float:
    """Return the median time of a call."""
    return 1000 * statistics.median(seconds(run) for _ in range(times))


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer

    folder, texts = build_base_model(), read_texts(arguments.texts)
    threads = torch.get_num_threads()
    models = open_models(folder, arguments.kernels, threads)
    encoders: dict[str, Callable[[list[str]], object]] = {k: m.encode for k, m in models.items()}
    encoders[BASELINE] = SentenceTransformer(str(folder), device="cpu").encode
    times: dict[str, list[float]] = {name: [] for name in encoders}
    for encode in encoders.values():
        encode(texts[:64])
    for _ in range(arguments.rounds):
        for name, encode in encoders.items():
            times[name].append(seconds(lambda encode=encode: encode(texts)))  # type: ignore[misc]
    n_tokens = int(models["numpy float32"].tokenize(texts).batch.offsets[-1])
    print(f"{len(texts)} texts, {n_tokens} tokens, {threads} threads, {arguments.rounds} rounds")
    rows = {}
    base = np.array(times[BASELINE])
    for name, taken in times.items():
        rows[name] = {
            "texts_per_second": len(texts) / statistics.median(taken),
            "ratio": float(np.median(base / np.array(taken))),
            "one_text_ms": median_milliseconds(lambda n=name: encoders[n](texts[:1])),  # type: ignore[misc]
        }
    print(f"{'':<36}{'texts/s':>9}{'ratio':>8}{'one text, ms':>14}")
    for name, row in rows.items():
        print(
            f"{name:<36}{row['texts_per_second']:9.0f}{row['ratio']:8.2f}{row['one_text_ms']:14.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"seconds": times, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
