"""From a batch to its loss: embed each different text once, in passes of like length, and compare.

With ``sub_batch`` embeddings are computed twice, first without a graph (GradCache): the gradients
are the same, the memory is that of one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from text2vec.training.corpus import Group
from text2vec.training.loss_table import find_loss
from text2vec.training.objectives import evaluate_loss, make_head

__all__ = ["GroupLoss", "TensorBatch"]


@dataclass
class TensorBatch:
    """A batch as the network reads it.

    Attributes
    ----------
    group
        Place of the group.
    passes
        ``input_ids`` and ``attention_mask`` (None where nothing is padded) of each forward pass.
    places
        Row of the passes' embeddings for each text of each row, ``(n_rows, n_columns)``.
    labels
        ``(n_rows,)``, or target embeddings ``(n_rows, dim)``, ``(n_rows, n_columns, dim)`` where a
        row has several texts.
    """

    group: int
    passes: list[dict[str, Tensor | None]]
    places: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> TensorBatch:
        """Return the batch on another device."""
        if device.type == "cpu":
            return self
        passes = [
            {key: None if value is None else value.to(device) for key, value in one.items()}
            for one in self.passes
        ]
        places, labels = self.places.to(device), self.labels.to(device)
        return TensorBatch(self.group, passes, places, labels)


class GroupLoss(nn.Module):
    """The losses of all groups; it holds the classifiers that some of them train.

    Parameters
    ----------
    model
        Features -> ``{"sentence_embedding": ...}``.
    groups
        In the order of the plan.
    dim
        Of an embedding.
    """

    def __init__(self, model: nn.Module, groups: Sequence[Group], dim: int) -> None:
        super().__init__()
        self.model = model
        self.sources = [group.source for group in groups]
        self.heads = nn.ModuleDict()
        for source in self.sources:
            if find_loss(source.loss).has_head and source.name not in self.heads:
                n_classes = len(set(source.labels.values()))
                self.heads[source.name] = make_head(dim, n_classes)

    def forward(self, batches: Sequence[TensorBatch]) -> Tensor:
        """Return the sum of the losses of a step's batches, each times its ``loss_weight``."""
        parts = [
            self.sources[batch.group].loss_weight * self._batch_loss(batch) for batch in batches
        ]
        return torch.stack(parts).sum()

    def _batch_loss(self, batch: TensorBatch) -> Tensor:
        source = self.sources[batch.group]
        if not source.sub_batch or not torch.is_grad_enabled():
            embeddings = torch.cat([self._embed(features) for features in batch.passes])
            return self._compare(batch, embeddings)
        with torch.no_grad():
            embeddings = torch.cat([self._embed(features) for features in batch.passes])
        leaf = embeddings.detach().requires_grad_()
        loss = self._compare(batch, leaf)
        wanted = [leaf, *[p for p in self.heads.parameters() if p.requires_grad]]
        gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
        cached = loss.detach().requires_grad_()
        cached.register_hook(  # type: ignore[no-untyped-call]
            partial(self._run_again, batch.passes, gradients[0], wanted[1:], gradients[1:])
        )
        return cached

    def _run_again(
        self,
        passes: Sequence[Mapping[str, Any]],
        gradient: Tensor | None,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        upstream: Tensor,
    ) -> None:
        for parameter, own in zip(parameters, gradients, strict=True):
            if own is not None:
                scaled = own * upstream
                parameter.grad = scaled if parameter.grad is None else parameter.grad + scaled
        if gradient is None:
            return
        with torch.enable_grad():
            start = 0
            for number, features in enumerate(passes):
                last = number == len(passes) - 1
                with nullcontext() if last else self._unsynchronized():
                    again = self._embed(features)
                    part = gradient[start : start + len(again)] * upstream
                    (again * part).sum().backward()  # type: ignore[no-untyped-call]
                start += len(again)

    def _unsynchronized(self) -> AbstractContextManager[Any]:
        waits: Callable[[], AbstractContextManager[Any]] | None
        waits = getattr(self.model, "no_sync", None)  # of DistributedDataParallel
        return nullcontext() if waits is None else waits()

    def _embed(self, features: Mapping[str, Any]) -> Tensor:
        embeddings: Tensor = self.model(dict(features))["sentence_embedding"]
        return embeddings.float()

    def _compare(self, batch: TensorBatch, embeddings: Tensor) -> Tensor:
        source = self.sources[batch.group]
        row = find_loss(source.loss)
        options = dict(source.options)
        if row.has_head:
            options["head"] = self.heads[source.name]
        if row.name == "info-nce":
            options["texts"] = batch.places
        columns = [embeddings[places] for places in batch.places.T]
        return evaluate_loss(row, columns, batch.labels, options, source.matryoshka)
