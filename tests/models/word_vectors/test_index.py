from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import text2vec.models.word_vectors.index as index_module
from text2vec.errors import ModelFormatError
from text2vec.models.word_vectors.index import build_index, hash_word, index_name, read_index

VECTORS = np.arange(12, dtype="<f4").reshape(4, 3)
WORDS = ["sun", "月亮", "sun", "moon"]
RECORDS = [word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, VECTORS, strict=True)]
BINARY = b"4 3\n" + b"\n".join(RECORDS)
TEXT = "4 3\nsun 0 1 2\n月亮 3 4 5\nsun 6 7 8\nmoon 9 10 11\n".encode()


@pytest.fixture
def place(tmp_path):
    """Write a source; give its path and that of its index."""

    def write(content, name="vectors"):
        source = tmp_path / name
        source.write_bytes(content)
        return source, name_now(source)

    def name_now(source):
        with source.open("rb") as file:
            return tmp_path / "cache" / index_name(source, file)

    return write


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [BINARY, TEXT, gzip.compress(TEXT), TEXT.partition(b"\n")[2]])
def test_index_holds_sorted_hashes_and_the_places_of_the_words(place, content):
    source, target = place(content)
    build_index(source, target)
    index = read_index(target)
    assert (index.dim, index.has_records) == (3, content != BINARY)
    data = bytes(index.data) if index.has_records else content
    expected = sorted((hash_word(word.encode())[::-1], i) for i, word in enumerate(WORDS))
    assert [key.tobytes()[::-1] for key in index.hashes] == [key for key, _ in expected]
    for at, (_, i) in zip(index.places, expected, strict=True):
        assert data[at : at + len(RECORDS[i])] == RECORDS[i]
    assert names(target.parent) == [target.name]


def test_index_name_follows_path_size_time_and_content(place, tmp_path):
    source, target = place(BINARY)
    assert place(BINARY, "other")[1].name != target.name
    status = source.stat()
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    with source.open("rb") as file:
        assert index_name(source, file) != target.name
    changed = bytearray(BINARY)
    for i in range(len(changed)):
        changed[i] ^= 1
        source.write_bytes(changed)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
        with source.open("rb") as file:
            assert index_name(source, file) != target.name
        changed[i] ^= 1
    source.write_bytes(changed)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    with source.open("rb") as file:
        assert index_name(source, file) == target.name
        assert index_name(source, file) == target.name


def test_index_name_samples_a_large_file(place):
    content = bytearray(1_000_000)
    source, target = place(content)
    status = source.stat()
    for at in (0, 4095, 464_760, 999_999):  # in the first, the eighth and the last sample
        content[at] = 1
        source.write_bytes(content)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
        with source.open("rb") as file:
            assert index_name(source, file) != target.name
        content[at] = 0


@pytest.mark.parametrize("content", [BINARY, TEXT])
def test_read_index_takes_no_part_of_an_index(place, content):
    source, target = place(content)
    build_index(source, target)
    whole = target.read_bytes()
    for size in range(len(whole)):
        target.write_bytes(whole[:size])
        assert read_index(target) is None
    target.write_bytes(whole + b"\0")
    assert read_index(target) is None
    for i in range(12):  # magic and version
        target.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        assert read_index(target) is None
    target.write_bytes(whole)
    assert read_index(target) is not None


def test_build_index_replaces_a_broken_one(place):
    source, target = place(TEXT)
    target.parent.mkdir()
    target.write_bytes(b"broken")
    build_index(source, target)
    assert read_index(target).hashes.shape == (4,)


@pytest.mark.parametrize(
    "content", [TEXT[:-4], BINARY[:-2] + b"\x80\xff", b"4 3\nsun 0 1 x\n" + b"a 1 2 3\n" * 3, b""]
)
def test_build_index_malformed_source_leaves_nothing(place, content):
    source, target = place(content)
    with pytest.raises(ModelFormatError, match="vectors"):
        build_index(source, target)
    assert not target.parent.exists() or names(target.parent) == []


def test_build_index_full_disk_says_so_and_leaves_nothing(place, monkeypatch):
    source, target = place(TEXT)

    def write_until_full(file, head):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(index_module, "_write_index", write_until_full)
    with pytest.raises(OSError, match=r"cannot write the index of .*vectors \(No space") as caught:
        build_index(source, target)
    assert caught.value.errno == errno.ENOSPC
    assert names(target.parent) == []


def test_build_index_cache_folder_that_is_a_file_says_so(place):
    source, target = place(TEXT)
    target.parent.write_bytes(b"")
    with pytest.raises(OSError, match=r"cannot write the index .* pass another cache_folder"):
        build_index(source, target)


