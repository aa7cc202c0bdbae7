"""The command evaluate: scores, speed, reports and checks.

It parses words, calls the rooms below and prints; heavy imports stand inside the functions.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2vec.cli.options import (
    add_command,
    file_name,
    model_options,
    open_model,
    positive_int,
    seed_number,
)

if TYPE_CHECKING:
    from text2vec.evaluation.expected import ExpectedScore
    from text2vec.evaluation.report import ReportRow
    from text2vec.evaluation.subject import Subject
    from text2vec.evaluation.tasks import Task

__all__ = ["DATA_VARIABLE", "add_commands", "run_evaluate"]

DATA_VARIABLE = "TEXT2VEC_DATA"
"""Environment variable that stands in for ``--data``."""

_EXAMPLES = """  text2vec evaluate --data ./data
  text2vec evaluate --model ./mine --model owner/other --dtype int8 --data ./data --output runs
  text2vec evaluate --suite multilingual --suite cross-lingual --data ./data --json
  text2vec evaluate --model shibing624/text2vec-base-multilingual --compare-published
  text2vec evaluate --data ./data --baseline tf-idf --baseline bm25 --report report.html
  text2vec evaluate --check benchmarks/expected.toml --data ./data --train ./trained
  text2vec evaluate --ablate --task stsb-zh --data ./data

Scores are Spearman x 100 (pairs), nDCG@10 (retrieval), v-measure (clustering), F1 (bitext), all of
cosines, whatever similarity a model was trained for. Queries and documents get the model's own
prompts. Without a data folder (--data, or TEXT2VEC_DATA) the data sets come from the Hugging Face
Hub. --output keeps each finished task; the same command goes on where it stopped. --json prints
one array; with --check an object a row, as it comes."""


_SUBJECTS = ("baseline", "word_vectors", "url", "url_model")
_ENGINE = (
    *("dtype", "engine", "device", "revision"),
    *("max_seq_length", "num_threads", "batch_size"),
)
_FORMS = ("output", "markdown", "compare_published")
# Mode -> options that would change nothing there.
_UNUSED = {
    "check": (*_SUBJECTS, *_ENGINE, *_FORMS, "model", "task", "tasks", "suite", "report", "ablate"),
    "ablate": (*_SUBJECTS, *_ENGINE, *_FORMS),
}


def add_commands(commands: Any) -> None:
    """Add evaluate.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    """
    command = add_command(
        commands,
        "evaluate",
        "score models on the published test sets",
        examples=_EXAMPLES,
        parents=[_subject_options(), _task_options(), model_options(many=True)],
    )
    group = command.add_argument_group("what to do with the scores")
    group.add_argument("--output", type=file_name, metavar="DIR", help="keep finished tasks here")
    group.add_argument("--report", type=file_name, metavar="FILE", help="write a page of HTML")
    group.add_argument(
        "--compare-published", action="store_true", help="show the card's rows beside the models"
    )
    group.add_argument("--check", type=file_name, metavar="FILE", help="run a file's rows, compare")
    group.add_argument(
        "--train",
        type=file_name,
        metavar="DIR",
        help="with --check: train in DIR what the rows with a recipe need (else they are not run)",
    )
    group.add_argument(
        "--markdown", action="store_true", help="the table as Markdown, as the README has it"
    )
    group.add_argument(
        "--ablate",
        action="store_true",
        help="what lower precisions, shorter and binary vectors cost, on the tasks",
    )
    group.add_argument("--no-qps", action="store_true", help="do not measure speed")
    group.add_argument(
        "--batch-size",
        type=positive_int,
        metavar="N",
        help="texts that a model computes together (default: the engine's choice)",
    )
    command.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> None:
    """Score what the options name, and print or write what they ask for.

    Parameters
    ----------
    args
        Parsed arguments of ``evaluate``.
    """
    from text2vec.evaluation.tasks import find_tasks, read_tasks

    _refuse_unused(args)
    _check_outputs(args)
    more = read_tasks(Path(args.tasks)) if args.tasks else {}
    if args.list:
        _print_tasks(args, more)
        return
    if args.check:
        _check(args)
        return
    names = [*args.task, *([] if args.task or args.suite else more)]
    suites = args.suite or ([] if names else ["chinese"])
    tasks = find_tasks(names, suites, more)
    if args.ablate:
        _ablate(args, tasks)
        return
    _evaluate(args, tasks)


def _refuse_unused(args: argparse.Namespace) -> None:
    for mode, names in _UNUSED.items():
        given = [
            f"--{name.replace('_', '-')}"
            for name in names
            if getattr(args, name) not in (None, False, "", "auto", [])
        ]
        if getattr(args, mode) and given:
            raise ValueError(f"--{mode} makes no use of {', '.join(given)}; leave it out")
    if args.ablate and len(args.model) > 1:
        raise ValueError(f"--ablate takes one model, not {len(args.model)}")
    if args.revision is not None and len(args.model) != 1:
        raise ValueError(f"--revision is of one model, not {len(args.model)}; give one --model")
    if args.train and not args.check:
        raise ValueError("--train goes with --check FILE, whose rows may have recipes")
    if args.json and args.markdown:
        raise ValueError("--json and --markdown are two forms of one table; leave one out")


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse what could not be written, before anything is computed."""
    if args.output and Path(args.output).is_file():
        raise ValueError(f"--output is {args.output}, a file; expected a folder")
    for option in ("output", "report"):
        if not getattr(args, option):
            continue
        path = Path(getattr(args, option))
        if not path.name:
            raise ValueError(f"--{option} is {path}; expected the name of something new")
        existing = next(folder for folder in path.absolute().parents if folder.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise ValueError(f"--{option} is {path}; expected a place that can be written to")
    if args.report and Path(args.report).is_dir():
        raise ValueError(f"--report is {args.report}, a folder; expected a file")


def _subject_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("beside models")
    group.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="NAME",
        help="edit-distance, tf-idf or bm25; may be repeated (a report has all three)",
    )
    group.add_argument(
        "--word-vectors", type=file_name, metavar="FILE", help="a word2vec file, averaged"
    )
    group.add_argument(
        "--unit",
        choices=("word", "char"),
        default="char",
        help="what is averaged: words, or characters as published (default)",
    )
    group.add_argument(
        "--url",
        action="append",
        default=[],
        metavar="URL",
        help="OpenAI-compatible server, such as http://127.0.0.1:8000/v1; key in OPENAI_API_KEY",
    )
    group.add_argument("--url-model", default="", metavar="NAME", help="model to ask a server for")
    return options


