"""How a batch is given to each loss of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from text2vec.training import losses
from text2vec.training.loss_table import TAUGHT, LossRow

__all__ = ["CALLS", "evaluate_loss", "make_head"]


def _cosent(columns: Sequence[Tensor], labels: Tensor, scale: float) -> Tensor:
    return losses.cosent_loss(losses.cosine_scores(columns[0], columns[1]), labels, scale)


def _angle(columns: Sequence[Tensor], labels: Tensor, scale: float, cosent_weight: float) -> Tensor:
    loss = losses.angle_loss(columns[0], columns[1], labels, scale)
    if cosent_weight:
        loss = loss + cosent_weight * _cosent(columns, labels, scale)
    return loss


def _cosine_mse(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    return losses.cosine_mse_loss(columns[0], columns[1], labels)


def _softmax(columns: Sequence[Tensor], labels: Tensor, head: nn.Module) -> Tensor:
    return losses.softmax_loss(head(losses.softmax_features(columns[0], columns[1])), labels)


def _info_nce(
    columns: Sequence[Tensor],
    labels: Tensor,
    scale: float,
    symmetric: bool,  # noqa: FBT001 - an option of a recipe
    texts: Tensor | None = None,
) -> Tensor:
    del labels
    same = None
    if texts is not None:  # (n_rows, n_columns): a text is no negative of itself
        candidates = texts[:, 1:].T.reshape(-1)
        own = torch.arange(len(texts), device=texts.device)
        same = (candidates[None, :] == texts[:, 1:2]) | (candidates[None, :] == texts[:, :1])
        same = same.index_put((own, own), torch.tensor(False))
    everything = torch.cat(list(columns[1:]))
    return losses.info_nce_loss(columns[0], everything, scale, same=same, symmetric=symmetric)


def _triplet(columns: Sequence[Tensor], labels: Tensor, margin: float) -> Tensor:
    del labels
    return losses.triplet_loss(columns[0], columns[1], columns[2], margin)


def _mse(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    return losses.mse_distillation_loss(columns[0], labels)


def _cosine(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    return losses.cosine_distillation_loss(columns[0], labels)


def _correlation(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    # labels: (n_rows, n_columns, dim)
    return losses.correlation_distillation_loss(
        torch.cat(list(columns)), torch.cat(labels.unbind(1))
    )


def _translation(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    # labels: (n_rows, n_columns, dim), the same for each column
    return losses.cosine_distillation_loss(torch.cat(list(columns)), torch.cat(labels.unbind(1)))


def _margin_mse(columns: Sequence[Tensor], labels: Tensor) -> Tensor:
    return losses.margin_mse_loss(columns[0], columns[1], columns[2], labels)


CALLS: Mapping[str, Callable[..., Tensor]] = MappingProxyType({
    "cosent": _cosent,
    "angle": _angle,
    "cosine-mse": _cosine_mse,
    "softmax": _softmax,
    "info-nce": _info_nce,
    "triplet": _triplet,
    "distill-mse": _mse,
    "distill-cosine": _cosine,
    "distill-correlation": _correlation,
    "distill-translation": _translation,
    "margin-mse": _margin_mse,
})
"""Name of a loss -> ``(columns, labels, **options)`` -> one number; ``columns`` are the embeddings
of each text of the rows, ``(n_rows, dim)``."""


def make_head(dim: int, n_classes: int) -> nn.Linear:
    """Return the classifier of ``softmax``, ``(u, v, |u - v|)`` -> classes.

    Parameters
    ----------
    dim
        Of an embedding.
    n_classes
        At least 2.

    Returns
    -------
    nn.Linear
        Its weights come from torch's generator: seed that first.
    """
    return nn.Linear(3 * dim, n_classes)


def evaluate_loss(
    row: LossRow,
    columns: Sequence[Tensor],
    labels: Tensor,
    options: Mapping[str, Any],
    dims: Sequence[int] = (),
) -> Tensor:
    """Return the loss of a batch, as a Matryoshka sum where several dimensions are asked for.

    Parameters
    ----------
    row
        The loss.
    columns
        Embeddings of each text of the rows, ``(n_rows, dim)``.
    labels
        Scores, classes, margins or target embeddings of the rows.
    options
        What overrides ``row.options``, and ``head`` or ``texts`` where the loss takes them.
    dims
        Lengths to which embeddings are cut, each a summand; none for whole embeddings alone.

    Returns
    -------
    Tensor
        One number.

    Examples
    --------
    >>> from text2vec.training.loss_table import find_loss
    >>> pair = [torch.eye(2, 4), torch.eye(2, 4)]
    >>> evaluate_loss(find_loss("cosine-mse"), pair, torch.tensor([1.0, 0.0]), {}, [4, 2]).item()
    1.0
    """
    call, settings = CALLS[row.name], {**row.options, **options}
    if not dims:
        return call(columns, labels, **settings)
    total = columns[0].new_zeros((), dtype=torch.float32)
    for dim in dims:
        targets = labels[..., :dim] if row.needs in TAUGHT else labels
        total = total + call(losses.matryoshka(columns, dim), targets, **settings)
    return total
