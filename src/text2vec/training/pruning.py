"""Narrower feed-forward layers: neurons removed, their work taken over by those that stay.

Which neurons stay, and with what weights, follows from how a layer answers to texts; nothing is
trained. A model that was trained on those texts loses little, and training brings most of it back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from text2vec.files.rows import read_rows
from text2vec.models import saved_folder
from text2vec.models.architectures import ARCHITECTURES
from text2vec.models.layout import read_spec
from text2vec.models.locate import ModelSource, locate_model, model_name
from text2vec.sentence_model import SentenceModel
from text2vec.training.network import PLAIN_RECIPE, SentenceNetwork, open_network
from text2vec.training.output import write_network
from text2vec.training.scoring import embed_tokens, padding_id

__all__ = ["choose_neurons", "prune_model", "sample_texts"]

_STEPS = 96
"""A layer's neurons over those that go between two looks at what each is worth: one by one where
there are few, since of two copies one must stay."""
_RIDGE = 1e-4
"""Of the mean square activation, added to every neuron's, so that equal neurons can be solved."""


def sample_texts(paths: Sequence[Path], n_rows: int, seed: int = 0) -> list[str]:
    """Return all texts of some rows of each file.

    Parameters
    ----------
    paths
        Files that ``files.rows`` reads; whatever in a row is text counts.
    n_rows
        Of each file, drawn without replacement; all where it has fewer.
    seed
        Of the drawing.

    Returns
    -------
    list[str]
        Each text once, files in their order.

    Raises
    ------
    DataFormatError
        If a row cannot be read.
    FileNotFoundError
        If a file is not there.
    """
    rng = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    for path in paths:
        rows = [row.values.values() for row in read_rows(path)]
        for i in sorted(rng.permutation(len(rows))[:n_rows].tolist()):
            texts.update((value, None) for value in rows[i] if isinstance(value, str) and value)
    return list(texts)


