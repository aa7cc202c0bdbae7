"""Put figures into the README: between its markers stands what files of results say.

    python benchmarks/readme.py

``<!-- scores -->`` comes from ``expected.toml``, ``<!-- speed -->`` from ``encode.json``
(``python benchmarks/encode.py --json benchmarks/encode.json``); without that file the speeds stay.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from speed_table import format_table

from text2vec.evaluation.expected import format_expected, read_expected
from text2vec.files.text_file import write_text

ROOT = Path(__file__).resolve().parents[1]
SPEEDS = ROOT / "benchmarks" / "encode.json"


def replace_block(page: str, name: str, content: str) -> str:
    r"""Return a page with other content between ``<!-- name -->`` and the next ``<!-- end -->``.

    Parameters
    ----------
    page
        Markdown.
    name
        Of the marker.
    content
        What stands there from now on.

    Returns
    -------
    str
        The page.

    Raises
    ------
    ValueError
        If there is not exactly one such block.

    Examples
    --------
    >>> replace_block("<!-- a -->\nold\n<!-- end -->", "a", "new")
    '<!-- a -->\nnew\n<!-- end -->'
    """
    block = re.compile(rf"(?<=<!-- {re.escape(name)} -->\n).*?(?=\n<!-- end -->)", re.DOTALL)
    text, n_blocks = block.subn(lambda _: content, page)
    if n_blocks != 1:
        raise ValueError(f"{n_blocks} blocks between the markers of {name}; expected 1")
    return text


def read_speeds(path: Path) -> str | None:
    """Return the table of a file of results; None without one.

    Parameters
    ----------
    path
        What ``encode.py --json`` wrote.

    Returns
    -------
    str | None
        Markdown.

    Raises
    ------
    ValueError
        If the run was stopped before its end.
    """
    if not path.is_file():
        return None
    page = json.loads(path.read_text(encoding="utf-8"))
    if not page["finished"]:
        raise ValueError(f"{path}: the run was stopped before its end; run it again")
    return format_table(page)


def main() -> None:
    """Rewrite the blocks."""
    readme = ROOT / "README.md"
    page = readme.read_text(encoding="utf-8")
    scores = format_expected(read_expected(ROOT / "benchmarks" / "expected.toml"))
    page = replace_block(page, "scores", scores)
    speeds = read_speeds(SPEEDS)
    if speeds is None:
        print(f"{SPEEDS}: no such file; the speeds stay as they are")
    else:
        page = replace_block(page, "speed", speeds)
    write_text(readme, page)


if __name__ == "__main__":
    main()
