"""Make, keep and open the index of a word vector file: sorted hashes of its words, and places.

An index is a cache: it can be deleted at any time. The records it points to are read in
``records``; words are looked up in ``store``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import secrets
import struct
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import ModelFormatError
from text2vec.models.word_vectors.head import WordVectorHead, read_head
from text2vec.models.word_vectors.records import RecordBlock, read_blocks

__all__ = ["WordIndex", "build_index", "hash_word", "index_name", "read_index"]

# An index file: this header padded to 64 bytes; for a text source its records in binary form
# (word, space, float32 values); padding to 64; sorted hashes (uint64); then, in the order of the
# hashes, the byte at which each word starts (int64): in this file, or in a binary source.
_HEADER = struct.Struct("<8sIIQQQ")  # magic, version, dim, n_words, start of hashes, has records
_MAGIC = b"t2vwords"
_VERSION = 1
_ALIGNMENT = 64
_SUFFIX = ".wordindex"

# What tells a file from another of the same size and time: pieces of it, evenly spread.
_N_SAMPLES = 16
_SAMPLE_BYTES = 4096

_LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class WordIndex:
    """An open index.

    Attributes
    ----------
    data
        The whole index file, memory-mapped.
    dim
        Length of one vector.
    has_records
        Whether the records are in this file (made from text) or in the source (binary).
    hashes
        Hash of each word, ascending, shape ``(n_words,)``, uint64.
    places
        The byte at which each word starts, in the order of the hashes, shape ``(n_words,)``,
        int64; words of one hash are in the order of the source.
    """

    data: mmap.mmap
    dim: int
    has_records: bool
    hashes: NDArray[Any]
    places: NDArray[Any]


def hash_word(word: bytes) -> bytes:
    """Return the bytes under which a word is filed.

    Parameters
    ----------
    word
        The word in UTF-8.

    Returns
    -------
    bytes
        Its BLAKE2b hash of eight bytes, read as a little-endian uint64 in an index.

    Examples
    --------
    >>> hash_word(b"word").hex()
    '4aa4cf27d7c78e95'
    """
    return hashlib.blake2b(word, digest_size=8).digest()


def index_name(source: Path, file: IO[bytes]) -> str:
    """Return the file name of the index of a source as it is now.

    Parameters
    ----------
    source
        The resolved path of the source.
    file
        The source, open for reading; it may be moved.

    Returns
    -------
    str
        A hash of the path, then a hash of size, time of change, format version and 64 KiB of
        samples (all of a smaller file), then a suffix.
    """
    status = os.fstat(file.fileno())
    state = hashlib.blake2b(f"{_VERSION} {status.st_size} {status.st_mtime_ns}".encode())
    for place in np.linspace(0, max(0, status.st_size - _SAMPLE_BYTES), _N_SAMPLES):
        file.seek(int(place))
        state.update(file.read(_SAMPLE_BYTES))
    return f"{hash_word(os.fsencode(source)).hex()}-{state.hexdigest()[:16]}{_SUFFIX}"


def read_index(target: Path) -> WordIndex | None:
    """Open an index, or return None if there is none or it is not whole.

    Parameters
    ----------
    target
        The index file.

    Returns
    -------
    WordIndex | None
        The index; None says that it is to be built.

    Raises
    ------
    PermissionError
        If it is another user's, and not to be read.

    Examples
    --------
    >>> read_index(Path("no-such-file.wordindex")) is None
    True
    """
    try:
        with target.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _ALIGNMENT:
                return None
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        raise PermissionError(
            exc.errno, "an index that another user made; pass another cache_folder", str(target)
        ) from exc
    magic, version, dim, n_words, start, has_records = _HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION) or size != start + 16 * n_words or not n_words:
        return None
    hashes = np.frombuffer(data, "<u8", n_words, start)
    places = np.frombuffer(data, "<i8", n_words, start + 8 * n_words)
    return WordIndex(data, dim, bool(has_records), hashes, places)


def build_index(source: Path, target: Path) -> None:
    """Write the index of a source: whole under its name, or not at all.

    Other indexes of the same source are out of date and removed, and so is what a killed process
    left there more than a day ago.

    Parameters
    ----------
    source
        The resolved path of a word vector file.
    target
        Where the index goes: ``index_name`` in the cache folder, which is made if need be.

    Raises
    ------
    ModelFormatError
        If the source is malformed, cut off, or changes while it is read.
    OSError
        If the index cannot be written, for example because the disk is full.
    """
    head = read_head(source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as file:
            _write_index(file, head)
            with source.open("rb") as now:
                if index_name(source, now) != target.name:
                    raise ModelFormatError(
                        f"{source}: expected a file at rest, found that it changed while its "
                        "index was made; open it again"
                    )
    except OSError as exc:
        raise OSError(
            exc.errno or errno.EIO,
            f"cannot write the index of {source} ({exc.strerror or exc}); "
            "make room or pass another cache_folder",
            str(target.parent),
        ) from exc
    _remove_others(target)


# Open a temporary file that takes the target's place if all goes well, and else goes.
@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    # Not tempfile, whose files only their owner may read: a cache can be shared.
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            # else a power cut could leave a file of full length and no content
            os.fsync(file.fileno())
        try:
            temporary.replace(target)
        except PermissionError:
            # Windows keeps a file that another process has open: it has built the same index
            if read_index(target) is None:
                raise
    finally:
        temporary.unlink(missing_ok=True)


# Read all records and write the index file.
def _write_index(file: IO[bytes], head: WordVectorHead) -> None:
    hashes, places = bytearray(), array("q")
    file.write(bytes(_ALIGNMENT))
    end = _ALIGNMENT
    with _progress_bar(head) as bar:
        for block in read_blocks(head):
            hashes += b"".join(map(hash_word, block.words))
            if head.is_binary:
                places.extend(block.places)
            else:
                end += _write_records(file, block, end, places)
            bar.update(block.end - bar.n)
    start = -(-end // _ALIGNMENT) * _ALIGNMENT
    file.write(bytes(start - end))
    keys = np.frombuffer(hashes, "<u8")
    order = np.argsort(keys, kind="stable")  # of a repeated word, the first stays the first
    file.write(keys[order].data)
    file.write(np.frombuffer(places, np.int64)[order].astype("<i8", copy=False).data)
    file.seek(0)
    has_records = not head.is_binary
    file.write(_HEADER.pack(_MAGIC, _VERSION, head.dim, len(keys), start, has_records))


# Append a block in binary form, note where each word starts, and return the bytes written.
def _write_records(file: IO[bytes], block: RecordBlock, end: int, places: array[int]) -> int:
    n_bytes = 0
    records = []
    for word, vector in zip(block.words, block.vectors.astype("<f4", copy=False), strict=True):
        places.append(end + n_bytes)
        records.append(b"%b %b" % (word, vector.tobytes()))
        n_bytes += len(records[-1])
    file.write(b"".join(records))
    return n_bytes


# Return a bar over the bytes of the source, shown if stderr is a terminal.
def _progress_bar(head: WordVectorHead) -> Any:
    from tqdm import tqdm

    return tqdm(
        desc=f"index of {head.path.name}",
        total=None if head.is_gzipped else head.path.stat().st_size,
        unit="B",
        unit_scale=True,
        disable=sys.stderr is None or not sys.stderr.isatty(),
    )


# Remove the source's indexes of other states, and old temporaries; others' errors pass.
def _remove_others(target: Path) -> None:
    source_key = target.name.partition("-")[0]
    for path in target.parent.glob(f"{source_key}-*{_SUFFIX}*"):
        # a file in use cannot be removed on Windows; the next build tries again
        with contextlib.suppress(OSError):
            is_recent = time.time() - path.stat().st_mtime < _LEFTOVER_SECONDS
            if path != target and not (path.suffix == ".tmp" and is_recent):
                path.unlink()
