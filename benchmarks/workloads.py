"""The texts that encoders are timed on."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from text2vec.evaluation.speed import CARD_TEXTS, draw_texts
from text2vec.files.records import read_records

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")
N_TEXTS = 4096
_LONG_SHARE = 16  # a long text has about so many times the tokens of a short one
_THREADS_SHARE = 4  # all threads against one: on so small a part of the short texts
_N_CHECKED = {"short": 48, "long": 8}  # texts whose vectors are compared
_COLUMNS = ("sentence1", "sentence2")
WHOLE = ("short", "long", "card")
"""Workloads whose texts are encoded in one call."""

WORKLOADS = (*WHOLE, "latency", "threads", "cold")
"""All: also one text at a time, all threads against one, and a process from its start."""

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Workload:
    """Texts that are encoded in one call.

    Attributes
    ----------
    name, source
        What it is called, and where its texts are from.
    texts
        In this order.
    lengths
        Tokens of each as the model takes them: cut, with special tokens.
    batch_size
        Asked of every encoder; 0 for the encoder's own (32 for the peers).
    """

    name: str
    source: str
    texts: tuple[str, ...]
    lengths: tuple[int, ...]
    batch_size: int = 0


def choose_workloads(
    data: Path | None, n_texts: int, count_tokens: CountTokens, max_length: int
) -> dict[str, Workload]:
    """Return the texts of each workload.

    Parameters
    ----------
    data
        A data folder; None for made texts.
    n_texts
        Short ones; of long ones there are fewer, in proportion.
    count_tokens
        Returns how many tokens of each text the model takes.
    max_length
        Where it cuts.

    Returns
    -------
    dict[str, Workload]
        ``short``, ``long``, ``card``; ``one`` and ``threads``, which are short ones; ``check``,
        short and long ones.

    Raises
    ------
    ValueError
        If no text is near 10 tokens or none is long.
    """
    n_long = max(n_texts // _LONG_SHARE, 1)
    if data is None:
        source = "made by seed from examples/demo.py"
        short = make_texts(n_texts, 24)
        long = make_texts(4 * n_long, 8 * max_length)
    else:
        paths = [data / "eval" / f"stsb-multi-{lang}.test.jsonl.gz" for lang in LANGUAGES]
        source = "STS-B test in ten languages; SOHU-dc test"
        short = draw_texts((text for path in paths for text in read_column_texts(path)), n_texts)
        long = read_column_texts(data / "eval" / "sohu-dc.test.jsonl.gz")
        long = draw_texts((text for text in long if len(text) >= max_length), 4 * n_long)
    counts = count_tokens(short)
    long = [text for text, n in zip(long, count_tokens(long), strict=True) if n >= max_length]
    ten = [text for text, n in zip(short, counts, strict=True) if n == 10]
    if not long or not ten:
        raise ValueError(f"{len(long)} long texts and {len(ten)} of 10 tokens; expected 1 or more")
    card = CARD_TEXTS[: min(n_texts, len(CARD_TEXTS))]
    check = short[: _N_CHECKED["short"]] + long[: _N_CHECKED["long"]]
    chosen = {
        "short": (short, 0),
        "long": (long[:n_long], 0),
        "card": (card, 32),
        "one": (ten[:1], 0),
        "threads": (short[: max(n_texts // _THREADS_SHARE, 1)], 0),
        "check": (check, 0),
    }
    return {
        name: Workload(
            name, "the card's own" if name == "card" else source, tuple(texts),
            tuple(count_tokens(texts)), batch_size,
        )
        for name, (texts, batch_size) in chosen.items()
    }  # fmt: skip


def read_column_texts(path: Path) -> list[str]:
    """Return both texts of every pair of a file."""
    return [text for record in read_records(path, _COLUMNS) for text in record.texts]


def make_texts(count: int, most_words: int) -> list[str]:
    """Return texts of the demo's words, made by seed."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    from demo import SENTENCES

    chooser = random.Random(0)
    words = [text.split() if " " in text else list(text) for _, text in SENTENCES]
    return [
        (" " if len(some[0]) > 1 else "").join(
            chooser.choices(some, k=chooser.randint(most_words // 6, most_words))
        )
        for some in chooser.choices(words, k=count)
    ]
