"""Which names mean a folder, which the default model, and which are asked for at the hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2vec.errors import ModelNotFoundError
from text2vec.models import locate
from text2vec.models.locate import (
    BASE_MODEL,
    DEFAULT_MODEL,
    ModelSource,
    base_model_folder,
    cache_home,
    default_model_folder,
    locate_model,
)


@pytest.fixture(autouse=True)
def asked(monkeypatch, tmp_path) -> list[str]:
    """Stand in for the hub: note each name that is asked for; run in an empty home."""
    names: list[str] = []

    def note(source: ModelSource) -> Path:
        names.append(source.name)
        return tmp_path / "snapshot"

    monkeypatch.setattr(locate, "fetch_snapshot", note)
    for variable in ("TEXT2VEC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return names


@pytest.mark.parametrize("name", ["model", "owner/model", "./model", "a/b/c", "~/model", "."])
def test_locate_existing_folder_is_itself(tmp_path, asked, name):
    folder = Path(name).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    assert locate_model(ModelSource(name)) == folder.absolute()
    assert locate_model(ModelSource(str(folder.absolute()))).samefile(folder)
    assert asked == []


@pytest.mark.parametrize("name", ["owner/name", "name", "owner/na.me-v2_x", "UPPER/1"])
def test_locate_other_names_are_asked_for_at_the_hub(tmp_path, asked, name):
    assert locate_model(ModelSource(name)) == tmp_path / "snapshot"
    assert asked == [name]


@pytest.mark.parametrize(
    "name",
    [
        "./model",
        "../model",
        "~/model",
        "/no/model",
        "/model",
        "a/b/c",
        "a/b/",
        "a\\b",
        "C:model",
        ".hidden",
    ],
)
def test_locate_path_that_leads_nowhere_asks_nobody(asked, name):
    with pytest.raises(ModelNotFoundError, match=r"^no folder '.*'; expected a model's folder"):
        locate_model(ModelSource(name))
    assert asked == []


def test_locate_file_is_no_model(tmp_path, asked):
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").write_text("weights")
    with pytest.raises(
        ModelNotFoundError, match="'owner/name' is a file; expected a model's folder"
    ):
        locate_model(ModelSource("owner/name"))
    assert asked == []


@pytest.mark.parametrize("name", ["", " ", "\n", None, 3, Path()])
def test_locate_empty_name_is_a_value_error(asked, name):
    with pytest.raises(
        ValueError, match=r"the model's name is .*; expected a folder or owner/name"
    ):
        locate_model(ModelSource(name))
    assert asked == []


def test_locate_overlong_name_is_not_found(asked):
    with pytest.raises(ModelNotFoundError, match=r"cannot be looked up|no folder"):
        locate_model(ModelSource("/" + "a" * 5000))
    assert asked == []


def test_locate_unknown_home_is_not_found(asked):
    with pytest.raises(ModelNotFoundError, match=r"'~no_such_user/x'"):
        locate_model(ModelSource("~no_such_user/x"))
    assert asked == []


@pytest.mark.parametrize(
    "revision", ["", "../x", "a/../b", "/etc/passwd", "-x", "a b", "a\\b", "C:x", "a\0b", "a*"]
)
def test_locate_impossible_revision_is_a_value_error(asked, revision):
    with pytest.raises(ValueError, match=r"revision is .*; expected a branch, tag or commit"):
        locate_model(ModelSource("owner/name", revision=revision))
    assert asked == []


@pytest.mark.parametrize("name", ["mine", DEFAULT_MODEL])
def test_locate_revision_of_a_folder_is_refused(asked, name, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"revision is 'v1', but '{name}' is the folder"):
        locate_model(ModelSource(name, revision="v1"))
    assert asked == []


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/3", "f" * 40, "_x", "feature#1"])
def test_locate_possible_revision_is_asked_for(asked, revision):
    locate_model(ModelSource("owner/name", revision=revision))
    assert asked == ["owner/name"]


def test_locate_default_model_is_in_the_package(asked, monkeypatch, tmp_path):
    assert locate_model(ModelSource(DEFAULT_MODEL)) == default_model_folder()
    assert default_model_folder().parent.parent == Path(locate.__file__).parents[1]
    monkeypatch.setattr(locate, "_ASSETS", tmp_path)
    with pytest.raises(ModelNotFoundError, match=f"{DEFAULT_MODEL} is not in .*install the pack"):
        locate_model(ModelSource(DEFAULT_MODEL))
    assert asked == []


def test_locate_base_model_is_its_folder_once_built(asked):
    with pytest.raises(ModelNotFoundError, match=f"{BASE_MODEL} is not in .*text2vec build-mod"):
        locate_model(ModelSource(BASE_MODEL))
    base_model_folder().mkdir(parents=True)
    assert locate_model(ModelSource(BASE_MODEL)) == base_model_folder()
    assert asked == []


def test_cache_home_without_variables_is_in_the_home(tmp_path):
    assert cache_home() == tmp_path / ".cache" / "text2vec"
    assert base_model_folder() == cache_home() / "models" / BASE_MODEL
    assert not cache_home().exists()


def test_cache_home_follows_its_variables_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == tmp_path / "xdg" / "text2vec"
    monkeypatch.setenv("TEXT2VEC_CACHE", str(tmp_path / "own"))
    assert cache_home() == tmp_path / "own"
    monkeypatch.setenv("TEXT2VEC_CACHE", "~/mine")
    assert cache_home() == tmp_path / "mine"
    monkeypatch.setenv("TEXT2VEC_CACHE", "relative")
    assert cache_home() == tmp_path / "relative"


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_cache_home_ignores_an_empty_or_relative_xdg_folder(tmp_path, monkeypatch, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("TEXT2VEC_CACHE", "")
    assert cache_home() == tmp_path / ".cache" / "text2vec"
