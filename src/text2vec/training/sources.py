"""What a recipe says of one source of rows, and of one file that is scored while training.

The ranges of all numbers of a recipe stand here too, in one table.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from text2vec.training.loss_table import find_loss

__all__ = ["EvaluationRecipe", "SourceRecipe", "check_ranges"]

_COLUMNS: Mapping[str, str] = {
    "scored": "the names of two texts and a score",
    "classes": "the names of two texts and a label",
    "positives": "the names of two or more texts that mean the same",
    "triplets": "the names of anchor, positive and negative",
    "margins": "the names of query, positive and negative",
    "texts": "the names of one or more texts",
    "related": "the names of two or more texts that belong together",
    "translations": "the names of two or more texts that are translations, the teacher's first",
}

_MANY = 1e12
_FEWEST_TOKENS = 3

_RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType({
    "Recipe": {
        "seed": (0, 2**32 - 1),
        "epochs": (0, _MANY),
        "steps": (0, _MANY),
        "stop_after": (0, _MANY),
        "learning_rate": (0, 1),
        "warmup": (0, 1),
        "weight_decay": (0, 1),
        "max_grad_norm": (0, _MANY),
        "batch_pairs": (1, _MANY),
        "batch_tokens": (0, _MANY),
        "batches_per_step": (1, _MANY),
        "max_length": (_FEWEST_TOKENS, _MANY),
        "frozen_layers": (0, _MANY),
        "dropout": (0, 0.9),
        "lora_rank": (0, _MANY),
        "lora_alpha": (0, _MANY),
        "merge": (0, 1),
        "checkpoint_steps": (1, _MANY),
        "keep_checkpoints": (1, _MANY),
        "log_steps": (1, _MANY),
        "patience": (0, _MANY),
    },
    "SourceRecipe": {
        "cross_lingual": (0, _MANY),
        "weight": (0, _MANY),
        "share": (0, 1),
        "every": (0, _MANY),
        "loss_weight": (0, _MANY),
        "rows": (0, _MANY),
        "skip": (0, _MANY),
        "minimum": (-_MANY, _MANY),
        "join": (1, _MANY),
        "max_length": (_FEWEST_TOKENS, _MANY),
        "batch_pairs": (1, _MANY),
        "sub_batch": (0, _MANY),
        "matryoshka": (1, _MANY),
        "negatives": (0, _MANY),
    },
    "EvaluationRecipe": {"rows": (0, _MANY), "weight": (0, _MANY)},
})
"""Class -> field -> lowest and highest value, of each item where there are several."""

_OR_ZERO = frozenset({("SourceRecipe", "max_length"), ("SourceRecipe", "batch_pairs")})
"""Fields whose 0 stands for the recipe's own value."""


