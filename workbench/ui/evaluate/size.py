"""Which size to ship: NDCG@10 against dimension, the smallest size that loses next to nothing, and every size."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from workbench.evaluation import report
from workbench.evaluation.costs import Prices, cost, pareto, read_prices, set_prices
from workbench.evaluation.speed import milliseconds
from workbench.index.table import PRECISIONS
from workbench.ui import cards, plots, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.views import Shown, floor_name, floors, in_hand, is_tuned, tones
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.ui.runs import start_index

MOST_SIZES, MOST_INTERVALS = 24, 3


class SizePart:
    """The widgets of the part and their handlers."""

    name, title = "size", "Which size"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="evaluate-size", min_width=0) as self.column:
            with gr.Row(elem_id="evaluate-main", elem_classes=["wide-narrow"]):
                self.plot = plots.make_plot("evaluate-plot")
                self.advice = view("evaluate-advice")
            with gr.Row(elem_id="evaluate-costs", elem_classes=["wide-narrow"]):
                self.bytes_plot = plots.make_plot("evaluate-bytes")
                with gr.Column(elem_classes=["card"], min_width=0):
                    self._place_prices()
            self.table = view("evaluate-sizes")
        self.drawn = [self.plot, self.advice, self.bytes_plot, self.table]
        self.widgets = [self.column, *self.drawn, *self.prices]
        page.on([one.submit for one in self.prices] + [one.blur for one in self.prices], self.set_prices,
                self.prices, self.drawn)  # fmt: skip
        page.on([self.advice.click], self.use_size, [], [])

    def _place_prices(self) -> None:
        self.items = gr.Number(label="Items to be searched", precision=0, minimum=1, elem_id="evaluate-items")
        self.memory = gr.Number(label="A gigabyte of memory, a month", minimum=0, elem_id="evaluate-memory-price")
        self.disk = gr.Number(label="A gigabyte of disk, a month", minimum=0, elem_id="evaluate-disk-price")
        self.tolerance = gr.Number(
            label="May lose, in percent of the best score", minimum=0, maximum=50, elem_id="evaluate-tolerance",
            info="The smallest size within this is recommended.",
        )  # fmt: skip
        self.prices = [self.items, self.memory, self.disk, self.tolerance]

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The curves, the recommendation, the prices and the table."""
        prices = read_prices(self.page.workspace)
        values = [prices.items, prices.memory_price, prices.disk_price, 100 * prices.tolerance]
        return {
            self.column: gr.Column(visible=True),
            **self._draw(shown, prices),
            **dict(zip(self.prices, values, strict=True)),
        }

    def _draw(self, shown: Shown, prices: Prices) -> Widgets:
        evaluation = shown.evaluation
        # Resamples: once for all that tell of it.
        found = report.recommend(evaluation, shown.queries, tolerance=prices.tolerance)
        return {
            self.plot: plot(evaluation),
            self.advice: advice(found, prices),
            self.bytes_plot: bytes_plot(evaluation),
            self.table: sizes(evaluation, found, prices),
        }

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}

    def set_prices(
        self, place: Place, items: float | None, memory: float | None, disk: float | None, tolerance: float | None
    ) -> Widgets | None:
        """Keep what was typed, and say again what each size costs; nothing where a field was only left."""
        given = {
            "items": items,
            "memory_price": memory,
            "disk_price": disk,
            "tolerance": None if tolerance is None else tolerance / 100,
        }
        before = read_prices(self.page.workspace)
        prices = set_prices(self.page.workspace, **{key: value for key, value in given.items() if value is not None})
        return None if prices == before else self._draw(in_hand(self.page.workspace, place), prices)

    def use_size(self, place: Place, event: gr.EventData) -> Widgets | None:
        """Make the collection searchable with the recommended model at the recommended dimension."""
        said: dict[str, Any] = dict(event._data)
        if said["act"] != "use-size":
            return None
        shown = in_hand(self.page.workspace, place)
        tolerance = read_prices(self.page.workspace).tolerance
        found = report.recommend(shown.evaluation, shown.queries, tolerance=tolerance)
        collection = str(shown.evaluation["collection"])
        index = start_index(self.page, collection, found.model, found.dimension, _kept_as(found.precision))
        return {self.page.place: place.at(tab="search", collection=collection, index=index)}


