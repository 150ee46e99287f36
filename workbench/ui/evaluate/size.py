"""Which size to ship: NDCG@10 against dimension, the smallest size that loses next to nothing, and every size."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.evaluation import report
from workbench.ui import cards, plots, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.views import Shown, is_tuned, tones
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place


class SizePart:
    """The widgets of the part and their handlers."""

    name, title = "size", "Which size"

    def __init__(self, page: Page) -> None:
        with gr.Column(visible=False, elem_id="evaluate-size", min_width=0) as self.column:
            with gr.Row(elem_id="evaluate-main", elem_classes=["wide-narrow"]):
                self.plot = plots.make_plot("evaluate-plot")
                self.advice = view("evaluate-advice")
            self.table = view("evaluate-sizes")
        self.widgets = [self.column, self.plot, self.advice, self.table]

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The curve, the recommendation and the table."""
        return {
            self.column: gr.Column(visible=True),
            self.plot: plot(shown.evaluation),
            self.advice: advice(shown.evaluation),
            self.table: sizes(shown.evaluation),
        }

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}


def plot(evaluation: dict[str, Any]) -> dict[str, Any]:
    """NDCG@10 against dimension, one line a model, of the first precision."""
    precision = evaluation["results"][0]["precision"]
    found = report.series(evaluation, precision=precision)
    tone = tones([line.model for line in found])
    lines = [
        plots.line(
            model_name(line.model),
            list(zip(line.dimensions, line.ndcg, strict=True)),
            tone=tone[line.model],
            intervals=list(zip(line.low, line.high, strict=True)) if is_tuned(line.model) else (),
            label=model_name(line.model) if is_tuned(line.model) else f"untouched {line.model}",
            markers=is_tuned(line.model),
        )
        for line in found
    ]
    says = "; ".join(f"{model_name(line.model)}: {line.ndcg[-1]:.3f} at {line.dimensions[-1]}" for line in found)
    return plots.figure("NDCG@10", "dimensions kept", lines, log_x=True, says=f"NDCG@10 against dimensions. {says}")


def advice(evaluation: dict[str, Any]) -> str:
    """The smallest size that loses next to nothing, and what it saves."""
    found = report.recommend(evaluation)
    kept = 100 * found.ndcg / found.best_ndcg if found.best_ndcg else 100.0
    rows = [[f"{found.best_dimension} × {found.best_precision}", words.size(100e6 * found.best_bytes)]]
    marked = {0}
    if (found.dimension, found.precision) != (found.best_dimension, found.best_precision):
        rows.append([f"{found.dimension} × {found.precision}", words.size(100e6 * found.bytes)])
        marked = {1}
    cells = [[cards.text(cell) for cell in row] for row in rows]
    saying = (
        f"<b>{cards.text(model_name(found.model))}</b> at this size keeps <b>{kept:.1f} %</b> of the best score"
        + (f" in vectors {found.best_bytes / found.bytes:.3g} times smaller" if marked == {1} else "")
        + "."
    )
    unsure = "" if found.sure else '<p class="quiet small">More held-out queries would make this certain.</p>'
    return cards.card(
        f'<div class="figure"><span class="value">{found.dimension} × {cards.text(found.precision)}</span></div>'
        f"<p>{saying}</p>{unsure}"
        + cards.table(["At 100 million items", ">memory"], cells, caption="Memory at 100 million items", marked=marked),
        label="Recommendation",
    )


def sizes(evaluation: dict[str, Any]) -> str:
    """The table of every size, the recommended one marked."""
    found = report.recommend(evaluation)
    chosen = (found.model, found.dimension, found.precision)
    rows, marked = [], set()
    for place, row in enumerate(report.table(evaluation)):
        if (row["model"], row["dimension"], row["precision"]) == chosen:
            marked.add(place)
        rows.append(
            [
                cards.text(model_name(row["model"])),
                f"{row['dimension']:,}",
                cards.text(row["precision"]),
                f"<b>{words.number(row['ndcg@10'])}</b>",
                words.interval(row["interval"]),
                words.number(row.get("recall@10")),
                words.size(row["bytes"]),
                f"{100 * row['kept']:.1f} %",
            ]
        )
    headers = [
        "Model",
        ">Dimensions",
        "Precision",
        ">NDCG@10",
        ">95 % interval",
        ">Recall@10",
        ">A vector",
        ">Of its best",
    ]
    return cards.card(cards.table(headers, rows, caption="Sizes", marked=marked), label="Every size")
