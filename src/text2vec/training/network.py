"""A model folder as a PyTorch network that can be trained: transformer, pooling, what follows it.

It computes what the engines compute, on padded batches; the head is the one of the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own abbreviation
from torch import Tensor, nn

from text2vec.engines.pytorch import load_transformer
from text2vec.errors import ModelFormatError, require
from text2vec.models.checkpoint import load_dense
from text2vec.models.saved_folder import transformers_body
from text2vec.models.spec import ModelSpec
from text2vec.training.recipe import Recipe
from text2vec.training.sources import SourceRecipe

__all__ = ["PLAIN_RECIPE", "POOLINGS", "SentenceNetwork", "freeze_parts", "open_network"]


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


def _mean_sqrt_len(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1).sqrt()


def _weighted_mean(states: Tensor, mask: Tensor) -> Tensor:
    weights = mask * torch.arange(1, states.shape[1] + 1, device=states.device)[None, :, None]
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def _max(states: Tensor, mask: Tensor) -> Tensor:
    return states.masked_fill(mask == 0, -torch.inf).amax(1)


def _cls(states: Tensor, mask: Tensor) -> Tensor:
    del mask
    return states[:, 0]


def _last(states: Tensor, mask: Tensor) -> Tensor:
    places = mask[:, :, 0].sum(1).long().clamp(min=1) - 1
    return states[torch.arange(len(states), device=states.device), places]


POOLINGS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType({
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
})
"""Name -> function of padded states ``(n_texts, longest, dim)`` and mask ``(n_texts, longest, 1)``;
``first_last_avg`` is the mean of ``mean`` of the first and of the last layer."""


PLAIN_RECIPE = Recipe(
    (SourceRecipe("none", ("none",), "distill-mse", columns=("text",)),), attention="eager"
)
"""Opens a network as it is, nothing frozen or added: for work that is no training."""


class SentenceNetwork(nn.Module):
    """Token ids in, embeddings out.

    Parameters
    ----------
    transformer
        A ``PreTrainedModel``.
    spec
        Pooling, Dense layers and normalizing of the folder.
    """

    def __init__(self, transformer: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = spec.pooling
        self.normalize = spec.normalize
        self.dense = nn.ModuleList()
        self.activations = [layer.activation for layer in spec.dense]
        for layer in spec.dense:
            weight, bias = load_dense(layer)
            linear = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias)
            linear.weight.data = torch.from_numpy(np.array(weight))
            if bias is not None:
                linear.bias.data = torch.from_numpy(np.array(bias))
            self.dense.append(linear)

    def forward(self, features: dict[str, Any]) -> dict[str, Tensor]:
        """Return ``{"sentence_embedding": (n_texts, dim)}``.

        Parameters
        ----------
        features
            ``input_ids`` ``(n_texts, longest)``, and ``attention_mask`` of the same shape, or None
            where nothing is padded.

        Returns
        -------
        dict[str, Tensor]
            As sentence-transformers' modules do.
        """
        ids, there = features["input_ids"], features.get("attention_mask")
        both = "first_last_avg" in self.pooling
        output = self.transformer(input_ids=ids, attention_mask=there, output_hidden_states=both)
        states = output.last_hidden_state
        mask = torch.ones_like(ids) if there is None else there
        mask = mask[:, :, None].to(states.dtype)
        pooled = []
        for mode in self.pooling:
            if mode == "first_last_avg":
                first = output.hidden_states[1]
                pooled.append((_mean(first, mask) + _mean(states, mask)) / 2)
            else:
                pooled.append(POOLINGS[mode](states, mask))
        embeddings = torch.cat(pooled, dim=-1)
        for layer, activation in zip(self.dense, self.activations, strict=True):
            embeddings = _ACTIVATIONS[activation](layer(embeddings))
        if self.normalize:
            embeddings = F.normalize(embeddings.float(), dim=-1)
        return {"sentence_embedding": embeddings}


_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({
    "identity": lambda x: x,
    "tanh": torch.tanh,
    "relu": F.relu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
})


def open_network(spec: ModelSpec, recipe: Recipe) -> SentenceNetwork:
    """Return a model folder as a network whose parts are frozen as the recipe says.

    Parameters
    ----------
    spec
        The folder.
    recipe
        Attention, dropout, frozen parts, adapters.

    Returns
    -------
    SentenceNetwork
        In float32, on the CPU. Code that comes with the folder is never run.

    Raises
    ------
    ModelFormatError
        If transformers cannot open the folder.
    MissingExtraError
        If the recipe asks for adapters and peft is not installed.
    ValueError
        If a frozen part is not there.
    """
    try:
        with transformers_body(spec) as body:
            transformer = load_transformer(
                require("transformers", "train").AutoModel,
                body,
                dtype=torch.float32,
                attn_implementation=recipe.attention,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as exc:
        raise ModelFormatError(f"{spec.body}: transformers cannot open it: {exc}") from exc
    for module in transformer.modules():
        if isinstance(module, nn.Dropout):
            module.p = recipe.dropout
    freeze_parts(transformer, recipe.freeze, recipe.frozen_layers)
    if recipe.lora_rank:
        transformer = _with_adapters(transformer, recipe)
    return SentenceNetwork(transformer, spec)


def freeze_parts(transformer: nn.Module, parts: Sequence[str], n_layers: int) -> None:
    """Let the named parts and the lowest layers stay as they are.

    Parameters
    ----------
    transformer
        A ``PreTrainedModel``.
    parts
        Parts of parameter names, for example ``word_embeddings``.
    n_layers
        Layers counted from below; the embeddings stay as well if it is not 0. What no embedding
        depends on (the pooler) is frozen always.

    Raises
    ------
    ValueError
        If no parameter has such a name, there are not so many layers, or nothing is left.
    """
    names = [name for name, _ in transformer.named_parameters()]
    lowest = [f".{word}.{i}." for word in ("layer", "layers") for i in range(n_layers)]
    for part in parts:
        if not any(part in name for name in names):
            raise ValueError(
                f"freeze: no parameter's name holds {part!r}; they are like {names[:3]}"
            )
    if n_layers and not any(lowest[n_layers - 1] in name or lowest[-1] in name for name in names):
        raise ValueError(f"frozen_layers is {n_layers}; the model has fewer layers")
    for name, weight in transformer.named_parameters():
        low = n_layers and (name.startswith("embeddings.") or any(part in name for part in lowest))
        if low or name.startswith("pooler.") or any(part in name for part in parts):
            weight.requires_grad = False
    if not any(weight.requires_grad for weight in transformer.parameters()):
        raise ValueError("freeze: nothing is left to train")


def _with_adapters(transformer: nn.Module, recipe: Recipe) -> nn.Module:
    peft = require("peft", "train")
    linear = {
        name.rpartition(".")[2]
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith("pooler")
    }
    config = peft.LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha or 2 * recipe.lora_rank,
        lora_dropout=recipe.dropout,
        target_modules=sorted(linear),
    )
    adapted: nn.Module = peft.get_peft_model(transformer, config)
    return adapted
