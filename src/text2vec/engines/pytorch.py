"""PyTorch and transformers as an engine: GPU, MPS, and every architecture that our own lack.

The only room that knows torch. It pads for itself and hands back packed states, so that pooling
sees real tokens only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from text2vec.arrays import FloatMatrix, IntVector, PackedBatch
from text2vec.engines.batching import gather_texts, plan_batches, token_places
from text2vec.engines.pooling import Head
from text2vec.errors import ModelFormatError, require

__all__ = ["TorchEngine", "load_transformer", "open_torch_engine"]

TOKEN_BUDGET = 8192
"""Tokens of one forward pass: enough to fill a small GPU, little enough for its memory."""
_DTYPES = ("float32", "float16", "bfloat16")
_PLACES = {"trust_remote_code": False, "local_files_only": True}


class TorchEngine:
    """Encode with a transformers model.

    Parameters
    ----------
    model
        A ``PreTrainedModel`` in evaluation mode, on its device.
    head
        Pooling and what follows it.
    """

    name = "torch"

    def __init__(self, model: Any, head: Head) -> None:
        self._torch = require("torch", "torch")
        self._model = model
        self._head = head
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.num_threads = int(self._torch.get_num_threads())
        self.kernels = str(model.device)

    def embed(self, batch: PackedBatch, skip: int = 0, max_texts: int | None = None) -> FloatMatrix:
        """Return one embedding per text, shape ``(n_texts, dim)``; see ``Engine.embed``."""
        width = self._model.config.hidden_size * len(self._head.pooling)
        rows = np.empty((batch.n_texts, width), np.float32)
        for texts in plan_batches(batch.lengths, TOKEN_BUDGET, max_texts, padded=True):
            some = gather_texts(batch, texts)
            rows[texts] = self._head.pool(self._run(some), some.offsets, skip)
        return self._head.project(rows)

    def token_states(self, batch: PackedBatch) -> FloatMatrix:
        """Return the last layer's states, shape ``(n_tokens, hidden)``."""
        states = np.empty((len(batch.ids), self._model.config.hidden_size), np.float32)
        for texts in plan_batches(batch.lengths, TOKEN_BUDGET, padded=True):
            states[token_places(batch, texts)] = self._run(gather_texts(batch, texts))[-1]
        return states

    def _run(self, batch: PackedBatch) -> list[FloatMatrix]:
        torch = self._torch
        there = _real_tokens(batch.lengths)  # (n_texts, longest)
        ids = np.full(there.shape, self._model.config.pad_token_id or 0, np.int64)
        ids[there] = batch.ids
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.from_numpy(ids).to(self._model.device),
                attention_mask=torch.from_numpy(there.astype(np.int64)).to(self._model.device),
                output_hidden_states=self._head.needs_first_layer,
            )
        layers = [output.last_hidden_state]
        if self._head.needs_first_layer:
            layers.insert(0, output.hidden_states[1])
        return [layer.float().cpu().numpy()[there] for layer in layers]


def _real_tokens(lengths: IntVector) -> Any:
    return np.arange(int(lengths.max(initial=1))) < lengths[:, None]


def open_torch_engine(
    body: Path, head: Head, *, dtype: str, device: str | None, num_threads: int | None
) -> TorchEngine:
    """Return an engine that runs a folder through ``transformers.AutoModel``.

    Parameters
    ----------
    body
        Folder of the transformer.
    head
        Pooling and what follows it.
    dtype
        ``float32``, ``float16`` or ``bfloat16``.
    device
        As in torch; None takes CUDA, then MPS, then the CPU, whichever is there first.
    num_threads
        For ``torch.set_num_threads``, which holds for the whole process; None leaves it alone.

    Returns
    -------
    TorchEngine
        Ready to embed. Code that comes with the folder is never run.

    Raises
    ------
    MissingExtraError
        If torch or transformers is not installed.
    ValueError
        If the dtype or device is unknown.
    ModelFormatError
        If transformers cannot open the folder, or it has no encoder for texts.
    """
    torch = require("torch", "torch")
    transformers = require("transformers", "torch")
    if dtype not in _DTYPES:
        raise ValueError(f"engine 'torch' has no dtype {dtype!r}; expected {', '.join(_DTYPES)}")
    if device is None:
        device = "cpu"
        if torch.cuda.is_available():
            device = "cuda"
        elif torch.backends.mps.is_available():
            device = "mps"
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    try:
        config = transformers.AutoConfig.from_pretrained(str(body), **_PLACES)
        # Of an encoder-decoder (T5) only the encoder can embed.
        both = getattr(config, "is_encoder_decoder", False)
        kind = transformers.AutoModelForTextEncoding if both else transformers.AutoModel
        model = load_transformer(kind, body, dtype=getattr(torch, dtype))
    except (OSError, ValueError, KeyError, RuntimeError) as exc:
        raise ModelFormatError(f"{body}: transformers cannot open it: {exc}") from exc
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as exc:  # torch's ways of refusing a device
        raise ValueError(f"device {device!r} cannot be used: {exc}") from exc
    return TorchEngine(model.eval(), head)


def load_transformer(kind: Any, body: Path, **keywords: Any) -> Any:
    """Return a transformers model with all of its weights, and without messages.

    Parameters
    ----------
    kind
        ``AutoModel`` or one like it.
    body
        Folder of the transformer.
    **keywords
        For ``from_pretrained``.

    Returns
    -------
    Any
        A ``PreTrainedModel``. Code that comes with the folder is never run.

    Raises
    ------
    ValueError
        If weights are missing, which transformers would draw at random; a pooler's may be, since
        no embedding depends on it.
    """
    from transformers.utils import logging

    level, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, found = kind.from_pretrained(
            str(body),
            output_loading_info=True,
            **_PLACES,
            **keywords,
        )
    finally:
        logging.set_verbosity(level)
        if shows_bars:
            logging.enable_progress_bar()
    missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)
    if missing:
        raise ValueError(f"weights are missing: {', '.join(missing[:3])}")
    return model