def _task_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("tasks")
    group.add_argument(
        "--data",
        type=file_name,
        metavar="DIR",
        default=os.environ.get(DATA_VARIABLE) or None,
        help="data folder (default: TEXT2VEC_DATA, else the Hugging Face Hub)",
    )
    group.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="NAME",
        help="chinese (default), multilingual, cross-lingual or paws-x; may be repeated",
    )
    group.add_argument(
        "--task", action="append", default=[], metavar="NAME", help="one task; may be repeated"
    )
    group.add_argument("--tasks", type=file_name, metavar="FILE", help="tasks of your own, TOML")
    group.add_argument("--list", action="store_true", help="list the tasks and stop")
    group.add_argument(
        "--seed", type=seed_number, default=0, metavar="N", help="of intervals (default: 0)"
    )
    return options


def _evaluate(args: argparse.Namespace, tasks: list[Task]) -> None:
    from text2vec.evaluation.report import ReportRow
    from text2vec.evaluation.runner import evaluate
    from text2vec.evaluation.speed import draw_texts, measure_speed

    rows: list[ReportRow] = []
    for subject in _subjects(args):
        evaluations = evaluate(
            subject,
            tasks,
            None if args.data is None else Path(args.data),
            output_folder=None if args.output is None else Path(args.output),
            seed=args.seed,
            show_progress_bar=False if args.quiet else None,
        )
        speeds = []
        if subject.embed is not None and not args.no_qps:
            own = draw_texts((t for e in evaluations for t in e.data.texts), seed=args.seed)
            speeds = [measure_speed(subject.embed), measure_speed(subject.embed, own)]
        rows.append(ReportRow(subject, evaluations, *speeds))
    _print_rows(args, rows, tasks)
    if args.report:
        from text2vec.evaluation.report import write_report

        write_report(Path(args.report), rows)


def _subjects(args: argparse.Namespace) -> list[Subject]:
    from text2vec.evaluation.baselines import BASELINES, baseline_subject
    from text2vec.evaluation.subject import encoder_subject, file_fingerprint, model_subject
    from text2vec.evaluation.systems import loader_settings

    others = args.baseline or args.word_vectors or args.url
    names: list[str | None] = args.model or ([] if others else [None])
    args.model = None  # what open_model takes for a name of None: the default model
    found: list[Subject] = [
        model_subject(
            open_model(args, name, **loader_settings(name or "")), batch_size=args.batch_size
        )
        for name in names
    ]
    if args.word_vectors:
        from text2vec.word2vec import Word2Vec

        vectors = Word2Vec(args.word_vectors, unit=args.unit)
        facts = {"fingerprint": file_fingerprint(Path(args.word_vectors)), "unit": args.unit}
        found.append(encoder_subject(f"Word2Vec {Path(args.word_vectors).name}", vectors, facts))
    for url in args.url:
        from text2vec.evaluation.remote import RemoteEncoder

        remote = RemoteEncoder(url, args.url_model)
        found.append(encoder_subject(url, remote, remote.facts))
    floors = args.baseline or (list(BASELINES) if args.report else [])
    return [*found, *(baseline_subject(name) for name in floors)]


