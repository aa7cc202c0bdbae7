"""Data sets by their published names, from a hub on loopback."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.hub import LocalHub
from text2vec.errors import Text2VecError
from text2vec.evaluation.task_data import load_task
from text2vec.evaluation.tasks import TASKS

COLUMNS = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [1.0, 0.0]}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    chinese, multi = tmp_path / "atec", tmp_path / "multi"
    for path in (chinese / "data", multi / "data" / "de", multi / "data" / "en"):
        path.mkdir(parents=True)
        for split in ("test", "validation"):
            name = f"{split}-00000-of-00001-abc.parquet"
            pyarrow.parquet.write_table(pa.table(COLUMNS), path / name)
    (chinese / "README.md").write_text("test")
    hub = LocalHub({"datasets/C-MTEB/ATEC": chinese, "datasets/mteb/stsb_multi_mt": multi})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    with hub:
        yield hub


def on_main(name, **changes):
    return dataclasses.replace(TASKS[name], revision="", **changes)


@pytest.mark.parametrize("name", ["atec", "stsb-de"])
def test_published_names_lead_to_the_test_split(name, hub):
    loaded = load_task(on_main(name), None)
    assert (loaded.left, loaded.right, loaded.labels) == (["a", "b"], ["c", "d"], [1.0, 0.0])
    assert not any(path.endswith("README.md") for path in hub.downloads())


def test_no_network_is_said_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(Text2VecError, match=r"C-MTEB/ATEC.*cannot be had.*--data DIR"):
        load_task(TASKS["atec"], None)


def test_what_is_not_there_is_said(hub):
    with pytest.raises(Text2VecError, match=r"expected one file of split 'test' of 'fr', found"):
        load_task(on_main("stsb-fr"), None)
    with pytest.raises(Text2VecError, match=r"cannot be had.*--data DIR"):
        load_task(on_main("bq"), None)
    with pytest.raises(Text2VecError, match="cannot be had"):
        load_task(dataclasses.replace(TASKS["atec"], revision="f" * 40), None)
