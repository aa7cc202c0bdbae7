"""Seeded texts that visit the corners of Unicode, for comparing tokenizers."""

from __future__ import annotations

import random

__all__ = ["fuzzed_texts"]

ADDED = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]"]
NEARLY_ADDED = ["<", ">", "[", "＜unk＞", "＜s＞", "\u2581", "\u2581\u2581"]
SPACES = [
    *"\t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff\u180e",
    "\r\n",
    " ",
    "  ",
    "   ",
]
MARKS = [
    chr(c)
    for first, last in [
        (0x300, 0x36F), (0x483, 0x489), (0x591, 0x5BD), (0x64B, 0x65F), (0x900, 0x903),
        (0x93C, 0x93C), (0x94D, 0x94D), (0x9CD, 0x9CD), (0xF71, 0xF75), (0x103A, 0x103A),
        (0x200C, 0x200D), (0x20E3, 0x20E3), (0x302A, 0x302F), (0x3099, 0x309A), (0xFE0E, 0xFE0F),
        (0x16FF0, 0x16FF1), (0x1D165, 0x1D16D), (0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F),
    ]
    for c in range(first, last + 1)
]  # fmt: skip
HANGUL = [(0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB), (0xAC00, 0xD7A3), (0xFFA0, 0xFFDC)]
BLOCKS = [
    (0x20, 0x7E), (0x0, 0x1F), (0x7F, 0x9F), (0xA0, 0x24F), (0x370, 0x58F), (0x590, 0x8FF),
    (0x900, 0xDFF), (0xE00, 0x109F), (0x10A0, 0x13FF), (0x1780, 0x17FF), (0x1AB0, 0x1BFF),
    (0x1CD0, 0x1FFF), (0x2000, 0x20FF), (0x2100, 0x23FF), (0x2460, 0x27BF), (0x2C00, 0x2FDF),
    (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xA640, 0xA8FF), (0xE000, 0xF8FF), (0xF900, 0xFFFF),
    (0x10000, 0x1123F), (0x11900, 0x119FF), (0x16D40, 0x16FFF), (0x1D100, 0x1D7FF),
    (0x1E000, 0x1E95F), (0x1F000, 0x1FAFF), (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F),
    (0xE0000, 0xE01EF), (0x0, 0xD7FF), (0xE000, 0x10FFFF),
]  # fmt: skip
CLUSTERS = [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u2764\ufe0f",
    "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e007f", "\U0001f1e9\U0001f1ea", "\U0001f1e9",
    "\xa9\u200d\xa9",
]  # fmt: skip
INDIC = "\u0915\u094d\u200d\u0937\u093c\u093f\u0941\u200c\u0995\u09cd\u0b95\u0bcd\u1000\u1039"
WORDS = [
    "the", "of", "Hello", "World", "café", "naïve", "Straße", "İstanbul", "résumé", "北京",
    "天气", "你好", "こんにちは", "안녕하세요", "привет", "שלום", "مرحبا", "नमस्ते", "ไทย",
    "Ελληνικά",
    "ΣΊΣΥΦΟΣ", "12345", "3.14", "foo@bar.com", "ﬁne", "①", "㎏", "½", "™", "…", "ﷺ", "K",
    "Å", "ǅ", "ẞ", "don't",
]  # fmt: skip


def fuzzed_texts(n_texts: int, seed: int) -> list[str]:
    """Return texts of random code points, marks, spaces, clusters, words and added tokens."""
    draw = random.Random(seed)

    def run(blocks: list[tuple[int, int]], n: int) -> str:
        return "".join(chr(draw.randint(*draw.choice(blocks))) for _ in range(n))

    def marks(n: int) -> str:
        return "".join(draw.choices(MARKS, k=n))

    makers = [
        lambda: draw.choice(ADDED),
        lambda: draw.choice(NEARLY_ADDED),
        lambda: draw.choice(SPACES) * draw.choice([1, 1, 1, 2, 5]),
        lambda: draw.choice("aeiouckA①éあ北\u0915\xa9\u2122") + marks(draw.randint(1, 4)),
        lambda: marks(draw.randint(1, 3)),
        lambda: run(HANGUL, draw.randint(1, 5)),
        lambda: draw.choice(CLUSTERS) * draw.randint(1, 3),
        lambda: "".join(draw.choices(INDIC, k=draw.randint(1, 6))),
        lambda: run(BLOCKS, 1) * draw.choice([1, 2, 3, 17]),
        lambda: run([draw.choice(BLOCKS)], draw.randint(1, 8)),
        lambda: run(BLOCKS, 1),
        lambda: draw.choice(WORDS),
        lambda: draw.choice(WORDS) + " ",
        lambda: " ",
    ]
    sizes = [1, 2, 2, 3, 3, 4, 5, 6, 8, 12, 20]
    return [
        "".join(draw.choice(makers)() for _ in range(draw.choice(sizes))) for _ in range(n_texts)
    ]
