"""Texts to packed token ids, with a flag for each text that was cut.

The ``tokenizers`` library does the splitting; what is added here is the door: what counts as a
text, where long ones end, and that nothing is cut without a flag.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from text2vec.arrays import BoolVector, PackedBatch
from text2vec.errors import ModelFormatError

if TYPE_CHECKING:
    import tokenizers

__all__ = ["TextTokenizer", "TokenizedTexts", "Tokenizer", "describe_surrogate"]

LONG_TEXT = 1 << 16
"""Characters beyond which a text is tokenised from its beginning only, see ``Tokenizer``."""


@dataclass(frozen=True)
class TokenizedTexts:
    """Token ids of texts, and which of them were cut.

    Attributes
    ----------
    batch
        The ids, special tokens included.
    truncated
        Shape ``(n_texts,)``: whether the text has more tokens than the limit.
    """

    batch: PackedBatch
    truncated: BoolVector


class TextTokenizer(Protocol):
    """What turns texts into ids: the ``tokenizers`` library, or the native tokenizer."""

    name: str
    max_tokens: int

    def tokenize(self, texts: Sequence[str], first: int = 0) -> TokenizedTexts:
        """Return the ids of each text; ``first`` is the first one's place, for messages."""
        ...

    def count_prompt_tokens(self, prompt: str) -> int:
        """Return how many leading tokens of a text come from the prompt before it."""
        ...


class Tokenizer:
    """Turn texts into ids, at most ``max_tokens`` each.

    Parameters
    ----------
    backend
        A tokenizer of the ``tokenizers`` library; its padding and truncation are replaced.
    max_tokens
        Most tokens of a text, special tokens included; what is beyond on the right is cut.

    Raises
    ------
    ValueError
        If ``max_tokens`` leaves no room for a token beside the special ones.

    Notes
    -----
    Of a text of more than 65,536 characters only as many first characters are looked at (65,536,
    or twice as many, and so on) as fill the limit: 10 MB cost no more than a page.

    Examples
    --------
    >>> from tokenizers import Tokenizer as Backend, models, pre_tokenizers
    >>> backend = Backend(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    >>> backend.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> done = Tokenizer(backend, max_tokens=2).tokenize(["a b", "b a a", ""])
    >>> done.batch.ids.tolist(), done.batch.lengths.tolist(), done.truncated.tolist()
    ([0, 1, 1, 0], [2, 2, 0], [False, True, False])
    """

    name = "tokenizers"

    def __init__(self, backend: tokenizers.Tokenizer, max_tokens: int) -> None:
        backend.no_padding()
        backend.no_truncation()
        mask = backend.encode("a").special_tokens_mask
        n_special = sum(mask)
        if max_tokens <= n_special:
            raise ValueError(
                f"max_seq_length is {max_tokens}; expected more than the {n_special} special tokens"
            )
        self._n_suffix = len(list(itertools.takewhile(bool, reversed(mask))))
        # One more than the limit, so that a text which was cut can be told from one that fits.
        backend.enable_truncation(max_tokens + 1)
        self._backend = backend
        self.max_tokens = max_tokens

    @property
    def backend(self) -> tokenizers.Tokenizer:
        """The ``tokenizers`` object, for its vocabulary; do not change it."""
        return self._backend

    def tokenize(self, texts: Sequence[str], first: int = 0) -> TokenizedTexts:
        """Return the ids of each text.

        Parameters
        ----------
        texts
            Any number of texts; ``""`` has its special tokens alone.
        first
            Place of the first text, for messages.

        Returns
        -------
        TokenizedTexts
            In the order of ``texts``.

        Raises
        ------
        ValueError
            If a text holds a lone surrogate, which no encoding of Unicode can carry.
        ModelFormatError
            If the tokenizer itself is broken, for example lacks its unknown token.
        """
        shortened = {i: self._beginning(text) for i, text in enumerate(texts) if _is_long(text)}
        if shortened:
            texts = [shortened.get(i, text) for i, text in enumerate(texts)]
        try:
            encodings = self._backend.encode_batch_fast(list(texts))
        except (TypeError, UnicodeEncodeError) as exc:
            raise ValueError(describe_surrogate(texts, first)) from exc
        except Exception as exc:  # the library's own, for a vocabulary without its unknown token
            raise ModelFormatError(f"the tokenizer fails on these texts: {exc}") from exc
        rows = [encoding.ids for encoding in encodings]
        truncated = np.array([len(row) > self.max_tokens for row in rows], bool)
        for i in np.flatnonzero(truncated):
            row = rows[i]
            end = len(row) - self._n_suffix
            rows[i] = row[: self.max_tokens - self._n_suffix] + row[end:]
        return TokenizedTexts(PackedBatch.pack(rows), truncated)

    def count_prompt_tokens(self, prompt: str) -> int:
        """Return how many leading tokens of a text come from the prompt before it.

        Parameters
        ----------
        prompt
            What is put before each text.

        Returns
        -------
        int
            The prompt's own tokens without the special one at their end, as sentence-transformers
            counts them.
        """
        return len(self._backend.encode(prompt).ids) - self._n_suffix

    def _beginning(self, text: str) -> str:
        size = LONG_TEXT
        while size < len(text):
            try:
                ids = self._backend.encode(text[:size]).ids
            except (TypeError, UnicodeEncodeError):
                break  # a surrogate: tokenize() says which text and where
            if len(ids) > self.max_tokens:
                return text[:size]
            size *= 2
        return text


def _is_long(text: str) -> bool:
    return len(text) > LONG_TEXT


def describe_surrogate(texts: Sequence[str], first: int) -> str:
    """Return what is wrong with the first text that holds a lone surrogate, and the remedy."""
    for i, text in enumerate(texts, first):
        place = next((k for k, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None)
        if place is not None:
            return (
                f"text {i} holds a lone surrogate U+{ord(text[place]):04X} at character {place}; "
                "expected valid Unicode; mend it with "
                "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"
            )
    return "the tokenizer refused these texts"
