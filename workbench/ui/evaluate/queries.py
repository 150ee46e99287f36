"""Who gained and who lost: the queries that changed most between the first model and the last."""

from __future__ import annotations

import gradio as gr

from workbench.evaluation import report
from workbench.ui import cards
from workbench.ui.evaluate.views import Shown
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

CHANGES_SHOWN = 5


class QueriesPart:
    """The widgets of the part and their handlers."""

    name, title = "queries", "Gained and lost"

    def __init__(self, page: Page) -> None:
        with gr.Column(visible=False, elem_id="evaluate-queries", min_width=0) as self.column:
            self.changes = view("evaluate-changes")
        self.widgets = [self.column, self.changes]

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The largest changes, for the better and for the worse."""
        return {self.column: gr.Column(visible=True), self.changes: changes(shown)}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}


def changes(shown: Shown) -> str:
    """Two tables of queries, with the rank of the right answer before and after."""
    evaluation = shown.evaluation
    models = list(dict.fromkeys(row["model"] for row in evaluation["results"]))
    if len(models) < 2:
        return cards.card('<p class="quiet">Evaluate two models to see which queries gained.</p>', label="Gained most")
    cells = []
    for model in (models[0], models[-1]):
        row = max(
            (row for row in report.rows_of(evaluation) if row["model"] == model), key=lambda row: row["dimension"]
        )
        cells.append((model, row["dimension"], row["precision"]))
    gained, lost = report.changes(
        evaluation, shown.queries, cells[0], cells[1], collection=shown.collection, count=CHANGES_SHOWN
    )
    boxes = ""
    for title, found in (("Gained most", gained), ("Lost most", lost)):
        rows = [
            [cards.text(change.text or change.id), f"{_rank(change.rank_before)} → {_rank(change.rank_after)}"]
            for change in found
        ]
        body = (
            cards.table(["Query", ">Rank of the right answer"], rows, caption=title)
            if rows
            else ('<p class="quiet">None.</p>')
        )
        boxes += cards.card(body, label=title)
    return f'<div class="two">{boxes}</div>'


def _rank(rank: int | None) -> str:
    return "100+" if rank is None else str(rank)
