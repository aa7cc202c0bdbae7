"""Embeddings out, block by block, to ``.npy``, ``.jsonl``, ``.parquet`` or a stream.

A file is seen whole or not at all: it is written under a temporary name in the same folder and
renamed at the end. What each format looks like is in a file of its own; reading is in ``records``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import require
from text2vec.files.jsonl_file import JsonLinesWriter
from text2vec.files.npy_file import NpyWriter
from text2vec.files.parquet_file import ParquetWriter

__all__ = [
    "EMBEDDING_FORMATS",
    "EmbeddingWriter",
    "check_embedding_path",
    "open_embedding_file",
]


class EmbeddingWriter(Protocol):
    """Whatever takes blocks of texts and embeddings."""

    def write(self, texts: Sequence[str], embeddings: NDArray[Any]) -> None:
        """Append one row per text; ``embeddings`` has shape ``(n_texts, dim)``."""
        ...

    def finish(self) -> None:
        """Write what is still missing; the writer takes no more blocks."""
        ...

    def abandon(self) -> None:
        """Let go of the stream after a failure."""
        ...


EMBEDDING_FORMATS: dict[str, Callable[[BinaryIO], EmbeddingWriter]] = {
    "npy": NpyWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
}


def check_embedding_path(path: Path, file_format: str | None = None) -> str:
    """Return the format in which a file would be written, before any work is done for it.

    Parameters
    ----------
    path
        File to write; an existing one will be replaced.
    file_format
        ``"npy"``, ``"jsonl"`` or ``"parquet"``; None takes it from the suffix.

    Returns
    -------
    str
        One of the three.

    Raises
    ------
    ValueError
        If the format is unknown, or if the path is a folder, a pipe or a device.
    FileNotFoundError
        If the folder of the file does not exist.
    MissingExtraError
        If the format is ``"parquet"`` and pyarrow is not installed.

    Examples
    --------
    >>> check_embedding_path(Path("vectors.NPY"))
    'npy'
    """
    chosen = path.suffix.lower().removeprefix(".") if file_format is None else file_format
    if chosen not in EMBEDDING_FORMATS:
        raise ValueError(
            f"{path}: unknown format {chosen!r}; expected a name that ends in "
            f"{', '.join(f'.{name}' for name in EMBEDDING_FORMATS)}, or one of these as the format"
        )
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file to write, found a folder, pipe or device")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; create it first")
    if chosen == "parquet":
        require("pyarrow", "parquet")
    return chosen


@contextmanager
def open_embedding_file(path: Path, file_format: str | None = None) -> Iterator[EmbeddingWriter]:
    """Open a file for embeddings that appears under its name only when the block ends well.

    Parameters
    ----------
    path
        File to write; an existing one is replaced at the end, and kept if anything fails.
    file_format
        ``"npy"``, ``"jsonl"`` or ``"parquet"``; None takes it from the suffix.

    Yields
    ------
    EmbeddingWriter
        All blocks must have the same dim and dtype. For no texts, write one block of no rows:
        it states both.

    Raises
    ------
    ValueError
        If the format is unknown, if the path is no plain file, if a block does not fit its texts
        or the blocks before it, or if no block was written.
    FileNotFoundError
        If the folder of the file does not exist.
    MissingExtraError
        If the format is ``"parquet"`` and pyarrow is not installed.
    OSError
        If the disk is full or the folder is read-only; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "vectors.npy"
    ...     with open_embedding_file(path) as writer:
    ...         writer.write([], np.zeros((0, 384), np.float32))
    ...     np.load(path).shape
    (0, 384)
    """
    make_writer = EMBEDDING_FORMATS[check_embedding_path(path, file_format)]
    # A link stays a link: the file it leads to is replaced.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".text2vec-{secrets.token_hex(8)}.tmp")
    try:
        opened = temporary.open("xb")
    except OSError as exc:  # by the name that the caller knows
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    try:
        with opened as stream:
            writer = _CheckedWriter(make_writer(stream))
            try:
                yield writer
                writer.finish()
            except BaseException:
                writer.abandon()
                raise
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class _CheckedWriter:
    """Holds every writer to one rule: blocks fit their texts and each other."""

    def __init__(self, writer: EmbeddingWriter) -> None:
        self._writer = writer
        self._form: tuple[int, np.dtype[Any]] | None = None

    def write(self, texts: Sequence[str], embeddings: NDArray[Any]) -> None:
        if embeddings.ndim != 2 or len(embeddings) != len(texts):
            raise ValueError(
                f"embeddings have shape {embeddings.shape}; "
                f"expected ({len(texts)}, dim), one row per text"
            )
        form = (embeddings.shape[1], embeddings.dtype)
        if self._form not in {None, form}:
            raise ValueError(f"a block has dim and dtype {form}; expected {self._form} as before")
        self._form = form
        self._writer.write(texts, embeddings)

    def finish(self) -> None:
        if self._form is None:
            raise ValueError("no block was written; write one of no rows if there are no texts")
        self._writer.finish()

    def abandon(self) -> None:
        self._writer.abandon()
