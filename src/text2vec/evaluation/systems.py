"""The systems of the model card's table: how each is loaded, and what was published of it.

Their weights are on the Hugging Face Hub: ``SentenceModel(name, **loader_settings(name))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["PUBLISHED_TASKS", "SYSTEMS", "System", "loader_settings"]

PUBLISHED_TASKS = ("atec", "bq", "lcqmc", "pawsx", "stsb-zh", "sohu-dd", "sohu-dc")
"""Order of the published columns."""


@dataclass(frozen=True)
class System:
    """One row of the published table.

    Attributes
    ----------
    name
        Short name of its architecture in the table: Word2Vec, SBERT, Instructor, CoSENT.
    base
        The pretrained model that it was trained from.
    hub
        Name of the model; for Word2Vec the name of a file of word vectors.
    pooling
        How token states become one vector; the old tool did not record it in the folder.
    max_seq_length
        Tokens at which the published figures were cut.
    scores
        Spearman x 100 in the order of ``PUBLISHED_TASKS``.
    mean, texts_per_second
        As published; the speed is of a Tesla V100.
    """

    name: str
    base: str
    hub: str
    pooling: str
    max_seq_length: int
    scores: tuple[float, ...]
    mean: float
    texts_per_second: int

    def score(self, task: str) -> float:
        """Return the published score of one of ``PUBLISHED_TASKS``."""
        return self.scores[PUBLISHED_TASKS.index(task)]


_MINILM = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_ROWS = (
    System(
        "Word2Vec",
        "word2vec",
        "w2v-light-tencent-chinese",
        "mean",
        0,
        (20.00, 31.49, 59.46, 2.57, 55.78, 55.04, 20.70),
        35.03,
        23769,
    ),
    System(
        "SBERT",
        "xlm-roberta-base",
        _MINILM,
        "mean",
        128,
        (18.42, 38.52, 63.96, 10.14, 78.90, 63.01, 52.28),
        46.46,
        3138,
    ),
    System(
        "Instructor",
        "hfl/chinese-roberta-wwm-ext",
        "moka-ai/m3e-base",
        "mean",
        512,
        (41.27, 63.81, 74.87, 12.20, 76.96, 75.83, 60.55),
        57.93,
        2980,
    ),
    System(
        "CoSENT",
        "hfl/chinese-macbert-base",
        "shibing624/text2vec-base-chinese",
        "mean",
        256,
        (31.93, 42.67, 70.16, 17.21, 79.30, 70.27, 50.42),
        51.61,
        3008,
    ),
    System(
        "CoSENT",
        "hfl/chinese-lert-large",
        "GanymedeNil/text2vec-large-chinese",
        "mean",
        256,
        (32.61, 44.59, 69.30, 14.51, 79.44, 73.01, 59.04),
        53.12,
        2092,
    ),
    System(
        "CoSENT",
        "nghuyong/ernie-3.0-base-zh",
        "shibing624/text2vec-base-chinese-sentence",
        "mean",
        256,
        (43.37, 61.43, 73.48, 38.90, 78.25, 70.60, 53.08),
        59.87,
        3089,
    ),
    System(
        "CoSENT",
        "nghuyong/ernie-3.0-base-zh",
        "shibing624/text2vec-base-chinese-paraphrase",
        "mean",
        256,
        (44.89, 63.58, 74.24, 40.90, 78.93, 76.70, 63.30),
        63.08,
        3066,
    ),
    System(
        "CoSENT",
        _MINILM,
        "shibing624/text2vec-base-multilingual",
        "mean",
        256,
        (32.39, 50.33, 65.64, 32.56, 74.45, 68.88, 51.17),
        53.67,
        4004,
    ),
)
SYSTEMS: Mapping[str, System] = MappingProxyType({row.hub: row for row in _ROWS})
"""Name of the model -> its row, in the order of the card's table."""


def loader_settings(name: str) -> dict[str, Any]:
    """Return the keywords of ``SentenceModel`` that the published figures of a model rest on.

    Parameters
    ----------
    name
        As the user wrote it.

    Returns
    -------
    dict[str, Any]
        ``pooling`` and ``max_seq_length``; empty for a model that the table does not have.

    Raises
    ------
    ValueError
        If the table's row is no transformer but a file of word vectors.

    Examples
    --------
    >>> loader_settings("moka-ai/m3e-base"), loader_settings("./mine")
    ({'pooling': 'mean', 'max_seq_length': 512}, {})
    """
    row = SYSTEMS.get(name)
    if row is None:
        return {}
    if not row.max_seq_length:
        raise ValueError(
            f"{name} is a file of word vectors; download it, and open it with Word2Vec "
            "(text2vec evaluate --word-vectors FILE)"
        )
    return {"pooling": row.pooling, "max_seq_length": row.max_seq_length}
