"""The transformer architectures that our own engines run: one row each.

A row says how a checkpoint of that ``model_type`` names its sizes and its weights; the loader maps
them to one canonical set of names, so that engines know one architecture only. What is not in the
table goes to the PyTorch engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from text2vec.errors import ModelFormatError

__all__ = ["ARCHITECTURES", "Architecture", "TransformerShape", "read_shape"]

MAX_SIZES: Mapping[str, int] = MappingProxyType(
    # Far above any encoder that exists, far below what would exhaust a machine.
    {
        "hidden": 16_384,
        "layers": 512,
        "heads": 512,
        "intermediate": 131_072,
        "vocab_size": 10_000_000,
        "max_positions": 1_048_576,
        "token_types": 4_096,
        "task_types": 4_096,
    }
)


@dataclass(frozen=True)
class TransformerShape:
    """The sizes of one encoder.

    Attributes
    ----------
    architecture
        Row of ``ARCHITECTURES``.
    hidden, layers, heads, intermediate, vocab_size
        Sizes; ``hidden`` is a multiple of ``heads``.
    max_positions
        Rows of the position table, those before ``position_offset`` included.
    position_offset
        The position id of a text's first token (0 for BERT, 2 for XLM-R).
    token_types, task_types
        Rows of the segment table and of ERNIE's task table; 0 means that there is none.
    relative_buckets
        Rows of MPNet's relative position bias; 0 means that there is none.
    layer_norm_eps
        Added to the variance in every LayerNorm.
    activation
        Name of the activation between the two feed-forward layers.
    """

    architecture: str
    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocab_size: int
    max_positions: int
    position_offset: int = 0
    token_types: int = 0
    task_types: int = 0
    relative_buckets: int = 0
    layer_norm_eps: float = 1e-12
    activation: str = "gelu"

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def max_tokens(self) -> int:
        """The longest text that the position table allows."""
        return self.max_positions - self.position_offset


@dataclass(frozen=True)
class Architecture:
    """One row: how a ``model_type`` names sizes and weights.

    Attributes
    ----------
    sizes
        Field of ``TransformerShape`` -> key of ``config.json``.
    tables
        Canonical name -> key in the checkpoint, for what exists once.
    layer
        Canonical stem -> stem in the checkpoint, for what each layer has as ``.weight`` and
        ``.bias``; ``{i}`` stands for the layer's number.
    prefix
        What a checkpoint that was saved with a head puts before every key of the encoder.
    position_offset_from_padding
        Positions start after the padding id, as in RoBERTa.
    """

    sizes: Mapping[str, str]
    tables: Mapping[str, str]
    layer: Mapping[str, str]
    prefix: str
    position_offset_from_padding: bool = False


_BERT_SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "vocab_size": "vocab_size",
    "max_positions": "max_position_embeddings",
    "token_types": "type_vocab_size",
    "activation": "hidden_act",
    "layer_norm_eps": "layer_norm_eps",
}
_BERT_TABLES = {
    "word": "embeddings.word_embeddings.weight",
    "position": "embeddings.position_embeddings.weight",
    "token_type": "embeddings.token_type_embeddings.weight",
    "embedding_norm.weight": "embeddings.LayerNorm.weight",
    "embedding_norm.bias": "embeddings.LayerNorm.bias",
}
_BERT_LAYER = {
    "query": "encoder.layer.{i}.attention.self.query",
    "key": "encoder.layer.{i}.attention.self.key",
    "value": "encoder.layer.{i}.attention.self.value",
    "attention_output": "encoder.layer.{i}.attention.output.dense",
    "attention_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "intermediate": "encoder.layer.{i}.intermediate.dense",
    "output": "encoder.layer.{i}.output.dense",
    "output_norm": "encoder.layer.{i}.output.LayerNorm",
}
_WITHOUT_TOKEN_TYPE = {k: v for k, v in _BERT_TABLES.items() if k != "token_type"}
_ROBERTA = Architecture(
    _BERT_SIZES, _BERT_TABLES, _BERT_LAYER, "roberta.", position_offset_from_padding=True
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({
    "bert": Architecture(_BERT_SIZES, _BERT_TABLES, _BERT_LAYER, "bert."),
    "ernie": Architecture(
        {**_BERT_SIZES, "task_types": "task_type_vocab_size"},
        {**_BERT_TABLES, "task_type": "embeddings.task_type_embeddings.weight"},
        _BERT_LAYER,
        "ernie.",
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": Architecture(
        {
            "hidden": "dim",
            "layers": "n_layers",
            "heads": "n_heads",
            "intermediate": "hidden_dim",
            "vocab_size": "vocab_size",
            "max_positions": "max_position_embeddings",
            "activation": "activation",
        },
        _WITHOUT_TOKEN_TYPE,
        {
            "query": "transformer.layer.{i}.attention.q_lin",
            "key": "transformer.layer.{i}.attention.k_lin",
            "value": "transformer.layer.{i}.attention.v_lin",
            "attention_output": "transformer.layer.{i}.attention.out_lin",
            "attention_norm": "transformer.layer.{i}.sa_layer_norm",
            "intermediate": "transformer.layer.{i}.ffn.lin1",
            "output": "transformer.layer.{i}.ffn.lin2",
            "output_norm": "transformer.layer.{i}.output_layer_norm",
        },
        "distilbert.",
    ),
    "mpnet": Architecture(
        {
            **{k: v for k, v in _BERT_SIZES.items() if k != "token_types"},
            "relative_buckets": "relative_attention_num_buckets",
        },
        {
            **_WITHOUT_TOKEN_TYPE,
            "relative_bias": "encoder.relative_attention_bias.weight",
        },
        {
            **_BERT_LAYER,
            "query": "encoder.layer.{i}.attention.attn.q",
            "key": "encoder.layer.{i}.attention.attn.k",
            "value": "encoder.layer.{i}.attention.attn.v",
            "attention_output": "encoder.layer.{i}.attention.attn.o",
            "attention_norm": "encoder.layer.{i}.attention.LayerNorm",
        },
        "mpnet.",
        position_offset_from_padding=True,
    ),
})

# What transformers assumes where config.json is silent (the configuration classes' defaults).
_DEFAULTS: Mapping[str, Any] = MappingProxyType({
    "layer_norm_eps": 1e-12,
    "activation": "gelu",
    "token_types": 2,
    "task_types": 3,
    "relative_buckets": 32,
})
_ROBERTA_PADDING_ID = 1


def read_shape(config: Mapping[str, Any], where: str) -> TransformerShape:
    """Return the sizes that a ``config.json`` states, checked.

    Parameters
    ----------
    config
        The parsed ``config.json``; its ``model_type`` is a row of ``ARCHITECTURES``.
    where
        Name of the file, for messages.

    Returns
    -------
    TransformerShape
        The sizes, each within what a real encoder can have.

    Raises
    ------
    ModelFormatError
        If a size is missing, no whole number, out of range, or ``hidden`` is no multiple of
        ``heads``, or the position embeddings are not absolute.

    Notes
    -----
    Source: the configuration classes of transformers (``BertConfig`` and its relatives).

    Examples
    --------
    >>> shape = read_shape({"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1,
    ...     "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 30,
    ...     "max_position_embeddings": 12, "type_vocab_size": 2}, "config.json")
    >>> shape.head_dim, shape.max_tokens
    (4, 12)
    """
    kind = config["model_type"]
    row = ARCHITECTURES[kind]
    values: dict[str, Any] = {}
    for name, key in row.sizes.items():
        value = config.get(key, _DEFAULTS.get(name))
        if name in MAX_SIZES:
            value = _checked_size(value, name, f"{where}: {key}")
        elif name == "relative_buckets":
            value = _checked_size(value, "heads", f"{where}: {key}")
        values[name] = value
    if kind == "ernie" and not config.get("use_task_id", False):
        values["task_types"] = 0
    if row.position_offset_from_padding:
        padding = config.get("pad_token_id", _ROBERTA_PADDING_ID)
        values["position_offset"] = _checked_size(padding, "max_positions", f"{where}: pad id") + 1
    shape = TransformerShape(architecture=kind, **values)
    _check_consistent(shape, config, where)
    return shape


def _checked_size(value: Any, name: str, where: str) -> int:
    lowest = 0 if name in {"token_types", "task_types"} or where.endswith("pad id") else 1
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelFormatError(f"{where} is {value!r}; expected a whole number")
    if not lowest <= value <= MAX_SIZES[name]:
        raise ModelFormatError(f"{where} is {value}; expected {lowest} to {MAX_SIZES[name]}")
    return value


def _check_consistent(shape: TransformerShape, config: Mapping[str, Any], where: str) -> None:
    if shape.hidden % shape.heads:
        raise ModelFormatError(
            f"{where}: hidden size {shape.hidden} is no multiple of {shape.heads} heads"
        )
    if shape.max_tokens < 1:
        raise ModelFormatError(
            f"{where}: {shape.max_positions} positions leave no room after "
            f"offset {shape.position_offset}"
        )
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ModelFormatError(
            f"{where}: position_embedding_type is {positions!r}; our engines know 'absolute' only;"
            " use engine='torch'"
        )
    if not isinstance(shape.layer_norm_eps, (int, float)) or not 0 <= shape.layer_norm_eps < 1:
        raise ModelFormatError(
            f"{where}: layer_norm_eps is {shape.layer_norm_eps!r}; expected 0 to 1"
        )
