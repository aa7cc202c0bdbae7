"""The page, its pictures and the table, read back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import rankdata

from text2vec.evaluation import charts
from text2vec.evaluation.baselines import baseline_subject
from text2vec.evaluation.report import ReportRow, worst_pairs, write_report
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.speed import Speed
from text2vec.evaluation.systems import SYSTEMS
from text2vec.evaluation.table import TableRow, format_table, published_row
from text2vec.evaluation.tasks import SUITES, find_tasks

SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]


def test_page_stands_alone_and_holds_all(subject, data, tmp_path):
    tasks = find_tasks(["stsb-de"], ["chinese"])[:-1]
    rows = [
        ReportRow(subject, evaluate(subject, tasks, data), Speed(10, (2.0, 1.0))),
        ReportRow(
            baseline_subject("tf-idf"), evaluate(baseline_subject("tf-idf"), tasks, data), None
        ),
    ]
    write_report(tmp_path / "report.html", rows)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.links
    assert "script" not in page.tags
    assert text.count("<svg") == 15  # seven tasks of two subjects, and the means
    assert all(hub in text for hub in SYSTEMS)
    assert all(task.licence in text for task in tasks)
    assert f"{rows[0].table_row.mean:.2f}" in text
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_texts_cannot_break_the_page(tmp_path, encoder):
    from tests.evaluation.conftest import write_lines
    from text2vec.evaluation.subject import encoder_subject
    from text2vec.evaluation.tasks import Task

    bad = "<script>alert(1)</script>"
    rows = [{"text1": f"{bad}{i}", "text2": "b", "score": i} for i in range(3)]
    write_lines(tmp_path / "a.jsonl", rows)
    subject = encoder_subject(bad, encoder)
    found = evaluate(subject, [Task("x", "pairs", ("a.jsonl",), "en")], tmp_path)
    write_report(tmp_path / "r.html", [ReportRow(subject, found)])
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "script" not in Page(text).tags
    assert "&lt;script&gt;" in text


def test_worst_pairs_equal_scipys_ranks():
    chooser = np.random.default_rng(0)
    scores, labels = chooser.integers(0, 5, 50).astype(float), chooser.integers(0, 3, 50).tolist()
    far = np.abs(rankdata(scores) - rankdata(labels))
    assert [far[i] for i in worst_pairs(scores, labels)] == sorted(far, reverse=True)[:8]


def test_pictures_show_what_they_are_given():
    bars = ET.fromstring(
        charts.bar_chart([("a<b", 50, "ours"), ("c", 100, "other"), ("d", -1, "x")])
    )
    widths = [float(rect.get("width")) for rect in bars.iter(f"{SVG}rect")]
    assert widths == [pytest.approx(widths[1] / 2), widths[1], 0]
    assert [t.text for t in bars.iter(f"{SVG}text")][:2] == ["a<b", "50.00"]
    points = ET.fromstring(
        charts.point_chart([("a", 10, 1), ("b", 100, 2), ("c", 1000, 3)], "x", "y")
    )
    xs = [float(c.get("cx")) for c in points.iter(f"{SVG}circle")]
    ys = [float(c.get("cy")) for c in points.iter(f"{SVG}circle")]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert ys == sorted(ys, reverse=True)
    with pytest.raises(ValueError, match="expected every x above 0"):
        charts.point_chart([("a", 0, 1)], "x", "y")
    assert ET.fromstring(charts.histogram_chart({})).tag == f"{SVG}svg"
    assert ET.fromstring(charts.bar_chart([])).tag == f"{SVG}svg"


def test_published_rows_stand_under_ours():
    rows = [published_row(row, SUITES["chinese"]) for row in SYSTEMS.values()]
    text = format_table([TableRow("我们的", {"atec": 50.0}, 50.0, 9000.0), *rows])
    assert "63.08" in text
    assert len({len(line.encode("gbk", "replace").rstrip()) for line in text.splitlines()}) == 1
    assert published_row(rows and SYSTEMS["moka-ai/m3e-base"], ["atec", "stsb-de"]).mean is None
    assert format_table([]) == ""
