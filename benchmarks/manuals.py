"""Retrieval sets from Debian's reference manual: a heading asks for the section below it.

    apt-get download debian-reference-{de,en,es,fr,it,ja,pt,zh-cn,zh-tw,id}
    python benchmarks/manuals.py --packages . --output manuals
    text2vec evaluate --tasks manuals/tasks.toml --data manuals --task manual-zh --task manual-zh-ja

Nothing here is trained on: they watch what training on short pairs may cost, in languages outside
the ten too (ja, id). The sections of the translations bear the same numbers, so a heading in one
language can ask for the section in another.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

PACKAGES = {  # language of a task -> of the package
    "zh": "zh-cn", "tw": "zh-tw", "en": "en", "de": "de", "es": "es", "fr": "fr", "it": "it",
    "pt": "pt", "ja": "ja", "id": "id",
}  # fmt: skip
CROSSED = (("zh", "ja"), ("en", "zh"), ("de", "fr"), ("es", "it"), ("pt", "en"))
HEADING = re.compile(r"^(\d+\.\d+(?:\.\d+)?)\.\s+(\S.*)$")
LONGEST_SECTION = 2000  # characters: more than any limit in tokens keeps
SHORTEST_SECTION = 80


def read_manual(package: Path, language: str) -> str:
    """Return the manual's plain text from a package."""
    content = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        name = f"./usr/share/debian-reference/debian-reference.{language}.txt.gz"
        member = files.extractfile(name)
        if member is None:
            raise SystemExit(f"{package}: {name} is no file")
        text = gzip.decompress(member.read()).decode("utf-8")
    return text.replace("\u00a0", " ")


def read_sections(text: str) -> dict[str, tuple[str, str]]:
    """Return number -> heading and text of each section that has enough of it."""
    sections: dict[str, tuple[str, str]] = {}
    number, title, lines = "", "", list[str]()
    for line in [*text.splitlines(), "0.0. end"]:
        found = HEADING.match(line)
        if not found:
            lines.append(line.strip())
            continue
        body = " ".join(" ".join(lines).split())[:LONGEST_SECTION]
        if number and len(body) >= SHORTEST_SECTION:
            sections[number] = (title, body)
        number, title, lines = found[1], found[2], []
    return sections


def write_rows(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """Write rows as gzipped JSON lines."""
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def write_task(folder: Path, asks: str, answers: str, manuals: dict[str, dict]) -> str:  # type: ignore[type-arg]
    """Write the relevant pairs of two languages; return the task as TOML."""
    numbers = manuals[asks].keys() & manuals[answers].keys()
    name = f"manual-{asks}" + ("" if asks == answers else f"-{answers}")
    queries = [number for number in manuals[asks] if number in numbers]
    write_rows(
        folder / f"{name}.queries.jsonl.gz",
        ({"_id": number, "text": manuals[asks][number][0]} for number in queries),
    )
    write_rows(
        folder / f"{name}.qrels.jsonl.gz",
        ({"query-id": number, "corpus-id": number, "score": 1} for number in queries),
    )
    files = [f"{answers}.jsonl.gz", f"{name}.queries.jsonl.gz", f"{name}.qrels.jsonl.gz"]
    language = asks if asks == answers else f"{asks}-{answers}"
    return (
        f'[[task]]\nname = "{name}"\nkind = "retrieval"\nlanguage = "{language}"\n'
        f"files = {json.dumps(files)}\n"
    )


def main() -> None:
    """Write corpora, queries and tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, help="folder of the .deb files")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    manuals = {}
    for language, part in PACKAGES.items():
        found = sorted(arguments.packages.glob(f"debian-reference-{part}_*.deb"))
        if not found:
            raise SystemExit(f"no package debian-reference-{part} in {arguments.packages}")
        manuals[language] = read_sections(read_manual(found[-1], part))
        write_rows(
            arguments.output / f"{language}.jsonl.gz",
            ({"_id": n, "text": body} for n, (_, body) in manuals[language].items()),
        )
    pairs = [*((language, language) for language in manuals), *CROSSED]
    tasks = [write_task(arguments.output, asks, answers, manuals) for asks, answers in pairs]
    (arguments.output / "tasks.toml").write_text("\n".join(tasks), encoding="utf-8")
    print(f"{arguments.output / 'tasks.toml'}: {len(tasks)} tasks, {len(manuals['en'])} sections")


if __name__ == "__main__":
    main()
