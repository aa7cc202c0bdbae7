from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from text2vec.errors import MissingExtraError
from text2vec.files.embedding_files import check_embedding_path, open_embedding_file

EMBEDDINGS = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
TEXTS = ["a", "茶", "", "a"]
NAMES = ["a.npy", "a.jsonl", "a.parquet"]


def write(path, file_format=None):
    with open_embedding_file(path, file_format) as writer:
        writer.write(TEXTS[:3], EMBEDDINGS[:3])
        writer.write(TEXTS[3:], EMBEDDINGS[3:])


def names(folder):
    return [path.name for path in folder.iterdir()]


def load(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").splitlines()
        return np.array([json.loads(line)["embedding"] for line in lines], np.float32)
    table = pytest.importorskip("pyarrow.parquet", reason="extra parquet").read_table(path)
    return np.array(table.column("embedding").to_pylist(), np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_open_embedding_file_reads_back_and_leaves_one_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    write(path)
    assert np.array_equal(load(path), EMBEDDINGS)
    assert names(tmp_path) == [name]


def test_open_embedding_file_format_beats_the_suffix(tmp_path):
    write(tmp_path / "a.bin", "npy")
    assert np.array_equal(np.load(tmp_path / "a.bin"), EMBEDDINGS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("n_written", [0, 3])
def test_open_embedding_file_failure_leaves_what_was_there(tmp_path, name, error, n_written):
    path = tmp_path / name
    path.write_bytes(b"old")

    def fail():
        with open_embedding_file(path) as writer:
            if n_written:
                writer.write(TEXTS[:n_written], EMBEDDINGS[:n_written])
            raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        fail()
    assert names(tmp_path) == [name]
    assert path.read_bytes() == b"old"


class FullDisk(io.FileIO):
    def write(self, data):
        if self.tell() + len(data) > 4096:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("name", NAMES)
def test_open_embedding_file_full_disk_leaves_nothing(tmp_path, name, monkeypatch):
    monkeypatch.setattr(Path, "open", lambda path, mode: FullDisk(path, mode))
    many = np.random.default_rng(0).random((3000, 3), np.float32)

    def fill():
        with open_embedding_file(tmp_path / name) as writer:
            writer.write(["text"] * 3000, many)

    with pytest.raises(OSError, match=r"No space left|ENOSPC"):
        fill()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_open_embedding_file_true_limit_of_the_system_leaves_nothing(tmp_path, name):
    resource = pytest.importorskip("resource", reason="POSIX only")
    many = np.random.default_rng(0).random((30_000, 3), np.float32)

    def fill():
        with open_embedding_file(tmp_path / name) as writer:
            writer.write(["text"] * len(many), many)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_open_embedding_file_no_rows_keep_dim_and_dtype(tmp_path, name):
    path = tmp_path / name
    with open_embedding_file(path) as writer:
        writer.write([], np.zeros((0, 9), np.float16))
    if name == "a.npy":
        assert (np.load(path).shape, np.load(path).dtype) == ((0, 9), np.float16)
    assert len(load(path)) == 0


@pytest.mark.parametrize(
    ("texts", "block", "match"),
    [
        (["a"], np.zeros((2, 3), np.float32), r"shape \(2, 3\); expected \(1, dim\)"),
        (["a", "b", "c"], np.zeros(3, np.float32), r"shape \(3,\); expected \(3, dim\)"),
        (["a"], np.zeros((1, 4), np.float32), "a block has dim and dtype"),
        (["a"], np.zeros((1, 3), np.float16), "a block has dim and dtype"),
    ],
)
def test_open_embedding_file_block_that_does_not_fit_is_refused(tmp_path, texts, block, match):
    def fail():
        with open_embedding_file(tmp_path / "a.npy") as writer:
            writer.write(TEXTS, EMBEDDINGS)
            writer.write(texts, block)

    with pytest.raises(ValueError, match=match):
        fail()
    assert names(tmp_path) == []


def test_open_embedding_file_nothing_written_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="no block was written"),
        open_embedding_file(tmp_path / "a.npy"),
    ):
        pass
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_open_embedding_file_keeps_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "a.npy"
    link.symlink_to(tmp_path / "there" / "b.npy")
    write(link)
    assert link.is_symlink()
    assert names(tmp_path / "there") == ["b.npy"]
    assert np.array_equal(np.load(link), EMBEDDINGS)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_open_embedding_file_obeys_the_umask(tmp_path):
    write(tmp_path / "a.npy")
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.npy", "plain")}
    assert len(modes) == 1


@pytest.mark.skipif(os.name == "nt", reason="no devices with names on Windows")
def test_check_embedding_path_device_is_refused():
    with pytest.raises(
        ValueError, match="/dev/null: expected a file to write, found a folder, pip"
    ):
        check_embedding_path(Path("/dev/null"), "npy")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.npy.gz"])
def test_check_embedding_path_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"unknown format .*; expected .* \.npy, \.jsonl, \.parq"):
        check_embedding_path(tmp_path / name)


def test_check_embedding_path_folder_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="none does not exist; create it first"):
        check_embedding_path(tmp_path / "none" / "a.npy")


def test_check_embedding_path_parquet_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        check_embedding_path(tmp_path / "a.parquet")


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    # No file system takes the temporary file's name.
    monkeypatch.setattr("text2vec.files.embedding_files.secrets.token_hex", lambda n: "a" * 999)
    with pytest.raises(OSError, match="name") as caught, open_embedding_file(path):
        pass
    assert caught.value.filename == str(path)
