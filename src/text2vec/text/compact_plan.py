"""What a tokenizer does, in the terms of the native tokenizer.

The values between reading a tokenizer.json and writing a compact file; no input or output here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["AddedToken", "Stage", "TokenizerPlan"]


@dataclass(frozen=True)
class Stage:
    """One step of the normaliser: its kind, its option and the text it puts in."""

    kind: int
    option: int = 0
    content: str = ""


@dataclass(frozen=True)
class AddedToken:
    """A token that is found in the raw text; ``flags`` are bits in the order of the format."""

    id: int
    flags: int
    content: str


@dataclass
class TokenizerPlan:
    """What a tokenizer does, in the terms of the native tokenizer.

    Attributes
    ----------
    entries
        The id of each piece, by its UTF-8 bytes.
    scores
        The log-probability of each piece, by id; empty for WordPiece.
    charsmap
        SentencePiece's precompiled character map, or no bytes.
    before, after
        The ids that the template puts around a text.
    source
        SHA-256 of the tokenizer.json, unpacked.
    """

    is_unigram: bool
    unknown_id: int
    entries: dict[bytes, int]
    scores: list[float] = field(default_factory=list)
    unknown_score: float = 0.0
    max_word_chars: int = 0
    continuation: str = ""
    stages: list[Stage] = field(default_factory=list)
    charsmap: bytes = b""
    splitter: int = 0
    prepend: int = 0
    replacement: str = ""
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    source: bytes = b""
    added_tokens: list[AddedToken] = field(default_factory=list)
