"""A line chart as SVG: NDCG@10 against a size on a logarithmic axis, with a band for the interval of each line.

Drawn by a few lines of our own, not by Plotly: a report has to open from a folder, print, and work where scripts are
switched off, and Plotly would put 4.5 MB of script into every one of them. Lines are drawn with classes (`line
tone-1`), so that the page's style gives the colours of the light and of the dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 30, 40
LEAST_GAP = 34
BANDS_UP_TO = 4
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One line. tone: the end of its class, see `report.css`. low, high: the interval of each point, or nothing."""

    name: str
    tone: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def chart(
    lines: Sequence[Line], x_title: str, *, y_title: str = "NDCG@10", marked: tuple[float, float] | None = None
) -> str:
    """The SVG. marked: a point to be ringed. Bands are drawn for up to four lines; more would cover each other."""
    drawn = [line for line in lines if len(line.x)]
    if not drawn:
        return ""
    axes = _Axes(drawn)
    bands = [_band(axes, line) for line in drawn if line.low] if len(drawn) <= BANDS_UP_TO else []
    ring = ""
    if marked is not None:
        ring = f'<circle class="ring" cx="{axes.x(marked[0]):.1f}" cy="{axes.y(marked[1]):.1f}" r="8"/>'
    said = "; ".join(f"{line.name}: {max(line.y):.3f} at most" for line in drawn)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"{y_title} against {x_title}. {said}")}">'
        f"{_grid(axes, x_title, y_title)}{''.join(bands)}{''.join(_curve(axes, line) for line in drawn)}{ring}</svg>"
    )


class _Axes:
    """Where values lie in the picture: x by its logarithm, y from 0 to a round number above the highest."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.values = sorted({value for line in lines for value in line.x})
        self.top = _round_top(max(value for line in lines for value in [*line.y, *line.high]))
        self._low, self._high = (math.log2(self.values[place]) for place in (0, -1))

    def x(self, value: float) -> float:
        span = WIDTH - LEFT - RIGHT - 24
        part = (math.log2(value) - self._low) / (self._high - self._low) if self._high > self._low else 0.5
        return LEFT + 12 + part * span

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _round_top(highest: float) -> float:
    """A number with few digits that is not below the highest."""
    return next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if highest <= top), 1.0)


def _grid(axes: _Axes, x_title: str, y_title: str) -> str:
    parts = []
    for number in range(5):
        value = axes.top * number / 4
        height = axes.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    last = math.inf
    for value in reversed(axes.values):  # the largest first: it is the full size, and always named
        place = axes.x(value)
        if last - place >= LEAST_GAP:
            parts.append(f'<text x="{place:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,.0f}</text>')
            last = place
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text class="axis" x="4" y="14">{escape(y_title)}</text>')
    return "".join(parts)


def _band(axes: _Axes, line: Line) -> str:
    upper = [(axes.x(x), axes.y(y)) for x, y in zip(line.x, line.high, strict=True)]
    lower = [(axes.x(x), axes.y(y)) for x, y in zip(line.x, line.low, strict=True)]
    if len(upper) == 1:  # a bar, where there is no width for a band
        (x, high), (_, low) = upper[0], lower[0]
        return f'<line class="bar tone-{line.tone}" x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/>'
    return f'<polygon class="band tone-{line.tone}" points="{_points([*upper, *reversed(lower)])}"/>'


def _curve(axes: _Axes, line: Line) -> str:
    points = [(axes.x(x), axes.y(y)) for x, y in zip(line.x, line.y, strict=True)]
    curve = f'<polyline class="line tone-{line.tone}" points="{_points(points)}"/>' if len(points) > 1 else ""
    dots = []
    for place, (x, y) in enumerate(points):
        told = f"{line.name}, {line.x[place]:,.0f}: {line.y[place]:.3f}"
        if line.low:
            told += f" [{line.low[place]:.3f}, {line.high[place]:.3f}]"
        where = f'cx="{x:.1f}" cy="{y:.1f}" r="3.5"'
        dots.append(f'<circle class="dot tone-{line.tone}" {where}><title>{escape(told)}</title></circle>')
    return curve + "".join(dots)


def _points(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
