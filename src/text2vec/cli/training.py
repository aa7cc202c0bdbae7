"""The commands that make models: they parse words, call the rooms below and print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from text2vec.cli.evaluation import DATA_VARIABLE
from text2vec.cli.options import add_command, file_name, positive_int
from text2vec.errors import require

__all__ = ["add_commands", "run_merge_models", "run_prune_model", "run_train"]

_EXAMPLES = """  text2vec train --recipe recipes/stsb-multi-cosent.toml --data ./data --dry-run
  text2vec train --recipe recipes/stsb-multi-cosent.toml --data ./data --output mine
  text2vec train --recipe recipes/stsb-multi-cosent.toml --data ./data --output mine --resume
  torchrun --nproc-per-node 2 -m text2vec.cli.main train --recipe ... --output mine

A recipe is a TOML file; its keys are in text2vec.training.recipe. Checkpoints and logs go to
OUTPUT.training. Ctrl-C ends a run with a checkpoint; --resume goes on with the very next batch."""
_MERGE_EXAMPLES = """  text2vec merge-models --model a --weight .2 --model b --weight .8 --output c

Each weight of the new model is the weighted average of theirs. Some of the base in a model that was
trained on it brings back what training cost elsewhere; the tokenizer is the first one's."""
_PRUNE_EXAMPLES = """  text2vec prune-model --model a --texts pairs.jsonl --neurons 1152 --output b

Of each feed-forward layer the given number of neurons stays; their weights are fitted to what the
whole layer answers to the texts. Training brings back most of what is lost: see recipes/."""


def add_commands(commands: Any) -> None:
    """Add train, merge-models and prune-model.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    """
    command = add_command(
        commands,
        "train",
        "train a model on pairs, triplets or labels",
        examples=_EXAMPLES,
        parents=[],
    )
    command.add_argument("--recipe", type=file_name, required=True, metavar="FILE", help="TOML")
    command.add_argument(
        "--data",
        type=file_name,
        default=os.environ.get(DATA_VARIABLE) or None,
        metavar="DIR",
        help=f"the data folder (default: the variable {DATA_VARIABLE})",
    )
    command.add_argument(
        "--model", type=file_name, metavar="NAME", help="what to train, instead of the recipe's"
    )
    command.add_argument("--output", type=file_name, metavar="DIR", help="where the model goes")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    command.set_defaults(run=run_train)
    merge = add_command(
        commands,
        "merge-models",
        "average the weights of models of one architecture",
        examples=_MERGE_EXAMPLES,
        parents=[],
    )
    merge.add_argument(
        "--model",
        type=file_name,
        action="append",
        required=True,
        metavar="NAME",
        help="folder or hub name; once for each model",
    )
    merge.add_argument(
        "--weight",
        type=float,
        action="append",
        required=True,
        metavar="W",
        help="once for each model, in the same order; their sum is 1",
    )
    merge.add_argument("--output", type=file_name, required=True, metavar="DIR", help="new folder")
    merge.set_defaults(run=run_merge_models)
    _add_prune_model(commands)


def _add_prune_model(commands: Any) -> None:
    prune = add_command(
        commands,
        "prune-model",
        "make feed-forward layers narrower",
        examples=_PRUNE_EXAMPLES,
        parents=[],
    )
    prune.add_argument(
        "--model", type=file_name, required=True, metavar="NAME", help="folder or hub name"
    )
    prune.add_argument(
        "--texts",
        type=file_name,
        action="append",
        required=True,
        metavar="FILE",
        help="texts of the kind that the model is for: .jsonl, .csv, .tsv or .parquet, .gz too; "
        "may be repeated",
    )
    prune.add_argument(
        "--rows",
        type=positive_int,
        default=1000,
        metavar="N",
        help="rows of each file, drawn at random (default: 1000)",
    )
    prune.add_argument(
        "--neurons", type=positive_int, required=True, metavar="N", help="that stay in each layer"
    )
    prune.add_argument(
        "--max-seq-length", type=positive_int, metavar="N", help="cut the texts at N tokens"
    )
    prune.add_argument("--output", type=file_name, required=True, metavar="DIR", help="new folder")
    prune.set_defaults(run=run_prune_model)


