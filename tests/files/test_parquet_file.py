from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from text2vec.errors import DataFormatError, MissingExtraError
from text2vec.files import parquet_file
from text2vec.files.parquet_file import ParquetWriter, count_parquet_rows, read_parquet_rows

pa = pytest.importorskip("pyarrow", reason="extra parquet is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="extra parquet is not installed")


def make(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_read_parquet_rows_every_kind_of_text(tmp_path, kind):
    path = make(tmp_path / "a.parquet", id=[1, 2, 3], text=pa.array(["茶", "", "茶"]).cast(kind))
    assert list(read_parquet_rows(path, ["text"])) == [(1, ("茶",)), (2, ("",)), (3, ("茶",))]


def test_read_parquet_rows_crosses_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_file, "_READ_ROWS", 3)
    texts = [f"t{n}" for n in range(10)]
    path = make(tmp_path / "a.parquet", a=texts, b=texts[::-1])
    expected = [(n, (f"t{10 - n}", f"t{n - 1}")) for n in range(1, 11)]
    assert list(read_parquet_rows(path, ["b", "a"])) == expected
    assert count_parquet_rows(path) == 10


def test_read_parquet_rows_null_is_named_by_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_file, "_READ_ROWS", 2)
    path = make(tmp_path / "a.parquet", text=["a", "b", "c", None])
    with pytest.raises(DataFormatError, match=r"a\.parquet:4: expected text .*'text', found null"):
        list(read_parquet_rows(path, ["text"]))


def test_read_parquet_rows_wrong_columns_are_named(tmp_path):
    path = make(tmp_path / "a.parquet", text=[1, 2])
    with pytest.raises(DataFormatError, match="expected text in column 'text', found int64"):
        list(read_parquet_rows(path, ["text"]))
    with pytest.raises(DataFormatError, match=r"one column 'title', found columns \['text'\]"):
        list(read_parquet_rows(path, ["title"]))


@pytest.mark.parametrize("damage", ["no parquet", "cut", "flipped", "footer"])
def test_read_parquet_rows_damage_is_a_data_error(tmp_path, damage):
    path = make(tmp_path / "a.parquet", text=[f"some text {n}" for n in range(2000)])
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[4:400] = bytes(396)
    footer = whole[:-80] + b"\xff" * 40 + whole[-40:]
    damaged = {"no parquet": b"hello", "cut": whole[:-9], "flipped": flipped, "footer": footer}
    path.write_bytes(damaged[damage])
    with pytest.raises(DataFormatError, match=r"a\.parquet: expected .* found damage"):
        list(read_parquet_rows(path, ["text"]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint8])
@pytest.mark.parametrize("group_bytes", [1, 2**20])
def test_parquet_writer_rows_read_back(monkeypatch, dtype, group_bytes):
    monkeypatch.setattr(parquet_file, "_ROW_GROUP_BYTES", group_bytes)
    blocks = [np.arange(n * 4).reshape(n, 4).astype(dtype) for n in (2, 3)]
    stream = io.BytesIO()
    writer = ParquetWriter(stream)
    writer.write(["a", "茶"], blocks[0])
    writer.write(["", "a", "b"], blocks[1])
    writer.finish()
    table = pq.read_table(io.BytesIO(stream.getvalue()))
    assert table.column("text").to_pylist() == ["a", "茶", "", "a", "b"]
    assert pa.types.is_fixed_size_list(table.schema.field("embedding").type)
    values = table.column("embedding").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    assert values.dtype == dtype
    assert np.array_equal(values.reshape(5, 4), np.concatenate(blocks))


def test_parquet_writer_no_rows_keeps_dim():
    stream = io.BytesIO()
    writer = ParquetWriter(stream)
    writer.write([], np.zeros((0, 7), np.float32))
    writer.finish()
    table = pq.read_table(io.BytesIO(stream.getvalue()))
    assert (table.num_rows, table.schema.field("embedding").type.list_size) == (0, 7)


def test_missing_pyarrow_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    match = r"pyarrow is not installed; pip install 'text2vec\[parquet\]'"
    with pytest.raises(MissingExtraError, match=match):
        list(read_parquet_rows(tmp_path / "a.parquet", ["text"]))
    with pytest.raises(MissingExtraError, match=match):
        ParquetWriter(io.BytesIO())
