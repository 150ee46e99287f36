"""Plots that stay: one Plotly figure a node, updated in place, so that a zoom survives what arrives meanwhile.

Python sends the lines, ``assets/page.js`` draws them in the colours of the tokens, and ``assets/scatter.js`` a map. The
untouched model is a dashed grey line in every plot. ``gr.Plot`` is not used: it is destroyed and drawn again with every
update.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

BASE = "base"
FLOOR = "floor"
TEMPLATE = '<div class="plot" role="img" aria-label="Plot"></div>'
PLOT_JS = """
const node = element.querySelector('.plot');
const draw = () => wb.plot(node, props.value);
draw();
watch('value', draw);
addEventListener('wb-theme', draw);
new ResizeObserver(() => { if (node.data && node.clientWidth) Plotly.Plots.resize(node); }).observe(node);
"""

SCATTER = """
<div class="map">
  <div class="fields map-fields"></div>
  <div class="map-key" role="group" aria-label="Groups to show"></div>
  <div class="map-canvas"><div class="plot" role="img" aria-label="Map"></div>
    <div class="map-ring" hidden></div><div class="map-ring" hidden></div></div>
  <p class="quiet small map-note"></p>
  <div class="map-peek"><img alt="" hidden><div><p class="label"></p>
    <p class="map-text">Point at a dot to see the item. Click it to open it.</p></div></div>
</div>
"""
SCATTER_JS = """
const root = element.querySelector('.map');
const draw = () => wb.scatter(root, props.value, trigger);
draw();
watch('value', draw);
addEventListener('wb-theme', draw);
let width = 0;
new ResizeObserver(() => { if (root.clientWidth !== width) { width = root.clientWidth; draw(); } }).observe(root);
"""


def plotly_file() -> Path:
    """Plotly's own script, from the package that is installed; served as it is."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def make_plot(identifier: str) -> gr.HTML:
    """An empty plot; give it the value that `figure` returns."""
    return gr.HTML(
        elem_id=identifier,
        elem_classes=["plot-card"],
        html_template=TEMPLATE,
        js_on_load=PLOT_JS,
        apply_default_css=False,
        head=f'<script src="/gradio_api/file={plotly_file()}"></script>',
    )


def make_scatter(identifier: str) -> gr.HTML:
    """An empty map of points, to be given {"map": JSON} as of `evaluate.map_views.scatter`. A click on a point triggers
    `click` with {"act": "open", "point": its number}."""
    return gr.HTML(
        elem_id=identifier,
        elem_classes=["plot-card"],
        html_template=SCATTER,
        js_on_load=SCATTER_JS,
        apply_default_css=False,
        head=f'<script src="/gradio_api/file={plotly_file()}"></script>',
    )


def line(
    name: str,
    points: Sequence[Sequence[float | None]],
    *,
    tone: str = "1",
    intervals: Sequence[Sequence[float] | None] = (),
    label: str = "",
    markers: bool = False,
    marks: Sequence[str] = (),
) -> dict[str, Any]:
    """One line. `points`: [[x, y], …]; `tone`: base, floor, 1, 2, 3 or 4; `label` is written at its end, `marks` beside
    each of its points."""
    return {
        "name": name,
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "tone": tone,
        "intervals": list(intervals),
        "label": label,
        "markers": markers,
        "marks": list(marks),
    }


def figure(
    title: str,
    x_title: str,
    lines: Sequence[dict[str, Any]],
    *,
    log_x: bool = False,
    from_zero: bool = True,
    ticks: Sequence[float] = (),
    says: str = "",
) -> dict[str, Any]:
    """The value of a plot. `ticks`: of a logarithmic axis, else one at each point. `says` is what a screen reader says
    in place of it."""
    return {
        "title": title,
        "x_title": x_title,
        "lines": [item for item in lines if item["x"]],
        "log_x": log_x,
        "from_zero": from_zero,
        "ticks": list(ticks),
        "says": says or f"{title} against {x_title}",
    }
