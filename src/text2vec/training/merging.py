"""Weighted averages of models of one architecture, weight by weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from text2vec.models import saved_folder
from text2vec.models.layout import read_spec
from text2vec.models.locate import ModelSource, locate_model, model_name
from text2vec.training.network import PLAIN_RECIPE, SentenceNetwork, open_network
from text2vec.training.output import write_network

__all__ = ["average_states", "merge_models", "merge_with_start"]


def average_states(
    states: Sequence[Mapping[str, Tensor]],
    weights: Sequence[float],
    names: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Return the weighted sum of models' tensors.

    Parameters
    ----------
    states
        At least one; the same names and shapes.
    weights
        One for each, of sum 1.
    names
        What messages call the models; "model 1" and so on if there are none.

    Returns
    -------
    dict[str, Tensor]
        Tensors of whole numbers are those of the first model.

    Raises
    ------
    ValueError
        If names, shapes or the sum are wrong.

    Notes
    -----
    Source: Wortsman et al. 2022, WiSE-FT, section 2, arXiv:2109.01903.

    Examples
    --------
    >>> average_states([{"a": torch.ones(1)}, {"a": torch.zeros(1)}], [0.75, 0.25])
    {'a': tensor([0.7500])}
    """
    if len(states) != len(weights) or not abs(sum(weights) - 1) <= 1e-6:
        raise ValueError(f"weights are {list(weights)}; expected {len(states)} of sum 1")
    called = names or [f"model {i}" for i in range(1, len(states) + 1)]
    for state, name in zip(states, called, strict=True):
        _check_fit(states[0], state, called[0], name)
    merged = {}
    for name, first in states[0].items():
        merged[name] = first.clone()
        if first.is_floating_point():
            parts = [w * s[name].double() for w, s in zip(weights, states, strict=True)]
            merged[name] = torch.stack(parts).sum(0).to(first.dtype)
    return merged


def _check_fit(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], one: str, other: str
) -> None:
    for name in sorted(first.keys() | second.keys()):
        shapes = [tuple(s[name].shape) if name in s else "none" for s in (first, second)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{name} has shape {shapes[0]} in {one} and {shapes[1]} in {other}; expected "
                "models of one architecture and size: merge one with what was trained from it"
            )


def merge_models(
    models: Sequence[str | Path], weights: Sequence[float], output: str | Path
) -> None:
    """Write the weighted average of models; tokenizer and settings are those of the first.

    Parameters
    ----------
    models
        Folders or names, of one architecture and size.
    weights
        One for each, of sum 1.
    output
        The new folder.

    Raises
    ------
    ValueError
        If the models do not fit each other, the weights are no average, or ``output`` is one of
        the models or holds something else.
    """
    folder = Path(output).absolute()
    saved_folder.check_target(folder)
    specs = [read_spec(locate_model(ModelSource(model_name(name)))) for name in models]
    saved_folder.check_other_folder(Path(output), [spec.folder for spec in specs])
    networks: list[SentenceNetwork] = [open_network(spec, PLAIN_RECIPE) for spec in specs]
    states = [network.state_dict() for network in networks]
    networks[0].load_state_dict(average_states(states, weights, [str(name) for name in models]))
    parts = " + ".join(f"{w:g} x {Path(str(m)).name}" for w, m in zip(weights, models, strict=True))
    card = f"# {folder.name}\n\nThe weighted average {parts}, weight by weight.\n"
    write_network(networks[0], specs[0], card, folder)


def merge_with_start(network: SentenceNetwork, start: SentenceNetwork, share: float) -> None:
    """Move a trained network towards the one that it started from.

    Parameters
    ----------
    network
        Is changed: ``share`` of its own weights, the rest of the other's.
    start
        The same model before training.
    share
        0 to 1.
    """
    states = [network.state_dict(), start.state_dict()]
    network.load_state_dict(average_states(states, [share, 1 - share]))
