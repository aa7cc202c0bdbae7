"""A sentence model as mteb 2.x wants one: ``mteb.evaluate(MtebModel(model), tasks=...)``.

Source: the protocol ``mteb.models.EncoderProtocol``. mteb itself is the extra ``mteb``; only the
model's facts need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike, NDArray

from text2vec.arrays import FloatMatrix
from text2vec.errors import require
from text2vec.evaluation.subject import folder_fingerprint
from text2vec.evaluation.tasks import LANGUAGES
from text2vec.sentence_model import SentenceModel

__all__ = ["MtebModel"]

# ISO 639-3 and script, as mteb names languages.
_NAMES = {
    "de": "deu-Latn",
    "en": "eng-Latn",
    "es": "spa-Latn",
    "fr": "fra-Latn",
    "it": "ita-Latn",
    "nl": "nld-Latn",
    "pl": "pol-Latn",
    "pt": "por-Latn",
    "ru": "rus-Cyrl",
    "zh": "zho-Hans",
}


class MtebModel:
    """The face that mteb calls.

    Parameters
    ----------
    model
        What embeds; its prompts serve queries and documents where it has them.

    Examples
    --------
    >>> import mteb                                                         # doctest: +SKIP
    >>> mteb.evaluate(MtebModel(SentenceModel()), mteb.get_tasks(["ATEC"]))  # doctest: +SKIP
    """

    def __init__(self, model: SentenceModel) -> None:
        self._model = model

    @cached_property
    def mteb_model_meta(self) -> Any:
        """What mteb writes beside the scores.

        mteb keeps results by name and revision and does not run again what it has: the revision
        is made of the files' fingerprint and of all that changes a vector besides.
        """
        meta = require("mteb.models", "mteb").ModelMeta
        name = self._model.name
        is_hub_name = name.count("/") == 1 and not name.startswith((".", "/"))
        local = re.sub(r"[^\w.-]+", "-", name.rstrip("/").rpartition("/")[2]).strip(".-")
        facts = self._model.describe()
        parts = [folder_fingerprint(Path(facts["folder"]))[:16], facts["dtype"], *facts["pooling"]]
        return meta.create_empty({
            "name": name if is_hub_name else f"text2vec/{local or 'local'}",
            "revision": "-".join([*parts, str(self._model.max_seq_length)]),
            "languages": [_NAMES[language] for language in LANGUAGES],
            "embed_dim": self._model.dim,
            "max_tokens": self._model.max_seq_length,
            "framework": [],
            "similarity_fn_name": self._model.similarity_fn_name,
        })

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        prompt_type: Any = None,
        **keywords: Any,
    ) -> NDArray[Any]:
        """Return the embeddings of the texts of all batches, shape ``(n_texts, dim)``.

        Parameters
        ----------
        inputs
            Batches, each with its texts under ``text``.
        prompt_type
            ``query`` and ``document`` use the model's prompt of that role.
        **keywords
            Task, split and subset, which change nothing here.

        Returns
        -------
        NDArray[Any]
            In the order of the batches.
        """
        del keywords
        texts = [text for batch in inputs for text in batch["text"]]
        role = str(getattr(prompt_type, "value", prompt_type))
        encode = {"query": self._model.encode_query, "document": self._model.encode_document}
        return encode.get(role, self._model.encode)(texts)

    def similarity(self, a: ArrayLike, b: ArrayLike) -> FloatMatrix:
        """Return the score of every row of ``a`` with every row of ``b``."""
        return self._model.similarity(a, b)

    def similarity_pairwise(self, a: ArrayLike, b: ArrayLike) -> FloatMatrix:
        """Return the score of each row of ``a`` with the same row of ``b``."""
        return self._model.similarity_pairwise(a, b)