def plot(evaluation: dict[str, Any]) -> dict[str, Any]:
    """NDCG@10 against dimension, one line a model, of the first precision."""
    precision = evaluation["results"][0]["precision"]
    found = report.series(evaluation, precision=precision)
    tone = tones([line.model for line in found])
    # Intervals of many lines, at the same few places, would lie upon each other.
    bounded = sum(is_tuned(line.model) for line in found) <= MOST_INTERVALS
    lines = [
        plots.line(
            model_name(line.model),
            list(zip(line.dimensions, line.ndcg, strict=True)),
            tone=tone[line.model],
            intervals=list(zip(line.low, line.high, strict=True)) if bounded and is_tuned(line.model) else (),
            label=model_name(line.model) if is_tuned(line.model) else f"untouched {line.model}",
            markers=is_tuned(line.model),
        )
        for line in found
    ]
    sizes_drawn = sorted({size for line in found for size in line.dimensions})
    lines += [_floor_line(row, sizes_drawn) for row in floors(evaluation)]
    says = "; ".join(f"{model_name(line.model)}: {line.ndcg[-1]:.3f} at {line.dimensions[-1]}" for line in found)
    return plots.figure("NDCG@10", "dimensions kept", lines, log_x=True, says=f"NDCG@10 against dimensions. {says}")


def _floor_line(row: dict[str, Any], sizes_drawn: list[int]) -> dict[str, Any]:
    """What full text or guessing scores: the same at every size."""
    name, height = floor_name(row), row["metrics"]["ndcg@10"]
    return plots.line(name, [(size, height) for size in sizes_drawn], tone=plots.FLOOR, label=name)


def bytes_plot(evaluation: dict[str, Any]) -> dict[str, Any]:
    """NDCG@10 against the bytes of a vector: of each model the sizes that none of its others beats."""
    table = report.table(evaluation)
    tone = tones([row["model"] for row in table])
    lines = []
    for model in dict.fromkeys(row["model"] for row in table):
        front = pareto([row for row in table if row["model"] == model])
        points = [(row["bytes"], row["ndcg@10"]) for row in front]
        lines.append(
            plots.line(model_name(model), points, tone=tone[model], label=model_name(model), markers=is_tuned(model))
        )
    says = "; ".join(f"{one['name']}: {one['y'][0]:.3f} in {one['x'][0]} bytes" for one in lines)
    return plots.figure(
        "NDCG@10", "bytes a vector", lines, log_x=True, says=f"NDCG@10 against bytes a vector. Smallest: {says}"
    )


def advice(found: report.Recommendation, prices: Prices) -> str:
    """The smallest size that loses no more than it may, what it saves, and the button that uses it."""
    kept = 100 * found.ndcg / found.best_ndcg if found.best_ndcg else 100.0
    sizes_told = [(found.best_dimension, found.best_precision), (found.dimension, found.precision)]
    marked = {len(dict.fromkeys(sizes_told)) - 1}
    cells = []
    for dimension, precision in dict.fromkeys(sizes_told):
        costs = cost(dimension, precision, prices)
        cells.append(
            [cards.text(f"{dimension} × {precision}"), words.size(costs["memory_bytes"]), f"{costs['a_month']:,.2f}"]
        )
    saying = (
        f"<b>{cards.text(model_name(found.model))}</b> at this size keeps <b>{kept:.1f} %</b> of the best score"
        + (f" in vectors {found.best_bytes / found.bytes:.3g} times smaller" if marked == {1} else "")
        + "."
    )
    unsure = "" if found.sure else '<p class="quiet small">More held-out queries would make this certain.</p>'
    heading = f"{words.count(prices.items, 'item')}"
    kept_as = _kept_as(found.precision)
    size = f"{found.dimension} dimensions" + (f", {kept_as}" if kept_as != "float32" else "")
    button = cards.button(f"Make searchable at {size}", "use-size", identifier="evaluate-use-size")
    if kept_as != found.precision:
        unsure += f'<p class="quiet small">An index here keeps {kept_as} at the smallest.</p>'
    return cards.card(
        f'<div class="figure"><span class="value">{found.dimension} × {cards.text(found.precision)}</span></div>'
        f"<p>{saying}</p>{unsure}"
        + cards.table([heading, ">memory", ">a month"], cells, caption=f"Cost of {heading}", marked=marked)
        + f'<div class="actions">{button}</div>'
        + _take_away(found),
        label="Recommendation",
    )


