from __future__ import annotations

import argparse

import pytest

from text2vec.cli.options import file_name, open_model, positive_int, text_options


@pytest.mark.parametrize("word", ["1", "007", "4096"])
def test_positive_int_takes_whole_numbers(word):
    assert positive_int(word) == int(word)


@pytest.mark.parametrize("word", ["0", "-1", "1.0", "", " 1", "1_000", "²", "٣", "many"])
def test_positive_int_takes_nothing_else(word):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of 1 or more"):
        positive_int(word)


def test_file_name_must_not_be_empty():
    assert file_name("a b.txt") == "a b.txt"
    with pytest.raises(argparse.ArgumentTypeError, match="empty"):
        file_name("")


def test_text_options_chunk_size_default():
    assert text_options().parse_args([]).chunk_size == 4096


def test_open_model_asks_the_factory(model):
    args = argparse.Namespace(
        model="a/b",
        revision="v2",
        device="cuda",
        max_seq_length=9,
        num_threads=None,
        engine="auto",
        dtype="int8",
        model_factory=lambda *words, **options: (words, options),
    )
    options = {"revision": "v2", "device": "cuda", "max_seq_length": 9, "num_threads": None}
    options |= {"engine": "auto", "dtype": "int8"}
    assert open_model(args) == (("a/b",), options)
