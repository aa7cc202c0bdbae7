"""The plan's batches as tensors, made when their turn comes: ids padded pass by pass, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from text2vec.arrays import FloatMatrix, IntVector, PackedBatch
from text2vec.training.batches import Batch, BatchPlan, plan_chunks
from text2vec.training.corpus import Group
from text2vec.training.loss_module import TensorBatch

__all__ = ["TrainingData", "pad_passes", "plan_loader"]


@dataclass(frozen=True)
class TrainingData:
    """Everything that batches are made of.

    Attributes
    ----------
    groups
        Rows and labels.
    tokens
        Ids of all texts as each group cuts them, by ``max_length``.
    targets
        A teacher's embedding of each text, by place; none where no group needs one.
    pad
        Id of the padding token.
    max_length
        Of the recipe, for groups that have none of their own.
    """

    groups: Sequence[Group]
    tokens: dict[int, PackedBatch]
    targets: dict[str, tuple[IntVector, FloatMatrix]]
    pad: int
    max_length: int

    def make_batch(self, batch: Batch) -> TensorBatch:
        """Return a batch's tensors; a text that stands in several rows is there once."""
        group = self.groups[batch.group]
        rows = group.trained[batch.rows]
        texts, places = np.unique(rows, return_inverse=True)
        tokens = self.tokens[group.cut_at(self.max_length)]
        passes, order = pad_passes(tokens, texts, self.pad, group.source.sub_batch)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return TensorBatch(
            batch.group,
            passes,
            torch.from_numpy(back[places.reshape(rows.shape)]),
            self._labels(group, batch.rows),
        )

    def _labels(self, group: Group, rows: IntVector) -> Tensor:
        if group.name in self.targets:
            places, targets = self.targets[group.name]
            return torch.from_numpy(np.array(targets[places[rows]], np.float32))
        return torch.from_numpy(group.labels[rows].astype(np.float32))


def pad_passes(
    tokens: PackedBatch, texts: IntVector, pad: int, most: int = 0
) -> tuple[list[dict[str, Tensor | None]], IntVector]:
    """Return the forward passes of some texts, and the order in which their rows come.

    Parameters
    ----------
    tokens
        Ids of all texts.
    texts
        Places of those that are embedded.
    pad
        Id of the padding token.
    most
        Texts of one pass; 0 for as many as there are.

    Returns
    -------
    tuple[list[dict[str, Tensor | None]], IntVector]
        Features of each pass; and places in ``texts``, in the order of the rows.
    """
    lengths = tokens.lengths[texts]
    chunks = plan_chunks(lengths, most)
    passes: list[dict[str, Tensor | None]] = []
    for chunk in chunks:
        sizes = lengths[chunk]
        there = np.arange(int(sizes.max())) < sizes[:, None]
        ids = np.full(there.shape, pad, np.int64)
        starts = tokens.offsets[texts[chunk]]
        ids[there] = np.concatenate([
            tokens.ids[a : a + n] for a, n in zip(starts.tolist(), sizes.tolist(), strict=True)
        ])
        mask = None if there.all() else torch.from_numpy(there.astype(np.int64))
        passes.append({"input_ids": torch.from_numpy(ids), "attention_mask": mask})
    order: NDArray[np.int64] = np.concatenate(chunks) if chunks else np.zeros(0, np.int64)
    return passes, order


class _Items(Dataset[list[TensorBatch]]):
    def __init__(self, data: TrainingData, plan: BatchPlan) -> None:
        self._data, self._plan = data, plan

    def __len__(self) -> int:
        return len(self._plan.items)

    def __getitem__(self, place: int) -> list[TensorBatch]:
        return [self._data.make_batch(batch) for batch in self._plan.items[place]]


class _Share:
    """Places of the items of one process: every n-th, one at a time."""

    def __init__(self, plan: BatchPlan, process: int, n_processes: int) -> None:
        n_items = plan.n_steps * plan.batches_per_step
        self._places = range(process, n_items, n_processes)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Any:
        return iter([[place] for place in self._places])


def plan_loader(
    data: TrainingData, plan: BatchPlan, process: int = 0, n_processes: int = 1
) -> DataLoader[Any]:
    """Return a loader of the plan's items for one process.

    Parameters
    ----------
    data
        What batches are made of.
    plan
        Which rows they hold; the same in every process.
    process, n_processes
        Which one this is, of how many.

    Returns
    -------
    DataLoader[Any]
        Of lists of ``TensorBatch``, in the order of the plan.

    Raises
    ------
    ValueError
        If the items of a step cannot be divided among the processes.
    """
    if plan.batches_per_step % n_processes:
        raise ValueError(
            f"batches_per_step is {plan.batches_per_step}; expected a multiple of the "
            f"{n_processes} processes, so that a step is the same whatever their number is"
        )
    share: Any = _Share(plan, process, n_processes)
    return DataLoader(_Items(data, plan), batch_sampler=share, collate_fn=_only)


def _only(items: list[list[TensorBatch]]) -> list[TensorBatch]:
    return items[0]
