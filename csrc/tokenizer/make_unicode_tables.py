"""Write ``unicode_tables.inc``: what the tokenizer must know about code points.

The normalisers of ``tokenizers`` rest on Unicode tables of several ages (its category crate knows
Unicode 8 or so, its lower-casing a recent one), so no release of ``unicodedata`` agrees with it.
The tables are therefore read off the library itself, code point by code point, and hold for its
version. Run ``python csrc/tokenizer/make_unicode_tables.py`` after a new one (about a minute).
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import normalizers, pre_tokenizers

__all__ = ["main"]

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

# Grapheme classes as in graphemes.cpp; "Other" is 0.
CR, LF, CONTROL, EXTEND, ZWJ, REGIONAL, PREPEND, SPACING, L, V, T, LV, LVT = range(1, 14)
PICTOGRAPHIC = 0x10
CONSONANT, CONJUNCT_EXTEND, LINKER = 0x20, 0x40, 0x60
FIXED_CLASSES = {0x0D: CR, 0x0A: LF, 0x200D: ZWJ | CONJUNCT_EXTEND}
FIXED_CLASSES |= dict.fromkeys(range(0x1F1E6, 0x1F200), REGIONAL)

# Bits shared with code_points.h.
SPACE, REMOVED, PUNCTUATION, IDEOGRAPH, NONSPACING, HAS_LOWER, DECOMPOSES, REORDERS = (
    1 << i for i in range(8)
)
DOTTED_I = 0x130  # the one code point whose lower case is two
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)  # decomposed by arithmetic


def bar_normalizer() -> normalizers.Precompiled:
    """Return a normaliser that shows grapheme clusters: it maps every byte to a bar."""
    # A cluster of less than six bytes is mapped as a whole by its shortest mapped prefix, so it
    # gives one bar; a longer one gives a bar for each code point.
    units = [0] * 1280
    units[0] = 256 << 10
    for byte in range(1, 256):
        units[256 + byte] = byte | 1 << 8 | ((256 + byte) ^ 512) << 10
    units[512] = 1 << 31
    trie = struct.pack("<1280I", *units)
    return normalizers.Precompiled(struct.pack("<I", len(trie)) + trie + b"|\0")


def break_classes() -> dict[int, int]:
    """Return the grapheme class of each code point that is not plain ``Other``."""
    # Each is told from the number of bars of a text in which it decides whether the acute accent
    # at the end forms a short cluster, or belongs to a long one.
    bars = bar_normalizer()
    classes: dict[int, int] = {}
    for c in CODE_POINTS:
        value = FIXED_CLASSES.get(c)
        if value is None:
            value = probe_class(chr(c), lambda text: len(bars.normalize_str(text)))
        if value:
            classes[c] = value
    return classes


def probe_class(char: str, bars: Callable[[str], int]) -> int:
    """Return the class of one code point; ``bars`` counts the bars of a text."""
    acute, ka, virama, heart, zwj = "\u0301", "\u0915", "\u094d", "\u2764", "\u200d"
    if bars(char + "a") == 1:
        return PREPEND | (CONSONANT if bars(char + virama + ka + acute) == 4 else 0)
    if bars("a" + char) == 1:
        value = EXTEND if bars(heart + char + zwj + heart + acute) == 5 else SPACING
        if bars(ka + char + ka + acute) == 4:
            return value | LINKER
        joins = bars(ka + virama + char + ka + acute) == 5
        return value | (CONJUNCT_EXTEND if joins else 0)
    if bars(char + acute + acute) == 2:
        return CONTROL
    return hangul_class(char, bars) or (
        (PICTOGRAPHIC if bars(char + zwj + heart + acute) == 4 else 0)
        | (CONSONANT if bars(char + virama + ka + acute) == 4 else 0)
    )


def hangul_class(char: str, bars: Callable[[str], int]) -> int:
    """Return the class of a Hangul letter or syllable, 0 for anything else."""
    joins_l, joins_v, joins_t = (bars(char + jamo + "\u0301") == 3 for jamo in "\u1100\u1160\u11a8")
    if ord(char) in HANGUL_SYLLABLES:
        return LV if joins_v else LVT
    return L if joins_l else V if joins_v else T if joins_t else 0


def bert(**options: bool) -> normalizers.BertNormalizer:
    """Return a normaliser that does only what is asked for."""
    off = {
        "clean_text": False,
        "handle_chinese_chars": False,
        "strip_accents": False,
        "lowercase": False,
    }
    return normalizers.BertNormalizer(**{**off, **options})


def character_flags() -> dict[int, int]:
    """Return the bits of each code point that a normaliser or the word splitter touches."""
    nfd, lower = normalizers.NFD().normalize_str, normalizers.Lowercase().normalize_str
    clean = bert(clean_text=True).normalize_str
    accents = bert(strip_accents=True).normalize_str
    chinese = bert(handle_chinese_chars=True).normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    # U+0334 has class 1 and U+0345 class 240, the ends of the order: whatever moves, reorders.
    first, last = "\u0334", "\u0345"
    tests: list[tuple[int, Callable[[str], bool]]] = [
        (SPACE, lambda c: len(split(f"a{c}b")) == 2),
        (PUNCTUATION, lambda c: len(split(f"a{c}b")) == 3),
        (REMOVED, lambda c: clean(f"a{c}b") == "ab"),
        (IDEOGRAPH, lambda c: chinese(c) != c),
        (NONSPACING, lambda c: not accents(c) and nfd(c) == c),
        (HAS_LOWER, lambda c: lower(c) != c),
        (DECOMPOSES, lambda c: nfd(c) != c and ord(c) not in HANGUL_SYLLABLES),
        (
            REORDERS,
            lambda c: (
                nfd(c) == c and nfd(f"a{c}{first}") + nfd(f"a{last}{c}") != f"a{c}{first}a{last}{c}"
            ),
        ),
    ]
    flags = {c: sum(bit for bit, holds in tests if holds(chr(c))) for c in CODE_POINTS}
    for c in map(ord, (first, last)):
        flags[c] |= REORDERS
    return {c: value for c, value in flags.items() if value}


def combining_classes(reordering: list[int]) -> dict[int, int]:
    """Return the canonical combining class of each mark, found by comparing it with known marks."""
    known: dict[int, int] = {}
    for c in reordering:
        known.setdefault(unicodedata.combining(chr(c)), c)
    known.pop(0, None)
    nfd = normalizers.NFD()

    def goes_before(mark: int, other: int) -> bool:
        text = f"a{chr(other)}{chr(mark)}"
        return bool(nfd.normalize_str(text) != text)

    classes: dict[int, int] = {}
    for c in reordering:
        for value, other in known.items():
            if c == other or not (goes_before(c, other) or goes_before(other, c)):
                classes[c] = value
    return classes


def ranges(values: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(first, last, value)`` of each run of neighbours with one value."""
    first = last = value = -1
    for c in sorted(values):
        if c != last + 1 or values[c] != value:
            if value >= 0:
                yield first, last, value
            first, value = c, values[c]
        last = c
    yield first, last, value


