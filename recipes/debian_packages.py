"""Packages of Debian that ``apt-get download`` left in a folder."""

from __future__ import annotations

from pathlib import Path


def find_package(folder: Path, name: str) -> Path:
    """Return the newest file of a package, or end the program if there is none."""
    found = sorted(folder.glob(f"{name}_*.deb"))
    if not found:
        raise SystemExit(f"no package {name} in {folder}")
    return found[-1]
