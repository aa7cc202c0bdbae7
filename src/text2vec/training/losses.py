"""Losses as pure functions of embeddings (or scores) and labels: tensors in, one number out.

Nothing here knows a model, a file or a trainer; ``objectives`` says what each loss needs of the
data. Sums and logarithms are in float32 whatever the embeddings' precision is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own abbreviation
from torch import Tensor

__all__ = [
    "angle_loss",
    "angle_scores",
    "correlation_distillation_loss",
    "cosent_loss",
    "cosine_distillation_loss",
    "cosine_mse_loss",
    "cosine_scores",
    "info_nce_loss",
    "margin_mse_loss",
    "matryoshka",
    "mse_distillation_loss",
    "softmax_features",
    "softmax_loss",
    "triplet_loss",
]


def cosine_scores(left: Tensor, right: Tensor) -> Tensor:
    """Return the cosine of each row of ``left`` with the same row of ``right``, ``(n_pairs,)``.

    Returns
    -------
    Tensor
        -1 to 1; 0 for a row of zeros.

    Examples
    --------
    >>> cosine_scores(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])).tolist()
    [1.0]
    """
    return (F.normalize(left.float(), dim=-1) * F.normalize(right.float(), dim=-1)).sum(-1)


def angle_scores(left: Tensor, right: Tensor) -> Tensor:
    """Return how small the angle in complex space between the rows of two matrices is.

    Parameters
    ----------
    left, right
        Embeddings, ``(n_pairs, dim)`` with an even ``dim``: the first half holds real parts, the
        second imaginary ones.

    Returns
    -------
    Tensor
        ``(n_pairs,)``: ``|sum((z / w) / (|z| / |w|))|``, to be ranked by ``cosent_loss``.

    Raises
    ------
    ValueError
        If ``dim`` is odd.

    Notes
    -----
    Source: Li and Li 2023, AnglE-optimized Text Embeddings, section 3.3, arXiv:2309.12871; equal
    to ``sentence_transformers.util.pairwise_angle_sim``.
    """
    if left.shape[-1] % 2:
        raise ValueError(f"AnglE halves an embedding; its {left.shape[-1]} dimensions are odd")
    a, b = left.float().chunk(2, dim=-1)
    c, d = right.float().chunk(2, dim=-1)
    norm = (c**2 + d**2).sum(-1, keepdim=True)
    real, imaginary = (a * c + b * d) / norm, (b * c - a * d) / norm
    size = (a**2 + b**2).sum(-1, keepdim=True) ** 0.5 / norm**0.5
    whole = torch.cat((real / size, imaginary / size), dim=-1)
    return whole.sum(-1).abs()


def cosent_loss(scores: Tensor, labels: Tensor, scale: float = 20.0) -> Tensor:
    """Return how far scores are from the order of their labels.

    Parameters
    ----------
    scores
        Of each pair, ``(n_pairs,)``; cosines as a rule.
    labels
        Of each pair, on any one scale; only their order counts.
    scale
        What a difference of scores is multiplied with: 1 / temperature.

    Returns
    -------
    Tensor
        ``log(1 + sum(exp(scale * (s_j - s_i))))`` over all i, j with ``label_i > label_j``. Zero,
        with a zero gradient, for fewer than two pairs or labels that are all equal.

    Notes
    -----
    Source: Su Jianlin 2022, CoSENT (kexue.fm/archives/8847); equal to
    ``sentence_transformers.losses.CoSENTLoss(scale=20)``. ``info_nce_loss`` needs no labels.

    Examples
    --------
    >>> round(cosent_loss(torch.tensor([0.1, 0.9]), torch.tensor([1.0, 0.0]), 1.0).item(), 4)
    1.1711
    >>> cosent_loss(torch.tensor([0.1, 0.9]), torch.tensor([1.0, 1.0])).item()
    0.0
    """
    scaled = scores.float() * scale
    differences = scaled[None, :] - scaled[:, None]  # [i, j] = s_j - s_i
    wrong = differences[labels[:, None] > labels[None, :]]
    return torch.logsumexp(torch.cat((scaled.new_zeros(1), wrong)), 0) + 0.0 * scaled.sum()


def angle_loss(left: Tensor, right: Tensor, labels: Tensor, scale: float = 20.0) -> Tensor:
    """Return ``cosent_loss`` of ``angle_scores``; see both.

    Returns
    -------
    Tensor
        One number; zero for fewer than two pairs.

    Notes
    -----
    Source: as ``angle_scores``; equal to ``sentence_transformers.losses.AnglELoss``.
    """
    return cosent_loss(angle_scores(left, right), labels, scale)


def cosine_mse_loss(left: Tensor, right: Tensor, labels: Tensor) -> Tensor:
    """Return the mean square of cosine minus label; labels are cosines, -1 to 1.

    Returns
    -------
    Tensor
        One number, 0 to 4.

    Notes
    -----
    Source: Reimers and Gurevych 2019, section 3, regression objective, arXiv:1908.10084; equal to
    ``sentence_transformers.losses.CosineSimilarityLoss``. No pairs give NaN.
    """
    return F.mse_loss(cosine_scores(left, right), labels.float())


def softmax_features(left: Tensor, right: Tensor) -> Tensor:
    """Return ``(u, v, |u - v|)`` of each pair, ``(n_pairs, 3 * dim)``: what the head classifies."""
    return torch.cat((left, right, (left - right).abs()), dim=-1)


def softmax_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of classes.

    Parameters
    ----------
    logits
        What a linear head makes of ``softmax_features``, ``(n_pairs, n_classes)``.
    labels
        Classes, whole numbers from 0.

    Returns
    -------
    Tensor
        One number; NaN for no pairs.

    Notes
    -----
    Source: Reimers and Gurevych 2019, section 3, classification objective, arXiv:1908.10084;
    equal to ``sentence_transformers.losses.SoftmaxLoss``.
    """
    return F.cross_entropy(logits.float(), labels.long())