def lower_rows(codes: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(first, last, lower case of first)`` of each run with one distance to lower case."""
    lower = normalizers.Lowercase()
    distances = {}
    for c in codes:
        result = lower.normalize_str(chr(c))
        if c == DOTTED_I:
            result = "i"  # code_points.h adds the U+0307 that follows
        if len(result) != 1:
            raise ValueError(f"U+{c:04X} lowers to {result!a}; expected one code point")
        distances[c] = (ord(result) - c) % (1 << 32)
    for first, last, distance in ranges(distances):
        yield first, last, (first + distance) % (1 << 32)


def word_characters() -> dict[int, int]:
    r"""Return the code points that the ``\w`` of the library's regular expressions matches."""
    split = pre_tokenizers.Whitespace()
    return {
        c: 1
        for c in CODE_POINTS
        if len(split.pre_tokenize_str(f"a{chr(c)}")) == 1
        and not chr(c).isspace()
        and split.pre_tokenize_str(f"a{chr(c)}")[0][0] != "a"
    }


def decomposition_rows(codes: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``(code, first, second)``, one step of the decomposition; first decomposes further."""
    nfd = normalizers.NFD()
    shorter = {nfd.normalize_str(chr(c)): c for c in codes}
    for c in codes:
        full = nfd.normalize_str(chr(c))
        if len(full) == 1:
            yield c, ord(full), 0
        elif len(full) == 2:
            yield c, ord(full[0]), ord(full[1])
        else:
            first = shorter.get(full[:-1])
            if first is None:
                raise ValueError(f"U+{c:04X} decomposes to {full!a}, which has no shorter form")
            yield c, first, ord(full[-1])


def write_table(name: str, rows: Iterator[tuple[int, int, int]]) -> str:
    """Return a C++ array of three columns, many rows a line."""
    cells = [f"{{{a:#x},{b:#x},{c:#x}}}" for a, b, c in rows]
    lines, line = [], ""
    for cell in cells:
        if len(line) + len(cell) > 118:
            lines.append(line)
            line = ""
        line += cell + ","
    body = "\n".join([*lines, line])
    return f"constexpr CodePointRow {name}[] = {{\n{body}\n}};\n"


def main() -> None:
    """Probe and write the file beside this script."""
    flags = character_flags()
    marks = [c for c, value in flags.items() if value & REORDERS]
    classes = combining_classes(marks)
    if set(classes) != set(marks):
        raise ValueError("a mark has a combining class that no known mark has")
    parts = [
        "// Generated by make_unicode_tables.py; do not edit.\n"
        f"// Read off tokenizers {tokenizers.__version__}.\n",
        write_table("kBreakClassRows", ranges(break_classes())),
        write_table("kFlagRows", ranges(flags)),
        write_table("kWordRows", ranges(word_characters())),
        write_table("kCombiningRows", ranges(classes)),
        write_table("kLowerRows", lower_rows([c for c, v in flags.items() if v & HAS_LOWER])),
        write_table(
            "kDecompositionRows",
            decomposition_rows([c for c, v in flags.items() if v & DECOMPOSES]),
        ),
    ]
    Path(__file__).with_name("unicode_tables.inc").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
