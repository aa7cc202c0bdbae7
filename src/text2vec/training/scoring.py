"""Spearman's correlation of the network as it stands, on the files that a recipe names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from text2vec.arrays import FloatMatrix, PackedBatch
from text2vec.errors import DataFormatError
from text2vec.evaluation.metrics import spearman
from text2vec.files.pairs import Pair, read_pairs
from text2vec.sentence_model import SentenceModel
from text2vec.similarities import similarity_pairwise
from text2vec.training.corpus import TextTable, data_file
from text2vec.training.network import SentenceNetwork
from text2vec.training.preparation import Preparation
from text2vec.training.sources import EvaluationRecipe
from text2vec.training.tensors import pad_passes

__all__ = ["embed_tokens", "open_scorer", "padding_id"]

_PASS_TEXTS = 256


def open_scorer(
    network: SentenceNetwork, preparation: Preparation, data: Path
) -> Callable[[], dict[str, float]]:
    """Return a function that scores the network on the recipe's evaluation files.

    Parameters
    ----------
    network
        Is read when the function is called.
    preparation
        Recipe and model.
    data
        The data folder.

    Returns
    -------
    Callable[[], dict[str, float]]
        Spearman x 100 of each file by name, and ``mean``, weighted.

    Raises
    ------
    DataFormatError
        If a row is wrong, or two files have not the same pairs.
    """
    recipe, table = preparation.recipe, TextTable()
    tasks = []
    for evaluation in recipe.evaluation:
        pairs = _read(evaluation, data)
        left = np.array([table.place(pair.text1) for pair in pairs])
        right = np.array([table.place(pair.text2) for pair in pairs])
        tasks.append((evaluation, left, right, [pair.score for pair in pairs]))
    model = SentenceModel(preparation.spec.folder, max_seq_length=recipe.max_length)
    prompt = model.prompts.get(model.default_prompt_name or "", "")
    tokens = model.tokenize([prompt + text for text in table.texts]).batch
    pad = padding_id(network)

    def score() -> dict[str, float]:
        embeddings = embed_tokens(network, tokens, pad)
        scores, total = {}, 0.0
        for evaluation, left, right, labels in tasks:
            found = spearman(similarity_pairwise(embeddings[left], embeddings[right]), labels)
            scores[evaluation.name] = 100 * found
            total += evaluation.weight * 100 * found
        return {**scores, "mean": total / sum(row[0].weight for row in tasks)}

    return score


def _read(evaluation: EvaluationRecipe, data: Path) -> list[Pair]:
    columns: Sequence[str] | None = evaluation.columns or None
    sides = [read_pairs(data_file(data, name), columns=columns) for name in evaluation.files]
    first, second = sides[0], sides[-1]
    if len(first) != len(second):
        expected = f"{len(first)}, as in {evaluation.files[0]}"
        raise DataFormatError(f"{evaluation.files[1]}: {len(second)} rows; expected {expected}")
    pairs = [Pair(a.text1, b.text2, a.score) for a, b in zip(first, second, strict=True)]
    pairs = pairs[: evaluation.rows or None]
    if len({pair.score for pair in pairs}) < 2:
        raise DataFormatError(
            f"{evaluation.files[0]}: all {len(pairs)} scores are the same; expected two or more"
        )
    return pairs


def padding_id(network: SentenceNetwork) -> int:
    """Return the id that a network's padding has; 0 where its configuration names none."""
    config = network.transformer.config
    return int(getattr(config, "pad_token_id", None) or 0)


def embed_tokens(network: SentenceNetwork, tokens: PackedBatch, pad: int) -> FloatMatrix:
    """Return the embedding of each text of a packed batch, ``(n_texts, dim)``.

    Parameters
    ----------
    network
        In evaluation mode.
    tokens
        Ids of the texts; none give ``(0, 0)``.
    pad
        Id of the padding token.

    Returns
    -------
    FloatMatrix
        In the order of the texts.
    """
    order = np.argsort(tokens.lengths, kind="stable")
    device = next(network.parameters()).device
    parts: list[FloatMatrix] = []
    places: list[np.ndarray] = []
    with torch.inference_mode():
        for start in range(0, len(order), _PASS_TEXTS):
            texts = order[start : start + _PASS_TEXTS]
            passes, inside = pad_passes(tokens, texts, pad)
            for features in passes:
                there = {k: None if v is None else v.to(device) for k, v in features.items()}
                parts.append(network(there)["sentence_embedding"].float().cpu().numpy())
            places.append(texts[inside])
    if not parts:
        return np.zeros((0, 0), np.float32)
    rows = np.concatenate(parts)
    rows[np.concatenate(places)] = rows.copy()
    return rows
