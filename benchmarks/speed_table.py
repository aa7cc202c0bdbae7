"""A run of ``encode.py`` as a Markdown table for the README, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peers import BASELINE

from text2vec.evaluation.charts import bar_chart

_COLUMNS = {
    "encoder": "",
    "short texts/s": "",
    "ratio": f"ratio: to {BASELINE}",
    "of the machine": "of the machine: share of its own rate of matrix products in that precision",
    "256 tokens, texts/s": "",
    "card's QPS": "",
    "one text, ms": "one text: of 10 tokens, one thread, p50",
    "MB": "MB: peak memory of the process",
    "cold start, s": "cold start: from a shell to one text's vector",
}
"""Heading -> what the line above the table says of it."""
_STYLE = (
    "text{font:13px sans-serif;fill:#333}.name{text-anchor:end}"
    ".ours{fill:#2563eb}.other{fill:#9aa5b8}"
)


def format_table(page: Mapping[str, Any]) -> str:
    """Return what a run measured, as a paragraph and a Markdown table.

    Parameters
    ----------
    page
        What ``encode.py`` writes.

    Returns
    -------
    str
        A row each encoder; encoders held to a family come last; empty cells were not measured, and
        a column without any is left out.
    """
    encoders = page["encoders"]
    names = sorted(
        encoders, key=lambda name: (encoders[name]["family"] != "", -_speed(encoders[name]))
    )
    rows = [tuple(_COLUMNS), *((name, *_cells(encoders[name])) for name in names)]
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    head, *body = [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]
    legend = [_COLUMNS[column[0]] for column in columns if _COLUMNS[column[0]]]
    lines = [
        f"{'; '.join([_describe(page), *legend])}.",
        "",
        head,
        "|" + "---|" * len(columns),
        *body,
    ]
    for command, found in page.get("command", {}).items():
        lines += ["", f"`{command}`: {found['seconds']:.2f} s, {found['peak_memory_mb']:.0f} MB."]
    return "\n".join(lines)


def draw_chart(page: Mapping[str, Any]) -> str:
    """Return the texts/s of each encoder on the short texts as bars, fastest first."""
    encoders = page["encoders"]
    speeds = {name: _speed(found) for name, found in encoders.items()}
    shown = [
        (name, speeds[name], "ours" if encoders[name].get("facts") else "other")
        for name in sorted(speeds, key=speeds.__getitem__, reverse=True)
    ]
    chart = bar_chart(shown)
    head, _, rest = chart.partition(">")
    return f"{head}><style>{_STYLE}</style>{rest}\n"


def _speed(found: Mapping[str, Any]) -> float:
    return float(found["workloads"].get("short", {}).get("texts_per_second", 0.0))


def _describe(page: Mapping[str, Any]) -> str:
    short, machine = page["texts"]["short"], page["machine"]
    flags = [flag for flag in ("amx_int8", "avx512_vnni", "avx2") if flag in machine["flags"]]
    best = flags[0] if flags else "no AVX2"
    return (
        f"{short['n_texts']:,} short texts ({short['source'].partition(';')[0]}; "
        f"{short['n_tokens']:,} tokens), {page['threads']} threads of {machine['cpu']} ({best}), "
        f"{page['date'][:10]}, medians of {page['rounds']} rounds"
    )


def _cells(found: Mapping[str, Any]) -> list[str]:
    works = found["workloads"]
    short = works.get("short", {})
    calls = found["one_text_ms"].get("1", {})
    cells = (
        (short.get("texts_per_second"), ",.0f"),
        (short.get("ratios", {}).get(BASELINE), ".1f"),
        (short.get("share_of_machine"), ".0%"),
        (works.get("long", {}).get("texts_per_second"), ",.1f"),
        (works.get("card", {}).get("texts_per_second"), ",.0f"),
        (calls.get("p50"), ".2f"),
        (found.get("peak_memory_mb"), ",.0f"),
        (found.get("cold", {}).get("seconds"), ".2f"),
    )
    return ["" if value is None else format(value, shape) for value, shape in cells]
