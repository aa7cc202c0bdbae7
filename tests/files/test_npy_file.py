from __future__ import annotations

import io

import numpy as np
import pytest

from text2vec.files.npy_file import NpyWriter


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", ">f4"])
@pytest.mark.parametrize("sizes", [[0], [1], [3, 1, 20]])
def test_npy_writer_numpy_loads_the_blocks_joined(dtype, sizes):
    blocks = [np.arange(n * 5).reshape(n, 5).astype(dtype) for n in sizes]
    stream = io.BytesIO()
    writer = NpyWriter(stream)
    for block in blocks:
        writer.write([""] * len(block), block)
    writer.finish()
    stream.seek(0)
    loaded = np.load(stream, allow_pickle=False)
    assert loaded.dtype == np.dtype(dtype)
    assert np.array_equal(loaded, np.concatenate(blocks))
    assert len(stream.getvalue()) == 128 + loaded.nbytes


def test_npy_writer_takes_strided_blocks():
    block = np.arange(24, dtype=np.float32).reshape(4, 6).T[:, ::2]
    stream = io.BytesIO()
    writer = NpyWriter(stream)
    writer.write([""] * 6, block)
    writer.finish()
    stream.seek(0)
    assert np.array_equal(np.load(stream), block)
