"""The native tokenizer as the pipeline sees it, opened from a model folder.

It reads a compact file that is made once from ``tokenizer.json`` and kept in the cache under the
checksum of its source; where it does not cover a tokenizer, the ``tokenizers`` library serves.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2vec.arrays import PackedBatch
from text2vec.errors import MissingExtraError, ModelFormatError
from text2vec.text.compact import CompactTokenizer, compile_tokenizer
from text2vec.text.tokenizer import TokenizedTexts, describe_surrogate

__all__ = ["NativeTokenizer", "open_native_tokenizer"]

_LOG = logging.getLogger(__name__)
_NO_LIMIT = 2**31 - 1  # tokens: more than any prompt has


class NativeTokenizer:
    """Turn texts into ids as ``Tokenizer`` does, in C++ and without the library.

    Parameters
    ----------
    compact
        The opened compact file.
    max_tokens
        Most tokens of a text, special tokens included; what is beyond on the right is cut.
    num_threads
        Threads of a call.

    Raises
    ------
    ValueError
        If ``max_tokens`` leaves no room for a token beside the special ones.
    """

    name = "native"

    def __init__(self, compact: CompactTokenizer, max_tokens: int, num_threads: int) -> None:
        if max_tokens <= compact.n_special:
            raise ValueError(
                f"max_seq_length is {max_tokens}; expected more than the "
                f"{compact.n_special} special tokens"
            )
        self._compact = compact
        self._num_threads = num_threads
        self.max_tokens = max_tokens

    def tokenize(self, texts: Sequence[str], first: int = 0) -> TokenizedTexts:
        """Return the ids of each text; see ``Tokenizer.tokenize``.

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
        """
        threads = self._num_threads if len(texts) > 1 else 1
        try:
            encoded = self._compact.encode(list(texts), self.max_tokens, threads)
        except UnicodeEncodeError as exc:
            raise ValueError(describe_surrogate(texts, first)) from exc
        ids, offsets, truncated = encoded
        return TokenizedTexts(PackedBatch(ids, offsets), truncated)

    def count_prompt_tokens(self, prompt: str) -> int:
        """Return how many leading tokens of a text come from the prompt before it."""
        ids, offsets, _ = self._compact.encode([prompt, "", "a"], _NO_LIMIT, 1)
        prompted, empty, letter = (part.tolist() for part in np.split(ids, offsets[1:-1]))
        suffix = 0
        while suffix < len(empty) and empty[-1 - suffix] == letter[-1 - suffix]:
            suffix += 1
        return len(prompted) - suffix


def open_native_tokenizer(
    folder: Path, cache: Path, max_tokens: int, num_threads: int
) -> NativeTokenizer | None:
    """Return the native tokenizer of a model folder, or None where it cannot serve.

    Parameters
    ----------
    folder
        Folder of the tokenizer.
    cache
        Where compact files are kept; made if missing.
    max_tokens
        Most tokens of a text.
    num_threads
        Threads of a call.

    Returns
    -------
    NativeTokenizer | None
        None where the native module is not built or does not load, the folder has no
        ``tokenizer.json``, it asks for something that the native tokenizer lacks, or the cache
        cannot be written.
    """
    names = ("tokenizer.json", "tokenizer.json.xz")
    source = next((folder / name for name in names if (folder / name).is_file()), None)
    if source is None or importlib.util.find_spec("text2vec._native") is None:
        return None
    checksum = hashlib.sha256(source.read_bytes()).hexdigest()
    path = cache / f"{checksum}.compact"
    try:
        if path.is_file():
            try:
                return NativeTokenizer(CompactTokenizer(path), max_tokens, num_threads)
            except ModelFormatError:  # of an older version, or damaged: made anew below
                _LOG.info("%s is no longer usable and is made anew", path)
        cache.mkdir(parents=True, exist_ok=True)
        compile_tokenizer(source, path)
        return NativeTokenizer(CompactTokenizer(path), max_tokens, num_threads)
    except (ModelFormatError, MissingExtraError, OSError) as exc:
        _LOG.info("the tokenizers library serves for %s: %s", folder, exc)
        return None
