"""Whether it helped: every comparison with its interval, and every direction."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.evaluation import report
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.views import Shown, told_apart
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place


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
    """The comparisons of the directions that tell something of their own."""
    shown = told_apart(evaluation)
    rows = [
        [
            cards.verdict_chip(one["verdict"]),
            f"<b>{cards.text(model_name(one['b']))}</b> against {cards.text(model_name(one['a']))}",
            cards.text(words.direction(one["direction"])),
            words.signed(one["difference"]),
            words.interval(one["interval"]),
        ]
        for one in evaluation["comparisons"]
        if one["direction"] in shown
    ]
    if not rows:
        return cards.card(
            '<p class="quiet">Evaluate two models to see whether one is better.</p>', label="Did it help?"
        )
    headers = ["Verdict", "Models", "Direction", ">NDCG@10", ">95 % interval"]
    return cards.card(cards.table(headers, rows, caption="Comparisons"), label="Did it help?")


def directions(evaluation: dict[str, Any]) -> str:
    """Every model in every direction; nothing where there is but one."""
    names = told_apart(evaluation)
    if len(names) < 2:
        return ""
    rows = []
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
                    f"<b>{words.number(metrics.get('ndcg@10'))}</b>",
                    *(words.number(metrics.get(key)) for key in ("mrr@10", "recall@1", "recall@10", "recall@100")),
                ]
            )
    headers = [
        "Direction",
        "Model",
        ">Queries",
        ">Documents",
        ">NDCG@10",
        ">MRR@10",
        ">Recall@1",
        ">Recall@10",
        ">Recall@100",
    ]
    return cards.card(cards.table(headers, rows, caption="Directions"), label="Every direction, at full size")