def test_build_index_interrupted_leaves_nothing(place, monkeypatch):
    source, target = place(TEXT)

    def interrupt(word):
        raise KeyboardInterrupt

    monkeypatch.setattr(index_module, "hash_word", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_index(source, target)
    assert names(target.parent) == []


def test_build_index_source_that_changes_meanwhile_is_refused(place, monkeypatch):
    source, target = place(TEXT)
    read_blocks = index_module.read_blocks

    def read_and_change(head):
        yield from read_blocks(head)
        source.write_bytes(TEXT.replace(b"sun", b"son"))

    monkeypatch.setattr(index_module, "read_blocks", read_and_change)
    with pytest.raises(ModelFormatError, match="expected a file at rest"):
        build_index(source, target)
    assert names(target.parent) == []


def test_build_index_killed_process_leaves_nothing_that_is_used(place):
    source, target = place(TEXT)
    script = (
        "import os, sys, pathlib\n"
        "import text2vec.models.word_vectors.index as index\n"
        "read_blocks = index.read_blocks\n"
        "def read_and_die(head):\n"
        "    yield from read_blocks(head)\n"
        "    os._exit(9)\n"  # nothing is cleaned up, as after a kill
        "index.read_blocks = read_and_die\n"
        "index.build_index(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
    )
    done = run(script, source, target)
    done.communicate(timeout=60)
    assert done.returncode == 9
    (leftover,) = names(target.parent)
    assert leftover.startswith(target.name)
    assert leftover.endswith(".tmp")
    assert read_index(target) is None
    build_index(source, target)
    assert len(read_index(target).hashes) == 4
    assert names(target.parent) == [target.name, leftover]  # it might be at work still

    yesterday = time.time() - 25 * 3600
    os.utime(target.parent / leftover, (yesterday, yesterday))
    build_index(source, target)
    assert names(target.parent) == [target.name]


def run(script, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_build_index_two_processes_at_once_agree(place):
    source, target = place(b"5000 2\n" + b"".join(b"word%d %d 1\n" % (i, i) for i in range(5000)))
    # both have read the source before either writes: each waits for a line between
    script = (
        "import sys, pathlib\n"
        "import text2vec.models.word_vectors.index as index\n"
        "read_blocks = index.read_blocks\n"
        "def read_and_wait(head):\n"
        "    yield from read_blocks(head)\n"
        "    print('read', flush=True)\n"
        "    sys.stdin.readline()\n"
        "index.read_blocks = read_and_wait\n"
        "source, target = map(pathlib.Path, sys.argv[1:])\n"
        "index.build_index(source, target)\n"
        "print(len(index.read_index(target).hashes))\n"
    )
    both = [run(script, source, target) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["read\n"] * 2
    assert len(names(target.parent)) == 2
    assert read_index(target) is None
    assert [process.communicate("go\n", timeout=60)[0] for process in both] == ["5000\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
    assert names(target.parent) == [target.name]


def test_build_index_target_held_open_by_another_process_is_kept(place, monkeypatch):
    source, target = place(TEXT)

    def refuse(self, other):
        raise PermissionError(errno.EACCES, "in use", str(other))

    monkeypatch.setattr(type(source), "replace", refuse)
    with pytest.raises(PermissionError, match="cannot write the index"):
        build_index(source, target)
    monkeypatch.undo()
    build_index(source, target)
    monkeypatch.setattr(type(source), "replace", refuse)
    build_index(source, target)
    assert names(target.parent) == [target.name]


def test_build_index_removes_what_is_out_of_date_and_nothing_else(place, tmp_path):
    source, old = place(TEXT)
    build_index(source, old)
    neighbour, kept = place(TEXT, "neighbour")
    build_index(neighbour, kept)
    (old.parent / "notes.txt").write_bytes(b"")
    source, new = place(TEXT + b"\n")
    build_index(source, new)
    assert names(old.parent) == sorted([new.name, kept.name, "notes.txt"])


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("content", [BINARY, gzip.compress(TEXT)])
def test_build_index_shows_progress_on_a_terminal_only(place, monkeypatch, content, is_terminal):
    source, target = place(content)
    screen = io.StringIO()
    screen.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", screen)
    build_index(source, target)
    assert ("index of vectors" in screen.getvalue()) == is_terminal


def test_build_index_without_stderr_works(place, monkeypatch):
    source, target = place(BINARY)
    monkeypatch.setattr(sys, "stderr", None)
    build_index(source, target)
    assert read_index(target) is not None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_an_index_is_as_readable_as_other_files(place, tmp_path):
    source, target = place(TEXT)
    build_index(source, target)
    (tmp_path / "other").touch()
    assert target.stat().st_mode == (tmp_path / "other").stat().st_mode
