"""A place in a binary file that only moves forward and never past the end.

Readers of binary formats take their numbers through it, so that every fault names the file, the
byte, what was expected and what was found.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from text2vec.errors import ModelFormatError

__all__ = ["ByteCursor"]


class ByteCursor:
    """Reads little-endian numbers from ``data``, from ``at`` up to ``end``.

    Examples
    --------
    >>> cursor = ByteCursor(bytes([1, 0, 2, 0, 9]), "tiny.bin")
    >>> cursor.numbers("HH", "two counts"), cursor.at
    ((1, 2), 4)
    >>> cursor.numbers("H", "a third count")
    Traceback (most recent call last):
    ...
    text2vec.errors.ModelFormatError: tiny.bin, byte 4: size of a third count in bytes is 2; \
expected at most the 1 that are left
    """

    def __init__(self, data: bytes, name: str, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.name = name
        self.at = at
        self.end = len(data) if end is None else end

    def fail(self, what: str, expected: object, found: object) -> NoReturn:
        """Raise an error that names file, byte, what is wrong, what was expected, what is there.

        Raises
        ------
        ModelFormatError
            Always.
        """
        raise ModelFormatError(
            f"{self.name}, byte {self.at}: {what} is {found}; expected {expected}"
        )

    def take(self, size_bytes: int, what: str) -> bytes:
        """Step over the next ``size_bytes`` bytes, and hand them out.

        Returns
        -------
        bytes
            All of them; if fewer are left, that is an error and no short read.
        """
        left = self.end - self.at
        if not 0 <= size_bytes <= left:
            self.fail(f"size of {what} in bytes", f"at most the {left} that are left", size_bytes)
        self.at += size_bytes
        return self.data[self.at - size_bytes : self.at]

    def numbers(self, form: str, what: str) -> tuple[Any, ...]:
        """Read the next numbers; ``form`` is one of the struct module, without byte order.

        Returns
        -------
        tuple[Any, ...]
            One value for each letter of ``form``.
        """
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form), what))

    def array(self, dtype: str, count: int, what: str) -> NDArray[Any]:
        """Read the next ``count`` numbers as an array.

        Returns
        -------
        NDArray[Any]
            Read-only, shape ``(count,)``.
        """
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count, what), dtype)
