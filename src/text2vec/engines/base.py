"""The seam between a model and what computes it.

An engine takes packed ids and gives embeddings; it knows no strings, files or layouts.
"""

from __future__ import annotations

from typing import Protocol

from text2vec.arrays import FloatMatrix, PackedBatch

__all__ = ["Engine", "check_batch"]


class Engine(Protocol):
    """What computes embeddings.

    Attributes
    ----------
    name
        As in ``SentenceModel(engine=...)``.
    dtype
        The precision it computes in.
    num_threads
        Threads that it uses.
    kernels
        What its sums run on: a kernel family, ``numpy``, or a device of PyTorch.
    """

    name: str
    dtype: str
    num_threads: int

    @property
    def kernels(self) -> str:
        """What its sums run on."""
        ...

    def embed(self, batch: PackedBatch, skip: int = 0, max_texts: int | None = None) -> FloatMatrix:
        """Return one embedding per text, shape ``(n_texts, dim)``, in the batch's order.

        ``skip`` leading tokens of each text are left out of the pooling. The engine cuts the
        batch up as suits it, into parts of no more than ``max_texts`` texts.
        """
        ...

    def token_states(self, batch: PackedBatch) -> FloatMatrix:
        """Return the last layer's states, shape ``(n_tokens, hidden)``."""
        ...


def check_batch(batch: PackedBatch, vocab_size: int, max_tokens: int) -> None:
    """Refuse ids and lengths that no table row answers to.

    Parameters
    ----------
    batch
        The batch at the engine's door.
    vocab_size
        Rows of the word table.
    max_tokens
        The longest text that the position table allows.

    Raises
    ------
    ValueError
        If an id is outside ``0 .. vocab_size - 1``, or a text is too long.

    Examples
    --------
    >>> check_batch(PackedBatch.pack([[1, 9]]), vocab_size=9, max_tokens=4)
    Traceback (most recent call last):
    ...
    ValueError: token id 9 in text 0; expected 0 to 8
    """
    bad = (batch.ids < 0) | (batch.ids >= vocab_size)
    if bad.any():
        token = int(bad.argmax())
        text = int((batch.offsets[1:] > token).argmax())
        raise ValueError(
            f"token id {batch.ids[token]} in text {text}; expected 0 to {vocab_size - 1}"
        )
    lengths = batch.lengths
    if len(lengths) and int(lengths.max()) > max_tokens:
        raise ValueError(
            f"text {int(lengths.argmax())} has {lengths.max()} tokens; "
            f"the model has positions for {max_tokens}"
        )
