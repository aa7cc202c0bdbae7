"""From a recipe and a data folder to a plan: rows read, leaks dropped, texts tokenized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from text2vec.arrays import PackedBatch
from text2vec.errors import DataFormatError, MissingExtraError
from text2vec.models.layout import read_spec
from text2vec.models.locate import DEFAULT_MODEL, ModelSource, locate_model
from text2vec.models.spec import ModelSpec
from text2vec.sentence_model import SentenceModel
from text2vec.training.batches import BatchPlan, plan_batches, plan_chunks
from text2vec.training.corpus import Corpus, TextTable, data_file, read_groups
from text2vec.training.leaks import drop_duplicates, drop_leaks, read_pair_keys
from text2vec.training.mining import mine_negatives
from text2vec.training.recipe import LOGGER_PACKAGES, Recipe

__all__ = ["Preparation", "describe_plan", "prepare"]


@dataclass(frozen=True)
class Preparation:
    """Everything that is known before the first step.

    Attributes
    ----------
    recipe
        What was asked for.
    spec
        The starting model.
    corpus
        Groups and texts.
    tokens
        Ids of all texts by the length at which they are cut.
    plan
        Batches in their order.
    """

    recipe: Recipe
    spec: ModelSpec
    corpus: Corpus
    tokens: dict[int, PackedBatch]
    plan: BatchPlan


def prepare(recipe: Recipe, data: Path) -> Preparation:
    """Read, check and tokenize everything that a recipe names, and plan its batches.

    Parameters
    ----------
    recipe
        What is asked for.
    data
        The data folder.

    Returns
    -------
    Preparation
        The same for the same arguments.

    Raises
    ------
    DataFormatError
        If a row is wrong (file and line), or no row of a source is left.
    FileNotFoundError
        If a file is not there.
    MissingExtraError
        If a logger's package is not installed.
    ValueError
        If the recipe does not fit the model or the data.
    """
    if not data.is_dir():
        raise FileNotFoundError(f"{data}: no such data folder; expected --data or TEXT2VEC_DATA")
    for name, packages in LOGGER_PACKAGES.items():
        if name in recipe.loggers and not any(map(find_spec, packages)):
            raise MissingExtraError(f"loggers has {name!r}; it needs: pip install {packages[0]}")
    spec = read_spec(locate_model(ModelSource(recipe.model or DEFAULT_MODEL)))
    spec = spec.with_pooling(recipe.pooling or None)
    for evaluation in recipe.evaluation:
        for name in evaluation.files:
            data_file(data, name)
    for source in recipe.source:
        if max(source.matryoshka, default=0) > spec.dim:
            raise ValueError(
                f"source {source.name!r}: matryoshka is {list(source.matryoshka)}; expected "
                f"{spec.dim} at most, the model's dimensions"
            )
    corpus = _read_corpus(recipe, data)
    for group in corpus.groups:
        if group.source.negatives:
            model = SentenceModel(spec.folder, pooling=spec.pooling)
            mine_negatives(group, corpus.table.texts, model)
    tokens = _tokenize(recipe, spec, corpus)
    lengths = [
        tokens[group.cut_at(recipe.max_length)].lengths[group.trained].sum(axis=1)
        for group in corpus.groups
    ]
    return Preparation(recipe, spec, corpus, tokens, plan_batches(corpus.groups, lengths, recipe))


def _read_corpus(recipe: Recipe, data: Path) -> Corpus:
    table = TextTable()
    groups = [
        group for source in recipe.source for group in read_groups(source, data, table, recipe.seed)
    ]
    corpus = Corpus(table, groups)
    drop_leaks(corpus, read_pair_keys(data_file(data, name) for name in recipe.tests))
    for group in groups:
        drop_duplicates(group, table.texts)
        if not len(group.rows):
            raise DataFormatError(
                f"source {group.name!r}: no row is left of {group.counts['read']}; "
                "expected some that stand in no test set"
            )
    return corpus


def _tokenize(recipe: Recipe, spec: ModelSpec, corpus: Corpus) -> dict[int, PackedBatch]:
    prompt = spec.prompts.get(spec.default_prompt_name or "", "")
    if prompt and not spec.include_prompt:
        raise ValueError(
            f"the prompt {prompt!r} is left out of the model's pooling; expected a model without "
            "a default prompt, or with include_prompt"
        )
    texts = [prompt + text for text in corpus.table.texts] if prompt else corpus.table.texts
    tokens = {}
    for length in {group.cut_at(recipe.max_length) for group in corpus.groups}:
        tokens[length] = _tokenize_at(length, spec, texts)
    return tokens


def _tokenize_at(length: int, spec: ModelSpec, texts: Sequence[str]) -> PackedBatch:
    model = SentenceModel(spec.folder, max_seq_length=length)
    return model.tokenize(texts).batch


def describe_plan(preparation: Preparation) -> dict[str, Any]:
    """Return what a run would do, in values that JSON can carry.

    Parameters
    ----------
    preparation
        What ``prepare`` returned.

    Returns
    -------
    dict[str, Any]
        Steps, and for each group its loss, rows, what was dropped and why, batches, tokens of a
        row, and the share of computed tokens that is padding.
    """
    plan, groups = preparation.plan, preparation.corpus.groups
    tokens = [preparation.tokens[g.cut_at(preparation.recipe.max_length)] for g in groups]
    batches = [0] * len(groups)
    real, padded = np.zeros(len(groups), np.int64), np.zeros(len(groups), np.int64)
    for item in plan.items:
        for batch in item:
            batches[batch.group] += 1
            group = groups[batch.group]
            texts = np.unique(group.trained[batch.rows])
            lengths = tokens[batch.group].lengths[texts]
            chunks = plan_chunks(lengths, group.source.sub_batch)
            real[batch.group] += lengths.sum()
            padded[batch.group] += sum(int(lengths[c].max()) * len(c) for c in chunks)
    rows = []
    for i, group in enumerate(groups):
        rows.append({
            "group": group.name,
            "loss": group.source.loss,
            **group.counts,
            "rows": len(group.rows),
            "batches": batches[i],
            "mean_tokens": round(float(tokens[i].lengths[group.trained].sum(axis=1).mean()), 1),
        })
    return {
        "model": preparation.recipe.model or DEFAULT_MODEL,
        "steps": plan.n_steps,
        "batches_per_step": plan.batches_per_step,
        "texts": len(preparation.corpus.table.texts),
        "tokens": int(real.sum()),
        "padding": round(1 - float(real.sum()) / max(1, int(padded.sum())), 4),
        "skipped": plan.skipped,
        "sources": rows,
    }