def _take_away(found: report.Recommendation) -> str:
    """How a run's model is taken away at this size."""
    if not is_tuned(found.model):
        return ""
    command = f"python -m workbench export {found.model} --to FOLDER --dimension {found.dimension}"
    return f'<p class="quiet small">The model itself at this size: <code>{cards.text(command)}</code></p>'


def _kept_as(precision: str) -> str:
    """The precision in which an index keeps what was recommended: the smallest it can, or what was asked for."""
    return precision if precision in PRECISIONS else PRECISIONS[-1]


def sizes(evaluation: dict[str, Any], found: report.Recommendation, prices: Prices) -> str:
    """The table of every size, the recommended one marked; of very many, first those that none of their model beats."""
    table = report.table(evaluation)
    note = f"Index, month and search are those of {words.count(prices.items, 'item')}."
    if speeds := evaluation.get("speeds"):
        note += (
            f" A search compares one query with every vector, timed with {speeds[0]['documents']:,} of them on one "
            "core of the machine that evaluated; a search structure needs a small part of it."
        )
    note = f'<p class="quiet small">{note}</p>'
    drawn = partial(_size_table, evaluation, (found.model, found.dimension, found.precision), prices)
    if len(table) <= MOST_SIZES:
        return cards.card(drawn(table, "Sizes") + note, label="Every size")
    first = [row for model in dict.fromkeys(row["model"] for row in table) for row in _worth_a_look(table, model)]
    rest = f"<details><summary>All {len(table):,} sizes</summary>{drawn(table, 'All sizes')}</details>"
    lead = '<p class="quiet small">Of each model its full size, and the sizes that no smaller one of its own beats.</p>'
    return cards.card(lead + drawn(first, "Sizes") + rest + note, label="Sizes worth a look")


def _worth_a_look(table: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    """Of one model the full size, and what is best at its bytes, the largest first."""
    own = [row for row in table if row["model"] == model]
    front = [row for row in reversed(pareto(own)) if row is not own[0]]
    return [own[0], *front]


def _size_table(
    evaluation: dict[str, Any],
    chosen: tuple[str, int, str],
    prices: Prices,
    table: list[dict[str, Any]],
    caption: str,
) -> str:
    rows, marked = [], set()
    recall = all("recall@10" in row for row in table)
    speeds = evaluation.get("speeds") or []
    for place, row in enumerate(table):
        if (row["model"], row["dimension"], row["precision"]) == chosen:
            marked.add(place)
        costs = cost(row["dimension"], row["precision"], prices)
        taken = milliseconds(speeds, row["dimension"], row["precision"], prices.items)
        rows.append(
            [
                cards.text(model_name(row["model"])),
                f"{row['dimension']:,}",
                cards.text(row["precision"]),
                f"<b>{words.number(row['ndcg@10'])}</b>",
                words.interval(row["interval"]),
                *([words.number(row["recall@10"])] if recall else []),
                words.size(row["bytes"]),
                words.size(costs["memory_bytes"]),
                f"{costs['a_month']:,.2f}",
                *([words.milliseconds(taken)] if speeds else []),
                f"{100 * row['kept']:.1f} %",
            ]
        )
    headers = [
        "Model",
        ">Dimensions",
        "Precision",
        ">NDCG@10",
        ">95 % interval",
        *([">Recall@10"] if recall else []),
        ">A vector",
        ">Index",
        ">A month",
        *([">A search"] if speeds else []),
        ">Of its best",
    ]
    return cards.table(headers, rows, caption=caption, marked=marked)
