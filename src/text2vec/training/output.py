"""A trained network written as a model folder that others open."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from text2vec.models.saved_folder import write_model_folder
from text2vec.models.spec import STORAGE_KEY, ModelSpec
from text2vec.text.tokenizer_folder import open_tokenizer_folder
from text2vec.training.network import SentenceNetwork

__all__ = ["write_heads", "write_network"]


def write_network(network: SentenceNetwork, spec: ModelSpec, card: str, output: Path) -> None:
    """Write a network in the layout of sentence-transformers.

    Parameters
    ----------
    network
        What was trained; adapters must be merged.
    spec
        The folder that it started from: tokenizer, configuration and settings are its own.
    card
        The model card.
    output
        The folder; one that holds a model and nothing else is replaced once the new one is whole.

    Raises
    ------
    ValueError
        If ``output`` holds something else.
    OSError
        If the disk is full.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as name:
        folder = Path(name)
        body = folder / "body"
        shutil.copytree(spec.body, body, ignore=_heavy_files)
        state = {
            key: value.detach().cpu().contiguous().clone()
            for key, value in network.transformer.state_dict().items()
        }
        save_file(state, body / "model.safetensors", metadata={"format": "pt"})
        dense = []
        for i, (layer, row) in enumerate(zip(network.dense, spec.dense, strict=True)):
            part = folder / f"dense{i}"
            part.mkdir()
            weights = {
                f"linear.{k}": v.detach().contiguous() for k, v in layer.state_dict().items()
            }
            save_file(weights, part / "model.safetensors")
            dense.append(dataclasses.replace(row, folder=part))
        (folder / "README.md").write_text(card, encoding="utf-8")
        config = {key: value for key, value in spec.config.items() if key != STORAGE_KEY}
        written = dataclasses.replace(
            spec, folder=folder, body=body, config=config, dense=tuple(dense)
        )
        write_model_folder(written, lambda: open_tokenizer_folder(body).to_str(), output)


def write_heads(heads: nn.ModuleDict, path: Path) -> None:
    """Write the classifiers that were trained, ``<source>.weight`` and ``<source>.bias``.

    Parameters
    ----------
    heads
        Name of a source -> linear layer; none write nothing.
    path
        A safetensors file.
    """
    if len(heads):
        state: dict[str, torch.Tensor] = heads.state_dict()
        work = path.with_suffix(".tmp")
        save_file({name: value.contiguous() for name, value in state.items()}, work)
        work.replace(path)


def _heavy_files(folder: str, names: list[str]) -> list[str]:
    """Leave out weights, and folders: what a body holds besides is small."""
    return [
        name
        for name in names
        if name.endswith((".safetensors", ".bin", ".index.json")) or (Path(folder) / name).is_dir()
    ]