def choose_neurons(
    moments: NDArray[np.float64], down: NDArray[np.float64], bias: NDArray[np.float64], n_kept: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Choose the neurons of a layer that stay, and their weights.

    Parameters
    ----------
    moments
        Sums over tokens of the products of any two activations, a constant 1 behind the last:
        shape ``(n_neurons + 1, n_neurons + 1)``.
    down
        Weights from the neurons to the layer's result, ``(hidden, n_neurons)``. A row's scale says
        how much its errors count.
    bias
        Of the result, ``(hidden,)``.
    n_kept
        Neurons that stay, 1 to ``n_neurons``.

    Returns
    -------
    tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
        The neurons, rising, ``(n_kept,)``; ``down`` and ``bias`` of the smaller layer, those of
        least squares over the tokens.

    Raises
    ------
    ValueError
        If ``n_kept`` is out of range.

    Notes
    -----
    Source: Hassibi and Stork 1992, Optimal Brain Surgeon, equations 4 and 5, for a layer's squared
    error; several neurons a step as in Kurtic et al. 2023, ZipLM, section 3.1, arXiv:2302.04089.

    Examples
    --------
    Of two equal neurons one goes, and the other does the work of both.

    >>> h = np.array([[1.0, 1.0, 1.0], [3.0, 3.0, 1.0]])
    >>> kept, down, bias = choose_neurons(h.T @ h, np.array([[1.0, 2.0]]), np.zeros(1), 1)
    >>> len(kept), down.round(2), bias.round(2) + 0
    (1, array([[3.]]), array([0.]))
    """
    n_neurons = down.shape[1]
    if not 1 <= n_kept <= n_neurons:
        raise ValueError(f"neurons is {n_kept}; expected 1 to {n_neurons}, what the layer has")
    target = np.concatenate([down, bias[:, None]], axis=1)
    ridge = np.zeros(n_neurons + 1)
    ridge[:-1] = max(_RIDGE * moments.diagonal()[:-1].mean(), np.finfo(np.float64).tiny)
    solvable = moments + np.diag(ridge)
    kept, at_once = np.arange(n_neurons + 1), max(1, n_neurons // _STEPS)
    while True:
        inverse = np.linalg.inv(solvable[np.ix_(kept, kept)])
        weights = target @ solvable[:, kept] @ inverse
        surplus = len(kept) - 1 - n_kept
        if not surplus:
            return kept[:-1], weights[:, :-1], weights[:, -1]
        loss = np.square(weights[:, :-1]).sum(axis=0) / inverse.diagonal()[:-1]
        kept = np.delete(kept, np.argsort(loss, kind="stable")[: min(at_once, surplus)])


def prune_model(
    model: str | Path,
    texts: Sequence[str],
    n_neurons: int,
    output: str | Path,
    *,
    max_seq_length: int | None = None,
) -> None:
    """Write a model whose feed-forward layers have fewer neurons.

    Parameters
    ----------
    model
        Folder or name, of one of ``ARCHITECTURES``.
    texts
        What the layers shall answer to as before; many times as many tokens as neurons.
    n_neurons
        Of each layer.
    output
        The new folder, of the same layout; its configuration has the new size.
    max_seq_length
        Tokens at which the texts are cut; None for the model's own limit.

    Raises
    ------
    ValueError
        If the architecture is not in the table, there are fewer tokens than neurons, ``n_neurons``
        is out of range, or ``output`` is the model or holds something else.
    """
    folder = Path(output).absolute()
    saved_folder.check_target(folder)
    spec = read_spec(locate_model(ModelSource(model_name(model))))
    saved_folder.check_other_folder(Path(output), [spec.folder])
    row = ARCHITECTURES.get(str(spec.config.get("model_type")))
    if row is None or spec.shape is None:
        raise ValueError(
            f"{model} is of the architecture {spec.config.get('model_type')!r}; expected one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    if not 1 <= n_neurons <= spec.shape.intermediate:
        raise ValueError(
            f"neurons is {n_neurons}; expected 1 to {spec.shape.intermediate}, what the model has"
        )
    tokens = SentenceModel(spec.folder, max_seq_length=max_seq_length).tokenize(texts).batch
    if len(tokens.ids) < spec.shape.intermediate:
        raise ValueError(
            f"the texts have {len(tokens.ids)} tokens; expected {spec.shape.intermediate} or more, "
            "the neurons of a layer"
        )
    network = open_network(spec, PLAIN_RECIPE).eval()
    layers = [
        {part: stem.format(i=i) for part, stem in row.layer.items()}
        for i in range(spec.shape.layers)
    ]
    modules: dict[str, Any] = dict(network.transformer.named_modules())
    with _moments(network, [modules[layer["output"]] for layer in layers]) as moments:
        embed_tokens(network, tokens, padding_id(network))
    for layer, sums in zip(layers, moments, strict=True):
        up, down, norm = (modules[layer[k]] for k in ("intermediate", "output", "output_norm"))
        _narrow(up, down, norm, sums, n_neurons)
    config = {**spec.config, row.sizes["intermediate"]: n_neurons}
    name = Path(str(model)).name
    card = f"# {folder.name}\n\n{name} with {n_neurons} neurons a feed-forward layer.\n"
    write_network(network, dataclasses.replace(spec, config=config), card, folder)


@contextmanager
def _moments(network: SentenceNetwork, downs: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Sum the products of what goes into each linear layer, padding left out, during the block."""
    mask: list[Tensor | None] = [None]
    sums: list[Tensor] = []

    def see_mask(_: nn.Module, arguments: tuple[dict[str, Any], ...]) -> None:
        mask[0] = arguments[0].get("attention_mask")

    def add(i: int, states: Tensor) -> None:
        rows = states.reshape(-1, states.shape[-1])
        if mask[0] is not None:
            rows = rows[mask[0].reshape(-1).bool()]
        rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        product = (rows.T @ rows).double()
        if i == len(sums):
            sums.append(product)
        else:
            sums[i] += product

    handles = [network.register_forward_pre_hook(see_mask)]
    for i, down in enumerate(downs):
        handles.append(down.register_forward_pre_hook(lambda _, inputs, i=i: add(i, inputs[0])))
    try:
        yield sums
    finally:
        for handle in handles:
            handle.remove()


def _narrow(up: Any, down: Any, norm: Any, moments: Tensor, n_neurons: int) -> None:
    """Keep so many neurons between two linear layers; errors count as the norm scales them."""
    scale = norm.weight.detach().double().abs().clamp(min=1e-12).numpy()
    weights = [x.detach().double().numpy() for x in (down.weight, down.bias)]
    kept, weight, bias = choose_neurons(
        moments.numpy(), scale[:, None] * weights[0], scale * weights[1], n_neurons
    )
    up.weight.data = up.weight.data[kept].clone()
    up.bias.data = up.bias.data[kept].clone()
    up.out_features = down.in_features = n_neurons
    down.weight.data = torch.from_numpy(weight / scale[:, None]).float()
    down.bias.data = torch.from_numpy(bias / scale).float()
