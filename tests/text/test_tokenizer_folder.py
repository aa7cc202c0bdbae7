"""Tokenizers from files of every age, against those that transformers builds."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from tests.tiny_models import SENTENCES, make_tokenizer
from text2vec.errors import ModelFormatError
from text2vec.text.tokenizer_folder import open_tokenizer_folder

CASES = (*SENTENCES, "Ünïcödé ÀÉ [MASK] <mask> [SEP]", "tab\tand\nnewline", "混合 mixed 文本", "İ")


def ids(tokenizer, texts=CASES):
    return [e.ids for e in tokenizer.encode_batch(list(texts))]


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("accents", [None, False])
def test_open_vocab_txt_equals_bert_tokenizer(tmp_path, lower, accents):
    from transformers import BertTokenizer

    vocab = make_tokenizer("bert").get_vocab()
    lines = sorted(vocab, key=vocab.get)
    (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"do_lower_case": lower, "strip_accents": accents}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    oracle = BertTokenizer(vocab=vocab, do_lower_case=lower, strip_accents=accents)
    assert ids(open_tokenizer_folder(tmp_path)) == oracle(list(CASES))["input_ids"]


def test_open_vocab_json_equals_roberta_tokenizer(tmp_path):
    from transformers import RobertaTokenizer

    make_tokenizer("roberta").model.save(str(tmp_path))
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if not line.startswith("#")]
    oracle = RobertaTokenizer(vocab=vocab, merges=merges)
    assert ids(open_tokenizer_folder(tmp_path)) == oracle(list(CASES))["input_ids"]


def test_open_tokenizer_json_wins(model_folder, tmp_path):
    make_tokenizer("xlm-roberta").save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    oracle = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert ids(open_tokenizer_folder(tmp_path)) == ids(oracle)


def test_open_lower_cases_where_asked(tmp_path):
    make_tokenizer("roberta").save(str(tmp_path / "tokenizer.json"))
    lower = open_tokenizer_folder(tmp_path, do_lower_case=True)
    plain = open_tokenizer_folder(tmp_path)
    assert ids(lower, ["HOW To"]) == ids(plain, ["how to"])
    assert ids(plain, ["HOW To"]) != ids(plain, ["how to"])


def test_open_folder_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(ModelFormatError, match=r"has no tokenizer; expected tokenizer.json"):
        open_tokenizer_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer.json": "{"}, "tokenizer.json cannot be read"),
        ({"vocab.txt": "a\nb\n"}, "cannot be read|lacks"),
        ({"vocab.txt": "[UNK]\n[CLS]\n"}, r"lacks '\[CLS\]' or '\[SEP\]'"),
        ({"vocab.txt": "[UNK]\n", "tokenizer_config.json": "[]"}, "holds no JSON object"),
    ],
)
def test_open_damaged_files_are_refused(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ModelFormatError, match=message):
        open_tokenizer_folder(tmp_path)
