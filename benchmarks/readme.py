"""Put the expected scores into the README: between its markers stands what the file says.

python benchmarks/readme.py
"""

from __future__ import annotations

import re
from pathlib import Path

from text2vec.evaluation.expected import format_expected, read_expected
from text2vec.files.text_file import write_text

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"(?<=<!-- scores -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite the block."""
    table = format_expected(read_expected(ROOT / "benchmarks" / "expected.toml"))
    page = ROOT / "README.md"
    text, n_blocks = _BLOCK.subn(lambda _: table, page.read_text(encoding="utf-8"))
    if n_blocks != 1:
        raise SystemExit(f"{page}: {n_blocks} blocks between the markers; expected 1")
    write_text(page, text)


if __name__ == "__main__":
    main()
