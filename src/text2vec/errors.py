"""Every exception that text2vec raises on purpose, and the door to optional packages.

::

    Text2VecError                everything raised on purpose
    ├── ModelNotFoundError       (+ FileNotFoundError)  no such name or path, or offline
    ├── ModelFormatError         (+ ValueError)         a model's file is wrong
    ├── MissingExtraError        (+ ImportError)        an optional package is not installed
    ├── DataFormatError          (+ ValueError)         a row of data is wrong: path:line
    └── TrainingError            (+ RuntimeError)       a loss or gradient is no finite number

The second base comes from the standard library, so that an ``except ValueError`` that was
written before this module existed keeps working. A wrong argument is a plain ``ValueError`` or
``TypeError``. Every message says what is wrong (with the value), what was expected, what to do.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "DataFormatError",
    "MissingExtraError",
    "ModelFormatError",
    "ModelNotFoundError",
    "Text2VecError",
    "TrainingError",
    "require",
]


class Text2VecError(Exception):
    """Base of everything that text2vec raises on purpose."""


class ModelNotFoundError(Text2VecError, FileNotFoundError):
    """A model's name or path leads nowhere, or it is not in the cache while offline."""

    def __str__(self) -> str:
        """Return the message alone; ``OSError`` would format an errno."""
        return str(self.args[0]) if self.args else ""


class ModelFormatError(Text2VecError, ValueError):
    """A model's files are there but wrong; the message names file, key, expected and found."""


class MissingExtraError(Text2VecError, ImportError):
    """An optional package is not installed; the message holds the command that installs it."""


class DataFormatError(Text2VecError, ValueError):
    """A data file holds a bad row; the message starts with ``path:line``."""


class TrainingError(Text2VecError, RuntimeError):
    """A run cannot go on; the message names the step and the last good checkpoint."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional package, or say how to get it.

    Parameters
    ----------
    module
        Dotted name to import, for example ``"pyarrow.parquet"``.
    extra
        The extra of this package that brings it, for example ``"parquet"``.

    Returns
    -------
    ModuleType
        The imported module.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    ModuleNotFoundError
        If the package is there but one of its own dependencies is not.

    Examples
    --------
    >>> require("json", "zh").__name__
    'json'
    >>> require("no_such_package", "zh")
    Traceback (most recent call last):
    ...
    text2vec.errors.MissingExtraError: no_such_package is not installed; pip install 'text2vec[zh]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        top = module.partition(".")[0]
        if exc.name is not None and exc.name.partition(".")[0] != top:
            raise
        raise MissingExtraError(f"{top} is not installed; pip install 'text2vec[{extra}]'") from exc
