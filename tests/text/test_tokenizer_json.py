from __future__ import annotations

import json
import random

import pytest
from tokenizers import Tokenizer

from text2vec.errors import ModelFormatError
from text2vec.text.tokenizer_json import read_plan


def write_unigram(path, numbers: list[str]) -> None:
    pieces = ",".join(f'["p{i}",{number}]' for i, number in enumerate(numbers))
    path.write_text(
        '{"version":"1.0","added_tokens":[],"normalizer":null,"post_processor":null,"decoder":null,'
        '"truncation":null,"padding":null,"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},'
        f'"model":{{"type":"Unigram","unk_id":0,"vocab":[{pieces}]}}}}',
        encoding="utf-8",
    )


def test_scores_have_the_last_bits_that_the_library_reads(tmp_path):
    draw = random.Random(1)
    numbers = ["0", "-3", "1e2", "-1.5E-7"]
    for _ in range(5_000):
        digits = "".join(
            draw.choices("0123456789", k=draw.choice([1, 5, 15, 16, 17, 18, 19, 20, 25]))
        )
        exponent = draw.choice(["", "", "", "e-3", "E2", "e-12"])
        numbers.append(f"-{draw.randrange(30)}.{digits}{exponent}")
    path = tmp_path / "tokenizer.json"
    write_unigram(path, numbers)
    theirs = json.loads(Tokenizer.from_file(str(path)).to_str())["model"]["vocab"]
    ours = read_plan(path).scores
    assert ours == [score for _, score in theirs]
    assert ours != [float(number) for number in numbers]  # a plain reader would differ


def test_added_tokens_get_the_ids_that_the_library_gives(tmp_path):
    path = tmp_path / "tokenizer.json"
    write_unigram(path, ["0", "-1", "-2"])
    spec = json.loads(path.read_text(encoding="utf-8"))
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized", "special"], False)
    contents = ["new", "p2", "newer", "new"]
    spec["added_tokens"] = [{"id": 40 + i, "content": c, **flags} for i, c in enumerate(contents)]
    path.write_text(json.dumps(spec), encoding="utf-8")
    theirs = Tokenizer.from_file(str(path))
    ours = {token.content: token.id for token in read_plan(path).added_tokens}
    assert ours == {c: theirs.token_to_id(c) for c in contents}


@pytest.mark.parametrize("content", ["", "[1", "[]", "{}", '{"model": {"type": "WordPiece"}}'])
def test_read_file_that_is_no_tokenizer_raises(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json is (no JSON|malformed)"):
        read_plan(path)
