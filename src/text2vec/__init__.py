"""Sentence embeddings in ten languages: encode fast on a CPU, train with CoSENT, evaluate.

Names are loaded on first use, so that ``import text2vec`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from text2vec.encode_options import EncodeOptions
    from text2vec.errors import (
        DataFormatError,
        MissingExtraError,
        ModelFormatError,
        ModelNotFoundError,
        Text2VecError,
    )
    from text2vec.pipeline import EncodeResult
    from text2vec.quantization import quantize_embeddings
    from text2vec.sentence_model import SentenceModel
    from text2vec.similarities import similarity, similarity_pairwise
    from text2vec.word2vec import Word2Vec

__version__ = "2.0.0.dev0"

__all__ = [
    "DataFormatError",
    "EncodeOptions",
    "EncodeResult",
    "MissingExtraError",
    "ModelFormatError",
    "ModelNotFoundError",
    "SentenceModel",
    "Text2VecError",
    "Word2Vec",
    "__version__",
    "quantize_embeddings",
    "similarity",
    "similarity_pairwise",
]

_HOMES = {
    "DataFormatError": "errors",
    "EncodeOptions": "encode_options",
    "EncodeResult": "pipeline",
    "MissingExtraError": "errors",
    "ModelFormatError": "errors",
    "ModelNotFoundError": "errors",
    "SentenceModel": "sentence_model",
    "Text2VecError": "errors",
    "Word2Vec": "word2vec",
    "quantize_embeddings": "quantization",
    "similarity": "similarities",
    "similarity_pairwise": "similarities",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'text2vec' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"text2vec.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
