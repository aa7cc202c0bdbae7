"""What a caller asks of ``encode``: its keywords, checked, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TypedDict

import numpy as np

from text2vec.quantization import Precision, check_precision

__all__ = [
    "ROLE_PROMPTS",
    "EncodeKeywords",
    "EncodeOptions",
    "options_of",
    "role_prompt",
    "with_role",
]

ROLE_PROMPTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
})
"""Role of a text -> names under which models have its prompt, the first one found counts."""


class EncodeKeywords(TypedDict, total=False):
    """The keywords of ``encode``, for type checkers."""

    prompt_name: str | None
    prompt: str | None
    batch_size: int | None
    show_progress_bar: bool | None
    precision: Precision
    normalize_embeddings: bool
    truncate_dim: int | None


@dataclass(frozen=True)
class EncodeOptions:
    """What a caller asks of ``encode``; the fields are its keywords.

    Raises
    ------
    ValueError
        If ``precision`` is unknown, ``batch_size`` or ``truncate_dim`` is no number above 0, or the
        prompt is no text.
    """

    prompt_name: str | None = None
    prompt: str | None = None
    batch_size: int | None = None
    show_progress_bar: bool | None = None
    precision: Precision = "float32"
    normalize_embeddings: bool = False
    truncate_dim: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no text could be encoded with."""
        check_precision(self.precision)
        for name in ("batch_size", "truncate_dim"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and (not whole or value < 1):
                raise ValueError(f"{name} is {value!r}; expected a whole number above 0")
        for name in ("prompt", "prompt_name"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{name} is a {type(value).__name__}; expected a str")
        if self.prompt and any("\ud800" <= letter <= "\udfff" for letter in self.prompt):
            raise ValueError(f"prompt {self.prompt!r} holds a lone surrogate; expected whole text")

    def find_prompt(self, prompts: Mapping[str, str], default: str | None) -> str:
        """Return the text to put before each text; ``""`` for none.

        Parameters
        ----------
        prompts
            The model's prompts by name.
        default
            Name of the one that is used where none is asked for.

        Returns
        -------
        str
            ``prompt`` itself, else the prompt of that name, else the default one.

        Raises
        ------
        ValueError
            If there is no prompt of that name.
        """
        if self.prompt is not None:
            return self.prompt
        name = self.prompt_name if self.prompt_name is not None else default
        if name is None:
            return ""
        if name not in prompts:
            known = ", ".join(map(repr, prompts)) or "none"
            raise ValueError(f"unknown prompt_name {name!r}; the model's prompts are: {known}")
        return prompts[name]


def options_of(keywords: EncodeKeywords, truncate_dim: int | None) -> EncodeOptions:
    """Return the options that the keywords of ``encode`` ask for.

    Parameters
    ----------
    keywords
        What the caller gave.
    truncate_dim
        The model's own, where the caller gave none.

    Returns
    -------
    EncodeOptions
        Checked.

    Raises
    ------
    TypeError
        If there is no such keyword.
    ValueError
        If a value is wrong.

    Examples
    --------
    >>> options_of({"truncate_dim": 64}, None).truncate_dim
    64
    """
    known = {field.name for field in fields(EncodeOptions)}
    for name in keywords.keys() - known:
        raise TypeError(f"unexpected keyword {name!r}; expected {', '.join(sorted(known))}")
    options = EncodeOptions(**keywords)
    return options if options.truncate_dim else replace(options, truncate_dim=truncate_dim)


def role_prompt(role: str, prompts: Mapping[str, str]) -> str | None:
    """Return the prompt that a model has for a role, if it has one.

    Parameters
    ----------
    role
        Key of ``ROLE_PROMPTS``.
    prompts
        The model's prompts by name.

    Returns
    -------
    str | None
        The first one found.

    Examples
    --------
    >>> role_prompt("document", {"passage": "passage: "})
    'passage: '
    """
    return next((prompts[name] for name in ROLE_PROMPTS[role] if name in prompts), None)


def with_role(keywords: EncodeKeywords, role: str, prompts: Mapping[str, str]) -> EncodeKeywords:
    """Return the keywords with the prompt of a role, unless they ask for another one.

    Parameters
    ----------
    keywords
        What the caller gave.
    role
        Key of ``ROLE_PROMPTS``.
    prompts
        The model's prompts by name.

    Returns
    -------
    EncodeKeywords
        Themselves, or a copy with ``prompt``; ``""`` where the model has none for the role.

    Examples
    --------
    >>> with_role({}, "document", {"passage": "passage: "})
    {'prompt': 'passage: '}
    """
    if keywords.get("prompt") is None and keywords.get("prompt_name") is None:
        # "" and not None: the default prompt is for encode() alone.
        return {**keywords, "prompt": role_prompt(role, prompts) or ""}
    return keywords
