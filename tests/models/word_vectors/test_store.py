from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

import text2vec.models.word_vectors.index as index_module
import text2vec.models.word_vectors.store as store_module
from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.word_vectors.store import open_word_vectors


def write_text(path, words, vectors, *, header=True):
    lines = [f"{len(words)} {vectors.shape[1]}\n"] if header else []
    for word, row in zip(words, vectors, strict=True):
        lines.append(f"{word} {' '.join(f'{value:.9g}' for value in row)}\n")
    content = "".join(lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_binary(path, words, vectors, *, end=b""):
    header = f"{len(words)} {vectors.shape[1]}\n".encode()
    records = [
        word.encode() + b" " + row.astype("<f4").tobytes() + end
        for word, row in zip(words, vectors, strict=True)
    ]
    path.write_bytes(header + b"".join(records))


WRITERS = {
    "text": write_text,
    "text.gz": write_text,
    "headerless": lambda *sizes: write_text(*sizes, header=False),
    "binary": write_binary,
    "binary with newlines": lambda *sizes: write_binary(*sizes, end=b"\n"),
}
WORDS = ["sun", "月亮", "moon", "sun", "a\u3000b", "é", "-", "月"]
VECTORS = np.random.default_rng(5).normal(size=(len(WORDS), 4)).astype(np.float32)


def first_wins(words, vectors):
    """The oracle: a dictionary."""
    found = {}
    for word, row in zip(words, vectors, strict=True):
        found.setdefault(word, row)
    return found


@pytest.fixture(params=WRITERS)
def source(request, tmp_path):
    path = tmp_path / request.param
    WRITERS[request.param](path, WORDS, VECTORS)
    return path


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def look_up(store, words):
    places = store.find(words)
    rows = iter(store.vectors(places[places >= 0]))
    return [next(rows) if place >= 0 else None for place in places]


ASKED = [
    *dict.fromkeys(WORDS),
    "mars",
    "",
    "su",
    "sun ",
    "s",
    "\ud800",
    "a\x00",
    "\nsun",
    "日",
    *map(str, range(200)),
]


def assert_like_a_dictionary(store, words, vectors, asked):
    expected = first_wins(words, vectors)
    for word, row in zip(asked, look_up(store, asked), strict=True):
        if word in expected:
            np.testing.assert_array_equal(row, expected[word])
        else:
            assert row is None, word


def test_store_finds_what_a_dictionary_finds(source, cache):
    for _ in range(2):  # built, then read
        store = open_word_vectors(source, cache_folder=cache)
        assert (store.dim, store.n_words) == (4, len(WORDS))
        assert_like_a_dictionary(store, WORDS, VECTORS, ASKED)


def test_store_survives_hashes_that_all_collide(source, cache, monkeypatch):
    for module in (index_module, store_module):
        monkeypatch.setattr(module, "hash_word", lambda word: b"constant")
    store = open_word_vectors(source, cache_folder=cache)
    assert_like_a_dictionary(store, WORDS, VECTORS, ASKED)


def test_store_does_not_match_into_a_vector_when_hashes_collide(tmp_path, cache, monkeypatch):
    # the values' first bytes spell "b ", so that "a b" would fit to the record of "a"
    for module in (index_module, store_module):
        monkeypatch.setattr(module, "hash_word", lambda word: b"constant")
    path = tmp_path / "vectors"
    path.write_bytes(b"1 2\na b c\x01\x02\x03\x04\x05")
    store = open_word_vectors(path, cache_folder=cache)
    assert store.find(["a", "a b", ""]).tolist() == [6, -1, -1]


def test_store_of_no_words_asked_gives_empty_arrays(source, cache):
    store = open_word_vectors(source, cache_folder=cache)
    places = store.find([])
    assert (places.shape, places.dtype) == ((0,), np.int64)
    assert store.vectors(places).shape == (0, 4)
    assert store.vectors(places).dtype == np.float32


def test_open_uses_the_index_and_not_the_source_again(source, cache, monkeypatch):
    open_word_vectors(source, cache_folder=cache)
    monkeypatch.setattr(store_module, "build_index", None)
    store = open_word_vectors(str(source), cache_folder=str(cache))
    assert_like_a_dictionary(store, WORDS, VECTORS, ASKED)
    if os.name == "posix":  # the same file by another name
        link = source.with_name("link")
        link.symlink_to(source)
        assert open_word_vectors(link, cache_folder=cache).n_words == len(WORDS)


@pytest.mark.parametrize("kind", WRITERS)
def test_open_changed_file_never_uses_the_stale_index(tmp_path, cache, kind):
    path = tmp_path / kind
    WRITERS[kind](path, WORDS, VECTORS)
    open_word_vectors(path, cache_folder=cache)
    status = path.stat()
    # same words, same size, same time: only the values differ
    changed = path.read_bytes()
    WRITERS[kind](path, WORDS[::-1], VECTORS)
    assert kind == "text.gz" or path.stat().st_size == len(changed)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    store = open_word_vectors(path, cache_folder=cache)
    assert_like_a_dictionary(store, WORDS[::-1], VECTORS, ASKED)
    assert len(list(cache.iterdir())) == 1


def test_open_binary_file_is_used_in_place(tmp_path, cache):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(100)]
    write_binary(tmp_path / "vectors", words, rng.normal(size=(100, 300)))
    open_word_vectors(tmp_path / "vectors", cache_folder=cache)
    (index,) = cache.iterdir()
    assert index.stat().st_size <= 100 * 16 + 64


