"""The model card of a trained model: what it was made from, with what, how, and how it scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from text2vec.training.preparation import Preparation, describe_plan

__all__ = ["write_card"]

_HEAD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction, text2vec]
---

# {title}

Sentence embeddings of {dim} dimensions: {pooling} pooling, at most {length} tokens.{notes}

```python
from text2vec import SentenceModel

model = SentenceModel("path/of/this/folder")
embeddings = model.encode(["How to replace the Huabei bundled bank card"])
```

`sentence_transformers.SentenceTransformer` and `transformers.AutoModel` open the folder as well.

## Data

Starting model: `{model}`. {steps}

{leaks}

{data}

## Scores

{scores}

## Recipe

```json
{recipe}
```
"""


def write_card(
    preparation: Preparation,
    title: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
    *,
    steps: int | None = None,
    best: int | None = None,
) -> str:
    """Return a model card in Markdown.

    Parameters
    ----------
    preparation
        Recipe, model, rows.
    title
        Where the recipe has none.
    before, after
        Scores of the starting and of the finished model on the recipe's evaluation files.
    steps
        That were really trained; None for all of the plan.
    best
        The step whose weights were taken, if they were chosen by the evaluation files.

    Returns
    -------
    str
        With the front matter that model hubs read.
    """
    recipe, spec, plan = preparation.recipe, preparation.spec, describe_plan(preparation)
    return _HEAD.format(
        title=recipe.title or title,
        dim=spec.dim,
        pooling=" + ".join(spec.pooling),
        length=spec.max_seq_length,
        notes=f"\n\n{recipe.notes}" if recipe.notes else "",
        model=plan["model"],
        steps=_steps_in_words(plan, steps, best),
        leaks=_leaks_in_words(preparation),
        data=_data_table(preparation, plan),
        scores=_score_table(before, after),
        recipe=json.dumps(_changed(recipe.as_dict()), indent=2, ensure_ascii=False),
    )


def _steps_in_words(plan: Mapping[str, Any], steps: int | None, best: int | None) -> str:
    planned = plan["steps"]
    count = f"{planned}" if steps in {None, planned} else f"{steps} of {planned} planned"
    words = f"{count} steps of {plan['batches_per_step']} batches."
    if best is not None:
        words += f" The weights are those of step {best}, the best on the evaluation files."
    if plan["skipped"]:
        words += f" Skipped, since they have too few rows: {', '.join(plan['skipped'])}."
    return words


def _leaks_in_words(preparation: Preparation) -> str:
    recipe = preparation.recipe
    if not recipe.tests:
        return "No test sets were named whose rows would have been dropped."
    words = f"Rows that stand in these test sets were dropped: {', '.join(recipe.tests)}."
    unchecked = [source.name for source in recipe.source if not source.check_leaks]
    if unchecked:
        words += f" Not checked (`check_leaks = false`): {', '.join(unchecked)}."
    return words


def _data_table(preparation: Preparation, plan: Mapping[str, Any]) -> str:
    lines = ["| source | loss | rows | dropped | batches | licence |", "|---|---|--:|---|--:|---|"]
    for group, row in zip(preparation.corpus.groups, plan["sources"], strict=True):
        reasons = [f"{n} {why}" for why, n in group.counts.items() if why not in _NOT_DROPPED]
        licence = group.source.licence or "not stated"
        lines.append(
            f"| {row['group']} | {row['loss']} | {row['rows']} | {', '.join(reasons) or '-'} "
            f"| {row['batches']} | {licence} |"
        )
    return "\n".join(lines)


_NOT_DROPPED = ("read", "conflicts")


def _score_table(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    if not after:
        return "Not measured: the recipe names no evaluation files."
    lines = ["Spearman x 100 on the recipe's evaluation files.", ""]
    lines += ["| file | before | after | |", "|---|--:|--:|---|"]
    for name, value in after.items():
        worse = "worse" if value < before[name] else ""
        lines.append(f"| {name} | {before[name]:.2f} | {value:.2f} | {worse} |")
    lost = [name for name, value in after.items() if value < before[name]]
    lines += ["", f"What got worse: {', '.join(lost) or 'nothing that was measured'}."]
    return "\n".join(lines)


def _changed(recipe: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty: a card shows what was chosen."""
    return {
        key: [_changed(row) for row in value] if key in {"source", "evaluation"} else value
        for key, value in recipe.items()
        if value not in ((), {}, "", [])
    }
