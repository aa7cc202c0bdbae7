from __future__ import annotations

import copy
import itertools
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2vec.errors import MissingExtraError, ModelNotFoundError
from text2vec.text.words import dictionary_words, segment
from text2vec.word2vec import Word2Vec

RNG = np.random.default_rng(17)
KNOWN = [
    *"如何更换花呗绑定银行卡我的了。a1",
    "如何",
    "更换",
    "银行",
    "银行卡",
    "机票",
    "特价",
    "天气",
    "hello",
    "\u3000",
]
VECTORS = dict(zip(KNOWN, RNG.normal(size=(len(KNOWN), 6)).astype(np.float32), strict=True))
TEXTS = [
    "如何更换花呗绑定银行卡",
    "",
    "特价机票",  # unknown as a whole, known in parts
    "我的银行卡，我的银行卡。",
    "zzz ???",
    "hello world 天气\u3000a1\n",
    "特价机票特价机票，今天天气如何",
    "\ud800\x00如何",
]

# the sums are made in float64 in another order than the oracle's
ROUNDING = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def vector_file(folder):
    lines = [f"{len(VECTORS)} 6\n"]
    lines += [f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in VECTORS.items()]
    path = folder / "vectors.txt"
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["word", "char"])
def model(request, vector_file, folder):
    return Word2Vec(vector_file, unit=request.param, cache_folder=folder / "cache")


def mean_by_hand(text, unit, stop_words=frozenset()):
    """The oracle: one text, one word after another, a plain dictionary."""
    units = []
    for word in segment(text, unit):
        if word in stop_words:
            continue
        if word in VECTORS:
            units.append(VECTORS[word] / np.linalg.norm(VECTORS[word]))
        elif len(word) > 1:
            parts = [p for p in dictionary_words(word) if p in VECTORS and p not in stop_words]
            units += [VECTORS[part] / np.linalg.norm(VECTORS[part]) for part in parts]
    return np.mean(units, axis=0) if units else np.zeros(6)


@pytest.mark.parametrize("stop_words", [None, ["我", "的", "银行卡", "特价"]])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_encode_matches_a_plain_dictionary(vector_file, folder, unit, stop_words):
    model = Word2Vec(vector_file, unit=unit, stop_words=stop_words, cache_folder=folder / "cache")
    expected = [mean_by_hand(text, unit, stop_words or ()) for text in TEXTS]
    found = model.encode(TEXTS)
    assert (found.shape, found.dtype) == ((len(TEXTS), 6), np.float32)
    np.testing.assert_allclose(found, expected, **ROUNDING)
    assert not found[1].any()
    assert not found[4].any()
    assert found[2].any() == (unit == "word")


def test_encode_word_unknown_as_a_whole_is_the_mean_of_its_parts(vector_file, folder):
    model = Word2Vec(vector_file, cache_folder=folder / "cache")
    assert segment("特价机票", "word") == ["特价机票"]
    expected = model.encode(["特价", "机票"]).mean(axis=0)
    np.testing.assert_allclose(model.encode("特价机票"), expected, **ROUNDING)


def test_encode_units_differ(vector_file, folder):
    by_unit = [
        Word2Vec(vector_file, unit=unit, cache_folder=folder / "cache").encode("银行卡")
        for unit in ("word", "char")
    ]
    assert np.abs(by_unit[0] - by_unit[1]).max() > 0.1


def test_encode_one_text_is_a_vector(model):
    embedding = model.encode(TEXTS[0])
    assert (embedding.shape, embedding.dtype, model.dim) == ((6,), np.float32, 6)
    np.testing.assert_array_equal(embedding, model.encode([TEXTS[0]])[0])
    assert model.encode("").tolist() == [0] * 6


def test_encode_no_texts_keeps_dim(model):
    for options, dim in (({}, 6), ({"truncate_dim": 2, "normalize_embeddings": True}, 2)):
        for empty in ([], (), iter(())):
            embeddings = model.encode(empty, **options)
            assert (embeddings.shape, embeddings.dtype) == ((0, dim), np.float32)


def test_encode_takes_any_iterable(model):
    expected = model.encode(TEXTS)
    for texts in (tuple(TEXTS), iter(TEXTS), (text for text in TEXTS), np.array(TEXTS, object)):
        np.testing.assert_array_equal(model.encode(texts), expected)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.sampled_from("如何更换银行卡特价机票天气我的a1 。好\u3000\ud800"))),
    size=st.integers(1, 5),
    seed=st.randoms(use_true_random=False),
)
def test_encode_text_does_not_depend_on_its_batch(model, texts, size, seed):
    together = model.encode(texts)
    np.testing.assert_array_equal(model.encode(texts, batch_size=size), together)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_array_equal(model.encode(text), row)
    order = list(range(len(texts)))
    seed.shuffle(order)
    np.testing.assert_array_equal(model.encode([texts[i] for i in order]), together[order])


