"""``SentenceModel``: sentences in, vectors out.

It joins the rooms below (a folder's description, its tokenizer, an engine) and computes nothing
itself; keyword names are those of sentence-transformers.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from text2vec.agreement import Agreement, measure_agreement
from text2vec.arrays import FloatMatrix
from text2vec.encode_options import EncodeKeywords, EncodeOptions, options_of, with_role
from text2vec.engines.opening import EngineRequest, engine_notes, open_engine
from text2vec.models.layout import read_spec
from text2vec.models.locate import DEFAULT_MODEL, ModelSource, locate_model, model_name
from text2vec.models.saved_folder import write_model_folder
from text2vec.pipeline import EncodeResult, Pipeline, as_texts, check_iterable, open_tokenizer
from text2vec.quantization import Precision
from text2vec.similarities import similarity, similarity_pairwise
from text2vec.text.tokenizer import TokenizedTexts
from text2vec.text.tokenizer_folder import open_tokenizer_folder

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["SentenceModel"]

_LOG = logging.getLogger(__name__)
_SHOWN = 5  # places that a warning names


class SentenceModel:
    """A sentence embedding model on this machine.

    Parameters
    ----------
    model_name_or_path
        A folder, or a name on the Hugging Face Hub; None for the default model.
    revision, cache_folder, local_files_only, token
        Where and how a Hub name is looked up, as in sentence-transformers.
    max_seq_length
        Cut texts at so many tokens instead of the model's own limit.
    pooling
        One of ``POOLING_MODES``, or several to concatenate, instead of the model's own.
    prompts, default_prompt_name
        Texts put before each text, by name; they replace the model's own.
    truncate_dim
        Keep only the first dimensions of each embedding.
    engine
        ``auto``, ``native``, ``reference`` or ``torch``; see ``engines.opening``.
    dtype
        Precision of weights and sums: ``auto``, or what the engine offers.
    device
        ``cpu``, ``cuda``, ``mps``, ...; all but the CPU need PyTorch, for which None is the best.
    num_threads
        None for all processors that this process may use.
    kernels
        A kernel family of the native engine instead of the best that the machine runs.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder or name; the message says what to do.
    ModelFormatError
        If a file of the model is missing, damaged or impossible.
    MissingExtraError
        If the model or device needs a package that is not installed.
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: the folder layouts of sentence-transformers 2 to 6, transformers and text2vec 1.3.

    Examples
    --------
    >>> model = SentenceModel()                                        # doctest: +SKIP
    >>> model.encode(["今天天气很好", "The weather is lovely"]).shape     # doctest: +SKIP
    (2, 384)
    """

    def __init__(  # noqa: PLR0913 - the keyword names of sentence-transformers, which users know
        self,
        model_name_or_path: str | Path | None = None,
        *,
        revision: str | None = None,
        cache_folder: str | Path | None = None,
        local_files_only: bool = False,
        token: str | None = None,
        max_seq_length: int | None = None,
        pooling: str | Sequence[str] | None = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        truncate_dim: int | None = None,
        engine: str = "auto",
        dtype: str = "auto",
        device: str | None = None,
        num_threads: int | None = None,
        kernels: str = "auto",
    ) -> None:
        self.name = model_name(DEFAULT_MODEL if model_name_or_path is None else model_name_or_path)
        cache = None if cache_folder is None else Path(cache_folder)
        folder = locate_model(ModelSource(self.name, revision, cache, local_files_only, token))
        spec = read_spec(folder).with_length(max_seq_length).with_pooling(pooling)
        spec = spec.with_prompts(prompts, default_prompt_name)
        if truncate_dim is not None:
            spec = dataclasses.replace(spec, truncate_dim=truncate_dim)
        for note in spec.notes:
            _LOG.warning("%s: %s", self.name, note)
        tokenizer = open_tokenizer(spec, num_threads)
        request = EngineRequest(engine, dtype, device, num_threads, kernels)
        self._spec = spec
        self._pipeline = Pipeline(
            tokenizer,
            open_engine(spec, request),
            dim=spec.dim,
            include_prompt=spec.include_prompt,
        )
        self._truncate_dim = self._pipeline.width(EncodeOptions(truncate_dim=spec.truncate_dim))
        self._how = {
            "max_seq_length": max_seq_length,
            "pooling": pooling,
            "truncate_dim": truncate_dim,
            "prompts": prompts and dict(prompts),
            "default_prompt_name": default_prompt_name,
            **dataclasses.asdict(request),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the model again, from the same folder, where it is unpickled or copied."""
        return _reopen, (type(self), self._spec.folder, self.name, self._how)

    def __repr__(self) -> str:
        """Return name, dimension and engine."""
        engine = self._pipeline.engine.name
        return f"SentenceModel({self.name!r}, dim={self.dim}, engine={engine!r})"

    @property
    def dim(self) -> int:
        """Length of one embedding."""
        return self._truncate_dim

    @property
    def max_seq_length(self) -> int:
        """Most tokens of a text, special tokens included; given when the model is opened."""
        return self._spec.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        raise AttributeError(f"cannot be set; expected SentenceModel(..., max_seq_length={value})")

    @property
    def prompts(self) -> Mapping[str, str]:
        """Texts that can be put before each text, by name."""
        return self._spec.prompts

    @property
    def default_prompt_name(self) -> str | None:
        """The prompt that is used where none is asked for."""
        return self._spec.default_prompt_name

    @property
    def similarity_fn_name(self) -> str:
        """The similarity that the model was trained for."""
        return self._spec.similarity_fn_name

    def get_sentence_embedding_dimension(self) -> int:
        """Return ``dim``, by the name that sentence-transformers gives it."""
        return self._truncate_dim

    def describe(self) -> dict[str, Any]:
        """Return what this model is, in values that JSON can carry."""
        spec, engine = self._spec, self._pipeline.engine
        return {
            "model": self.name,
            "folder": str(spec.folder),
            "layout": spec.layout,
            "architecture": spec.config.get("model_type"),
            "dim": self.dim,
            "max_seq_length": spec.max_seq_length,
            "pooling": list(spec.pooling),
            "normalize": spec.normalize,
            "engine": engine.name,
            "dtype": engine.dtype,
            "kernels": engine.kernels,
            "tokenizer": self._pipeline.tokenizer.name,
            "num_threads": engine.num_threads,
            "notes": [*spec.notes, *engine_notes(engine)],
        }

    def encode(  # noqa: PLR0913 - the keyword names of sentence-transformers, which users know
        self,
        sentences: str | Iterable[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        precision: Precision = "float32",
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
    ) -> NDArray[Any]:
        """Return one embedding per text, in the order of the texts.

        Parameters
        ----------
        sentences
            A text, or any iterable of texts. ``""`` is a text.
        prompt_name, prompt
            A prompt of ``prompts``, or one's own, put before every text.
        batch_size
            Most texts computed together; None leaves it to the engine. No embedding depends on it.
        show_progress_bar
            None shows one on a terminal when there is more than one window of 4,096 texts.
        precision
            See ``quantize_embeddings``.
        normalize_embeddings
            Scale each embedding to length 1.
        truncate_dim
            Keep only the first dimensions.
        convert_to_numpy, convert_to_tensor
            As in sentence-transformers; embeddings are numpy arrays here.

        Returns
        -------
        NDArray[Any]
            Shape ``(n_texts, dim)``, or ``(dim,)`` for a single string; float32 unless
            ``precision`` says otherwise. No texts give ``(0, dim)``. A text's row is the same
            whatever stands beside it, within 1e-6 (but see ``quantize_embeddings`` for int8).

        Raises
        ------
        TypeError
            If something is not a string; the message names its place.
        ValueError
            If a text holds a lone surrogate, or an option is out of range.

        Notes
        -----
        Texts above ``max_seq_length`` tokens are cut on the right; how many is logged as one
        warning a call. ``encode_result`` says which.
        """
        if convert_to_tensor or not convert_to_numpy:
            raise ValueError("encode gives numpy arrays; expected torch.from_numpy(encode(texts))")
        result = self.encode_result(
            [sentences] if isinstance(sentences, str) else sentences,
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            precision=precision,
            normalize_embeddings=normalize_embeddings,
            truncate_dim=truncate_dim,
        )
        cut = np.flatnonzero(result.truncated).tolist()
        self._log_truncated(cut[:_SHOWN], len(cut), len(result.truncated))
        return result.embeddings[0] if isinstance(sentences, str) else result.embeddings

    def encode_result(
        self, sentences: Iterable[str], **keywords: Unpack[EncodeKeywords]
    ) -> EncodeResult:
        """Return embeddings with the tokens of each text, and which texts were cut.

        Parameters
        ----------
        sentences
            An iterable of texts.
        **keywords
            Those of ``encode``.

        Returns
        -------
        EncodeResult
            In the order of the texts. Nothing is logged.
        """
        options = options_of(keywords, self._spec.truncate_dim)
        prompt = options.find_prompt(self.prompts, self.default_prompt_name)
        return self._pipeline.run(as_texts(sentences), prompt, options)

    def encode_iter(
        self, sentences: Iterable[str], **keywords: Unpack[EncodeKeywords]
    ) -> Iterator[NDArray[Any]]:
        """Return an iterator of embeddings, for an iterable that may have no end.

        Parameters
        ----------
        sentences
            Texts; they are taken 4,096 at a time, which bounds the memory.
        **keywords
            Those of ``encode``, but for ``convert_to_...``; there is no progress bar.

        Returns
        -------
        Iterator[NDArray[Any]]
            One embedding of shape ``(dim,)`` for each text, in order. Wrong options raise here,
            a wrong text when its turn comes.

        Raises
        ------
        ValueError
            If ``precision`` is int8 or uint8, whose ranges would differ from window to window.
        """
        options = options_of(keywords, self._spec.truncate_dim)
        if options.precision in {"int8", "uint8"}:
            raise ValueError(
                f"precision {options.precision!r} takes each dimension's range from all texts; "
                "stream float32 and call quantize_embeddings(..., ranges=)"
            )
        check_iterable(sentences)
        self._pipeline.width(options)
        prompt = options.find_prompt(self.prompts, self.default_prompt_name)
        return self._stream(
            sentences, prompt, dataclasses.replace(options, show_progress_bar=False)
        )

    def encode_query(
        self, sentences: str | Iterable[str], **keywords: Unpack[EncodeKeywords]
    ) -> NDArray[Any]:
        """Return ``encode`` with the model's ``query`` prompt, if it has one."""
        return self.encode(sentences, **with_role(keywords, "query", self.prompts))

    def encode_document(
        self, sentences: str | Iterable[str], **keywords: Unpack[EncodeKeywords]
    ) -> NDArray[Any]:
        """Return ``encode`` with the model's ``document``, ``passage`` or ``corpus`` prompt."""
        return self.encode(sentences, **with_role(keywords, "document", self.prompts))

    def encode_tokens(self, sentences: Iterable[str]) -> list[FloatMatrix]:
        """Return the last layer's states of each text, shape ``(n_tokens, hidden)`` each."""
        tokens = self._pipeline.tokenize(as_texts(sentences))
        cut = np.flatnonzero(tokens.truncated).tolist()
        self._log_truncated(cut[:_SHOWN], len(cut), len(tokens.truncated))
        batch = tokens.batch
        states = np.split(self._pipeline.engine.token_states(batch), batch.offsets[1:-1])
        return states[: len(tokens.truncated)]  # numpy splits nothing into one part

    def tokenize(self, sentences: Iterable[str]) -> TokenizedTexts:
        """Return the ids of each text, as encoded without a prompt, and which texts are cut."""
        return self._pipeline.tokenize(as_texts(sentences))

    def agreement(self, sentences: Iterable[str]) -> Agreement:
        """Return mean and worst cosine of texts' embeddings to float32; at least one text."""
        return measure_agreement(self._spec, self._pipeline, as_texts(sentences))

    def similarity(self, a: ArrayLike, b: ArrayLike) -> FloatMatrix:
        """Return the score of every embedding of ``a`` with every one of ``b``, ``(n, m)``."""
        return similarity(a, b, self.similarity_fn_name)

    def similarity_pairwise(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
        """Return the score of each embedding of ``a`` with the same row of ``b``, ``(n,)``."""
        return similarity_pairwise(a, b, self.similarity_fn_name)

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder that sentence-transformers and transformers open too."""
        body = self._spec.body
        write_model_folder(self._spec, lambda: open_tokenizer_folder(body).to_str(), Path(folder))

    def _stream(
        self, sentences: Iterable[str], prompt: str, options: EncodeOptions
    ) -> Iterator[NDArray[Any]]:
        n_texts, n_cut, first = 0, 0, list[int]()
        try:
            for result in self._pipeline.stream(sentences, prompt, options):
                places = n_texts + np.flatnonzero(result.truncated)
                n_texts, n_cut = n_texts + len(result.truncated), n_cut + len(places)
                first += places[: _SHOWN - len(first)].tolist()
                yield from result.embeddings
        finally:  # also when the caller has had enough
            self._log_truncated(first, n_cut, n_texts)

    def _log_truncated(self, first: list[int], n_cut: int, n_texts: int) -> None:
        if n_cut:
            shown = ", ".join(map(str, first)) + (", ..." if n_cut > len(first) else "")
            message = "%d of %d texts were cut at %d tokens (text %s); encode_result() says which"
            _LOG.warning(message, n_cut, n_texts, self.max_seq_length, shown)


def _reopen(kind: type[SentenceModel], folder: Path, name: str, how: dict[str, Any]) -> Any:
    model = kind(folder, **how)
    model.name = name
    return model