def info_nce_loss(
    queries: Tensor,
    candidates: Tensor,
    scale: float = 20.0,
    *,
    same: Tensor | None = None,
    symmetric: bool = False,
) -> Tensor:
    """Return how badly each query finds its own candidate among those of the batch.

    Parameters
    ----------
    queries
        ``(n_pairs, dim)``.
    candidates
        ``(n_candidates, dim)``: the first ``n_pairs`` belong to the queries, the rest are hard
        negatives for all of them.
    scale
        What cosines are multiplied with: 1 / temperature.
    same
        True where candidate j says the same as query i's own although it is not it; such are no
        negatives, ``(n_pairs, n_candidates)``.
    symmetric
        Also let each candidate find its query, and take the mean.

    Returns
    -------
    Tensor
        Mean of ``-log(exp(scale * s_ii) / sum_j exp(scale * s_ij))``; zero for a single pair
        without hard negatives.

    Notes
    -----
    Source: van den Oord et al. 2018, arXiv:1807.03748; Henderson et al. 2017, section 4.4,
    arXiv:1705.00652; equal to ``sentence_transformers.losses.MultipleNegativesRankingLoss``.
    """
    n_pairs = len(queries)
    scores = F.normalize(queries.float(), dim=-1) @ F.normalize(candidates.float(), dim=-1).T
    scores = scores * scale
    if same is not None:
        scores = scores.masked_fill(same, -torch.inf)
    own = torch.arange(n_pairs, device=scores.device)
    loss = F.cross_entropy(scores, own)
    if symmetric:
        loss = (loss + F.cross_entropy(scores[:, :n_pairs].T, own)) / 2
    return loss