@dataclass(frozen=True)
class SourceRecipe:
    """One source of rows and the loss that they train.

    Attributes
    ----------
    name
        In messages and logs.
    files
        Below the data folder. Several are read one after the other, or side by side if
        ``cross_lingual``.
    loss, options
        A row of ``LOSSES``, and what it takes.
    columns
        Names of the columns where they are not the usual ones.
    scale
        Lowest and highest score; a row outside is refused. ``labels`` instead where scores are
        words: word -> score, or word -> class for ``softmax``.
    split_by
        A column whose values divide the rows into groups that are never ranked together; ``only``
        names the values that are used, all if empty.
    cross_lingual
        Row i of each file is the same pair in another language: first and second text are drawn
        from the languages at random, ``cross_lingual`` times for each row. For translations: each
        text of the first file with that of another one.
    teacher
        Name or folder, where it is not the recipe's.
    train_first
        False for translations whose first text the teacher alone reads: half the work.
    weight, share
        Passes over this source for each epoch; or its share of all batches.
    every, loss_weight
        If ``every`` is not 0, a batch of this source joins each ``every``-th batch of the others;
        its loss counts ``loss_weight`` times.
    rows
        Use only so many, drawn at random; 0 for all.
    skip
        Leave out the first so many rows of each file: those that another purpose took.
    minimum
        Only rows with at least this score (``info-nce`` on scored pairs).
    join
        Lowest and highest number of texts that are joined into one document, for distillation.
    max_length, batch_pairs
        Instead of the recipe's own.
    sub_batch
        Texts of one forward pass where a batch is too large for memory: embeddings are computed
        twice, gradients are the same (GradCache). 0 for whole batches.
    matryoshka
        Lengths of embeddings whose losses are summed.
    negatives
        Hard negatives that are mined for each row with the starting model.
    check_leaks
        False for texts that cannot leak, such as documents joined at random.
    licence, about
        For the model card.

    Raises
    ------
    ValueError
        If a value is out of its range, or does not fit the loss.
    """

    name: str
    files: tuple[str, ...]
    loss: str
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)
    split_by: str = ""
    only: tuple[str, ...] = ()
    cross_lingual: int = 0
    teacher: str = ""
    train_first: bool = True
    weight: float = 1.0
    share: float = 0.0
    every: int = 0
    loss_weight: float = 1.0
    rows: int = 0
    skip: int = 0
    minimum: float = 0.0
    join: tuple[int, ...] = ()
    max_length: int = 0
    batch_pairs: int = 0
    sub_batch: int = 0
    matryoshka: tuple[int, ...] = ()
    negatives: int = 0
    check_leaks: bool = True
    licence: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if not self.files:
            raise ValueError("files: expected at least one")
        check_ranges(self)
        known = find_loss(self.loss).options
        for key in self.options:
            if key not in known:
                options = ", ".join(known) or "none"
                raise ValueError(f"options: {self.loss} has no {key!r}; expected {options}")
        self._check_labels()
        self._check_columns()
        if self.join and (len(self.join) != 2 or self.join[0] > self.join[1]):
            raise ValueError(f"join is {list(self.join)}; expected lowest and highest number")
        if self.join and self.needs != "texts":
            raise ValueError(f"join is for distillation of texts; {self.loss} needs rows")
        if not self.train_first and self.needs != "translations":
            raise ValueError(
                f"train_first = false is for translations; {self.loss} needs each text"
            )
        if self.negatives and self.needs != "positives":
            raise ValueError(f"negatives are mined for info-nce; {self.loss} has no use for them")

    @property
    def needs(self) -> str:
        """What rows the loss reads."""
        return find_loss(self.loss).needs

    def _check_labels(self) -> None:
        if self.needs == "scored" and bool(self.scale) == bool(self.labels):
            raise ValueError(
                "a score's scale is declared, never guessed: expected scale = [lowest, highest] "
                "or labels = {word = score}"
            )
        if self.scale and (len(self.scale) != 2 or self.scale[0] >= self.scale[1]):
            raise ValueError(f"scale is {list(self.scale)}; expected lowest and highest score")
        if self.needs == "classes":
            found = sorted(self.labels.values())
            if len(found) < 2 or sorted(set(found)) != list(range(len(set(found)))):
                raise ValueError(
                    f"labels is {dict(self.labels)}; softmax expects word = class, from 0 upwards"
                )

    def _check_columns(self) -> None:
        count = len(self.columns)
        exact = {"scored": 3, "classes": 3, "triplets": 3, "margins": 3}.get(self.needs)
        several = self.needs in {"positives", "related", "translations"}
        wrong = count != exact if exact else several and count == 1
        needed = several or self.needs in {"texts", "triplets", "margins"}
        needed = needed and not (self.needs == "translations" and self.cross_lingual)
        if (count and wrong) or (needed and not count):
            raise ValueError(f"columns is {list(self.columns)}; expected {_COLUMNS[self.needs]}")


@dataclass(frozen=True)
class EvaluationRecipe:
    """Pairs that are scored at each checkpoint, by Spearman's correlation.

    Attributes
    ----------
    name
        In logs.
    files
        One file, or two whose rows are the same pairs: the first text is of the first.
    columns
        Names of two texts and a score where they are not the usual ones.
    rows
        Only the first so many; 0 for all.
    weight
        In the mean.

    Raises
    ------
    ValueError
        If there are not one or two files, or a value is out of its range.
    """

    name: str
    files: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: int = 0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be scored."""
        check_ranges(self)
        if len(self.files) not in {1, 2}:
            raise ValueError(f"files: {len(self.files)}; expected one, or two with the same pairs")
        if self.columns and len(self.columns) != 3:
            raise ValueError(f"columns is {list(self.columns)}; expected two texts and a score")


def check_ranges(part: Any) -> None:
    """Refuse a number that is not finite or out of its range.

    Parameters
    ----------
    part
        A ``Recipe``, ``SourceRecipe`` or ``EvaluationRecipe``.

    Raises
    ------
    ValueError
        If there is one; the message names field, value and range.
    """
    kind = type(part).__name__
    for row in dataclasses.fields(part):
        value = getattr(part, row.name)
        for number in _numbers(value):
            shown = list(value) if isinstance(value, tuple) else value
            if isinstance(number, float) and not math.isfinite(number):
                raise ValueError(f"{row.name} is {shown!r}; expected finite numbers")
            low, high = _RANGES[kind].get(row.name, (-math.inf, math.inf))
            unset = number == 0 and (kind, row.name) in _OR_ZERO
            if not unset and not low <= number <= high:
                zero = "0, or " if (kind, row.name) in _OR_ZERO else ""
                upper = "or more" if high == _MANY and number < low else f"to {high:.10g}"
                raise ValueError(f"{row.name} is {shown!r}; expected {zero}{low:.10g} {upper}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    for item in value if isinstance(value, tuple | list) else (value,):
        if isinstance(item, int | float):
            yield item
