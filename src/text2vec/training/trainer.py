"""sentence-transformers' trainer with our batches, checkpoints and stops.

From the library: the loop, accumulation, schedule, clipping, distributed data, adapters, logging.
Ours: a fixed plan of batches, one loss module for all sources, checkpoints that appear whole and
hold what is trained only, an end with a reason where a number is no number.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.training_args import (
    SentenceTransformerTrainingArguments,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers.trainer_utils import rotate_checkpoints

from text2vec.errors import TrainingError
from text2vec.training.batches import BatchPlan
from text2vec.training.checkpoints import load_trained, save_trained
from text2vec.training.loss_module import GroupLoss, TensorBatch
from text2vec.training.network import SentenceNetwork
from text2vec.training.recipe import Recipe
from text2vec.training.tensors import TrainingData, plan_loader

__all__ = ["PlanTrainer", "last_checkpoint", "training_arguments"]


def training_arguments(
    recipe: Recipe, work: Path, n_steps: int, n_processes: int
) -> SentenceTransformerTrainingArguments:
    """Return the arguments of transformers' trainer that a recipe amounts to.

    Parameters
    ----------
    recipe
        What the user chose.
    work
        Folder of checkpoints and logs.
    n_steps
        Of the plan.
    n_processes
        How many share a step.

    Returns
    -------
    SentenceTransformerTrainingArguments
        Without telemetry and without a filter that hides NaN.
    """
    evaluates = bool(recipe.evaluation)
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    return SentenceTransformerTrainingArguments(
        output_dir=str(work),
        max_steps=n_steps,
        seed=recipe.seed,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup * n_steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        gradient_accumulation_steps=recipe.batches_per_step // n_processes,
        bf16=recipe.dtype == "bfloat16",
        optim="adamw_torch_fused",
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=recipe.keep_checkpoints,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=recipe.checkpoint_steps,
        load_best_model_at_end=evaluates,
        metric_for_best_model="eval_mean" if evaluates else None,
        greater_is_better=True if evaluates else None,
        logging_steps=recipe.log_steps,
        logging_nan_inf_filter=False,
        report_to=[name for name in recipe.loggers if name in {"tensorboard", "trackio"}],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=accelerated,
        use_cpu=not accelerated,
        remove_unused_columns=False,
    )


class PlanTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Train a network on a plan of batches.

    Parameters
    ----------
    network
        What is trained.
    data, plan
        What on, in which order.
    recipe
        How.
    args
        What ``training_arguments`` returned.
    score
        Gives the metrics of the network as it stands; None for no evaluation.
    callbacks
        As transformers has them.
    """

    def __init__(  # noqa: PLR0913 - the parts of a run
        self,
        network: SentenceNetwork,
        data: TrainingData,
        plan: BatchPlan,
        recipe: Recipe,
        args: SentenceTransformerTrainingArguments,
        *,
        score: Callable[[], dict[str, float]] | None = None,
        callbacks: Sequence[Any] = (),
        dim: int,
    ) -> None:
        self.data, self.plan, self.recipe, self.network = data, plan, recipe, network
        self.control: Any
        self.score = score
        torch.manual_seed(recipe.seed)
        model = SentenceTransformer(modules=[network], device=str(args.device))
        super().__init__(
            model=model,
            args=args,
            train_dataset=plan.items,
            eval_dataset=None if score is None else [],
            loss=lambda of: GroupLoss(of, data.groups, dim),
            data_collator=list,
            callbacks=list(callbacks),
        )

    def preprocess_dataset(self, dataset: Any = None, **_: Any) -> Any:
        """Leave the plan as it is; the library would tokenize it."""
        return dataset

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add nothing: the model card is ours."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this process's batches of the plan."""
        return plan_loader(self.data, self.plan, self.args.process_index, self.args.world_size)

    def num_tokens(self, *_: Any, **__: Any) -> int:
        """Return 0: tokens are counted by the loss."""
        return 0

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: nothing here is worth an estimate at each step."""
        del inputs
        return 0

    def _prepare_inputs(self, inputs: list[TensorBatch]) -> list[TensorBatch]:
        return [batch.to(self.args.device) for batch in inputs]

    def compute_loss(  # noqa: D102 - the library's
        self,
        model: nn.Module,
        inputs: list[TensorBatch],
        return_outputs: bool = False,  # noqa: FBT001
        num_items_in_batch: Any = None,
    ) -> Any:
        del num_items_in_batch
        self.loss.model = model  # the one that synchronizes gradients
        loss: Tensor = self.loss(inputs)
        return (loss, {}) if return_outputs else loss

    def training_step(
        self, model: nn.Module, inputs: list[TensorBatch], num_items_in_batch: Any = None
    ) -> Tensor:
        """Add up the gradients of a batch.

        Returns
        -------
        Tensor
            Its loss.

        Raises
        ------
        TrainingError
            If the loss is no finite number; the weights are still those of the step before.
        """
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not math.isfinite(loss.item()):
            names = ", ".join(self.data.groups[batch.group].name for batch in inputs)
            raise TrainingError(
                f"the loss of {names} is {loss.item()} at step {self.state.global_step + 1}; "
                f"{self._advice()}"
            )
        if self.args.world_size > 1 and self.accelerator.sync_gradients:
            self._average_heads()
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not math.isfinite(float(norm)):
            step = self.state.global_step + 1
            raise TrainingError(f"the gradient's norm is {norm} at step {step}; {self._advice()}")
        return norm

    def _advice(self) -> str:
        last = last_checkpoint(Path(self.args.output_dir))
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        return f"{kept}; expected finite numbers: try a lower learning_rate, or dtype float32"

    def _average_heads(self) -> None:
        """Average the classifiers' gradients, which no wrapper of the model sees."""
        for weight in self.loss.heads.parameters():
            used = torch.tensor(float(weight.grad is not None))
            dist.all_reduce(used)
            if used:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                dist.all_reduce(weight.grad)
                weight.grad /= self.args.world_size

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return and log the metrics of the network as it stands."""
        self.network.eval()
        scores = self.score() if self.score is not None else {}
        self.network.train()
        metrics = {f"eval_{name}": value for name, value in scores.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        del model, trial
        run = Path(self.args.output_dir)
        target = run / f"checkpoint-{self.state.global_step}"
        staged = run / f".checkpoint-{self.state.global_step}.tmp"
        if self.args.should_save:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
        self._wait()
        try:
            if self.args.should_save:
                save_trained(self.loss, staged)
            self._save_optimizer_and_scheduler(str(staged))
            self._save_rng_state(str(staged))
            self._wait()
            if self.args.should_save:
                self._finish_checkpoint(staged, target)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        self._wait()

    def _finish_checkpoint(self, staged: Path, target: Path) -> None:
        if self.state.best_global_step:
            best = target.parent / f"checkpoint-{self.state.best_global_step}"
            self.state.best_model_checkpoint = str(best)
        for callback in [*self.callback_handler.callbacks, self.control]:
            if hasattr(callback, "state") and callable(callback.state):
                self.state.stateful_callbacks[type(callback).__name__] = callback.state()
        self.state.save_to_json(str(staged / "trainer_state.json"))
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
        rotate_checkpoints(
            output_dir=str(target.parent),
            save_total_limit=self.args.save_total_limit,
            best_model_checkpoint=self.state.best_model_checkpoint,
            use_mtime=True,
        )

    def _wait(self) -> None:
        if self.args.world_size > 1:
            dist.barrier()

    def _load_from_checkpoint(self, checkpoint: str, model: Any = None) -> None:
        del model
        load_trained(self.loss, Path(checkpoint))

    def _load_best_model(self) -> None:
        load_trained(self.loss, Path(self.state.best_model_checkpoint))


def last_checkpoint(work: Path) -> Path | None:
    """Return the newest whole checkpoint of a run, None if there is none yet."""
    steps = [
        int(path.name.partition("-")[2])
        for path in work.glob("checkpoint-*")
        if path.name.partition("-")[2].isdigit() and (path / "trainer_state.json").is_file()
    ]
    return work / f"checkpoint-{max(steps)}" if steps else None