def run_train(args: argparse.Namespace) -> None:
    """Train what a recipe says, or print the plan.

    Parameters
    ----------
    args
        Parsed arguments of ``train``.
    """
    if args.data is None:
        args.parser.error(f"--data is missing, and {DATA_VARIABLE} is not set")
    if args.output is None and not args.dry_run:
        args.parser.error("--output is missing (or --dry-run)")
    from dataclasses import replace

    from text2vec.training.recipe import read_recipe

    recipe = read_recipe(Path(args.recipe))
    if args.model is not None:
        recipe = replace(recipe, model=args.model)
    if args.dry_run:
        from text2vec.training.preparation import describe_plan, prepare

        plan = describe_plan(prepare(recipe, Path(args.data)))
        sys.stdout.write(_as_json(plan) if args.json else _as_text(plan))
        return
    from text2vec.training.run import train

    if args.quiet:
        recipe = recipe.without_console()
    result = train(recipe, args.data, args.output, resume=args.resume)
    if args.json:
        facts = {"folder": str(result.folder), "steps": result.steps}
        scores = {"before": dict(result.before), "after": dict(result.after)}
        sys.stdout.write(_as_json({**facts, **scores}))
        return
    for name, value in result.after.items():
        sys.stdout.write(f"{name}: {result.before[name]:.2f} -> {value:.2f}\n")
    sys.stdout.write(f"{result.folder}\n")


def run_merge_models(args: argparse.Namespace) -> None:
    """Write the weighted average of models and print its folder.

    Parameters
    ----------
    args
        Parsed arguments of ``merge-models``.
    """
    if len(args.weight) != len(args.model):
        args.parser.error(
            f"--weight is given {len(args.weight)} times and --model {len(args.model)} times; "
            "expected one weight for each model"
        )
    _require_packages()
    from text2vec.training.merging import merge_models

    merge_models(args.model, args.weight, args.output)
    _print_folder(args)


def run_prune_model(args: argparse.Namespace) -> None:
    """Write a model with narrower feed-forward layers and print its folder.

    Parameters
    ----------
    args
        Parsed arguments of ``prune-model``.
    """
    _require_packages()
    from text2vec.training.pruning import prune_model, sample_texts

    texts = sample_texts([Path(name) for name in args.texts], args.rows)
    prune_model(args.model, texts, args.neurons, args.output, max_seq_length=args.max_seq_length)
    _print_folder(args)


def _require_packages() -> None:
    for package in ("torch", "transformers"):
        require(package, "train")


def _print_folder(args: argparse.Namespace) -> None:
    sys.stdout.write(_as_json({"folder": args.output}) if args.json else f"{args.output}\n")


def _as_json(value: Mapping[str, Any]) -> str:
    return f"{json.dumps(value, ensure_ascii=False)}\n"


def _as_text(plan: Mapping[str, Any]) -> str:
    lines = [
        f"model: {plan['model']}",
        f"steps: {plan['steps']} of {plan['batches_per_step']} batches",
        f"texts: {plan['texts']}; tokens of the run: {plan['tokens']}; "
        f"padding: {100 * plan['padding']:.1f} %",
    ]
    if plan["skipped"]:
        lines.append(f"skipped, too few rows: {', '.join(plan['skipped'])}")
    for row in plan["sources"]:
        dropped = [
            f"{value} {key}"
            for key, value in row.items()
            if isinstance(value, int) and key not in {"read", "rows", "batches"}
        ]
        lines.append(
            f"  {row['group']}: {row['loss']}, {row['read']} read, {row['rows']} rows "
            f"({', '.join(dropped) or 'none dropped'}), {row['batches']} batches, "
            f"{row['mean_tokens']} tokens a row"
        )
    return "\n".join(lines) + "\n"
