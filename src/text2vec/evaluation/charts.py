"""Small pictures as SVG text: bars, distributions, points. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["bar_chart", "histogram_chart", "point_chart"]

_N_BINS = 40


def bar_chart(bars: Sequence[tuple[str, float, str]], *, unit: str = "") -> str:
    """Return horizontal bars, one below the other, from 0 to the longest.

    Parameters
    ----------
    bars
        Name, length and CSS class of each; negative lengths are drawn as 0.
    unit
        Put behind each number.

    Returns
    -------
    str
        An ``<svg>`` element; an empty one for no bars.

    Examples
    --------
    >>> bar_chart([("a", 1.0, "ours")]).startswith("<svg")
    True
    """
    height, label, width = 24, 460, 900  # a label has room for the longest name of the card
    longest = max((value for _, value, _ in bars), default=0.0) or 1.0
    parts = []
    for i, (name, value, kind) in enumerate(bars):
        y = i * height
        length = max(value, 0.0) / longest * (width - label - 80)
        parts.append(
            f'<text x="{label - 8}" y="{y + 16}" class="name">{escape(name)}</text>'
            f'<rect x="{label}" y="{y + 4}" width="{length:.1f}" height="16" class="{kind}"/>'
            f'<text x="{label + length + 6:.1f}" y="{y + 16}">{value:.2f}{escape(unit)}</text>'
        )
    return _svg(width, height * len(bars), parts)


def histogram_chart(groups: Mapping[str, ArrayLike]) -> str:
    """Return the distribution of each group's values as a filled curve over one axis.

    Parameters
    ----------
    groups
        Name -> values; the area of each group is the same, whatever its size.

    Returns
    -------
    str
        An ``<svg>`` element.

    Examples
    --------
    >>> histogram_chart({"0": [0.1, 0.2], "1": [0.8, 0.9]}).count("<path")
    2
    """
    width, height, base = 720, 150, 125
    values = {name: np.asarray(group, np.float64) for name, group in groups.items()}
    everything = np.concatenate([*values.values(), np.zeros(0)])
    low, high = (float(everything.min()), float(everything.max())) if len(everything) else (0, 1)
    high = high if high > low else low + 1.0
    counts = {
        name: np.histogram(group, _N_BINS, (low, high))[0] / max(len(group), 1)
        for name, group in values.items()
    }
    tallest = max((float(count.max()) for count in counts.values()), default=1.0) or 1.0
    parts, legend = [], []
    for i, (name, count) in enumerate(counts.items()):
        points = [
            f"{10 + (width - 20) * (bin_ + 0.5) / _N_BINS:.1f},{base - 110 * value / tallest:.1f}"
            for bin_, value in enumerate(count)
        ]
        shape = f"M10,{base} L{' L'.join(points)} L{width - 10},{base} Z"
        parts.append(f'<path d="{shape}" class="group g{i % 6}"/>')
        shown = f"{escape(name)} (n={len(values[name])})"
        gap = ' dx="14"' if i else ""
        legend.append(f'<tspan class="g{i % 6}"{gap}>{shown}</tspan>')
    parts += [
        f'<text x="14" y="12">{"".join(legend)}</text>',
        f'<line x1="10" y1="{base}" x2="{width - 10}" y2="{base}" class="axis"/>',
        f'<text x="10" y="{height - 8}">{low:.2f}</text>',
        f'<text x="{width - 10}" y="{height - 8}" class="name">{high:.2f}</text>',
    ]
    return _svg(width, height, parts)


def point_chart(points: Sequence[tuple[str, float, float]], x_name: str, y_name: str) -> str:
    """Return named points over a logarithmic x axis.

    Parameters
    ----------
    points
        Name, x above 0, and y of each.
    x_name, y_name
        What the axes show.

    Returns
    -------
    str
        An ``<svg>`` element.

    Raises
    ------
    ValueError
        If an x is not above 0.

    Examples
    --------
    >>> point_chart([("a", 10, 1), ("b", 100, 2)], "bytes", "score").count("<circle")
    2
    """
    width, height, left, base = 720, 360, 60, 310
    if any(x <= 0 for _, x, _ in points):
        raise ValueError(f"points {points}; expected every x above 0")
    xs = [math.log(x) for _, x, _ in points] or [0.0]
    ys = [y for _, _, y in points] or [0.0]
    x_span, y_span = (max(v) - min(v) or 1.0 for v in (xs, ys))
    parts = [
        f'<line x1="{left}" y1="{base}" x2="{width - 10}" y2="{base}" class="axis"/>',
        f'<line x1="{left}" y1="20" x2="{left}" y2="{base}" class="axis"/>',
        f'<text x="{width - 10}" y="{height - 12}" class="name">{escape(x_name)} (log)</text>',
        f'<text x="{left - 50}" y="14">{escape(y_name)}</text>',
        f'<text x="{left - 8}" y="{base - 10}" class="name">{min(ys):.2f}</text>',
        f'<text x="{left - 8}" y="44" class="name">{max(ys):.2f}</text>',
    ]
    for (name, x, y), log_x in zip(points, xs, strict=False):
        at_x = left + 20 + (log_x - min(xs)) / x_span * (width - left - 200)
        at_y = base - 20 - (y - min(ys)) / y_span * (base - 60)
        parts.append(
            f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="5" class="ours"/>'
            f'<text x="{at_x + 8:.1f}" y="{at_y + 4:.1f}">{escape(name)}</text>'
            f'<text x="{at_x:.1f}" y="{base + 16}" class="tick">{x:g}</text>'
        )
    return _svg(width, height, parts)


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">{"".join(parts)}</svg>'
    )
