"""The record of what a finished model folder holds: ``checksums.json``.

It is the last file that a builder writes, so a folder that has it was finished once; whether it
still is as it was written, ``verify_model_folder`` says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from text2vec.errors import ModelFormatError, ModelNotFoundError

__all__ = ["CHECKSUMS_FILE", "verify_model_folder", "write_checksums"]

CHECKSUMS_FILE = "checksums.json"
_MAX_RECORD_BYTES = 1 << 20
_REMEDY = "build the model anew"


def write_checksums(folder: Path, origin: Mapping[str, Any]) -> None:
    """Write down size and SHA-256 of every file in a folder.

    Parameters
    ----------
    folder
        The finished folder; its sub-folders are covered too.
    origin
        Facts about where the files come from, written beside them; JSON values.
    """
    files = {
        path.relative_to(folder).as_posix(): {
            "size_bytes": path.stat().st_size,
            "sha256": _sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / CHECKSUMS_FILE
    }
    text = json.dumps({**origin, "files": files}, indent=2) + "\n"
    (folder / CHECKSUMS_FILE).write_bytes(text.encode("utf-8"))


def verify_model_folder(folder: Path) -> None:
    """Check that every file of a folder is as it was written.

    Files that ``checksums.json`` does not list are not looked at.

    Parameters
    ----------
    folder
        A folder that ``write_checksums`` has seen.

    Raises
    ------
    ModelNotFoundError
        If the folder does not exist.
    ModelFormatError
        If ``checksums.json`` or a file it lists is missing, or differs; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "weights").write_bytes(b"1234")
    ...     write_checksums(Path(name), {"builder": "an example"})
    ...     verify_model_folder(Path(name))
    ...     _ = (Path(name) / "weights").write_bytes(b"1235")
    ...     verify_model_folder(Path(name))
    Traceback (most recent call last):
    ...
    text2vec.errors.ModelFormatError: ...weights has sha256 ...
    """
    if not folder.is_dir():
        raise ModelNotFoundError(f"{folder} is no folder; expected a model folder")
    for name, (size_bytes, digest) in _read_record(folder / CHECKSUMS_FILE).items():
        path = folder / name
        if not path.is_file():
            raise ModelFormatError(f"{path} is missing; {CHECKSUMS_FILE} lists it; {_REMEDY}")
        if path.stat().st_size != size_bytes:
            raise ModelFormatError(
                f"{path} has {path.stat().st_size} bytes; expected {size_bytes}; {_REMEDY}"
            )
        found = _sha256(path)
        if found != digest:
            raise ModelFormatError(f"{path} has sha256 {found}; expected {digest}; {_REMEDY}")


def _read_record(path: Path) -> dict[str, tuple[int, str]]:
    if not path.is_file():
        raise ModelFormatError(f"{path} is missing; expected the record of a finished build")
    if path.stat().st_size > _MAX_RECORD_BYTES:
        raise ModelFormatError(
            f"{path} has {path.stat().st_size} bytes; expected {_MAX_RECORD_BYTES} at most"
        )
    try:
        record = json.loads(path.read_bytes().decode("utf-8"))
        entries = record["files"].items()
        found = {name: (entry["size_bytes"], entry["sha256"]) for name, entry in entries}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ModelFormatError(
            f"{path}: no table of files, each with size_bytes and sha256 ({exc!r}); {_REMEDY}"
        ) from exc
    for name in found:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or name[0] == "/" or "\\" in name or ":" in name:
            raise ModelFormatError(f"{path}: file {name!r} lies outside the folder; {_REMEDY}")
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
