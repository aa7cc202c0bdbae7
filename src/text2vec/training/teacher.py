"""What the teacher says of texts: computed once with this machine's engine, and kept.

The teacher is the source's, the recipe's, or the starting model.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2vec.arrays import FloatMatrix, IntVector
from text2vec.evaluation.subject import folder_fingerprint
from text2vec.models.locate import cache_home
from text2vec.sentence_model import SentenceModel
from text2vec.training.corpus import Group
from text2vec.training.preparation import Preparation

__all__ = ["set_margins", "teacher_embeddings", "teacher_targets"]


def teacher_embeddings(model: SentenceModel, texts: Sequence[str], cache: Path) -> FloatMatrix:
    """Return a model's embeddings of texts, from a file if they were computed before.

    Parameters
    ----------
    model
        The teacher.
    texts
        Any number.
    cache
        Folder of the files; the name of one is a checksum of model, limit and texts.

    Returns
    -------
    FloatMatrix
        ``(n_texts, dim)``, mapped from the file.
    """
    described = model.describe()
    digest = hashlib.sha256(folder_fingerprint(Path(described["folder"])).encode())
    for part in (described["max_seq_length"], described["pooling"], described["dtype"]):
        digest.update(f"{part}\0".encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    path = cache / f"{digest.hexdigest()[:40]}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        work = cache / f".{uuid.uuid4().hex}.tmp"
        try:
            with work.open("wb") as stream:
                np.save(stream, model.encode_result(texts).embeddings)
            work.replace(path)
        finally:
            work.unlink(missing_ok=True)
    embeddings: FloatMatrix = np.load(path, mmap_mode="r", allow_pickle=False)
    return embeddings


def teacher_targets(preparation: Preparation) -> dict[str, tuple[IntVector, FloatMatrix]]:
    """Return what each group of texts is pulled towards.

    Parameters
    ----------
    preparation
        Groups and starting model.

    Returns
    -------
    dict[str, tuple[IntVector, FloatMatrix]]
        Name of the group -> row of the embeddings for each text of its rows, ``(n_rows,)`` where a
        row is one text, else ``(n_rows, n_columns)``; and the embeddings.
    """
    targets = {}
    for group in preparation.corpus.groups:
        if group.source.needs == "texts":
            targets[group.name] = _embed_places(preparation, group, group.rows[:, 0])
        elif group.source.needs == "related":
            targets[group.name] = _embed_places(preparation, group, group.rows)
        elif group.source.needs == "translations":
            first = np.repeat(group.rows[:, :1], group.trained.shape[1], axis=1)
            targets[group.name] = _embed_places(preparation, group, first)
    return targets


def set_margins(preparation: Preparation) -> None:
    """Set the labels of groups of ``margin-mse`` to the teacher's own margins.

    Parameters
    ----------
    preparation
        Its groups are changed.
    """
    for group in preparation.corpus.groups:
        if group.source.needs != "margins":
            continue
        columns = []
        for places in group.rows.T:
            rows, embeddings = _embed_places(preparation, group, places)
            column = np.array(embeddings[rows])
            columns.append(column / np.maximum(np.linalg.norm(column, axis=1)[:, None], 1e-12))
        query, positive, negative = columns
        margins = (query * positive).sum(axis=1) - (query * negative).sum(axis=1)
        group.labels = margins.astype(np.float64)


def _embed_places(
    preparation: Preparation, group: Group, places: IntVector
) -> tuple[IntVector, FloatMatrix]:
    spec = preparation.spec
    name = group.source.teacher or preparation.recipe.teacher
    model = SentenceModel(
        name or spec.folder,
        max_seq_length=group.cut_at(preparation.recipe.max_length),
        pooling=None if name else spec.pooling,
    )
    if model.dim != spec.dim and group.source.needs in {"texts", "translations"}:
        raise ValueError(f"teacher {name!r} has {model.dim} dimensions; expected {spec.dim}")
    different, rows = np.unique(places, return_inverse=True)
    texts = [preparation.corpus.table.texts[i] for i in different.tolist()]
    embeddings = teacher_embeddings(model, texts, cache_home() / "training")
    return rows.reshape(places.shape), embeddings
