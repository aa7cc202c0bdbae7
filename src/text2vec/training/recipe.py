"""A recipe: everything that decides what a training run does, read from TOML and checked.

A wrong key or value is named with its place. Paths of data are relative to a data folder that the
recipe does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from text2vec.files.text_file import parse_toml
from text2vec.training.sources import EvaluationRecipe, SourceRecipe, check_ranges

__all__ = ["LOGGER_PACKAGES", "Recipe", "parse_recipe", "read_recipe"]

_SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup")
_DTYPES = ("float32", "bfloat16")
_ATTENTION = ("sdpa", "eager")
LOGGER_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
})
"""Logger -> packages of which it needs one."""
_LOGGERS = ("console", "csv", *LOGGER_PACKAGES)
_Row = TypeVar("_Row", "Recipe", SourceRecipe, EvaluationRecipe)


@dataclass(frozen=True)
class Recipe:
    """What a run does.

    Attributes
    ----------
    source
        Where the rows come from and which loss each trains; at least one.
    model, pooling
        A folder or a name that ``SentenceModel`` opens, "" for the default model; and a pooling
        instead of its own.
    teacher
        What is distilled: a folder or a name, "" for the starting model.
    seed
        Of shuffling, dropout and new heads.
    epochs, steps
        Passes over the data; or, if not 0, steps of the optimiser instead.
    stop_after
        End after so many of the steps, if not 0: a first stage, whose learning rate does not fall
        to nothing.
    learning_rate, schedule, warmup, weight_decay, max_grad_norm
        Of AdamW; ``warmup`` is a share of the steps, ``max_grad_norm`` 0 for none.
    batch_pairs, batch_tokens
        Rows of a batch; and, if not 0, most tokens of one.
    batches_per_step
        Batches whose gradients one step averages, over all processes together.
    max_length
        Tokens at which a text is cut.
    freeze, frozen_layers
        Parts of parameter names that stay as they are; and how many of the lowest layers do, the
        embeddings among them.
    dropout, attention, dtype
        How the network runs while it trains.
    lora_rank, lora_alpha
        Train low-rank adapters instead of the weights, and merge them at the end; 0 for none.
    merge
        The finished weights are so much of the trained ones, the rest of the starting ones.
    checkpoint_steps, keep_checkpoints, log_steps, loggers
        How often and where progress is kept.
    evaluation, patience
        Files that are scored at each checkpoint: the best mean is the result. The run ends after
        ``patience`` checkpoints without a better one, 0 for never.
    tests
        Files of pairs that no source may contain.
    title, notes
        For the model card.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    source: tuple[SourceRecipe, ...]
    model: str = ""
    pooling: str = ""
    teacher: str = ""
    seed: int = 42
    epochs: float = 1.0
    steps: int = 0
    stop_after: int = 0
    learning_rate: float = 2e-5
    schedule: str = "linear"
    warmup: float = 0.05
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    batch_pairs: int = 64
    batch_tokens: int = 0
    batches_per_step: int = 1
    max_length: int = 128
    freeze: tuple[str, ...] = ()
    frozen_layers: int = 0
    dropout: float = 0.0
    attention: str = "sdpa"
    dtype: str = "float32"
    lora_rank: int = 0
    lora_alpha: float = 0.0
    merge: float = 1.0
    checkpoint_steps: int = 500
    keep_checkpoints: int = 2
    log_steps: int = 20
    loggers: tuple[str, ...] = ("console", "csv")
    evaluation: tuple[EvaluationRecipe, ...] = ()
    patience: int = 0
    tests: tuple[str, ...] = ()
    title: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse what no run could do."""
        if not self.source:
            raise ValueError("source: expected at least one [[source]]")
        names = [source.name for source in self.source]
        if len(set(names)) < len(names):
            raise ValueError(f"source: the names {names} are not all different")
        if all(source.every for source in self.source):
            raise ValueError(
                "source: every one has 'every'; expected one that they come along with"
            )
        check_ranges(self)
        for name, known in _CHOICES:
            for value in _as_tuple(getattr(self, name)):
                if value not in known:
                    raise ValueError(f"{name} is {value!r}; expected {', '.join(known)}")
        self._check_evaluation()

    def _check_evaluation(self) -> None:
        if self.patience and not self.evaluation:
            raise ValueError("patience needs an [[evaluation]]")
        names = [row.name for row in self.evaluation]
        if len({*names, "mean"}) <= len(names):
            raise ValueError(
                f"evaluation: the names are {names}; expected different ones, and none 'mean', "
                "which is the mean of all"
            )
        if self.evaluation and not any(row.weight for row in self.evaluation):
            raise ValueError("evaluation: every weight is 0; expected one above it")

    def without_console(self) -> Recipe:
        """Return the recipe without the logger that prints."""
        loggers = tuple(name for name in self.loggers if name != "console")
        return dataclasses.replace(self, loggers=loggers)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values, for fingerprints and the model card."""
        return dataclasses.asdict(self)


_CHOICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("schedule", _SCHEDULES),
    ("dtype", _DTYPES),
    ("attention", _ATTENTION),
    ("loggers", _LOGGERS),
)


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file.

    Parameters
    ----------
    path
        The file; its keys are the attributes of ``Recipe``, ``[[source]]`` and ``[[evaluation]]``.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no TOML, or a key or value is wrong; the message names file and place.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such recipe")
    try:
        return parse_recipe(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path}: {exc}") from exc


def parse_recipe(text: str) -> Recipe:
    r"""Return the recipe in a TOML text.

    Parameters
    ----------
    text
        As ``read_recipe`` has it in a file.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ValueError
        If it is no TOML, or a key or value is wrong; the message names its place.

    Examples
    --------
    >>> source = '[[source]]\nname="a"\nfiles=["a.jsonl"]\nloss="cosent"\nscale=[0, 1]'
    >>> parse_recipe(source).seed
    42
    >>> parse_recipe('sead = 1')
    Traceback (most recent call last):
    ...
    ValueError: unknown key 'sead'; expected one of source, model, ...
    """
    table = parse_toml(text)
    kinds: tuple[tuple[str, Any], ...] = (
        ("source", SourceRecipe),
        ("evaluation", EvaluationRecipe),
    )
    for name, kind in kinds:
        rows = table.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{name} is {rows!r}; expected [[{name}]] tables")
        table[name] = tuple(
            _build(kind, row, f"[[{name}]] {i} ({row.get('name', 'no name')!r}): ")
            for i, row in enumerate(rows, 1)
        )
    return _build(Recipe, table, "")


def _build(kind: type[_Row], table: Mapping[str, Any], place: str) -> _Row:
    fields = {row.name: row for row in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise ValueError(f"{place}unknown key {key!r}; expected one of {', '.join(fields)}")
        values[key] = _checked(str(fields[key].type), value, f"{place}{key}")
    missing = [
        name
        for name, row in fields.items()
        if row.default is row.default_factory is dataclasses.MISSING and name not in values
    ]
    if missing:
        raise ValueError(f"{place}the key {missing[0]!r} is missing")
    try:
        return kind(**values)
    except ValueError as exc:
        raise ValueError(f"{place}{exc}") from exc


def _checked(kind: str, value: Any, place: str) -> Any:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind.startswith("tuple") and isinstance(value, list | tuple):
        part = kind.removeprefix("tuple[").partition(",")[0]
        return tuple(_checked(part, item, place) for item in value)
    if kind.startswith("Mapping") and isinstance(value, dict):
        return dict(value)
    wanted = _KINDS.get(kind)
    if kind in {"SourceRecipe", "EvaluationRecipe"} or (wanted and type(value) is wanted):
        return value
    raise ValueError(f"{place} is {value!r}; expected {_WORDS.get(kind, kind)}")


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


_KINDS: Mapping[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
_WORDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
}
