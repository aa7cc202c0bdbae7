"""Pairs that also stand in a test set, and pairs that stand twice: found and dropped, with counts.

Two pairs are the same if their texts are, in any order, after NFKC, in lower case, without
punctuation, symbols, spaces and controls.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from text2vec.files.pairs import find_pair_columns, text_of
from text2vec.files.rows import read_rows
from text2vec.training.corpus import Corpus, Group

__all__ = ["drop_duplicates", "drop_leaks", "normalized_text", "read_pair_keys"]


class _Letters(dict[int, str | None]):
    """Character -> itself if it is a letter, mark or number, None otherwise; filled as needed."""

    def __missing__(self, code: int) -> str | None:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        self[code] = chr(code) if kept else None
        return self[code]


_LETTERS = _Letters()


def normalized_text(text: str) -> str:
    """Return what counts when texts are compared.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        NFKC, lower case, letters, marks and numbers only; ``""`` if there are none.

    Examples
    --------
    >>> normalized_text("Ｈow are　you?!")
    'howareyou'
    """
    return unicodedata.normalize("NFKC", text).lower().translate(_LETTERS)


def read_pair_keys(paths: Iterable[Path]) -> set[tuple[str, str]]:
    """Return the pairs of test files, normalized and unordered.

    Parameters
    ----------
    paths
        Files of pairs.

    Returns
    -------
    set[tuple[str, str]]
        One key for each different pair.

    Raises
    ------
    DataFormatError
        If a row is wrong.
    """
    keys = set()
    for path in paths:
        names: tuple[str, ...] = ()
        for row in read_rows(path):
            names = names or find_pair_columns(row, path)
            keys.add(_key(*(normalized_text(text_of(row, name, path)) for name in names[:2])))
    return keys


def drop_leaks(corpus: Corpus, keys: set[tuple[str, str]]) -> None:
    """Drop every row of which any two texts are a pair of a test set.

    Parameters
    ----------
    corpus
        Its groups are changed; ``counts["leaks"]`` says how many rows each lost.
    keys
        What ``read_pair_keys`` returned.
    """
    if not keys:
        return
    known = {text for key in keys for text in key}
    normal = _Normal(corpus.table.texts)
    for group in corpus.groups:
        if not group.source.check_leaks or group.source.needs == "texts":
            continue
        clean = [not _leaks(normal, row, known, keys) for row in group.rows.tolist()]
        group.keep(np.array(clean, np.bool_), "leaks")


def _leaks(
    normal: _Normal, row: Sequence[int], known: set[str], keys: set[tuple[str, str]]
) -> bool:
    texts = [normal.of(place) for place in row]
    if texts[0] not in known:
        return False
    return any(_key(texts[0], other) in keys for other in texts[1:])


def drop_duplicates(group: Group, texts: Sequence[str]) -> None:
    """Keep the first of rows that have the same texts in any order.

    Parameters
    ----------
    group
        It is changed; ``counts["duplicates"]`` says how many rows it lost, ``["conflicts"]`` how
        many of them had another label than the one that stays.
    texts
        Of the table, by place.
    """
    normal = _Normal(texts)
    first: dict[tuple[str, ...], float] = {}
    kept, conflicts = [], 0
    for row, label in zip(group.rows.tolist(), group.labels.tolist(), strict=True):
        key = tuple(sorted(normal.of(place) for place in row))
        kept.append(key not in first)
        conflicts += first.setdefault(key, label) != label
    group.keep(np.array(kept, np.bool_), "duplicates")
    if conflicts:
        group.counts["conflicts"] = conflicts


class _Normal:
    """The normalized form of texts by place, each made once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._made: dict[int, str] = {}

    def of(self, place: int) -> str:
        if place not in self._made:
            # A text of punctuation alone stays what it is: it is not the same as another one.
            text = self._texts[place]
            self._made[place] = normalized_text(text) or text
        return self._made[place]


def _key(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)
