from __future__ import annotations

import argparse
import io
from contextlib import redirect_stderr

import numpy as np
import pytest

from text2vec.cli.blocks import encode_blocks, file_source, stream_source, typed_source


def options(**changed):
    return argparse.Namespace(
        **{
            "batch_size": None,
            "chunk_size": 2,
            "normalize": False,
            "precision": "float32",
            "prompt": None,
            "prompt_name": None,
            "quiet": False,
            "truncate_dim": None,
        }
        | changed
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_on_terminal(model, source, args):
    """Return what a terminal on stderr was shown."""
    with redirect_stderr(Terminal()) as terminal:
        list(encode_blocks(model, source, args))
    return terminal.getvalue()


def test_encode_blocks_rows_and_embeddings_belong_together(model):
    source = typed_source([("a", "b"), ("c", "d" * 21), ("e", "f")])
    blocks = list(encode_blocks(model, source, options(quiet=True)))
    assert [len(block.records) for block in blocks] == [2, 1]
    assert [block.n_cut for block in blocks] == [1, 1]
    for block in blocks:
        texts = [text for row in block.records for text in row.texts]
        assert np.array_equal(block.embeddings, [model.vector(text) for text in texts])


def test_encode_blocks_no_rows_give_one_block_of_no_rows(model):
    blocks = list(encode_blocks(model, typed_source([]), options()))
    assert [(block.records, block.embeddings.shape) for block in blocks] == [([], (0, 8))]


def test_encode_blocks_progress_on_a_terminal(model, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\n" * 5, encoding="utf-8")
    shown = run_on_terminal(model, file_source(path, ["text"]), options())
    assert "5/5" in shown
    assert "rows/s" in shown


def test_encode_blocks_progress_without_a_known_end(model):
    assert "5 rows" in run_on_terminal(model, stream_source(io.BytesIO(b"a\n" * 5)), options())


@pytest.mark.parametrize("changed", [{"quiet": True}, {"chunk_size": 5}])
def test_encode_blocks_no_progress_when_quiet_or_soon_done(model, changed):
    assert run_on_terminal(model, typed_source([("a",)] * 5), options(**changed)) == ""


def test_encode_blocks_no_progress_without_a_terminal(model, capsys):
    list(encode_blocks(model, typed_source([("a",)] * 5), options()))
    assert capsys.readouterr().err == ""


def test_file_source_name_is_printable(tmp_path):
    path = tmp_path / "a\udcff.txt"
    try:
        path.touch()
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    assert file_source(path, ["text"]).name.endswith("a\\udcff.txt")
