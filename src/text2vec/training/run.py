"""A training run from end to end: prepare, train, merge, score, write.

The finished model is the folder that the user named; checkpoints and logs lie beside it, in
``<folder>.training``, until the user removes them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2vec.errors import require
from text2vec.evaluation.subject import file_fingerprint
from text2vec.files.text_file import write_text
from text2vec.models.saved_folder import check_target
from text2vec.training.batches import BatchPlan
from text2vec.training.preparation import Preparation, prepare
from text2vec.training.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from text2vec.training.network import SentenceNetwork
    from text2vec.training.trainer import PlanTrainer

__all__ = ["TrainingResult", "train"]

_PACKAGES = ("torch", "transformers", "sentence_transformers", "accelerate")
_LOG_FILE = "log.csv"
_PLAN_FILE = "plan.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a run gave.

    Attributes
    ----------
    folder
        The model.
    steps
        Of the optimiser.
    before, after
        Spearman x 100 on the evaluation files, of the starting and of the finished model.
    """

    folder: Path
    steps: int
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)


def train(
    recipe: Recipe | str | Path, data: str | Path, output: str | Path, *, resume: bool = False
) -> TrainingResult:
    """Train a model and write it to a folder.

    Parameters
    ----------
    recipe
        A recipe, or a TOML file of one.
    data
        The folder that the recipe's files lie in.
    output
        Where the model goes; ``<output>.training`` holds checkpoints and logs.
    resume
        Go on from the last whole checkpoint; from the beginning where there is none yet.

    Returns
    -------
    TrainingResult
        Scores before and after.

    Raises
    ------
    MissingExtraError
        If torch, transformers, sentence-transformers or accelerate is not installed.
    ValueError
        If the recipe is wrong, if ``output`` holds other files than a model's, or there are
        checkpoints of another run beside it, or of this one without ``resume``.
    DataFormatError
        If a row of the data is wrong.
    TrainingError
        If a loss becomes NaN; the last checkpoint stays.
    KeyboardInterrupt
        After Ctrl-C, when the checkpoint is written.

    Examples
    --------
    >>> train("recipe.toml", "data", "mine").folder            # doctest: +SKIP
    PosixPath('mine')
    """
    for package in _PACKAGES:
        require(package, "train")
    if not isinstance(recipe, Recipe):
        recipe = read_recipe(Path(recipe))
    folder = Path(output).absolute()
    check_target(folder)
    preparation = prepare(recipe, Path(data))
    work = folder.with_name(f"{folder.name}.training")
    return _run(preparation, Path(data), folder, work, resume=resume)


def _run(
    preparation: Preparation, data: Path, folder: Path, work: Path, *, resume: bool
) -> TrainingResult:
    if preparation.plan.skipped:
        _LOG.warning("skipped, too few rows: %s", ", ".join(preparation.plan.skipped))
    run = _run_fingerprint(preparation)
    checkpoint = _open_work_folder(work, run, preparation.plan.n_steps, resume=resume)
    trainer, network = _open_trainer(preparation, data, work)
    score = trainer.score
    before = _before(work / "before.json", run, network, score)
    _train(trainer, checkpoint, preparation.recipe.stop_after)
    result = TrainingResult(folder, trainer.state.global_step, before)
    if trainer.args.process_index:
        return result
    after = _finish(preparation, network, score)
    _write(preparation, trainer, folder, before, after)
    return dataclasses.replace(result, after=after)


def _open_work_folder(work: Path, run: str, n_steps: int, *, resume: bool) -> Path | None:
    """Return the checkpoint to go on from, after making sure that it is of the same run."""
    from text2vec.training.trainer import last_checkpoint

    path = work / _PLAN_FILE
    checkpoint = last_checkpoint(work) if work.is_dir() else None
    if checkpoint is not None:
        if not resume:
            raise ValueError(
                f"{work} holds checkpoints of an earlier run; expected --resume to go on, or "
                "another --output, or remove that folder"
            )
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if found.get("run") != run:
            raise ValueError(
                f"{work} is of another recipe, data or model; resuming would mix two runs: "
                "expected the same ones, or another --output"
            )
    else:
        (work / _LOG_FILE).unlink(missing_ok=True)  # of a run that left no checkpoint
    write_text(path, f"{json.dumps({'run': run, 'steps': n_steps}, indent=2)}\n")
    return checkpoint


