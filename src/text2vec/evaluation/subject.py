"""What is evaluated, whatever it is: a sentence model, word vectors, a server, a plain formula.

A subject either embeds texts or scores pairs; its facts are what a result must say of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import BoolVector, Encoder, FloatMatrix
from text2vec.encode_options import ROLE_PROMPTS, role_prompt
from text2vec.sentence_model import SentenceModel

__all__ = [
    "Embedded",
    "Subject",
    "encoder_subject",
    "file_fingerprint",
    "folder_fingerprint",
    "model_subject",
    "role_prompts",
]

_BLOCK = 1 << 20


class Embedded(NamedTuple):
    """Embeddings, and which texts were cut at the model's limit (None where nobody knows)."""

    embeddings: FloatMatrix
    truncated: BoolVector | None


_Embed: TypeAlias = Callable[[Sequence[str]], Embedded]
_ScorePairs: TypeAlias = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]


@dataclass(frozen=True)
class Subject:
    """One row of a table of results.

    Attributes
    ----------
    name
        What the table calls it.
    embed
        Texts -> embeddings; None for what only scores pairs.
    score_pairs
        Two lists of texts -> scores, higher for more alike; None for what embeds.
    facts
        JSON values that say which model this is: fingerprint, engine, dtype, kernels, ...
    roles
        ``query`` and ``document`` -> what embeds them; empty where ``embed`` serves both.
    """

    name: str
    embed: _Embed | None = None
    score_pairs: _ScorePairs | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, _Embed] = field(default_factory=dict)


def role_prompts(model: SentenceModel) -> dict[str, str]:
    """Return the prompts that a model has for queries and documents.

    Parameters
    ----------
    model
        An opened model.

    Returns
    -------
    dict[str, str]
        ``query`` and ``document`` -> the prompt that ``encode_query`` or ``encode_document`` puts
        before a text. Empty if the model names neither, or both are what ``encode`` takes anyway.
    """
    prompts = model.prompts
    chosen = {role: role_prompt(role, prompts) for role in ROLE_PROMPTS}
    if set(chosen.values()) == {None}:
        return {}
    found = {role: prompt or "" for role, prompt in chosen.items()}
    default = prompts.get(model.default_prompt_name or "", "")
    return {} if set(found.values()) == {default} else found


def model_subject(model: SentenceModel, *, batch_size: int | None = None) -> Subject:
    """Return a sentence model as a subject.

    Parameters
    ----------
    model
        An opened model.
    batch_size
        As in ``SentenceModel.encode``.

    Returns
    -------
    Subject
        Its facts hold the fingerprint of the folder's files, and the prompts of its roles.
    """
    described = model.describe()
    names = ("architecture", "dim", "max_seq_length", "pooling", "engine", "dtype", "kernels")

    def embed(texts: Sequence[str], prompt: str | None = None) -> Embedded:
        result = model.encode_result(texts, prompt=prompt, batch_size=batch_size)
        return Embedded(result.embeddings, result.truncated)

    prompts = role_prompts(model)
    return Subject(
        model.name,
        embed,
        facts={
            "fingerprint": folder_fingerprint(Path(described["folder"])),
            **{name: described[name] for name in names},
            **({"prompts": prompts} if prompts else {}),
        },
        roles={role: partial(embed, prompt=prompt) for role, prompt in prompts.items()},
    )


def encoder_subject(name: str, encoder: Encoder, facts: Mapping[str, Any] | None = None) -> Subject:
    """Return anything with ``encode`` as a subject: ``Word2Vec``, a remote model, a fake.

    Parameters
    ----------
    name
        What the table calls it.
    encoder
        Its ``encode`` takes a list of texts.
    facts
        What a result must say of it.

    Returns
    -------
    Subject
        It does not know how many texts were cut.
    """

    def embed(texts: Sequence[str]) -> Embedded:
        return Embedded(np.asarray(encoder.encode(list(texts)), np.float32), None)

    return Subject(name, embed, facts={"dim": encoder.dim, **(facts or {})})


def folder_fingerprint(folder: Path) -> str:
    """Return one checksum for all files of a model folder.

    Parameters
    ----------
    folder
        The model; hidden files and folders do not count.

    Returns
    -------
    str
        64 hex digits, SHA-256 over each file's path and content in the order of the paths.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder_fingerprint(Path(name))[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    for path in sorted(files):
        if any(part.startswith(".") for part in path.parts):
            continue
        digest.update(f"{path.as_posix()}\0{file_fingerprint(folder / path)}\n".encode())
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """Return the checksum of one file, however large.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        64 hex digits, SHA-256.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