def test_open_index_that_is_cut_off_is_made_again(source, cache):
    open_word_vectors(source, cache_folder=cache)
    (index,) = cache.iterdir()
    index.write_bytes(index.read_bytes()[:-8])
    store = open_word_vectors(source, cache_folder=cache)
    assert_like_a_dictionary(store, WORDS, VECTORS, ASKED)


def test_open_index_that_vanishes_says_so(tmp_path, cache, monkeypatch):
    write_text(tmp_path / "vectors", WORDS, VECTORS)
    monkeypatch.setattr(store_module, "build_index", lambda source, target: None)
    with pytest.raises(ModelFormatError, match="expected the index just made"):
        open_word_vectors(tmp_path / "vectors", cache_folder=cache)


def test_open_missing_file_and_folder_are_refused(tmp_path, cache):
    with pytest.raises(ModelNotFoundError, match=r"no word vector file at .*none"):
        open_word_vectors(tmp_path / "none", cache_folder=cache)
    with pytest.raises(ModelFormatError, match="expected a word vector file, found a folder"):
        open_word_vectors(tmp_path, cache_folder=cache)


def test_open_malformed_file_leaves_nothing_in_the_cache(tmp_path, cache):
    path = tmp_path / "vectors"
    path.write_bytes(b"2 2\nsun 0 1\nmoon 0 x\n")
    for _ in range(2):
        with pytest.raises(
            ModelFormatError, match="vectors, line 3: expected 2 numbers, found 'x'"
        ):
            open_word_vectors(path, cache_folder=cache)
    assert list(cache.iterdir()) == []


def test_open_default_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.delenv("TEXT2VEC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    write_text(tmp_path / "vectors", WORDS, VECTORS)
    open_word_vectors(tmp_path / "vectors")
    assert len(list((tmp_path / "home" / "text2vec" / "word_vectors").iterdir())) == 1


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_store_of_200_000_words_finds_each_of_them(tmp_path, cache, kind):
    words = [f"词{i}" for i in range(200_000)]
    vectors = np.arange(400_000, dtype=np.float32).reshape(-1, 2)
    WRITERS[kind](tmp_path / "vectors", words, vectors)
    store = open_word_vectors(tmp_path / "vectors", cache_folder=cache)
    places = store.find(words)
    assert (places >= 0).all()
    np.testing.assert_array_equal(store.vectors(places), vectors)
    assert (store.find([f"字{i}" for i in range(1000)]) == -1).all()