def _print_rows(args: argparse.Namespace, rows: list[ReportRow], tasks: list[Task]) -> None:
    from text2vec.evaluation.report import published_json
    from text2vec.evaluation.systems import SYSTEMS
    from text2vec.evaluation.table import (
        format_markdown,
        format_table,
        published_row,
        split_by_suite,
    )

    names = [task.name for task in tasks]
    systems = SYSTEMS.values() if args.compare_published else ()
    if args.json:
        published = [published_json(system, names) for system in systems]
        _print_json([*(row.as_json() for row in rows), *published])
        return
    table = [row.table_row for row in rows]
    table += [published_row(system, names) for system in systems]
    form = format_markdown if args.markdown else format_table
    tables = split_by_suite(table)
    heads = [f"{suite}\n" if len(tables) > 1 else "" for suite in tables]
    texts = [head + form(part) for head, part in zip(heads, tables.values(), strict=True)]
    sys.stdout.write("\n\n".join(texts) + "\n")


def _print_json(value: Any) -> None:
    import json

    sys.stdout.write(f"{json.dumps(value, ensure_ascii=False)}\n")


def _print_tasks(args: argparse.Namespace, more: dict[str, Task]) -> None:
    from dataclasses import asdict

    from text2vec.evaluation.tasks import TASKS

    tasks = {**TASKS, **more}.values()
    if args.json:
        _print_json([asdict(task) for task in tasks])
        return
    for task in tasks:
        facts = f"{task.name:<16}{task.kind:<12}{task.language:<8}"
        where, licence = task.hub or "data folder only", task.licence or "no licence given"
        sys.stdout.write(f"{facts}{where:<22}{licence}\n")


def _check(args: argparse.Namespace) -> None:
    from text2vec.evaluation.expected import check_rows, read_expected

    def tell(row: ExpectedScore, score: float | None, *, run: bool) -> None:
        if args.json:
            _print_json(row.as_json(score, run=run))
        else:
            sys.stdout.write(f"{row.describe(score, run=run)}\n")
        sys.stdout.flush()

    rows = read_expected(Path(args.check))
    trained = None
    if args.train:
        trained = Path(args.train)
        _train_missing(rows, args, trained)
    failed = 0
    for row, score in check_rows(rows, None if args.data is None else Path(args.data), trained):
        failed += not row.allows(score)
        tell(row, score, run=True)
    for row in rows:
        if row.recipe and trained is None:
            tell(row, None, run=False)
    if failed:
        from text2vec.errors import Text2VecError

        raise Text2VecError(f"{failed} of {len(rows)} rows differ from {args.check}")


def _train_missing(rows: list[ExpectedScore], args: argparse.Namespace, folder: Path) -> None:
    """Train what the rows need and the folder has not; a run that was stopped goes on."""
    from dataclasses import replace

    from text2vec.training.recipe import read_recipe

    trained = [row for row in rows if row.recipe]
    if trained and args.data is None:
        raise ValueError(f"--train needs --data, or {DATA_VARIABLE}: recipes name files in it")
    for row in trained:
        if (folder / row.output).exists():
            continue
        from text2vec.training.run import train

        folder.mkdir(parents=True, exist_ok=True)
        recipe = replace(read_recipe(Path(row.recipe)), model=row.model)
        if args.quiet:
            recipe = recipe.without_console()
        train(recipe, args.data, folder / row.output, resume=True)


def _ablate(args: argparse.Namespace, tasks: list[Task]) -> None:
    from dataclasses import asdict

    from text2vec.evaluation.ablation import ablate, draw_ablation, format_ablation

    rows = ablate(
        (args.model or [None])[0],
        tasks,
        None if args.data is None else Path(args.data),
        factory=args.model_factory,
    )
    if args.json:
        _print_json([asdict(row) for row in rows])
    else:
        sys.stdout.write(f"{format_ablation(rows)}\n")
    if args.report:
        draw_ablation(Path(args.report), rows)
