from __future__ import annotations

import json

import pytest

from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.checksums import CHECKSUMS_FILE, verify_model_folder, write_checksums

# printf hello | sha256sum
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_bytes(b"hello")
    (tmp_path / "weights").write_bytes(b"")
    write_checksums(tmp_path, {"wheel": "a.whl"})
    return tmp_path


def test_write_checksums_lists_every_file_but_itself(folder):
    write_checksums(folder, {"wheel": "a.whl"})
    record = json.loads((folder / CHECKSUMS_FILE).read_bytes())
    assert record["wheel"] == "a.whl"
    assert list(record["files"]) == ["1_Pooling/config.json", "weights"]
    assert record["files"]["1_Pooling/config.json"] == {"size_bytes": 5, "sha256": HELLO}


def test_verify_untouched_folder_is_silent(folder):
    (folder / "unlisted").write_bytes(b"anything")
    verify_model_folder(folder)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"hellp", r"config.json has sha256 [0-9a-f]{64}; expected " + HELLO),
        (b"hell", r"config.json has 4 bytes; expected 5; build the model anew"),
        (None, r"config.json is missing; checksums.json lists it"),
    ],
)
def test_verify_changed_file_is_named(folder, content, match):
    path = folder / "1_Pooling" / "config.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=match):
        verify_model_folder(folder)


@pytest.mark.parametrize("name", ["../weights", "/weights", "a/../../weights", "C:x", "..\\x", ""])
def test_verify_record_that_leaves_the_folder_is_refused(folder, name):
    record = {"files": {name: {"size_bytes": 0, "sha256": HELLO}}}
    (folder / CHECKSUMS_FILE).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ModelFormatError, match="lies outside the folder"):
        verify_model_folder(folder)


@pytest.mark.parametrize(
    "record",
    [
        *(b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"files": 7}', b'{"files": []}'),
        *(b'{"files": {"a": {}}}', b'{"files": {"a": 3}}'),
    ],
)
def test_verify_unreadable_record_is_refused(folder, record):
    (folder / CHECKSUMS_FILE).write_bytes(record)
    with pytest.raises(ModelFormatError, match=r"checksums.json: no table of files"):
        verify_model_folder(folder)


def test_verify_endless_record_is_refused_unread(folder):
    (folder / CHECKSUMS_FILE).write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ModelFormatError, match="has 1048577 bytes; expected 1048576 at most"):
        verify_model_folder(folder)


def test_verify_without_record_is_refused(folder):
    (folder / CHECKSUMS_FILE).unlink()
    with pytest.raises(ModelFormatError, match=r"checksums.json is missing; expected the record"):
        verify_model_folder(folder)


def test_verify_missing_folder_is_not_found(tmp_path):
    with pytest.raises(ModelNotFoundError, match="is no folder; expected a model folder"):
        verify_model_folder(tmp_path / "nowhere")