def _run_fingerprint(preparation: Preparation) -> str:
    digest = hashlib.sha256(preparation.plan.fingerprint().encode())
    for path in sorted(preparation.spec.body.iterdir()):
        if path.suffix in {".json", ".safetensors"}:
            digest.update(f"{path.name}={file_fingerprint(path)}\n".encode())
    for length, tokens in sorted(preparation.tokens.items()):
        digest.update(f"{length}".encode() + tokens.ids.tobytes() + tokens.offsets.tobytes())
    for group in preparation.corpus.groups:
        digest.update(group.rows.tobytes() + group.labels.tobytes())
    for key, value in sorted(preparation.recipe.as_dict().items()):
        if key not in _FREE_KEYS:
            digest.update(f"{key}={value!r}\n".encode())
    return digest.hexdigest()


_FREE_KEYS = frozenset({
    "keep_checkpoints",
    "log_steps",
    "loggers",
    "merge",
    "notes",
    "title",
})
"""What may change between a run and its continuation."""


def _open_trainer(
    preparation: Preparation, data: Path, work: Path
) -> tuple[PlanTrainer, SentenceNetwork]:
    from transformers import EarlyStoppingCallback, PrinterCallback

    from text2vec.training import progress
    from text2vec.training.network import open_network
    from text2vec.training.scoring import open_scorer, padding_id
    from text2vec.training.teacher import set_margins, teacher_targets
    from text2vec.training.tensors import TrainingData
    from text2vec.training.trainer import PlanTrainer, training_arguments

    recipe, spec = preparation.recipe, preparation.spec
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    args = training_arguments(recipe, work, preparation.plan.n_steps, n_processes)
    network = open_network(spec, recipe)
    set_margins(preparation)
    callbacks: list[Any] = []
    if "console" in recipe.loggers:
        callbacks.append(progress.ConsoleLog(_row_counter(preparation.plan)))
    if "csv" in recipe.loggers:
        callbacks.append(progress.CsvLog(work / _LOG_FILE))
    if recipe.patience:
        callbacks.append(EarlyStoppingCallback(recipe.patience))
    trainer = PlanTrainer(
        network,
        TrainingData(
            preparation.corpus.groups,
            preparation.tokens,
            teacher_targets(preparation),
            padding_id(network),
            recipe.max_length,
        ),
        preparation.plan,
        recipe,
        args,
        score=open_scorer(network, preparation, data) if recipe.evaluation else None,
        callbacks=callbacks,
        dim=spec.dim,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer, network


def _row_counter(plan: BatchPlan) -> Callable[[int, int], int]:
    def count(first: int, last: int) -> int:
        items = plan.items[first * plan.batches_per_step : last * plan.batches_per_step]
        return sum(len(batch.rows) for item in items for batch in item)

    return count


def _train(trainer: PlanTrainer, checkpoint: Path | None, stop_after: int) -> None:
    from text2vec.training.progress import StopSignal, caught_signals

    stop = StopSignal(stop_after)
    trainer.add_callback(stop)
    with caught_signals(stop):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.number is not None and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt


def _before(
    path: Path, run: str, network: SentenceNetwork, score: Callable[[], dict[str, float]] | None
) -> dict[str, float]:
    """Score the starting model, once a run; another run's scores are not asked."""
    if score is None:
        return {}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("run") == run:
            kept: dict[str, float] = found["scores"]
            return kept
    network.eval()
    scores = score()
    write_text(path, f"{json.dumps({'run': run, 'scores': scores}, indent=2)}\n")
    return scores


def _finish(
    preparation: Preparation,
    network: SentenceNetwork,
    score: Callable[[], dict[str, float]] | None,
) -> dict[str, float]:
    """Merge adapters, then weights, and score what is written."""
    from text2vec.training.merging import merge_with_start
    from text2vec.training.network import open_network

    recipe = preparation.recipe
    if recipe.lora_rank:
        adapted: Any = network.transformer
        network.transformer = adapted.merge_and_unload()
    if recipe.merge < 1:
        plain = dataclasses.replace(recipe, lora_rank=0)
        merge_with_start(network, open_network(preparation.spec, plain), recipe.merge)
    network.eval()
    return score() if score is not None else {}


def _write(
    preparation: Preparation,
    trainer: PlanTrainer,
    folder: Path,
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> None:
    from text2vec.training.model_card import write_card
    from text2vec.training.output import write_heads, write_network

    state = trainer.state
    best = state.best_global_step if state.best_model_checkpoint else None
    card = write_card(preparation, folder.name, before, after, steps=state.global_step, best=best)
    work = Path(trainer.args.output_dir)
    write_heads(trainer.loss.heads, work / "heads.safetensors")
    write_network(trainer.network, preparation.spec, card, folder)
