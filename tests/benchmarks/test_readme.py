import json

import pytest
from readme import read_speeds, replace_block
from speed_table import draw_chart, format_table

PAGE = {
    "finished": True,
    "date": "2026-11-27T10:00:00+00:00",
    "machine": {"cpu": "A & B", "flags": ["avx2"]},
    "threads": 2,
    "rounds": 3,
    "texts": {"short": {"n_texts": 4096, "n_tokens": 71291, "source": "STS-B; SOHU"}},
    "encoders": {
        "sentence-transformers float32": {
            "family": "",
            "facts": {},
            "workloads": {"short": {"texts_per_second": 100.0, "ratios": {}}},
            "one_text_ms": {},
        },
        "text2vec int8": {
            "family": "",
            "facts": {"kernels": "avx2/pairs"},
            "workloads": {
                "short": {
                    "texts_per_second": 1800.0,
                    "ratios": {"sentence-transformers float32": 18.04},
                    "share_of_machine": 0.5,
                }
            },
            "one_text_ms": {"1": {"p50": 1.234}},
            "cold": {"seconds": 0.25},
        },
    },
    "command": {"text2vec encode hello": {"seconds": 0.3, "peak_memory_mb": 180.0}},
    "skipped": {},
}


def test_only_the_named_block_is_replaced():
    page = "<!-- a -->\n1\n<!-- end -->\n<!-- b -->\n2\n<!-- end -->\n"
    assert replace_block(page, "b", r"\1 new") == page.replace("2", r"\1 new")


@pytest.mark.parametrize("page", ["", "<!-- a -->\n1\n<!-- end -->\n" * 2])
def test_a_block_that_is_not_there_once_is_an_error(page):
    with pytest.raises(ValueError, match="expected 1"):
        replace_block(page, "a", "new")


def test_table_is_sorted_and_leaves_out_what_nobody_was_measured_on():
    lines = format_table(PAGE).splitlines()
    assert lines[4] == "| text2vec int8 | 1,800 | 18.0 | 50% | 1.23 | 0.25 |"
    assert lines[5].startswith("| sentence-transformers float32 | 100 |  |")
    assert lines[-1] == "`text2vec encode hello`: 0.30 s, 180 MB."


def test_chart_has_a_bar_each_and_its_own_style():
    chart = draw_chart(PAGE)
    assert chart.count("<rect") == 2
    assert chart.startswith("<svg")
    assert "<style>" in chart


def test_speeds_of_a_stopped_run_are_refused(tmp_path):
    path = tmp_path / "encode.json"
    assert read_speeds(path) is None
    path.write_text(json.dumps(PAGE), "utf-8")
    assert read_speeds(path) == format_table(PAGE)
    path.write_text(json.dumps({**PAGE, "finished": False}), "utf-8")
    with pytest.raises(ValueError, match="stopped"):
        read_speeds(path)
