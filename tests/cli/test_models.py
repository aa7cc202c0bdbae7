from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, and the places in it, as ``models.locate`` gives them."""
    base = tmp_path / "models" / "base"
    locate = SimpleNamespace(cache_home=lambda: tmp_path, base_model_folder=lambda: base)
    monkeypatch.setitem(sys.modules, "text2vec.models.locate", locate)
    monkeypatch.setattr("text2vec.__version__", "9.8.7", raising=False)
    return base


@pytest.fixture
def built(monkeypatch):
    """Calls of ``build_base_model``."""
    calls = []

    def build_base_model(target=None, *, wheel=None, force=False, show_progress_bar=None):
        calls.append((target, wheel, force, show_progress_bar))
        return Path("made/here")

    fake = SimpleNamespace(build_base_model=build_base_model)
    monkeypatch.setitem(sys.modules, "text2vec.models.base_model.builder", fake)
    return calls


def test_info_describes_the_default_model(run, cache, model):
    facts = json.loads(run("info", "--json").out)
    assert facts["text2vec"] == "9.8.7"
    assert facts["model"] == model.describe()
    assert model.opened_with[0] is None
    assert facts["machine"]["usable_cores"] >= 1
    assert facts["versions"]["numpy"]
    assert "  dim: 8\n  threads: 2\n  notes: made for tests\n" in run("info").out


def test_info_says_how_to_get_the_base_model(run, cache, model):
    facts = json.loads(run("info", "--json").out)
    assert facts["base_model"] == {
        "folder": str(cache),
        "there": False,
        "get_it_with": "text2vec build-model",
    }
    assert "get_it_with: text2vec build-model\n" in run("info").out
    cache.mkdir(parents=True)
    assert json.loads(run("info", "--json").out)["base_model"]["get_it_with"] is None


def test_info_describes_a_named_model(run, cache, model):
    facts = json.loads(run("info", "--model", "a/b", "--json").out)
    assert model.opened_with[0] == "a/b"
    assert facts["model"]["model"] == "fake"


def test_build_model_prints_its_folder(run, built):
    result = run("build-model")
    assert result == (0, f"{Path('made/here')}\n", "")
    assert built == [(None, None, False, None)]


def test_build_model_options_reach_the_builder(run, built):
    result = run("build-model", "--output", "o", "--wheel", "w.whl", "--force", "--quiet", "--json")
    assert json.loads(result.out) == {"folder": str(Path("made/here"))}
    assert built == [(Path("o"), Path("w.whl"), True, False)]
