"""Files of rows, as the recipes read them: gzipped JSON lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows, the same bytes for the same rows, and say how many; nothing is half-written."""
    lines = [f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows]
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write("".join(lines).encode())
    partial.replace(path)
    print(f"{path}: {len(lines)} rows")
