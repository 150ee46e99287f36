"""Whether it helped: every comparison with its interval, and every direction."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.evaluation import report
from workbench.evaluation.statistics import queries_needed, smallest_seen
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.views import Shown, floor_name, floors
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

SMALL_DIFFERENCE = 0.02
MOST_MEASURES = 7


class VerdictsPart:
    """The widgets of the part and their handlers."""

    name, title = "verdicts", "Did it help"

    def __init__(self, page: Page) -> None:
        with gr.Column(visible=False, elem_id="evaluate-verdicts", min_width=0) as self.column:
            self.told = view("evaluate-told")
        self.widgets = [self.column, self.told]

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The verdicts, then the directions."""
        told = verdicts(shown.evaluation) + directions(shown.evaluation)
        return {self.column: gr.Column(visible=True), self.told: told}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}


def verdicts(evaluation: dict[str, Any]) -> str:
    """The comparisons of the directions that tell something of their own, and what more queries would show."""
    shown = report.told_apart(evaluation)
    told = [one for one in evaluation["comparisons"] if one["direction"] in shown]
    if not told:
        alone = "Evaluate two models to see whether one is better."
        return cards.card(f'<p class="quiet">{alone}</p>', label="Did it help?")
    rows = [
        [
            cards.verdict_chip(one["verdict"]),
            f"<b>{cards.text(model_name(one['b']))}</b> against {cards.text(model_name(one['a']))}",
            cards.text(words.direction(one["direction"])),
            words.signed(one["difference"]),
            words.interval(one["interval"]),
            f"{one.get('p_holm', one['p']):.4f}",
        ]
        for one in told
    ]
    headers = ["Verdict", "Models", "Direction", ">NDCG@10", ">95 % interval", ">p"]
    table = cards.table(headers, rows, caption="Comparisons")
    return cards.card(table + _how_sure(told), label="Did it help?")


def _how_sure(told: list[dict[str, Any]]) -> str:
    """What the held-out queries can show, and how many would show less; empty for evaluations that kept no spread."""
    widest = max((one for one in told if one.get("spread")), key=lambda one: _smallest_seen(one), default=None)
    if widest is None:
        return ""
    pairs = {(one["a"], one["b"]) for one in told}
    many = (
        "The p values are corrected for the number of models compared, as the more are compared the more differ by "
        "chance. "
        if len(pairs) > 1
        else ""
    )
    needed = words.count(queries_needed(widest["spread"], SMALL_DIFFERENCE), "query", "queries")
    queries = words.count(widest["queries"], "query shows", "queries show")
    return (
        f'<p class="quiet small">{many}{queries} a difference of {_smallest_seen(widest):.3f} in four of five cases '
        f"({cards.text(words.direction(widest['direction']))}). To see one of {SMALL_DIFFERENCE} takes {needed}.</p>"
    )


def _smallest_seen(one: dict[str, Any]) -> float:
    """The smallest difference that the queries of a comparison show in four of five cases."""
    return smallest_seen(one["spread"], one["queries"])


def directions(evaluation: dict[str, Any]) -> str:
    """Every model and floor in every direction; nothing where there is but one, and no floor to see it against."""
    names = report.told_apart(evaluation)
    if len(names) < 2 and not floors(evaluation, names[0]):
        return ""
    rows, shown = [], _measures(evaluation)
    for name in names:
        found = report.rows_of(evaluation, name)
        for model in dict.fromkeys(row["model"] for row in found):
            row = max((row for row in found if row["model"] == model), key=lambda row: row["dimension"])
            metrics = row["metrics"]
            rows.append(
                [
                    cards.text(words.direction(name)),
                    cards.text(model_name(model)),
                    f"{row['queries']:,}",
                    f"{row['documents']:,}",
                    f"<b>{words.number(metrics.get(shown[0]))}</b>",
                    *(words.number(metrics.get(key)) for key in shown[1:]),
                ]
            )
        rows += _floor_rows(evaluation, name, shown)
    headers = ["Direction", "Model", ">Queries", ">Documents", *(f">{words.measure(name)}" for name in shown)]
    return cards.card(cards.table(headers, rows, caption="Directions"), label="Every direction, at full size")


def _measures(evaluation: dict[str, Any]) -> list[str]:
    """The measures that were taken, NDCG@10 first, as many as a table holds."""
    return list(evaluation["results"][0]["metrics"])[:MOST_MEASURES]


def _floor_rows(evaluation: dict[str, Any], direction: str, shown: list[str]) -> list[list[str]]:
    """What full text and guessing score, quietly."""
    cells = [
        [
            cards.text(words.direction(direction)),
            floor_name(row),
            f"{row['queries']:,}",
            f"{row['documents']:,}",
            *(words.number(row["metrics"].get(key)) for key in shown),
        ]
        for row in floors(evaluation, direction)
    ]
    return [[f'<span class="quiet">{cell}</span>' for cell in row] for row in cells]
