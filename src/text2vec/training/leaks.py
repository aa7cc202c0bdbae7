"""Pairs that also stand in a test set, and pairs that stand twice: found and dropped, with counts.

Two pairs are the same if their texts are, in any order, after NFKC, in lower case, without
punctuation, symbols, spaces and controls. A row of several languages stands in a test set if its
pair does in any one of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import combinations
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
        NFKC, lower case, letters, marks and numbers only. A text that has none of them stays what
        it is: it is not the same as another one.

    Examples
    --------
    >>> normalized_text("Ｈow are　you?!")
    'howareyou'
    """
    return unicodedata.normalize("NFKC", text).lower().translate(_LETTERS) or text


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
    """Drop every row of which any two texts, in any of its languages, are a pair of a test set.

    Parameters
    ----------
    corpus
        Its groups are changed; ``counts["leaks"]`` says how many rows each lost. They let go of
        their ``versions``, which nothing else asks for.
    keys
        What ``read_pair_keys`` returned.
    """
    known = {text for key in keys for text in key}
    normal = _Normal()

    def leaks(texts: Iterable[str]) -> bool:
        found = [text for text in (normal[text] for text in texts) if text in known]
        return any(_key(*two) in keys for two in combinations(found, 2))

    table = corpus.table.texts
    for group in corpus.groups:
        if keys and group.source.check_leaks and group.source.needs != "texts":
            clean = [not leaks(table[place] for place in row) for row in group.rows.tolist()]
            for i, versions in enumerate(group.versions):
                clean[i] = clean[i] and not any(leaks(texts) for texts in versions)
            group.keep(np.array(clean, np.bool_), "leaks")
        group.versions = []


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
    normal = _Normal()
    first: dict[tuple[str, ...], float] = {}
    kept, conflicts = [], 0
    for row, label in zip(group.rows.tolist(), group.labels.tolist(), strict=True):
        key = tuple(sorted(normal[texts[place]] for place in row))
        kept.append(key not in first)
        conflicts += first.setdefault(key, label) != label
    group.keep(np.array(kept, np.bool_), "duplicates")
    if conflicts:
        group.counts["conflicts"] = conflicts


class _Normal(dict[str, str]):
    """Text -> its normalized form; filled as needed."""

    def __missing__(self, text: str) -> str:
        self[text] = normalized_text(text)
        return self[text]


def _key(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)
