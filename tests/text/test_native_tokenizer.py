"""The native tokenizer behind the door of the library's: same ids, flags and refusals."""

from __future__ import annotations

import shutil

import pytest

from tests.text.test_tokenizer import open_one, rows_of
from tests.tiny_models import SENTENCES
from text2vec.engines.native import native_problem
from text2vec.text.native_tokenizer import open_native_tokenizer

pytestmark = pytest.mark.skipif(native_problem() is not None, reason="the extension is not built")

COVERED = ("bert", "xlm-roberta", "distilbert", "mpnet", "ernie")


@pytest.fixture(params=COVERED)
def folder(request, model_folder):
    return model_folder(request.param)


def open_native(folder, cache, max_tokens=16):
    return open_native_tokenizer(folder, cache, max_tokens, 2)


@pytest.mark.parametrize("max_tokens", [3, 8, 64])
def test_ids_and_cuts_equal_those_of_the_library(folder, tmp_path, max_tokens):
    got = open_native(folder, tmp_path, max_tokens).tokenize(SENTENCES)
    expected = open_one(folder, max_tokens).tokenize(SENTENCES)
    assert rows_of(got) == rows_of(expected)
    assert got.truncated.tolist() == expected.truncated.tolist()
    assert got.batch.ids.dtype == expected.batch.ids.dtype


@pytest.mark.parametrize("prompt", ["how to ", "", "如何", "x" * 200])
def test_prompt_tokens_equal_those_of_the_library(folder, tmp_path, prompt):
    native, library = open_native(folder, tmp_path, 400), open_one(folder, 400)
    assert native.count_prompt_tokens(prompt) == library.count_prompt_tokens(prompt)


def test_no_texts_give_an_empty_batch(folder, tmp_path):
    done = open_native(folder, tmp_path).tokenize([])
    assert (done.batch.n_texts, done.truncated.shape) == (0, (0,))


def test_lone_surrogate_is_refused_with_its_place(folder, tmp_path):
    with pytest.raises(ValueError, match=r"text 8 holds a lone surrogate U\+D800 at character 2"):
        open_native(folder, tmp_path).tokenize(["fine", "ab\ud800"], first=7)


def test_limit_without_room_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="max_seq_length is 2; expected more than the 2 special"):
        open_native(folder, tmp_path, 2)


def test_compact_file_is_made_once_and_again_where_it_is_damaged(folder, tmp_path):
    open_native(folder, tmp_path)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    assert rows_of(open_native(folder, tmp_path).tokenize(["a"]))
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(path.read_bytes()[:100])
    expected = rows_of(open_one(folder).tokenize(SENTENCES))
    assert rows_of(open_native(folder, tmp_path).tokenize(SENTENCES)) == expected


def test_changed_tokenizer_gets_a_compact_file_of_its_own(folder, model_folder, tmp_path):
    changed = shutil.copytree(folder, tmp_path / "changed")
    open_native(folder, tmp_path / "cache")
    with (changed / "tokenizer.json").open("a") as file:
        file.write("\n")
    open_native(changed, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_tokenizer_that_is_not_covered_leaves_it_to_the_library(model_folder, tmp_path):
    assert open_native(model_folder("roberta"), tmp_path / "cache") is None
    assert open_native(tmp_path, tmp_path / "cache") is None


def test_cache_that_cannot_be_written_leaves_it_to_the_library(model_folder, tmp_path):
    (tmp_path / "file").write_text("")
    assert open_native(model_folder("bert"), tmp_path / "file") is None
