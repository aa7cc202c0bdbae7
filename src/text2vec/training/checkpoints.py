"""What is trained, on disk: the weights that change and no others, in one safetensors file."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from text2vec.errors import ModelFormatError

__all__ = ["load_trained", "save_trained"]

_FILE = "trained.safetensors"


def save_trained(module: nn.Module, folder: Path) -> None:
    """Write the trained weights of a module.

    Parameters
    ----------
    module
        Frozen weights are left out: they stand in the starting model.
    folder
        Gets one file.

    Raises
    ------
    OSError
        If the disk is full, or the folder cannot be written.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in _trained(module).items()}
    try:
        save_file(weights, folder / _FILE, metadata={"format": "pt"})
    except SafetensorError as exc:  # how the library reports a full disk
        raise OSError(f"{folder / _FILE}: {exc}") from exc


def load_trained(module: nn.Module, folder: Path) -> None:
    """Read back what ``save_trained`` wrote.

    Parameters
    ----------
    module
        With the same trained parts.
    folder
        A checkpoint.

    Raises
    ------
    ModelFormatError
        If the file is damaged, or of another model or other frozen parts.
    """
    path = folder / _FILE
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as exc:
        raise ModelFormatError(f"{path}: {exc}") from exc
    expected = _trained(module)
    if found.keys() != expected.keys():
        names = sorted(found.keys() ^ expected.keys())
        raise ModelFormatError(f"{path}: of another model or other frozen parts ({names[0]}, ...)")
    for name, value in expected.items():
        if value.shape != found[name].shape:
            raise ModelFormatError(f"{path}: {name} has shape {tuple(found[name].shape)}")
        value.data.copy_(found[name])


def _trained(module: nn.Module) -> dict[str, Tensor]:
    prefix = "model.module."  # of DistributedDataParallel
    return {
        ("model." + name.removeprefix(prefix) if name.startswith(prefix) else name): weight
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
