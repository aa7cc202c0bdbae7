"""What lower precision, shorter vectors and smaller values cost: score against bytes and speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from text2vec.arrays import FloatMatrix
from text2vec.evaluation.charts import point_chart
from text2vec.evaluation.report import STYLE
from text2vec.evaluation.results import mean_score
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.speed import measure_speed
from text2vec.evaluation.subject import Embedded, Subject, model_subject
from text2vec.evaluation.tasks import Task
from text2vec.files.text_file import write_text
from text2vec.quantization import Precision, quantize_embeddings
from text2vec.sentence_model import SentenceModel

__all__ = ["AblationRow", "ablate", "draw_ablation", "format_ablation"]

_DTYPES = ("float32", "bfloat16", "int8")
_SHARES = (1, 2, 3, 6)  # of the dimensions, one part is kept
_PRECISIONS: tuple[Precision, ...] = ("int8", "binary")


@dataclass(frozen=True)
class AblationRow:
    """One way to make and keep vectors.

    Attributes
    ----------
    dtype
        Precision of the engine.
    dim, precision
        Values kept of each vector, and their type.
    bytes_per_vector
        Of the kept vector.
    score
        Mean of the tasks' main scores x 100; None if one is not defined.
    texts_per_second
        By the card's protocol, of this engine dtype.
    """

    dtype: str
    dim: int
    precision: str
    bytes_per_vector: int
    score: float | None
    texts_per_second: float


def ablate(
    name: str | None,
    tasks: Sequence[Task],
    data_folder: Path | None,
    *,
    factory: Callable[..., SentenceModel] | None = None,
) -> list[AblationRow]:
    """Return a row for each engine dtype, and for shorter and smaller vectors of the last.

    Parameters
    ----------
    name
        The model; None for the default one.
    tasks
        Tasks whose mean score is shown.
    data_folder
        Where their files lie; None for the Hub.
    factory
        Called as ``SentenceModel`` would be, instead of it.

    Returns
    -------
    list[AblationRow]
        Whole vectors first.
    """
    rows = []
    for dtype in _DTYPES:
        model = (factory or SentenceModel)(name, dtype=dtype)
        speed = measure_speed(model.encode).texts_per_second
        kept = _Kept(model_subject(model))
        forms: list[tuple[int, Precision]] = [(model.dim, "float32")]
        if dtype == _DTYPES[-1]:
            forms += [(model.dim // share, "float32") for share in _SHARES[1:]]
            forms += [(model.dim, precision) for precision in _PRECISIONS]
        for dim, precision in forms:
            evaluations = evaluate(kept.cut(dim, precision), tasks, data_folder)
            score = mean_score([evaluation.result for evaluation in evaluations])
            size = dim // 8 if precision == "binary" else dim * (1 if precision == "int8" else 4)
            rows.append(AblationRow(dtype, dim, precision, size, score, speed))
    return rows


class _Kept:
    """Embeddings of a subject, computed once and handed out in smaller forms."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._rows: dict[tuple[str, str], FloatMatrix] = {}

    def cut(self, dim: int, precision: Precision) -> Subject:
        """Return a subject whose vectors are those of the whole one, made smaller."""

        def embed(texts: Sequence[str], role: str = "") -> Embedded:
            rows = self._whole(texts, role)[:, :dim]
            return Embedded(_as_floats(quantize_embeddings(rows, precision), precision), None)

        whole = self._subject
        roles = {role: partial(embed, role=role) for role in whole.roles}
        return Subject(f"{whole.name} {dim} {precision}", embed, facts=whole.facts, roles=roles)

    def _whole(self, texts: Sequence[str], role: str) -> FloatMatrix:
        keys = [(role, text) for text in texts]
        new = [key for key in keys if key not in self._rows]
        embed = self._subject.roles.get(role, self._subject.embed)
        if new and embed is not None:
            embeddings = embed([text for _, text in new]).embeddings
            self._rows.update(zip(new, embeddings, strict=True))
        return np.stack([self._rows[key] for key in keys])


def _as_floats(values: Any, precision: Precision) -> FloatMatrix:
    """Return numbers whose cosine is the score that the small form gives."""
    if precision == "binary":  # int8 bytes of eight signs: the cosine of signs is 1 - 2 Hamming / n
        bits = np.unpackbits((values.astype(np.int16) + 128).astype(np.uint8), axis=1)
        return bits.astype(np.float32) * 2 - 1
    return np.asarray(values, np.float32)


def format_ablation(rows: Sequence[AblationRow]) -> str:
    """Return the rows as aligned columns.

    Parameters
    ----------
    rows
        What ``ablate`` returned.

    Returns
    -------
    str
        A header and a line a row.

    Examples
    --------
    >>> print(format_ablation([AblationRow("int8", 384, "binary", 48, 70.5, 1000.0)]))
    engine     dim  values     bytes   score  texts/s
    int8       384  binary        48   70.50     1000
    """
    lines = [f"{'engine':<9}{'dim':>5}  {'values':<8}{'bytes':>8}{'score':>8}{'texts/s':>9}"]
    for row in rows:
        score = "n/a" if row.score is None else f"{row.score:.2f}"
        lines.append(
            f"{row.dtype:<9}{row.dim:>5}  {row.precision:<8}{row.bytes_per_vector:>8}"
            f"{score:>8}{row.texts_per_second:>9.0f}"
        )
    return "\n".join(lines)


def draw_ablation(path: Path, rows: Sequence[AblationRow]) -> None:
    """Write score against bytes per vector as a page with one picture.

    Parameters
    ----------
    path
        HTML file to write.
    rows
        What ``ablate`` returned.
    """
    points = [
        (f"{row.dtype} {row.dim} {row.precision}", float(row.bytes_per_vector), row.score)
        for row in rows
        if row.score is not None
    ]
    chart = point_chart(points, "bytes per vector", "score")
    write_text(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>text2vec ablation</title>'
        f"<style>{STYLE}</style><body><h1>Score against bytes per vector</h1>{chart}"
        f"<pre>{format_ablation(rows)}</pre></body></html>\n",
    )
