"""Texts to finished embeddings: tokenise a window, compute it, finish its rows, next window.

Memory is bounded by the window, whatever the number of texts; what was asked of ``encode`` is one
value, ``EncodeOptions``.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import BoolVector, FloatMatrix, IntVector
from text2vec.encode_options import EncodeOptions
from text2vec.engines.base import Engine
from text2vec.engines.threads import resolve_threads
from text2vec.models.locate import cache_home
from text2vec.models.spec import ModelSpec
from text2vec.quantization import quantize_embeddings
from text2vec.similarities import normalize_rows
from text2vec.text.native_tokenizer import open_native_tokenizer
from text2vec.text.tokenizer import TextTokenizer, TokenizedTexts, Tokenizer
from text2vec.text.tokenizer_folder import open_tokenizer_folder

__all__ = [
    "WINDOW",
    "EncodeResult",
    "Pipeline",
    "as_texts",
    "check_iterable",
    "open_tokenizer",
]

WINDOW = 4096
"""Texts that are tokenised and planned together: enough to group by length, bounded in memory."""
_SHOWN_WINDOW = 256  # texts between two movements of a progress bar


@dataclass(frozen=True)
class EncodeResult:
    """Embeddings, with what became of each text.

    Attributes
    ----------
    embeddings
        Shape ``(n_texts, dim)``.
    n_tokens
        Tokens that were encoded, special tokens included, shape ``(n_texts,)``.
    truncated
        Whether the text was cut at the limit, shape ``(n_texts,)``.
    """

    embeddings: NDArray[Any]
    n_tokens: IntVector
    truncated: BoolVector


def as_texts(sentences: Iterable[str], first: int = 0) -> list[str]:
    """Return the texts as a list, each checked to be one.

    Parameters
    ----------
    sentences
        Any iterable of strings.
    first
        Place of the first one, for messages.

    Returns
    -------
    list[str]
        The same texts.

    Raises
    ------
    TypeError
        If ``sentences`` is no iterable of strings; the message names the place and the value.

    Examples
    --------
    >>> as_texts(["a", None])
    Traceback (most recent call last):
    ...
    TypeError: text 1 is None; expected a str; use "" for a missing text
    """
    check_iterable(sentences)
    texts = list(sentences)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f'text {first + i} is {_shown(text)}; expected a str; use "" for a missing text'
            )
    return texts


def check_iterable(sentences: object) -> None:
    """Refuse what cannot be several texts: a single string, bytes, a mapping, a number.

    Raises
    ------
    TypeError
        If ``sentences`` is one of these.
    """
    single = (str, bytes, bytearray, Mapping)
    if isinstance(sentences, single) or not isinstance(sentences, Iterable):
        raise TypeError(
            f"sentences is a {type(sentences).__name__}; expected an iterable of str "
            "(encode() takes a single str too)"
        )
    n_axes = getattr(sentences, "ndim", 1)  # of an array or a table, whose items are no texts
    if n_axes != 1:
        raise TypeError(
            f"sentences is a {type(sentences).__name__} of {n_axes} axes; expected one column of "
            "texts"
        )


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"a {type(value).__name__}"


def open_tokenizer(spec: ModelSpec, num_threads: int | None) -> TextTokenizer:
    """Return a model's tokenizer: the native one where it can serve, else the library's.

    Parameters
    ----------
    spec
        The model.
    num_threads
        Threads of a call; None for all processors that this process may use.

    Returns
    -------
    TextTokenizer
        It cuts at ``spec.max_seq_length``.

    Raises
    ------
    ModelFormatError
        If the folder has no tokenizer that can be read.
    """
    if not spec.do_lower_case:
        native = _open_native(spec, resolve_threads(num_threads))
        if native is not None:
            return native
    backend = open_tokenizer_folder(spec.body, do_lower_case=spec.do_lower_case)
    return Tokenizer(backend, spec.max_seq_length)


def _open_native(spec: ModelSpec, num_threads: int) -> TextTokenizer | None:
    try:
        cache = cache_home() / "tokenizers"
    except RuntimeError:  # a user without a home: no place for the native tokenizer's file
        return None
    return open_native_tokenizer(spec.body, cache, spec.max_seq_length, num_threads)


class Pipeline:
    """A tokenizer and an engine, joined.

    Parameters
    ----------
    tokenizer, engine
        What makes ids, and what makes embeddings of them.
    dim
        Length of an embedding as the engine gives it.
    include_prompt
        Whether a prompt's tokens count in the pooling.
    """

    def __init__(
        self, tokenizer: TextTokenizer, engine: Engine, *, dim: int, include_prompt: bool
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.dim = dim
        self._include_prompt = include_prompt

    def run(
        self, texts: Sequence[str], prompt: str, options: EncodeOptions, first: int = 0
    ) -> EncodeResult:
        """Return the embeddings of a list of texts.

        Parameters
        ----------
        texts
            Checked texts; none give ``(0, dim)``.
        prompt
            Put before each.
        options
            What the caller asked.
        first
            Number of the first text, in messages.

        Returns
        -------
        EncodeResult
            In the order of ``texts``.
        """
        dim = self.width(options)
        rows = np.empty((len(texts), dim), np.float32)
        n_tokens = np.zeros(len(texts), np.int64)
        truncated = np.zeros(len(texts), bool)
        shown = options.show_progress_bar
        if shown is None:
            shown = len(texts) > WINDOW and sys.stderr.isatty()
        window = _SHOWN_WINDOW if shown else WINDOW
        with _progress_bar(len(texts), shown=shown) as bar:
            for start in range(0, len(texts), window):
                part = slice(start, start + window)
                tokens = self.tokenize(texts[part], prompt, first + start)
                rows[part] = self._embed(tokens, prompt, options)[:, :dim]
                n_tokens[part], truncated[part] = tokens.batch.lengths, tokens.truncated
                bar.update(len(tokens.truncated))
        if options.normalize_embeddings:
            rows = normalize_rows(rows)
        return EncodeResult(quantize_embeddings(rows, options.precision), n_tokens, truncated)

    def stream(
        self, texts: Iterable[str], prompt: str, options: EncodeOptions
    ) -> Iterator[EncodeResult]:
        """Yield the embeddings of an iterable without end, a window at a time.

        Parameters
        ----------
        texts
            Unchecked texts.
        prompt
            Put before each.
        options
            What the caller asked; the progress bar is the caller's.

        Yields
        ------
        EncodeResult
            At most ``WINDOW`` texts, in order.

        Raises
        ------
        TypeError
            If something is not a string.
        """
        source, first = iter(texts), 0
        while window := as_texts(itertools.islice(source, WINDOW), first):
            yield self.run(window, prompt, options, first)
            first += len(window)

    def tokenize(self, texts: Sequence[str], prompt: str = "", first: int = 0) -> TokenizedTexts:
        """Return the ids of each text, the prompt put before it; ``first`` counts in messages."""
        if prompt:
            texts = [prompt + text for text in texts]
        return self.tokenizer.tokenize(texts, first)

    def width(self, options: EncodeOptions) -> int:
        """Return the length of the embeddings that these options ask for.

        Returns
        -------
        int
            ``truncate_dim``, or all that the model has.

        Raises
        ------
        ValueError
            If the model's embeddings are shorter.
        """
        wanted = options.truncate_dim or self.dim
        if wanted > self.dim:
            raise ValueError(f"truncate_dim is {wanted}; the model's embeddings have {self.dim}")
        return wanted

    def _embed(self, tokens: TokenizedTexts, prompt: str, options: EncodeOptions) -> FloatMatrix:
        skip = 0
        if prompt and not self._include_prompt:
            skip = self.tokenizer.count_prompt_tokens(prompt)
        return self.engine.embed(tokens.batch, skip, options.batch_size)


def _progress_bar(n_texts: int, *, shown: bool) -> Any:
    if not shown:  # importing tqdm would be a tenth of a cold start
        return nullcontext(SimpleNamespace(update=lambda _: None))
    from tqdm import tqdm

    return tqdm(total=n_texts, unit="text", unit_scale=True, desc="encode")
