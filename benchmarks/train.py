"""Pairs per second of training, beside sentence-transformers' trainer with its defaults.

Both train the same model on the same pairs with CoSENT (scale 20), batches of 64 pairs, in turns,
each turn in a process of its own:  python benchmarks/train.py --pairs FILE.jsonl.gz

Theirs runs with its defaults (float32, sdpa, all weights); what ours does differently is said by
the options, and printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import CoSENTLoss

from text2vec.files.pairs import read_pairs
from text2vec.training.network import open_network
from text2vec.training.preparation import prepare
from text2vec.training.recipe import parse_recipe
from text2vec.training.scoring import padding_id
from text2vec.training.tensors import TrainingData
from text2vec.training.trainer import PlanTrainer, training_arguments

RECIPE = """
model = "{model}"
batch_pairs = {batch}
steps = {steps}
learning_rate = 5e-5
warmup = 0.0
loggers = []
attention = "{attention}"
freeze = {freeze}
frozen_layers = {frozen_layers}
checkpoint_steps = 1000000
[[source]]
name = "pairs"
files = ["{file}"]
loss = "cosent"
scale = [0, 5]
"""


class Clock(transformers.TrainerCallback):
    """Seconds of each step after the first, which warms up."""

    def __init__(self, *, cpu_time: bool) -> None:
        self.ends: list[float] = []
        self.now = time.process_time if cpu_time else time.perf_counter

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(self.now())

    def seconds(self) -> float:
        """Return the seconds of all steps but the first."""
        return self.ends[-1] - self.ends[0]


def run_theirs(folder: str, path: Path, args: argparse.Namespace) -> float:
    """Return the pairs per second of sentence-transformers' trainer."""
    pairs = read_pairs(path)
    data = datasets.Dataset.from_dict({
        "sentence1": [pair.text1 for pair in pairs],
        "sentence2": [pair.text2 for pair in pairs],
        "score": [pair.score for pair in pairs],
    })
    model, clock = SentenceTransformer(folder, device="cpu"), Clock(cpu_time=args.cpu_time)
    with tempfile.TemporaryDirectory() as work:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                work, per_device_train_batch_size=args.batch, max_steps=args.steps,
                save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
            ),
            train_dataset=data,
            loss=CoSENTLoss(model),
            callbacks=[clock],
        )  # fmt: skip
        trainer.train()
    return args.batch * (args.steps - 1) / clock.seconds()


def run_ours(folder: str, path: Path, args: argparse.Namespace) -> float:
    """Return the pairs per second of this package's trainer."""
    text = RECIPE.format(
        model=folder, batch=args.batch, steps=args.steps, file=path.name,
        attention=args.attention, frozen_layers=args.frozen_layers,
        freeze="[]" if args.train_words else '["word_embeddings"]',
    )  # fmt: skip
    recipe = parse_recipe(f'dtype = "{args.dtype}"\n{text}')
    preparation = prepare(recipe, path.parent)
    network, clock = open_network(preparation.spec, recipe), Clock(cpu_time=args.cpu_time)
    groups = preparation.corpus.groups
    data = TrainingData(groups, preparation.tokens, {}, padding_id(network), recipe.max_length)
    with tempfile.TemporaryDirectory() as work:
        arguments = training_arguments(recipe, Path(work), args.steps, 1)
        arguments.save_strategy = "no"
        trainer = PlanTrainer(
            network, data, preparation.plan, recipe, arguments,
            callbacks=[clock], dim=preparation.spec.dim,
        )  # fmt: skip
        trainer.train()
    # Batches are of like length: a few may all be short. So tokens are counted, and divided by
    # the mean of all rows.
    lengths = data.row_lengths(groups[0])
    items = preparation.plan.items[1 : args.steps]
    n_tokens = sum(int(lengths[batch.rows].sum()) for item in items for batch in item)
    return n_tokens / float(lengths.mean()) / clock.seconds()


def run_turn(name: str, folder: str, path: Path, args: argparse.Namespace) -> float:
    """Return the pairs per second of one turn, in this process."""
    if args.cpu_time:
        torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    run = run_theirs if name == "sentence-transformers" else run_ours
    return run(folder, path, args)


def main() -> None:
    """Run both in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", required=True, help="a file of pairs with scores from 0 to 5")
    parser.add_argument("--model", default="", help="a folder; the default model if left out")
    parser.add_argument("--batch", type=int, default=64, help="pairs of a step")
    parser.add_argument("--steps", type=int, default=6, help="of each turn; the first is not timed")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--attention", default="sdpa", help="ours: sdpa or eager")
    parser.add_argument("--dtype", default="float32", help="ours: float32 or bfloat16")
    parser.add_argument("--frozen-layers", type=int, default=0, help="ours")
    parser.add_argument("--train-words", action="store_true", help="ours: words are trained too")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="one thread, and its processor time: for a machine that does other work as well",
    )
    args = parser.parse_args()
    from text2vec.models.locate import ModelSource, locate_model

    folder = args.model or str(locate_model(ModelSource("multilingual-e5-small")))
    path = Path(args.pairs).absolute()
    rates: dict[str, list[float]] = {"sentence-transformers": [], "text2vec": []}
    for number in range(args.rounds):
        for name in rates:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rates[name].append(pool.apply(run_turn, (name, folder, path, args)))
            print(f"round {number + 1}: {name} {rates[name][-1]:.1f} pairs/s", flush=True)
    theirs, ours = (statistics.median(values) for values in rates.values())
    clock = "processor" if args.cpu_time else "wall"
    words = "words too" if args.train_words else "words frozen"
    print(
        f"{clock} time, {args.batch} pairs of {path.name}; ours: {args.dtype}, {args.attention}, "
        f"{words}, {args.frozen_layers} layers frozen"
    )
    print(f"sentence-transformers {theirs:.1f} pairs/s, text2vec {ours:.1f}: {ours / theirs:.2f}x")


if __name__ == "__main__":
    main()
