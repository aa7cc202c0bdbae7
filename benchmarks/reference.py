"""The numpy engine beside sentence-transformers fp32: same weights, texts, threads, one process.

    python benchmarks/reference.py [--texts FILE] [--rounds 3] [--json FILE]

The two take turns; the median of each and the ratio of the pairs are printed. Without a file of
texts, 4,096 are made by seed from the demo's sentences, with STS-B's mix of lengths.
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

from text2vec import SentenceModel
from text2vec.models.base_model.builder import build_base_model

N_TEXTS = 4096


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


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer

    folder = build_base_model()
    texts = read_texts(arguments.texts)
    ours = SentenceModel(folder, engine="reference", num_threads=torch.get_num_threads())
    theirs = SentenceTransformer(str(folder), device="cpu")
    for model in (ours, theirs):
        model.encode(texts[:64])
    n_tokens = int(ours.tokenize(texts).batch.offsets[-1])
    times: dict[str, list[float]] = {"text2vec reference": [], "sentence-transformers fp32": []}
    for _ in range(arguments.rounds):
        times["text2vec reference"].append(seconds(lambda: ours.encode(texts)))
        times["sentence-transformers fp32"].append(seconds(lambda: theirs.encode(texts)))
    rates = {name: len(texts) / statistics.median(t) for name, t in times.items()}
    left, right = times.values()
    ratio = statistics.median(b / a for a, b in zip(left, right, strict=True))
    print(f"{len(texts)} texts, {n_tokens} tokens, {torch.get_num_threads()} threads")
    for name, rate in rates.items():
        print(f"{name:<28}{rate:8.0f} texts/s")
    print(f"{'ratio, median of pairs':<28}{ratio:8.2f}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"seconds": times, "texts_per_second": rates, "ratio": ratio}, indent=2)
        )


if __name__ == "__main__":
    main()
