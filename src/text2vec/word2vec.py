"""Encode texts as means of word vectors: no model to run, only a file of vectors to look up.

How the file is read is for ``text2vec.models.word_vectors.store``, how a text is cut into words for
``text2vec.text.words``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix
from text2vec.models.word_vectors.store import open_word_vectors
from text2vec.text.words import Unit, check_unit, dictionary_words, segment

__all__ = ["Word2Vec"]

_BATCH_SIZE = 1024


class Word2Vec:
    r"""Texts to vectors: the mean of the vectors of a text's words, each of length one.

    A text is cut into words; stop words are left out. A word that the file does not know, with
    ``unit="word"``, is cut again into all dictionary words within it, and those that the file
    knows and that are no stop words take its place. Words count as often as they occur. A zero
    vector in the file stays zero, and counts as a word.

    Parameters
    ----------
    path
        A word2vec text or binary file, or a GloVe file; see
        ``models.word_vectors.store.open_word_vectors``. The first time an index is made and
        kept; afterwards opening takes milliseconds, whatever the size.
    unit
        ``"word"``: words as jieba finds them, which needs the extra ``zh``. ``"char"``: single
        characters, as text2vec 1.3.8 did when it was given texts (and had its own stop words).
    stop_words
        Words, or characters, that do not count; None for none. ``load_stop_words`` in
        ``text2vec.text.words`` reads them from a file.
    cache_folder
        Where indexes are kept; None for ``word_vectors`` in the user's cache of text2vec.

    Raises
    ------
    ValueError
        If there is no such unit.
    TypeError
        If ``stop_words`` is a str or holds anything but str.

    Notes
    -----
    Opening may also raise ``ModelNotFoundError``, ``ModelFormatError`` and, if the index cannot
    be written, ``OSError``; ``unit="word"`` without the extra raises ``MissingExtraError``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "vectors.txt")
    ...     _ = path.write_text("3 2\n你 3 0\n好 0 5\n吗 0 -1\n", encoding="utf-8")
    ...     model = Word2Vec(path, unit="char", stop_words={"吗"}, cache_folder=folder)
    ...     model.encode(["你好吗", "", "你你你"])
    array([[0.5, 0.5],
           [0. , 0. ],
           [1. , 0. ]], dtype=float32)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        unit: Unit = "word",
        stop_words: Iterable[str] | None = None,
        cache_folder: str | Path | None = None,
    ) -> None:
        check_unit(unit)
        self._unit: Unit = unit
        self._stop_words = _checked_stop_words(stop_words)
        self._vectors = open_word_vectors(path, cache_folder=cache_folder)
        self._file, self._cache_folder = Path(path).absolute(), cache_folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the same file again where the model is unpickled or copied."""
        how: dict[str, Any] = {"unit": self._unit, "stop_words": self._stop_words}
        return partial(type(self), self._file, cache_folder=self._cache_folder, **how), ()

    @property
    def dim(self) -> int:
        """Length of one embedding."""
        return self._vectors.dim

    def encode(
        self,
        sentences: str | Iterable[str],
        *,
        batch_size: int | None = None,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
    ) -> FloatMatrix:
        """Return the embeddings of texts; each depends on its own text alone.

        Parameters
        ----------
        sentences
            One text, or several.
        batch_size
            Texts that are looked up together, which changes speed and memory only; None for
            1,024.
        show_progress_bar
            Whether to show a bar on stderr.
        normalize_embeddings
            Whether to give embeddings the length one; zero rows stay zero.
        truncate_dim
            Keep that many leading values only, before the length is set; None for all.

        Returns
        -------
        FloatMatrix
            One row per text in their order, shape ``(n_texts, dim)``; for one text ``(dim,)``;
            for no texts ``(0, dim)``. A text without known words, like ``""``, is a row of zeros.

        Raises
        ------
        TypeError
            If a text is not a str; nothing is encoded then.
        ValueError
            If ``batch_size`` or ``truncate_dim`` is out of range.
        """
        dim = self._checked_dim(truncate_dim)
        size = _checked_batch_size(batch_size)
        texts = [sentences] if isinstance(sentences, str) else list(_checked_texts(sentences))
        embeddings = np.empty((len(texts), dim), np.float32)
        with _progress_bar(len(texts), is_shown=show_progress_bar) as bar:
            for start in range(0, len(texts), size):
                batch = texts[start : start + size]
                embeddings[start : start + size] = self._means(
                    batch, dim, is_normalized=normalize_embeddings
                )
                bar.update(len(batch))
        return embeddings[0] if isinstance(sentences, str) else embeddings

    def encode_iter(
        self,
        sentences: Iterable[str],
        *,
        batch_size: int | None = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the embedding of each text of an iterable, endless or not, in bounded memory.

        Parameters
        ----------
        sentences
            The texts; ``batch_size`` of them are read ahead.
        batch_size, normalize_embeddings, truncate_dim
            As in ``encode``.

        Returns
        -------
        Iterator[NDArray[np.float32]]
            One array of shape ``(dim,)`` per text, the rows of ``encode``.

        Raises
        ------
        TypeError
            If ``sentences`` is one str, at once; if a text is not a str, when it is reached.
        ValueError
            If ``batch_size`` or ``truncate_dim`` is out of range.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences must be an iterable of str, got a str; use encode for one")
        dim = self._checked_dim(truncate_dim)
        size = _checked_batch_size(batch_size)
        texts = _checked_texts(sentences)

        def rows() -> Iterator[NDArray[np.float32]]:
            while batch := list(islice(texts, size)):
                yield from self._means(batch, dim, is_normalized=normalize_embeddings)

        return rows()

    def _checked_dim(self, truncate_dim: int | None) -> int:
        if truncate_dim is None:
            return self.dim
        if not _is_integer(truncate_dim) or not 1 <= truncate_dim <= self.dim:
            raise ValueError(f"truncate_dim must be 1 to {self.dim} or None, got {truncate_dim!r}")
        return int(truncate_dim)

    # Return the embeddings of one batch, shape ``(n_texts, dim)``.
    def _means(self, texts: list[str], dim: int, *, is_normalized: bool) -> FloatMatrix:
        counts = self._count_places(texts)
        places = np.array(sorted(set().union(*counts)), np.int64)
        row_of = {place: row for row, place in enumerate(places.tolist())}
        units = _with_length_one(self._vectors.vectors(places).astype(np.float64))
        means = np.zeros((len(texts), self.dim))
        for mean, count in zip(means, counts, strict=True):
            if count:
                # in the order of the text alone: a sum's last bits depend on the order
                weights = np.array(list(count.values()), np.float64)
                words = units[[row_of[place] for place in count]]  # (n_words, dim)
                mean[:] = (words * weights[:, None]).sum(axis=0) / weights.sum()
        means = means[:, :dim]
        return (_with_length_one(means) if is_normalized else means).astype(np.float32)

    # Return for each text how often each vector of the file, named by its place, occurs.
    def _count_places(self, texts: list[str]) -> list[Counter[int]]:
        counts = [self._count_words(segment(text, self._unit)) for text in texts]
        place_of = self._find(set().union(*counts))
        # a single character has no parts; so with unit="char" no word has any
        unknown = [word for word, place in place_of.items() if place < 0 and len(word) > 1]
        parts_of = {word: self._count_words(dictionary_words(word)) for word in unknown}
        place_of |= self._find(set().union(*parts_of.values()) - place_of.keys())
        found = []
        for count in counts:
            places: Counter[int] = Counter()
            for word, n in count.items():
                if place_of[word] >= 0:
                    places[place_of[word]] += n
                    continue
                for part, n_parts in parts_of.get(word, {}).items():
                    if place_of[part] >= 0:
                        places[place_of[part]] += n * n_parts
            found.append(places)
        return found

    # Count the words that are no stop words.
    def _count_words(self, words: list[str]) -> Counter[str]:
        return Counter(word for word in words if word not in self._stop_words)

    # Return the place of the vector of each word; -1 for an unknown one.
    def _find(self, words: set[str]) -> dict[str, int]:
        unique = list(words)
        return dict(zip(unique, self._vectors.find(unique).tolist(), strict=True))


# Return the rows with length one; a row of zeros stays as it is.
def _with_length_one(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


# Return an iterator over the texts that raises at the first one that is not a str.
def _checked_texts(sentences: Iterable[str]) -> Iterator[str]:
    expected = "sentences must be a str or an iterable of str"
    wrong = isinstance(sentences, (bytes, bytearray, Mapping)) or getattr(sentences, "ndim", 1) != 1
    if wrong or not isinstance(sentences, Iterable):
        raise TypeError(f"{expected}, got {type(sentences).__name__} ({sentences!r:.60})")

    def texts() -> Iterator[str]:
        for i, text in enumerate(sentences):
            if not isinstance(text, str):
                raise TypeError(
                    f"{expected}, but sentences[{i}] is {type(text).__name__} ({text!r:.60})"
                )
            yield text

    return texts()


def _checked_stop_words(stop_words: Iterable[str] | None) -> frozenset[str]:
    if isinstance(stop_words, str):
        raise TypeError(
            f"stop_words must be an iterable of str, got the str {stop_words!r:.60}; "
            "read a file with text2vec.text.words.load_stop_words"
        )
    words = frozenset(() if stop_words is None else stop_words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"stop_words must be an iterable of str, but holds {word!r:.60}")
    return words


def _checked_batch_size(batch_size: int | None) -> int:
    if batch_size is None:
        return _BATCH_SIZE
    if not _is_integer(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size must be a positive number or None, got {batch_size!r}")
    return int(batch_size)


# Say whether a value is a whole number; True and False are none.
def _is_integer(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _progress_bar(n_texts: int, *, is_shown: bool) -> Any:
    from tqdm import tqdm

    is_off = not is_shown or sys.stderr is None
    return tqdm(total=n_texts, desc="encode", unit="text", disable=is_off)
