from __future__ import annotations

import numpy as np
import pytest

_native = pytest.importorskip("text2vec._native", reason="the native module is not built")
build_double_array = _native.build_double_array


def find(units, key: bytes) -> int:
    """Return the id of a key, -1 if it is absent, by the rules of the format."""
    unit = int(units[0])
    for byte in key:
        slot = (unit >> 32) + byte
        if slot >= len(units) or int(units[slot]) & 0xFF != byte:
            return -1
        unit = int(units[slot])
    return (unit >> 8 & 0xFFFFFF) - 1


@pytest.mark.parametrize("n_letters", [1, 2, 20, 255])
def test_find_all_keys_and_nothing_else(n_letters):
    draw = np.random.default_rng(n_letters)
    entries = {
        draw.integers(1, n_letters + 1, n).astype(np.uint8).tobytes(): i
        for i, n in enumerate(draw.integers(1, 12, 3_000))
    }
    units = build_double_array(entries)
    assert all(find(units, key) == id_ for key, id_ in entries.items())
    for n in draw.integers(1, 14, 5_000):
        key = draw.integers(1, 256, n).astype(np.uint8).tobytes()
        assert find(units, key) == entries.get(key, -1)
    for key in list(entries)[:500]:
        for other in (key[:-1], key + b"\x01", key + b"\xff"):
            assert find(units, other) == (entries.get(other, -1) if other else -1)


def test_the_largest_id_is_found():
    assert find(build_double_array({b"a": (1 << 24) - 2}), b"a") == (1 << 24) - 2


def test_build_without_entries_gives_a_root():
    assert find(build_double_array({}), b"a") == -1


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({b"": 1}, "is empty"),
        ({b"a\0": 1}, "zero byte"),
        ({b"a": -1}, "id -1"),
        ({b"a": (1 << 24) - 1}, "id 16777215; expected 0 to 16777214"),
        ({b"a": 1 << 70}, "id 1180591620717411303424"),
        ({b"a": "1"}, "id '1'"),
    ],
)
def test_build_bad_entry_raises(entries, message):
    with pytest.raises(ValueError, match=message):
        build_double_array(entries)


def test_build_of_other_keys_than_bytes_raises():
    with pytest.raises(TypeError, match="bytes"):
        build_double_array({"a": 1})