def test_encode_normalized_and_truncated(model):
    plain = model.encode(TEXTS).astype(np.float64)
    cut = plain[:, :4]
    np.testing.assert_allclose(model.encode(TEXTS, truncate_dim=4), cut, **ROUNDING)
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    expected = np.divide(cut, lengths, out=np.zeros_like(cut), where=lengths > 0)
    found = model.encode(TEXTS, truncate_dim=4, normalize_embeddings=True)
    np.testing.assert_allclose(found, expected, **ROUNDING)
    np.testing.assert_array_equal(found[1], np.zeros(4))
    np.testing.assert_array_equal(model.encode(TEXTS, truncate_dim=6), model.encode(TEXTS))


def test_encode_zero_vector_counts_and_stays_zero(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("a 0 0\nb 0 2\n", encoding="utf-8")
    model = Word2Vec(path, unit="char", cache_folder=tmp_path)
    assert model.encode(["a", "ab", "abb"]).tolist() == [[0, 0], [0, 0.5], [0, np.float32(2 / 3)]]


def test_encode_repeated_word_takes_the_first_vector(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("a 3 0\na 0 1\n", encoding="utf-8")
    assert Word2Vec(path, unit="char", cache_folder=tmp_path).encode("a").tolist() == [1, 0]


def test_encode_long_text_has_the_mean_of_its_parts(model):
    text = "更换银行卡，天气。" * 20_000
    np.testing.assert_allclose(model.encode(text), model.encode("更换银行卡，天气。"), **ROUNDING)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (None, "must be a str or an iterable of str, got NoneType"),
        (3, "must be a str or an iterable of str, got int"),
        (b"ab", "must be a str or an iterable of str, got bytes"),
        (["a", None], r"but sentences\[1\] is NoneType \(None\)"),
        (["a", "b", float("nan")], r"but sentences\[2\] is float \(nan\)"),
        ([["a"]], r"but sentences\[0\] is list"),
    ],
)
def test_encode_not_a_text_names_index_and_expectation(model, texts, message):
    with pytest.raises(TypeError, match=message):
        model.encode(texts)
    with pytest.raises(TypeError, match=message):
        list(model.encode_iter(texts))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("batch_size", value) for value in (0, -1, 1.5, True, "8")],
        *[("truncate_dim", value) for value in (0, -1, 7, 2.0, True, "2")],
    ],
)
def test_encode_option_out_of_range_raises_at_once(model, option, value):
    with pytest.raises(ValueError, match=f"{option} must be .*, got {value!r}"):
        model.encode(TEXTS, **{option: value})
    with pytest.raises(ValueError, match=f"{option} must be"):
        model.encode_iter(TEXTS, **{option: value})


def test_encode_iter_gives_the_rows_of_encode(model):
    options = {"normalize_embeddings": True, "truncate_dim": 3}
    rows = list(model.encode_iter(iter(TEXTS), batch_size=3, **options))
    np.testing.assert_array_equal(rows, model.encode(TEXTS, **options))
    assert list(model.encode_iter([])) == []


def test_encode_iter_reads_an_endless_iterable_one_batch_ahead(model):
    taken = []

    def endless():
        for i in itertools.count():
            taken.append(i)
            yield TEXTS[i % len(TEXTS)]

    rows = model.encode_iter(endless(), batch_size=4)
    assert taken == []
    first = list(itertools.islice(rows, 10))
    assert len(taken) == 12
    np.testing.assert_array_equal(first, model.encode(TEXTS + TEXTS)[:10])


def test_encode_iter_one_str_is_refused(model):
    with pytest.raises(TypeError, match="got a str; use encode"):
        model.encode_iter("如何")


def test_encode_shows_progress_when_asked(model, capsys):
    model.encode(TEXTS)
    assert capsys.readouterr() == ("", "")
    model.encode(TEXTS, show_progress_bar=True)
    assert "8/8" in capsys.readouterr().err


def test_stop_words_must_be_strings(vector_file, folder):
    with pytest.raises(TypeError, match=r"got the str '的了'; .*load_stop_words"):
        Word2Vec(vector_file, unit="char", stop_words="的了", cache_folder=folder / "cache")
    with pytest.raises(TypeError, match="but holds 3"):
        Word2Vec(vector_file, unit="char", stop_words=["的", 3], cache_folder=folder / "cache")


def test_open_refuses_unknown_unit_and_missing_file(vector_file, folder):
    with pytest.raises(ValueError, match="unknown unit 'words'"):
        Word2Vec(vector_file, unit="words")
    with pytest.raises(ModelNotFoundError, match="w2v-light-tencent-chinese"):
        Word2Vec("w2v-light-tencent-chinese", unit="char")


def test_open_word_unit_without_jieba_says_how_to_get_it(vector_file, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'text2vec\[zh\]'"):
        Word2Vec(vector_file, cache_folder=folder / "cache")
    assert Word2Vec(vector_file, unit="char", cache_folder=folder / "cache").dim == 6


def test_word_vectors_can_be_copied_and_pickled(model):
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.encode(TEXTS), model.encode(TEXTS))


@pytest.mark.parametrize("table", [{"a": 1}, np.array([["a"]]), np.array("a")])
def test_a_table_is_no_column_of_texts(model, table):
    with pytest.raises(TypeError, match="must be a str or an iterable of str"):
        model.encode(table)
