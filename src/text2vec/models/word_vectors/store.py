"""Look up words in a word vector file of any size: an index made once, then memory-mapped.

The index is made in ``text2vec.models.word_vectors.index``; averaging the vectors of a text is
for ``text2vec.word2vec``.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2vec.arrays import FloatMatrix, IntVector
from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.locate import cache_home
from text2vec.models.word_vectors.index import (
    WordIndex,
    build_index,
    hash_word,
    index_name,
    read_index,
)

__all__ = ["WordVectors", "open_word_vectors"]


class WordVectors:
    """The vectors of a file, found by word, without reading the file into memory.

    Made by ``open_word_vectors``. The file must not be written to while it is open; writing a
    new one and renaming it is fine.
    """

    def __init__(self, index: WordIndex, data: mmap.mmap) -> None:
        self._data = data
        self._dim = index.dim
        self._hashes = index.hashes
        self._places = index.places

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return self._dim

    @property
    def n_words(self) -> int:
        """Words in the file, repeated ones included."""
        return len(self._hashes)

    def find(self, words: Sequence[str]) -> IntVector:
        """Return where the vector of each word starts.

        Parameters
        ----------
        words
            The words, best without repetition; no words give no places. A lone surrogate is no
            word of a UTF-8 file, and a word with a space is no word of any file.

        Returns
        -------
        IntVector
            Places for ``vectors``, shape ``(n_words,)``, or -1 for an unknown word. Of a word
            that the file repeats, the first place.
        """
        keys = [word.encode("utf-8", "surrogatepass") for word in words]
        hashes = np.frombuffer(b"".join(hash_word(key) for key in keys), "<u8")
        rows = np.searchsorted(self._hashes, hashes)
        hits = self._hashes[np.minimum(rows, len(self._hashes) - 1)] == hashes
        places = np.full(len(keys), -1, np.int64)
        for i in np.flatnonzero(hits).tolist():
            places[i] = self._verified(keys[i], int(rows[i]))
        return places

    def vectors(self, places: IntVector) -> FloatMatrix:
        """Return the vectors at some places.

        Parameters
        ----------
        places
            Places that ``find`` gave, none of them -1, shape ``(n,)``.

        Returns
        -------
        FloatMatrix
            The vectors as the file has them, shape ``(n, dim)``.
        """
        n_bytes = 4 * self._dim
        values = b"".join(self._data[place : place + n_bytes] for place in places.tolist())
        return np.frombuffer(values, "<f4").reshape(len(places), self._dim)

    # Return the place behind the first word, from a row on, that has the key's hash and is it.
    def _verified(self, key: bytes, row: int) -> int:
        if not key or b" " in key or b"\n" in key:  # such bytes could match into a vector
            return -1
        record = key + b" "
        wanted = self._hashes[row]
        while row < len(self._hashes) and self._hashes[row] == wanted:
            place = int(self._places[row])
            if self._data[place : place + len(record)] == record:
                return place + len(record)
            row += 1
        return -1


def open_word_vectors(path: str | Path, *, cache_folder: str | Path | None = None) -> WordVectors:
    r"""Open a word vector file for look-up; the first time, an index of it is made and kept.

    Parameters
    ----------
    path
        A word2vec text file (header ``n dim``, then a word and its numbers a line), the same
        without a header (GloVe), either of them packed by gzip or not; or a word2vec binary file
        (header, then word, space, float32 values; a newline may follow). Words are UTF-8 and
        hold no space. A headerless file whose first line is two whole numbers is taken to start
        with a header.
    cache_folder
        Where indexes are kept; by default ``word_vectors`` in
        ``text2vec.models.locate.cache_home()``. A binary file costs 16 bytes
        a word there; a text file is kept there in binary form as well.

    Returns
    -------
    WordVectors
        The open file.

    Raises
    ------
    ModelNotFoundError
        If there is no file.
    ModelFormatError
        If the file is malformed, cut off, or changes while it is read.
    OSError
        If the index cannot be written, for example because the disk is full.

    Notes
    -----
    An index belongs to a path, size, time of change and some samples of the content; when one of
    them differs, a new index is made and the old one removed. It is written under a temporary
    name and renamed when complete, so several processes may open a file for the first time.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "vectors.txt")
    ...     _ = path.write_text("2 3\nsun 0 1 2\nmoon 3 4 5\n")
    ...     store = open_word_vectors(path, cache_folder=folder)
    ...     places = store.find(["moon", "mars", "sun"])
    ...     store.vectors(places[places >= 0])
    array([[3., 4., 5.],
           [0., 1., 2.]], dtype=float32)
    """
    source = Path(path)
    if not source.exists():
        raise ModelNotFoundError(f"there is no word vector file at {source}; check the path")
    if not source.is_file():
        raise ModelFormatError(f"{source}: expected a word vector file, found a folder")
    source = source.resolve()
    folder = cache_home() / "word_vectors" if cache_folder is None else Path(cache_folder)
    with source.open("rb") as file:
        target = folder / index_name(source, file)
        index = read_index(target)
        if index is None:
            build_index(source, target)
            index = read_index(target)
        if index is None:
            raise ModelFormatError(f"{target}: expected the index just made; open the file again")
        # mapped through the handle that the index was named after: a file that is renamed into
        # its place meanwhile is not mistaken for it
        data = (
            index.data
            if index.has_records
            else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        )
    return WordVectors(index, data)