def triplet_loss(
    anchors: Tensor, positives: Tensor, negatives: Tensor, margin: float = 0.3
) -> Tensor:
    """Return the mean of ``max(0, cos(a, n) - cos(a, p) + margin)`` over triplets.

    Returns
    -------
    Tensor
        One number, 0 to 2 + margin.

    Notes
    -----
    Source: Schroff et al. 2015, equation 3, arXiv:1503.03832, with the cosine distance; equal to
    ``sentence_transformers.losses.TripletLoss(COSINE, margin)``. No triplets give NaN.
    """
    closer = cosine_scores(anchors, negatives) - cosine_scores(anchors, positives)
    return F.relu(closer + margin).mean()


def mse_distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Return the mean square between embeddings and a teacher's, ``(n_texts, dim)`` each.

    Returns
    -------
    Tensor
        One number.

    Notes
    -----
    Source: Reimers and Gurevych 2020, section 2, arXiv:2004.09813; equal to
    ``sentence_transformers.losses.MSELoss``. No texts give NaN.
    """
    return F.mse_loss(embeddings.float(), targets.float())


def cosine_distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of ``1 - cos(embedding, target)``: only directions are distilled.

    Returns
    -------
    Tensor
        One number, 0 to 2.

    Notes
    -----
    Source: Hinton et al. 2015, arXiv:1503.02531, on directions instead of classes: what a cosine
    model compares. No texts give NaN.
    """
    return (1 - cosine_scores(embeddings, targets)).mean()


def correlation_distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Return one less the correlation of cosines: what is alike for the teacher stays alike.

    Parameters
    ----------
    embeddings, targets
        Of the same texts, ``(n_texts, dim)`` and ``(n_texts, teacher_dim)``.

    Returns
    -------
    Tensor
        ``1 - r``, 0 to 2, with Pearson's r of the cosines of all ``n (n - 1) / 2`` pairs of texts.
        Zero, with a zero gradient, for fewer than three texts or a teacher whose cosines are equal.

    Notes
    -----
    Source: Huang et al. 2022, arXiv:2205.10536, section 4.1 (Pearson's distance), on the relations
    between texts of Park et al. 2019, arXiv:1904.05068, section 3.1.

    Examples
    --------
    >>> texts = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> round(1 - correlation_distillation_loss(texts, 2 * texts).item(), 4)
    1.0
    """
    n_texts = len(embeddings)
    left, right = torch.triu_indices(n_texts, n_texts, 1)
    units = [F.normalize(matrix.float(), dim=-1) for matrix in (embeddings, targets)]
    own, wanted = ((unit[left] * unit[right]).sum(-1) for unit in units)
    own, wanted = own - own.mean(), wanted - wanted.mean()
    lengths = own.norm() * wanted.norm()
    if n_texts < 3 or not lengths > 0:
        return 0.0 * embeddings.float().sum()
    distance: Tensor = 1 - (own * wanted).sum() / lengths
    return distance


def margin_mse_loss(
    queries: Tensor, positives: Tensor, negatives: Tensor, margins: Tensor
) -> Tensor:
    """Return the mean square of the model's margin minus the teacher's.

    Parameters
    ----------
    queries, positives, negatives
        Embeddings, ``(n_triplets, dim)`` each.
    margins
        ``score(query, positive) - score(query, negative)`` of the teacher, ``(n_triplets,)``.

    Returns
    -------
    Tensor
        One number, with cosine as the score; NaN for no triplets.

    Notes
    -----
    Source: Hofstätter et al. 2020, equation 8, arXiv:2010.02666; equal to
    ``sentence_transformers.losses.MarginMSELoss`` with cosine similarity.
    """
    own = cosine_scores(queries, positives) - cosine_scores(queries, negatives)
    return F.mse_loss(own, margins.float())


def matryoshka(columns: Sequence[Tensor], dim: int) -> list[Tensor]:
    """Return the first ``dim`` dimensions of each matrix.

    Returns
    -------
    list[Tensor]
        Views, ``(n_rows, dim)`` each.

    Notes
    -----
    Source: Kusupati et al. 2022, equation 1, arXiv:2205.13147: a loss is summed over several
    ``dim``, whole embeddings among them.
    """
    return [column[:, :dim] for column in columns]
