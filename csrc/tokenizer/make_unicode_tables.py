"""Write ``unicode_tables.inc``: what the tokenizer must know about code points.

The normalisers of ``tokenizers`` rest on Unicode tables of several ages (its category crate knows
Unicode 8 or so, its lower-casing a recent one), so no release of ``unicodedata`` agrees with it.
The table is therefore read off the library itself, code point by code point; only the grapheme
classes, which cannot be observed one by one, come from the ``regex`` package, and a fuzz test
compares the segmentation that follows from them. Needs ``tokenizers`` and ``regex``; run it as
``python csrc/tokenizer/make_unicode_tables.py`` after a new version of either.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import regex
import tokenizers
from tokenizers import normalizers, pre_tokenizers

__all__ = ["main"]

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

# Values shared with break_class.h; "Other" is 0 and is not listed.
BREAK_CLASSES = {
    "CR": 1, "LF": 2, "Control": 3, "Extend": 4, "ZWJ": 5, "Regional_Indicator": 6,
    "Prepend": 7, "SpacingMark": 8, "L": 9, "V": 10, "T": 11, "LV": 12, "LVT": 13,
}  # fmt: skip
PICTOGRAPHIC = 0x10
CONJUNCTS = {"Consonant": 0x20, "Extend": 0x40, "Linker": 0x60}

# Bits shared with code_points.h.
SPACE, REMOVED, PUNCTUATION, IDEOGRAPH, NONSPACING, HAS_LOWER, DECOMPOSES, REORDERS = (
    1 << i for i in range(8)
)
DOTTED_I = 0x130  # the one code point whose lower case is two
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)  # decomposed by arithmetic


def break_classes() -> dict[int, int]:
    """Return the grapheme class of each code point that is not plain ``Other``."""
    everything = "".join(map(chr, CODE_POINTS))
    classes: dict[int, int] = {}

    def add(pattern: str, value: int) -> None:
        for found in regex.finditer(pattern, everything):
            classes[ord(found[0])] = classes.get(ord(found[0]), 0) | value

    for name, value in BREAK_CLASSES.items():
        add(rf"\p{{GCB={name}}}", value)
    add(r"\p{Extended_Pictographic}", PICTOGRAPHIC)
    for name, value in CONJUNCTS.items():
        add(rf"\p{{InCB={name}}}", value)
    return classes


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
    """Return the bits of each code point to which a normaliser or the word splitter does something."""
    nfd, lower = normalizers.NFD(), normalizers.Lowercase()
    clean, accents = bert(clean_text=True), bert(strip_accents=True)
    chinese, split = bert(handle_chinese_chars=True), pre_tokenizers.BertPreTokenizer()
    flags: dict[int, int] = {}
    for c in CODE_POINTS:
        char, value = chr(c), 0
        around = f"a{char}b"
        cleaned = clean.normalize_str(around)
        words = [word for word, _ in split.pre_tokenize_str(around)]
        if words == ["a", "b"]:
            value |= SPACE
        elif words == ["a", char, "b"]:
            value |= PUNCTUATION
        if cleaned == "ab":
            value |= REMOVED
        if chinese.normalize_str(char) != char:
            value |= IDEOGRAPH
        if accents.normalize_str(char) == "" and nfd.normalize_str(char) == char:
            value |= NONSPACING
        if lower.normalize_str(char) != char:
            value |= HAS_LOWER
        if nfd.normalize_str(char) != char and c not in HANGUL_SYLLABLES:
            value |= DECOMPOSES
        # U+0334 has class 1 and U+0345 class 240, the ends of the order: whatever moves, reorders.
        if (
            not value & DECOMPOSES
            and c not in HANGUL_SYLLABLES
            and (
                nfd.normalize_str(f"a{char}\u0334") != f"a{char}\u0334"
                or nfd.normalize_str(f"a\u0345{char}") != f"a\u0345{char}"
            )
        ):
            value |= REORDERS
        if value:
            flags[c] = value
    flags[0x334] |= REORDERS
    flags[0x345] |= REORDERS
    return flags


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
        f"// Read off tokenizers {tokenizers.__version__}; grapheme classes of regex {regex.__version__}.\n",
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
