"""The table of losses: what each needs of the data, and what a recipe may set. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["LOSSES", "TAUGHT", "LossRow", "Needs", "find_loss"]

Needs = Literal[
    "scored", "classes", "positives", "triplets", "texts", "related", "translations", "margins"
]
"""Rows that a loss reads: pairs with a score or a class, texts that mean the same, triplets
(``margins``: with a teacher's), or texts with a teacher's embeddings, alone or (``related``) in
rows of several that stand in a batch together; of ``translations`` the teacher reads the first."""


@dataclass(frozen=True)
class LossRow:
    """One loss.

    Attributes
    ----------
    name
        How a recipe calls it; ``objectives.CALLS`` has the function under the same name.
    needs
        What its rows are.
    options
        Names and defaults of what a recipe may set.
    ranks
        Whether it compares rows with each other by label, so that one row alone says nothing.
    has_head
        Whether a linear classifier stands between embeddings and loss.
    """

    name: str
    needs: Needs
    options: Mapping[str, Any] = field(default_factory=dict)
    ranks: bool = False
    has_head: bool = False


_ROWS = (
    LossRow("cosent", "scored", {"scale": 20.0}, ranks=True),
    LossRow("angle", "scored", {"scale": 20.0, "cosent_weight": 0.0}, ranks=True),
    LossRow("cosine-mse", "scored"),
    LossRow("softmax", "classes", has_head=True),
    LossRow("info-nce", "positives", {"scale": 20.0, "symmetric": False}, ranks=True),
    LossRow("triplet", "triplets", {"margin": 0.3}),
    LossRow("distill-mse", "texts"),
    LossRow("distill-cosine", "texts"),
    LossRow("distill-correlation", "related", ranks=True),
    LossRow("distill-translation", "translations"),
    LossRow("margin-mse", "margins"),
)
LOSSES: Mapping[str, LossRow] = MappingProxyType({row.name: row for row in _ROWS})
"""Name in a recipe -> loss."""

TAUGHT: frozenset[Needs] = frozenset({"texts", "related", "translations"})
"""What has a teacher's embeddings as labels."""


def find_loss(name: str) -> LossRow:
    """Return a row of ``LOSSES``.

    Parameters
    ----------
    name
        As a recipe has it.

    Returns
    -------
    LossRow
        The loss.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists them.

    Examples
    --------
    >>> find_loss("cosent").needs
    'scored'
    """
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; expected one of {', '.join(LOSSES)}")
    return LOSSES[name]
