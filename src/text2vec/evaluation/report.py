"""One page of HTML that says how models did: table, distributions, bars, and pairs to read.

The page stands alone: no script, no font and no picture comes from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2vec.evaluation.charts import bar_chart, histogram_chart
from text2vec.evaluation.metrics import mean_ranks
from text2vec.evaluation.runner import Evaluation
from text2vec.evaluation.speed import Speed
from text2vec.evaluation.subject import Subject
from text2vec.evaluation.systems import PUBLISHED_TASKS, SYSTEMS, System
from text2vec.evaluation.table import TableRow, published_row, split_by_suite
from text2vec.evaluation.tasks import MAIN_METRICS
from text2vec.files.text_file import write_text

__all__ = ["STYLE", "ReportRow", "published_json", "worst_pairs", "write_report"]

_N_WORST = 8
_SHOWN = 160

STYLE = """
:root { color-scheme: light dark; --ink:#1c2330; --paper:#fff; --line:#d5dae3; --soft:#f3f5f9;
  --ours:#2563eb; --other:#9aa5b8; --g0:#dc2626; --g1:#2563eb; --g2:#d97706; --g3:#059669;
  --g4:#7c3aed; --g5:#0891b2; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6e9ef; --paper:#12161d; --line:#2d3542;
  --soft:#1a202a; --ours:#6ea0ff; --other:#8b97ab; --g0:#f87171; --g1:#6ea0ff; --g2:#fbbf24;
  --g3:#34d399; --g4:#a78bfa; --g5:#22d3ee; } }
body { font:15px/1.5 system-ui,sans-serif; color:var(--ink); background:var(--paper);
  max-width:68rem; margin:2rem auto; padding:0 1rem; }
h1,h2,h3 { line-height:1.2; } h2 { margin-top:2.5rem; border-bottom:1px solid var(--line); }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; }
th,td { padding:.35rem .6rem; border-bottom:1px solid var(--line); text-align:right; }
th:first-child,td:first-child,.text { text-align:left; } td.text { overflow-wrap:anywhere; }
tr.published td { color:var(--other); } .scroll { overflow-x:auto; } small { color:var(--other); }
svg { max-width:100%; height:auto; } svg text { font:12px system-ui,sans-serif; fill:var(--ink); }
svg .name { text-anchor:end; } svg .tick { text-anchor:middle; } svg .axis { stroke:var(--line); }
svg .ours { fill:var(--ours); } svg .other { fill:var(--other); }
svg .group { fill-opacity:.28; stroke-width:1.5; }
""" + "".join(
    f"svg .g{i} {{ fill:var(--g{i}); stroke:var(--g{i}); }} svg tspan.g{i} {{ stroke:none; }}\n"
    for i in range(6)
)


@dataclass(frozen=True)
class ReportRow:
    """One subject with all that was found.

    Attributes
    ----------
    subject
        What was evaluated.
    evaluations
        One a task.
    card_speed, speed
        By the card's protocol, and of the tasks' own texts; None if not measured.
    """

    subject: Subject
    evaluations: Sequence[Evaluation]
    card_speed: Speed | None = None
    speed: Speed | None = None

    @property
    def table_row(self) -> TableRow:
        """The row of the table."""
        results = [evaluation.result for evaluation in self.evaluations]
        return TableRow.of(self.subject.name, results, self.card_speed, self.speed)

    def as_json(self) -> dict[str, Any]:
        """Return results, means of the whole suites among them, and speed as JSON values."""
        tables = split_by_suite([self.table_row])
        speeds = {"qps": self.card_speed, "speed": self.speed}
        return {
            "subject": self.subject.name,
            "means": {suite: rows[0].mean for suite, rows in tables.items()},
            **{
                name: None
                if speed is None
                else {"texts_per_second": speed.texts_per_second, "spread": speed.spread}
                for name, speed in speeds.items()
            },
            "results": [asdict(evaluation.result) for evaluation in self.evaluations],
        }


def published_json(system: System, tasks: Sequence[str]) -> dict[str, Any]:
    """Return what was published of a system, in the form of ``ReportRow.as_json``.

    Parameters
    ----------
    system
        Its row.
    tasks
        Tasks of the run; those that were not published are left out.

    Returns
    -------
    dict[str, Any]
        ``published`` is true. A result has task, metric and score alone.

    Examples
    --------
    >>> published_json(SYSTEMS["moka-ai/m3e-base"], ["bq", "stsb-de"])["results"]
    [{'task': 'bq', 'metric': 'spearman', 'score': 63.81}]
    """
    row = published_row(system, tasks)
    scores = {task: score for task, score in row.scores.items() if score is not None}
    return {
        "subject": row.name,
        "published": True,
        "means": {suite: rows[0].mean for suite, rows in split_by_suite([row]).items()},
        "qps": {"texts_per_second": row.qps, "spread": None},
        "speed": None,
        "results": [
            {"task": task, "metric": MAIN_METRICS["pairs"], "score": score}
            for task, score in scores.items()
        ],
    }


def write_report(path: Path, rows: Sequence[ReportRow]) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        File to write.
    rows
        Subjects in the order of the table.
    """
    first = next((e.result for row in rows for e in row.evaluations), None)
    facts = "" if first is None else _facts(first.run.date, first.text2vec, first.run.machine)
    body = [
        "<h1>Evaluation</h1>",
        f"<p><small>{facts}</small></p>",
        *_score_tables(rows),
        *(_subject_section(row) for row in rows),
        _data_section(rows),
    ]
    write_text(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>text2vec evaluation</title><style>{STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n",
    )


def worst_pairs(
    scores: NDArray[np.float64], labels: Sequence[float], count: int = _N_WORST
) -> list[int]:
    """Return the places of the pairs whose rank by score is farthest from their rank by label.

    Parameters
    ----------
    scores, labels
        Shape ``(n_pairs,)`` each.
    count
        Pairs wanted.

    Returns
    -------
    list[int]
        Farthest first; of equal ones the earlier.

    Examples
    --------
    >>> worst_pairs(np.array([0.9, 0.1, 0.5, 0.6]), [0.0, 0.0, 1.0, 1.0], 1)
    [0]
    """
    by_score, by_label = (mean_ranks(np.asarray(x, np.float64)) for x in (scores, labels))
    far = np.argsort(-np.abs(by_score - by_label), kind="stable")[:count]
    return [int(place) for place in far]


def _facts(date: str, version: str, machine: Any) -> str:
    return escape(f"text2vec {version}, {date}, {machine.get('cpu')}, {machine.get('cores')} cores")


def _score_tables(rows: Sequence[ReportRow]) -> list[str]:
    parts = []
    for suite, ours in split_by_suite([row.table_row for row in rows]).items():
        tasks = list(dict.fromkeys(task for row in ours for task in row.scores))
        others = []
        if set(tasks) & set(PUBLISHED_TASKS):
            others = [published_row(system, tasks) for system in SYSTEMS.values()]
        parts += [f"<h2>Scores: {escape(suite)}</h2>", _score_table(tasks, ours, others, rows)]
        parts.append(_mean_bars(ours, others))
    return parts


def _score_table(
    tasks: Sequence[str],
    ours: Sequence[TableRow],
    others: Sequence[TableRow],
    rows: Sequence[ReportRow],
) -> str:
    table = [*((row, "") for row in ours), *((row, "published") for row in others)]
    intervals = {
        (row.subject.name, e.result.task): e.result.interval
        for row in rows
        for e in row.evaluations
    }
    head = "".join(
        f"<th>{escape(name)}</th>" for name in ("model", *tasks, "mean", "QPS", "texts/s")
    )
    lines = []
    for row, kind in table:
        cells = [f"<td>{escape(row.name)}</td>"]
        for task in tasks:
            interval = intervals.get((row.name, task))
            hint = f' title="95 %: {interval[0]:.2f} to {interval[1]:.2f}"' if interval else ""
            cells.append(f"<td{hint}>{_number(row.scores.get(task))}</td>")
        rates = ["" if x is None else f"{x:.0f}" for x in (row.qps, row.texts_per_second)]
        cells += [f"<td>{cell}</td>" for cell in (_number(row.mean), *rates)]
        lines.append(f'<tr class="{kind}">{"".join(cells)}</tr>')
    return (
        f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'
        "<p><small>Spearman x 100, or the main metric of the kind of task. Grey rows are published "
        "figures, their QPS of a Tesla V100. Point at a score for its 95 % bootstrap interval."
        "</small></p>"
    )


def _mean_bars(ours: Sequence[TableRow], others: Sequence[TableRow]) -> str:
    bars = [*((row, "ours") for row in ours), *((row, "other") for row in others)]
    known = [(row.name, row.mean, kind) for row, kind in bars if row.mean is not None]
    known.sort(key=lambda bar: -bar[1])
    return f"<h3>Mean</h3>{bar_chart(known)}" if known else ""


def _subject_section(row: ReportRow) -> str:
    parts = [f"<h2>{escape(row.subject.name)}</h2>"]
    facts = ", ".join(f"{name} {value}" for name, value in row.subject.facts.items())
    parts.append(f"<p><small>{escape(facts)}</small></p>")
    for evaluation in row.evaluations:
        result = evaluation.result
        parts.append(f"<h3>{escape(result.task)}: {_number(result.score)}</h3>")
        if evaluation.pair_scores is None:
            parts.append("<p><small>Read back from a finished run; no pairs to show.</small></p>")
        elif len(evaluation.pair_scores):
            parts.append(_pair_pictures(evaluation, evaluation.pair_scores))
    return "".join(parts)


def _data_section(rows: Sequence[ReportRow]) -> str:
    tasks = {e.data.task.name: e.data.task for row in rows for e in row.evaluations}
    lines = [
        "".join(
            f'<td class="text">{escape(word)}</td>'
            for word in (task.name, task.language, task.hub, task.licence or "not given")
        )
        for task in tasks.values()
    ]
    head = "".join(
        f'<th class="text">{name}</th>' for name in ("task", "language", "Hub", "licence")
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>Data</h2><table><tr>{head}</tr>{body}</table>" if lines else ""


def _pair_pictures(evaluation: Evaluation, scores: NDArray[Any]) -> str:
    data = evaluation.data
    labels = np.asarray(data.labels)
    # Labels with fractions are gathered at whole numbers, so that no label has a curve of its own.
    steps = labels if len(np.unique(labels)) <= 6 else np.floor(labels)
    groups = {f"label {step:g}": scores[steps == step] for step in np.unique(steps)}
    lines = []
    for i in worst_pairs(scores, data.labels):
        texts = "".join(
            f'<td class="text">{escape(text[:_SHOWN])}{"…" if len(text) > _SHOWN else ""}</td>'
            for text in (data.left[i], data.right[i])
        )
        lines.append(f"<tr><td>{labels[i]:g}</td><td>{scores[i]:.3f}</td>{texts}</tr>")
    return (
        f"{histogram_chart(groups)}<details><summary>Pairs that rank farthest from their label"
        "</summary><table><tr><th>label</th><th>score</th><th>first</th><th>second</th></tr>"
        f"{''.join(lines)}</table></details>"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
