"""What a model folder says of itself, as values.

``layout`` fills them from files, engines and the model read them; nothing here touches a disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from text2vec.models.architectures import TransformerShape

__all__ = [
    "DENSE_ACTIVATIONS",
    "HIDDEN_KEYS",
    "PLAIN_MAX_TOKENS",
    "POOLING_FLAGS",
    "POOLING_MODES",
    "STORAGE_KEY",
    "DenseSpec",
    "ModelSpec",
]

STORAGE_KEY = "text2vec_storage"
"""Key of ``config.json`` that says in which form a compact folder keeps its matrices: ``int8``."""

HIDDEN_KEYS = ("hidden_size", "d_model", "n_embd", "emb_dim", "dim")
"""Where ``config.json`` says how wide a token's state is, architecture by architecture."""
PLAIN_MAX_TOKENS = 256
"""The limit where a folder records none: the default of text2vec 1.x, and of its models."""

POOLING_MODES = (
    "cls",
    "max",
    "mean",
    "mean_sqrt_len_tokens",
    "weightedmean",
    "lasttoken",
    "first_last_avg",
)
"""In the order in which sentence-transformers concatenates them; the last is text2vec's own."""

POOLING_FLAGS: Mapping[str, str] = MappingProxyType({
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
})
"""Flag of an old ``1_Pooling/config.json`` -> mode, in the order of concatenation."""
DENSE_ACTIVATIONS: Mapping[str, str] = MappingProxyType({
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.linear.Identity": "identity",
})
"""Class name in a Dense module's ``config.json`` -> activation."""


@dataclass(frozen=True)
class DenseSpec:
    """A linear layer on top of the pooled vector.

    Attributes
    ----------
    folder
        Where its weights lie.
    in_features, out_features
        Its sizes.
    bias
        Whether it has one.
    activation
        One of ``identity``, ``tanh``, ``relu``, ``gelu``, ``sigmoid``.
    """

    folder: Path
    in_features: int
    out_features: int
    bias: bool
    activation: str


@dataclass(frozen=True)
class ModelSpec:
    """What a model folder says of itself.

    Attributes
    ----------
    folder, layout
        The folder of the model, and the row of ``LAYOUTS`` that read it.
    body
        The folder of the transformer and its tokenizer, inside ``folder`` or equal to it.
    config
        The transformer's parsed ``config.json``.
    shape
        Its sizes; None where our own engines do not know the architecture.
    pooling
        One or more of ``POOLING_MODES``; several are concatenated.
    include_prompt
        Whether a prompt's tokens count in the pooling.
    dense
        Linear layers after the pooling, in order.
    normalize
        Whether the embedding is scaled to length 1 at the end.
    max_seq_length
        Longest text in tokens, special tokens included.
    do_lower_case
        Whether text is lower-cased even if the tokenizer does not.
    truncate_dim
        How many leading values of an embedding are kept; None for all.
    prompts, default_prompt_name, similarity_fn_name
        As in ``config_sentence_transformers.json``.
    notes
        What had to be assumed, to be said aloud.
    """

    folder: Path
    layout: str
    body: Path
    config: Mapping[str, Any]
    shape: TransformerShape | None
    pooling: tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    dense: tuple[DenseSpec, ...] = ()
    normalize: bool = False
    max_seq_length: int = PLAIN_MAX_TOKENS
    truncate_dim: int | None = None
    do_lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    similarity_fn_name: str = "cosine"
    notes: tuple[str, ...] = ()

    @property
    def stored_dtype(self) -> str:
        """Precision in which the folder keeps its matrices: ``float32`` unless it is compact."""
        return "int8" if self.config.get(STORAGE_KEY) == "int8" else "float32"

    @property
    def hidden(self) -> int:
        """Width of a token state."""
        if self.shape is not None:
            return self.shape.hidden
        return next(int(self.config[key]) for key in HIDDEN_KEYS if self.config.get(key))

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.dense[-1].out_features if self.dense else self.hidden * len(self.pooling)

    def with_length(self, max_seq_length: int | None) -> ModelSpec:
        """Return the model with another limit of tokens; None changes nothing.

        Returns
        -------
        ModelSpec
            Itself, or a changed copy.

        Raises
        ------
        ValueError
            If the model has no positions for so many.
        """
        if max_seq_length is None:
            return self
        stated = self.config.get("max_position_embeddings") or 1 << 30
        longest = self.shape.max_tokens if self.shape is not None else int(stated)
        whole = isinstance(max_seq_length, int) and not isinstance(max_seq_length, bool)
        if not whole or not 1 <= max_seq_length <= longest:
            raise ValueError(f"max_seq_length is {max_seq_length!r}; expected 1 to {longest}")
        return dataclasses.replace(self, max_seq_length=max_seq_length)

    def with_pooling(self, pooling: str | Sequence[str] | None) -> ModelSpec:
        """Return the model with other pooling modes; None changes nothing.

        Returns
        -------
        ModelSpec
            Itself, or a changed copy.

        Raises
        ------
        ValueError
            If a mode is unknown, or the Dense layer does not fit what they give.
        """
        if pooling is None:
            return self
        modes = (pooling,) if isinstance(pooling, str) else tuple(pooling)
        if not modes or not set(modes) <= set(POOLING_MODES):
            raise ValueError(f"unknown pooling {pooling!r}; expected {', '.join(POOLING_MODES)}")
        width = self.hidden * len(modes)
        if self.dense and self.dense[0].in_features != width:
            raise ValueError(
                f"pooling {'+'.join(modes)} gives {width} dimensions; the model's Dense layer "
                f"expects {self.dense[0].in_features}"
            )
        return dataclasses.replace(self, pooling=modes)

    def with_prompts(self, prompts: Mapping[str, str] | None, default: str | None) -> ModelSpec:
        """Return the model with other prompts or another default; None changes nothing.

        Returns
        -------
        ModelSpec
            Itself, or a changed copy.

        Raises
        ------
        ValueError
            If no prompt has the default's name, or the prompts are no texts by name.
        """
        spec = self
        if prompts is not None:
            if not isinstance(prompts, Mapping) or not all(
                isinstance(prompt, str) for prompt in prompts.values()
            ):
                raise ValueError(f"prompts is {prompts!r}; expected name: text")
            named = MappingProxyType(dict(prompts))
            spec = dataclasses.replace(spec, prompts=named, default_prompt_name=None)
        if default is None:
            return spec
        if default not in spec.prompts:
            known = ", ".join(map(repr, spec.prompts)) or "none"
            raise ValueError(f"unknown default_prompt_name {default!r}; the prompts are: {known}")
        return dataclasses.replace(spec, default_prompt_name=default)
