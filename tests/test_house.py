"""The house rules, held by tests: light import, public names, small rooms, a row for each file."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import text2vec

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "text2vec"
FILES = sorted(p for p in SOURCE.rglob("*.py") if p.name != "__init__.py")
MAX_LINES = 400
HEAVY = {"torch", "transformers", "onnxruntime", "pandas", "pyarrow", "huggingface_hub", "numpy"}


def imported_by(code: str) -> set[str]:
    script = f"import sys; {code}; print(' '.join({{m.partition('.')[0] for m in sys.modules}}))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )
    return set(run.stdout.split())


def test_import_is_light():
    assert not imported_by("import text2vec") & HEAVY


def test_import_of_the_model_class_needs_no_heavy_package():
    loaded = imported_by("from text2vec import SentenceModel, Word2Vec")
    assert not loaded & (HEAVY - {"numpy"})


def test_public_names_are_sorted_importable_and_documented():
    assert text2vec.__all__ == sorted(text2vec.__all__, key=str.casefold) or (
        text2vec.__all__ == sorted(text2vec.__all__)
    )
    for name in text2vec.__all__:
        assert getattr(text2vec, name) is not None
        if name != "__version__":
            assert getattr(text2vec, name).__doc__, name
    assert set(text2vec.__all__) - {"__version__"} == set(text2vec._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        text2vec.nope  # noqa: B018


def test_version_is_said_in_one_place():
    assert f'version = "{text2vec.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_every_module_lists_its_public_names():
    for info in pkgutil.walk_packages([str(SOURCE)], "text2vec."):
        if info.ispkg or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        assert sorted(module.__all__) == sorted(set(module.__all__)), info.name
        for name in module.__all__:
            assert hasattr(module, name), f"{info.name}.{name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_room_is_small_and_names_no_stub(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert not re.search(r"TODO|FIXME|XXX|NotImplementedError", text)
    assert not re.search(r"\butils?\b|helpers?|common|misc", path.stem)


def test_no_file_reaches_for_another_files_private_names():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("text2vec"):
                assert not [
                    a.name for a in node.names if a.name.startswith("_") and a.name != "__version__"
                ], path


def test_every_source_file_stands_in_the_architecture_and_every_path_there_exists():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:src|tests|csrc|benchmarks|examples|recipes)/[\w./-]+)`", page))
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]
    rooms = [ROOT / name for name in named]
    for path in FILES:
        assert any(path == room or room in path.parents for room in rooms if room != SOURCE), path


def test_every_command_stands_in_the_readme():
    from text2vec.cli.main import main

    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in (
        "encode",
        "similarity",
        "search",
        "info",
        "build-model",
        "pack-model",
        "merge-models",
        "prune-model",
        "train",
        "evaluate",
    ):
        assert f"text2vec {command}" in page
        with pytest.raises(SystemExit) as stop:
            raise SystemExit(main([command, "--help"]))
        assert stop.value.code == 0


@pytest.mark.parametrize(
    "first", ["SentenceModel, similarity", "similarity, SentenceModel", "Word2Vec, similarity"]
)
def test_a_public_function_is_no_module_in_whatever_order(first):
    code = f"from text2vec import {first}; import text2vec; assert callable(similarity); " + (
        "assert similarity is text2vec.similarity"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
