"""Sentences with their English for the default model's recipe, from Debian's packages.

    pip install polib
    apt-get download gnome-user-docs widelands-data freeciv-data wesnoth-1.16-data ...  # Debian 12
    python recipes/translations.py --packages . --output DATA/train

Message catalogues of three games (what their people say to one another, what units and buildings
are) and the help of the GNOME desktop hold the same text in nine languages and in English. Each
row of ``translations-<language>-en.jsonl.gz`` has an English sentence, ``en``, and its translation.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polib
from debian_packages import find_package
from row_files import write_rows

WESNOTH = (
    "data", "did", "dm", "dw", "ei", "httt", "l", "low", "nr",
    "sof", "sota", "sotbe", "thot", "trow", "tsg", "ttb", "utbs",
)  # fmt: skip
PACKAGES = (
    "gnome-user-docs",  # CC BY-SA 3.0
    "freeciv-data",  # GPL-2+, as the rest
    "widelands-data",
    *(f"wesnoth-1.16-{part}" for part in WESNOTH),
)
LOCALES = {  # language -> locales, the first one that has a text wins
    "de": ("de",), "es": ("es",), "fr": ("fr",), "it": ("it",), "nl": ("nl",),
    "pl": ("pl",), "pt": ("pt", "pt_BR"), "ru": ("ru",), "zh": ("zh_CN",),
}  # fmt: skip
SHORTEST, LONGEST = 15, 240  # of an English sentence, in characters
FEWEST_WORDS = 3  # of an English one
RATIO = {"zh": (0.12, 0.9)}  # length of a translation by that of its English; others:
RATIO_ELSEWHERE = (0.5, 2.2)
MARKUP = re.compile(r"[<>{}$%|\\=_@#~*\[\]]|\.\w{2,4}\b|\w/\w|://|\d\.\d")
SENTENCE_END = re.compile(r"(?<=[.!?…])[\s\"»”]+(?=[\"«„“]?[^\W\da-z_])|(?<=[。！？…])(?=.)")
CONTEXT = re.compile(r"^\w+\^")  # Wesnoth's: "female^I will go."
BLOCKS = {"p", "title", "desc"}  # of a Mallard page, with text and without other blocks
SPACES = re.compile(r"\s+")


def sentences(text: str) -> list[str]:
    """Return a text's sentences."""
    return [part.strip() for part in SENTENCE_END.split(SPACES.sub(" ", text)) if part.strip()]


def aligned(english: str, other: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield the sentences of a text and of its translation, if they are as many, and plain."""
    ours, theirs = sentences(english), sentences(other)
    if len(ours) != len(theirs):
        ours, theirs = ([SPACES.sub(" ", text).strip()] for text in (english, other))
    low, high = RATIO.get(language, RATIO_ELSEWHERE)
    for source, target in zip(ours, theirs, strict=True):
        if (
            SHORTEST <= len(source) <= LONGEST
            and len(source.split()) >= FEWEST_WORDS
            and low * len(source) <= len(target) <= high * len(source)
            and not MARKUP.search(source)
            and not MARKUP.search(target)
            and source != target
        ):
            yield source, target


def catalogue_texts(root: Path, locale: str) -> Iterator[tuple[str, str]]:
    """Yield the messages of every catalogue of a locale."""
    for path in sorted(root.rglob("*.mo")):
        if locale in {path.stem, path.parent.name, path.parent.parent.name}:
            for entry in polib.mofile(str(path)):
                if entry.msgid and not entry.msgid_plural and entry.msgstr:
                    yield CONTEXT.sub("", entry.msgid), CONTEXT.sub("", entry.msgstr)


def page_blocks(path: Path) -> list[str]:
    """Return the text of a page's paragraphs and titles, in their order."""
    blocks = list[str]()
    for element in ElementTree.parse(path).iter():
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] in BLOCKS:
            blocks.append("".join(element.itertext()).strip())
    return blocks


def page_texts(root: Path, locale: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of every help page that has as many in both languages."""
    folder = root / "usr/share/help"
    for path in sorted((folder / "C").rglob("*.page")):
        translated = folder / locale / path.relative_to(folder / "C")
        if translated.is_file():
            blocks = page_blocks(path), page_blocks(translated)
            if len(blocks[0]) == len(blocks[1]):
                yield from zip(*blocks, strict=True)


def rows(root: Path, language: str) -> Iterator[dict[str, str]]:
    """Yield each English sentence once with its translation."""
    seen = set[str]()
    for locale in LOCALES[language]:
        for reader in (page_texts, catalogue_texts):
            for english, other in reader(root, locale):
                for source, target in aligned(english, other, language):
                    if source not in seen:
                        seen.add(source)
                        yield {"en": source, language: target}


def main() -> None:
    """Unpack the packages and write a file for each language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, help="folder of the .deb files")
    parser.add_argument("--output", type=Path, required=True, help="folder of the rows")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in PACKAGES:
            package = find_package(arguments.packages, name)
            subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
        for language in LOCALES:
            path = arguments.output / f"translations-{language}-en.jsonl.gz"
            write_rows(path, rows(Path(folder), language))


if __name__ == "__main__":
    main()
