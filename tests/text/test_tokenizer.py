"""The door of the tokenizer: cutting, flags, long and broken texts."""

from __future__ import annotations

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_models import SENTENCES
from text2vec.text.tokenizer import LONG_TEXT, Tokenizer
from text2vec.text.tokenizer_folder import open_tokenizer_folder


def open_one(folder, max_tokens=16):
    return Tokenizer(open_tokenizer_folder(folder), max_tokens)


def rows_of(done):
    batch = done.batch
    return [batch.ids[a:b].tolist() for a, b in zip(batch.offsets, batch.offsets[1:], strict=False)]


@pytest.mark.parametrize("max_tokens", [3, 8, 64])
def test_ids_and_cuts_equal_those_of_transformers(any_model_folder, max_tokens):
    oracle = transformers.AutoTokenizer.from_pretrained(any_model_folder)
    done = open_one(any_model_folder, max_tokens).tokenize(SENTENCES)
    expected = oracle(list(SENTENCES), truncation=True, max_length=max_tokens)["input_ids"]
    whole = oracle(list(SENTENCES))["input_ids"]
    assert rows_of(done) == expected
    assert done.truncated.tolist() == [len(row) > max_tokens for row in whole]


@given(texts=st.lists(st.text(), max_size=8))
@settings(deadline=None)
def test_ids_of_any_text_are_the_same_alone(texts, model_folder):
    tokenizer = open_one(model_folder("xlm-roberta"))
    together = rows_of(tokenizer.tokenize(texts))
    assert together == [rows_of(tokenizer.tokenize([text]))[0] for text in texts]


def test_no_texts_give_an_empty_batch(model_folder):
    done = open_one(model_folder("bert")).tokenize([])
    assert (done.batch.n_texts, done.truncated.shape) == (0, (0,))


def test_empty_text_has_its_special_tokens_alone(model_folder):
    assert open_one(model_folder("bert")).tokenize([""]).batch.ids.tolist() == [2, 3]


def test_nul_is_a_character_like_others(model_folder):
    done = open_one(model_folder("bert")).tokenize(["a\0b"])
    assert not done.truncated.any()


@pytest.mark.parametrize("text", ["ab\ud800", "x" * LONG_TEXT + "\udfff"])
def test_lone_surrogate_is_refused_with_its_place(model_folder, text):
    tokenizer = open_one(model_folder("bert"))
    place = len(text) - 1
    with pytest.raises(
        ValueError, match=rf"text 8 holds a lone surrogate U\+D.* character {place}"
    ):
        tokenizer.tokenize(["fine", text], first=7)


def test_ten_megabytes_cost_no_more_than_their_beginning(any_model_folder):
    tokenizer = open_one(any_model_folder)
    page = "the same word and 一个词 " * (LONG_TEXT // 20 + 1)
    long = page * 8
    assert len(long) > 10 * LONG_TEXT // 2
    got, page_only = (tokenizer.tokenize([t]) for t in (long, page[:LONG_TEXT]))
    assert rows_of(got) == rows_of(page_only)
    assert got.truncated.tolist() == [True]


def test_long_text_that_begins_with_nothing_is_read_further(model_folder):
    tokenizer = open_one(model_folder("bert"))
    done = tokenizer.tokenize([" " * (3 * LONG_TEXT) + "word"])
    assert rows_of(done) == rows_of(tokenizer.tokenize(["word"]))
    assert not done.truncated.any()


def test_limit_without_room_is_refused(model_folder):
    with pytest.raises(ValueError, match="max_seq_length is 2; expected more than the 2 special"):
        open_one(model_folder("bert"), 2)


def test_prompt_tokens_are_counted_without_the_last_special_one(model_folder):
    tokenizer = open_one(model_folder("bert"), 64)
    n = tokenizer.count_prompt_tokens("how to ")
    assert (
        rows_of(tokenizer.tokenize(["how to replace"]))[0][:n]
        == (rows_of(tokenizer.tokenize(["how to"]))[0][:-1])
    )
