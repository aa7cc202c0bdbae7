"""Help pages in ten languages for the default model's recipe, from Debian's packages.

    apt-get download libreoffice-help-{de,en-us,es,fr,it,nl,pl,pt,ru,zh-cn}
    python recipes/help_pages.py --packages . --output DATA/train

LibreOffice's help (MPL-2.0) has the same pages in every language, under the same paths. Each row of
``help-<language>.jsonl.gz`` is a page with its ``title`` and ``body``; each row of
``help-mixed.jsonl.gz`` has the title in one language and the body in another; each row of
``help-<language>-en.jsonl.gz`` has the beginning of a page in both languages.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

from debian_packages import find_package
from row_files import write_rows

PACKAGES = {  # language -> the package's and its folder's
    "de": "de", "en": "en-us", "es": "es", "fr": "fr", "it": "it",
    "nl": "nl", "pl": "pl", "pt": "pt", "ru": "ru", "zh": "zh-cn",
}  # fmt: skip
FOLDERS = {"en-us": "en-US", "zh-cn": "zh-CN"}
SHORTEST_BODY = {"zh": 80}  # characters; others:
SHORTEST_BODY_ELSEWHERE = 200
LONGEST_BODY = 1500  # more than 256 tokens keep
BEGINNING = 240  # of a page, in characters: as long as a sentence or two
VOID = {"br", "img", "input", "meta", "link", "hr", "wbr", "col", "source"}

Page = tuple[str, str]


class PageReader(HTMLParser):
    """Collects a page's title and text, without menus, related topics and other systems."""

    def __init__(self) -> None:
        super().__init__()
        self.title = list[str]()
        self.body = list[str]()
        self.open = list[str]()  # what each open element is to us

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note whether an element holds the page, its title, or what is left out."""
        if tag in VOID:
            return
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        name = given.get("id") or ""
        other_system = "hidden" in given and not name.startswith("default")
        if name == "DisplayArea":
            role = "page"
        elif other_system or tag in {"script", "style"} or "relatedtopics" in classes:
            role = "left out"
        else:
            role = "title" if tag == "h1" else tag
        self.open.append(role)

    def handle_endtag(self, tag: str) -> None:
        """Close an element; a block ends a word."""
        if tag in VOID or not self.open:
            return
        self.open.pop()
        if tag in {"p", "td", "th", "li", "div", "h2", "h3", "h4"}:
            self.body.append(" ")

    def handle_data(self, data: str) -> None:
        """Keep text that stands on the page."""
        if "page" in self.open and "left out" not in self.open:
            (self.title if "title" in self.open else self.body).append(data)


def read_page(content: str) -> Page:
    """Return title and text of a page."""
    reader = PageReader()
    reader.feed(content)
    title, body = (" ".join("".join(part).split()) for part in (reader.title, reader.body))
    return title, body[:LONGEST_BODY]


def read_pages(package: Path, language: str) -> dict[str, Page]:
    """Return path -> page of those with enough text; each title and each text once."""
    content = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True
    ).stdout
    part = PACKAGES[language]
    root = PurePosixPath("./usr/share/libreoffice/help") / FOLDERS.get(part, part) / "text"
    pages, seen = dict[str, Page](), set[str]()
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        for member in sorted(files.getmembers(), key=lambda member: member.name):
            path = PurePosixPath(member.name)
            if path.suffix != ".html" or root not in path.parents:
                continue
            source = files.extractfile(member)
            if source is None:
                continue
            title, body = read_page(source.read().decode("utf-8"))
            enough = SHORTEST_BODY.get(language, SHORTEST_BODY_ELSEWHERE)
            if title and len(body) >= enough and not {title, body} & seen:
                seen |= {title, body}
                pages[str(path.relative_to(root))] = title, body
    return pages


def mixed_rows(pages: dict[str, dict[str, Page]]) -> Iterable[dict[str, str]]:
    """Yield each path's title and body in two languages, chosen by a checksum of the path."""
    languages = sorted(pages)
    for path in sorted(set().union(*pages.values())):
        found = [language for language in languages if path in pages[language]]
        digest = hashlib.sha256(path.encode()).digest()
        order = sorted(found, key=lambda language: digest[languages.index(language)])
        for asks, answers in zip(order[::2], order[1::2], strict=False):
            yield {"title": pages[asks][path][0], "body": pages[answers][path][1]}


def aligned_rows(pages: dict[str, dict[str, Page]], language: str) -> Iterable[dict[str, str]]:
    """Yield how each page begins in English and in another language, if both differ."""
    for path, (title, body) in pages[language].items():
        english = pages["en"].get(path)
        if english is not None and english[0] != title and english[1] != body:
            begin = f"{title}. {body}"[:BEGINNING]
            yield {"en": f"{english[0]}. {english[1]}"[:BEGINNING], language: begin}


def main() -> None:
    """Write a file for each language and the mixed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, help="folder of the .deb files")
    parser.add_argument("--output", type=Path, required=True, help="folder of the rows")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pages = dict[str, dict[str, Page]]()
    for language, part in PACKAGES.items():
        package = find_package(arguments.packages, f"libreoffice-help-{part}")
        pages[language] = read_pages(package, language)
        rows = ({"title": title, "body": body} for title, body in pages[language].values())
        write_rows(arguments.output / f"help-{language}.jsonl.gz", rows)
    for language in ("it", "pl", "pt", "ru"):  # the data folder has no translations into these
        rows = aligned_rows(pages, language)
        write_rows(arguments.output / f"help-{language}-en.jsonl.gz", rows)
    write_rows(arguments.output / "help-mixed.jsonl.gz", mixed_rows(pages))


if __name__ == "__main__":
    main()
