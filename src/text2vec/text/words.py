"""Cut texts into words or characters, and read lists of stop words.

Only strings live here: which words have a vector, and how vectors are averaged, is for
``text2vec.word2vec``.
"""

from __future__ import annotations

import functools
import re
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from text2vec.errors import DataFormatError, require

__all__ = ["Unit", "check_unit", "dictionary_words", "load_stop_words", "segment"]

Unit: TypeAlias = Literal["word", "char"]

# The time that jieba needs for a run of unknown characters grows with the square of its length:
# 9 ms for 1,000 characters, 7 s for 64,000. Real runs between two punctuation marks are shorter.
_LONGEST_RUN = 1000

# What jieba takes for one block: it never makes a word across the edge of a block, so cutting
# there changes nothing.
_BLOCK = "\u4e00-\u9fd5a-zA-Z0-9+#&._%\\-"
_PIECE = re.compile(f"[{_BLOCK}]{{1,{_LONGEST_RUN}}}|[^{_BLOCK}]+")


def check_unit(unit: str) -> None:
    """Make sure that a unit can be used: its name is known and its segmenter is installed.

    Parameters
    ----------
    unit
        ``"word"`` (needs the extra ``zh``) or ``"char"``.

    Raises
    ------
    ValueError
        If there is no such unit.

    Examples
    --------
    >>> check_unit("char")
    >>> check_unit("letter")
    Traceback (most recent call last):
    ...
    ValueError: unknown unit 'letter'; expected one of word, char
    """
    _check_name(unit)
    if unit == "word":
        _load_jieba()


def segment(text: str, unit: Unit) -> list[str]:
    """Return the words, or the characters, of a text in their order.

    Parameters
    ----------
    text
        The text. ``""`` has no words.
    unit
        ``"word"``: words as jieba's accurate mode finds them, punctuation included; white space
        is no word. A run of more than 1,000 letters without punctuation or space is cut every
        1,000 letters, since jieba's time grows with the square of a run. ``"char"``: every
        character of the text, white space included.

    Returns
    -------
    list[str]
        Words or characters; together they are the text, less its white space for ``"word"``.

    Raises
    ------
    TypeError
        If ``text`` is not a str.
    ValueError
        If there is no such unit.

    Notes
    -----
    ``"word"`` needs the extra ``zh``; without it a ``MissingExtraError`` says how to get it.

    Examples
    --------
    >>> segment("如何更换银行卡", "char")
    ['如', '何', '更', '换', '银', '行', '卡']
    >>> segment("如何更换 银行卡", "word")
    ['如何', '更换', '银行卡']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__} ({text!r:.60})")
    _check_name(unit)
    if unit == "char":
        return list(text)
    cut = _jieba_tokenizer().lcut
    pieces = [text] if len(text) <= _LONGEST_RUN else _PIECE.findall(text)
    return [word for piece in pieces for word in cut(piece) if not word.isspace()]


def dictionary_words(word: str) -> list[str]:
    """Return every dictionary word that lies inside a word: jieba's full mode.

    Parameters
    ----------
    word
        The word to look into. ``""`` has no words inside.

    Returns
    -------
    list[str]
        The words by where they start, overlaps included; the word itself is among them if the
        dictionary has it.

    Notes
    -----
    Needs the extra ``zh``; without it a ``MissingExtraError`` says how to get it.

    Examples
    --------
    >>> dictionary_words("特价机票")
    ['特价', '特价机票', '机票']
    """
    parts = _jieba_tokenizer().lcut(word, cut_all=True)
    return [part for part in parts if part and not part.isspace()]


def load_stop_words(path: str | Path) -> frozenset[str]:
    r"""Read stop words from a file that holds one word a line.

    No list of stop words comes with this package, and none is used unless it is given.

    Parameters
    ----------
    path
        A UTF-8 text file. White space around a word and empty lines are left out; there are no
        comments, since ``#`` may be a stop word.

    Returns
    -------
    frozenset[str]
        The words; an empty file gives an empty set.

    Raises
    ------
    DataFormatError
        If a line is not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "stop_words.txt")
    ...     _ = path.write_text("的\n了\n", encoding="utf-8")
    ...     sorted(load_stop_words(path))
    ['了', '的']
    """
    words: set[str] = set()
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        try:
            # "utf-8-sig" at the first line alone: a byte order mark elsewhere is a character
            word = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as exc:
            raise DataFormatError(
                f"{path}:{number}: expected a UTF-8 word, found {line[:40]!r}; "
                "save the file as UTF-8"
            ) from exc
        if word:
            words.add(word)
    return frozenset(words)


def _check_name(unit: str) -> None:
    if unit not in get_args(Unit):
        raise ValueError(f"unknown unit {unit!r}; expected one of {', '.join(get_args(Unit))}")


# Import jieba without its warnings (deprecated packaging module, old escape sequences).
def _load_jieba() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require("jieba", "zh")


# Return a tokenizer over jieba's own dictionary that neither logs nor touches a cache.
#
# Left alone, jieba logs to stderr and unmarshals ``jieba.cache`` from the temporary folder,
# where any user of the machine could have put it. Reading the dictionary takes as long (0.5 s).
@functools.cache
def _jieba_tokenizer() -> Any:
    tokenizer = _load_jieba().Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer
