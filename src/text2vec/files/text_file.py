"""Small whole files: written under another name and renamed, so that none is ever half there."""

from __future__ import annotations

import errno
import importlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from text2vec.errors import DataFormatError

__all__ = ["read_toml", "write_bytes", "write_json", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file; the folder is made, and an existing file kept if anything fails.

    Parameters
    ----------
    path
        File to write.
    text
        Its whole content.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder, "new", "a.txt"), "茶")
    ...     Path(folder, "new", "a.txt").read_text(encoding="utf-8")
    '茶'
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, as ``write_text`` does.

    Parameters
    ----------
    path
        File to write.
    content
        Its whole content.

    Raises
    ------
    OSError
        If it cannot be written, by the name of ``path``; what was there is as it was.
    """
    if path.is_dir():
        raise OSError(errno.EISDIR, "is a folder; expected a file to write", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".text2vec-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as exc:  # by the name that the caller knows
        temporary.unlink(missing_ok=True)
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as ``write_text`` does; NaN is refused.

    Parameters
    ----------
    path
        File to write.
    value
        What JSON can carry.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_toml(path: Path) -> dict[str, Any]:
    r"""Return what a TOML file holds.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict[str, Any]
        Empty for an empty file.

    Raises
    ------
    DataFormatError
        If it is no TOML; the message says where.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.toml").write_text("x = [1, 2]\n")
    ...     read_toml(Path(folder, "a.toml"))
    {'x': [1, 2]}
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except (DataFormatError, UnicodeDecodeError) as exc:
        raise DataFormatError(f"{path}: {exc}") from exc


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    dict[str, Any]
        Empty for an empty text.

    Raises
    ------
    DataFormatError
        If it is no TOML; the message says where.

    Examples
    --------
    >>> parse_toml("x = [1, 2]")
    {'x': [1, 2]}
    """
    # The library came with Python 3.11; before that the package tomli is the same.
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return dict(toml.loads(text))
    except toml.TOMLDecodeError as exc:
        raise DataFormatError(f"expected TOML: {exc}") from exc
