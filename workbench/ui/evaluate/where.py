"""Where a model is good and where not: a table of groups for each family of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from workbench.evaluation import groups
from workbench.evaluation.groups import Row
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.compared import models_of
from workbench.ui.evaluate.views import Shown, in_hand
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

ALL = ""
OF_MODALITY = ("modality", "answer")
EXPECTED = 0.05
TOO_FEW = cards.chip("Too few to tell", "", "flat")


class WherePart:
    """The widgets of the part and their handlers."""

    name, title = "where", "Where"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="evaluate-where", min_width=0) as self.column:
            self.choice = view("evaluate-family")
            self.tables = view("evaluate-groups")
        self.widgets = [self.column, self.choice, self.tables]
        page.on([self.choice.click], self.choose, [], [self.choice, self.tables])

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """Every family, or the one that the address names by its number."""
        return {self.column: gr.Column(visible=True), **self._draw(place, shown.evaluation)}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}

    def choose(self, place: Place, event: gr.EventData) -> Widgets:
        """Keep to one family, or show all again."""
        said: dict[str, Any] = dict(event._data)
        place = place.at(family=str(said.get("family", "")))
        return {self.page.place: place, **self._draw(place, in_hand(self.page.workspace, place).evaluation)}

    def _draw(self, place: Place, evaluation: dict[str, Any]) -> Widgets:
        found = groups.families(evaluation.get("slices") or [])
        if not found:
            return {self.choice: "", self.tables: nothing()}
        names = list(found)
        kept = names[int(place.family)] if place.family.isdigit() and int(place.family) < len(names) else ALL
        tables = "".join(
            table(family, rows, models_of(evaluation)) for family, rows in found.items() if kept in (ALL, family)
        )
        return {self.choice: choice(evaluation, names, kept), self.tables: f'<div class="families">{tables}</div>'}


def nothing() -> str:
    """No family tells anything."""
    return cards.card(
        '<p class="quiet">The held-out queries are all of one kind: nothing tells one group of them from another. '
        "Columns of metadata with few values, such as a topic or a source, make groups.</p>",
        label="Where",
    )


def choice(evaluation: dict[str, Any], names: Sequence[str], kept: str) -> str:
    """How many groups were looked at, what that means, and the choice of a family."""
    rows = evaluation["slices"]
    count = groups.looked_at(rows)
    said = (
        f"{words.count(count, 'group')} of held-out queries, each model at its full size; a query may be in several. "
        "The 95 % interval below a score says how sure it is."
    )
    if len(models_of(evaluation)) > 1:
        said += (
            f" Among so many groups some differ by chance alone, {EXPECTED * count:.1f} of {count} on average if each "
            "were tested by itself. The verdicts are corrected for that; without one, take a group for a hint."
        )
    options = [(ALL, "All of them"), *((str(place), groups.family_words(name)) for place, name in enumerate(names))]
    number = str(names.index(kept)) if kept else ALL
    made = (
        f'<select name="family" id="evaluate-family-choose" data-act="choose" aria-label="Groups by">'
        f"{cards.options_of(options, number)}</select>"
    )
    select = made if len(names) > 1 else ""
    return f'<div class="split end"><p class="quiet where-said">{cards.text(said)}</p>{select}</div>'


def table(family: str, rows: Sequence[Row], models: Sequence[str]) -> str:
    """One line for each group and later model, beside the first model."""
    first = {row["value"]: row for row in rows if row["model"] == models[0]}
    if len(models) == 1:
        headers = ["Group", ">NDCG@10", ">Queries"]
        lines = [[_group(family, row), _score(row), f"{row['queries']:,}"] for row in first.values()]
    else:
        many = len(models) > 2
        headers = ["Group", *(["Model"] if many else []), "Verdict", ">Difference", f">{model_name(models[0])}"]
        headers += [">NDCG@10" if many else f">{model_name(models[1])}", ">Queries"]
        lines = [_line(family, row, first[row["value"]], models) for row in rows if "comparison" in row]
    title = groups.family_words(family)
    return cards.card(cards.table(headers, lines, caption=title), label=title)


def _line(family: str, row: Row, first: Row, models: Sequence[str]) -> list[str]:
    compared = row["comparison"]
    unsure = row["small"] and compared["verdict"] == groups.NO_CHANGE
    return [
        _group(family, row),
        *([cards.text(model_name(row["model"]))] if len(models) > 2 else []),
        TOO_FEW if unsure else cards.verdict_chip(compared["verdict"]),
        words.signed(compared["difference"]) + _interval(compared["interval"]),
        _score(first),
        _score(row),
        f"{row['queries']:,}",
    ]


def _group(family: str, row: Row) -> str:
    value = words.modality(row["value"]) if family in OF_MODALITY else str(row["value"])
    small = f" {cards.chip('small: ' + words.count(row['queries'], 'query', 'queries'))}" if row["small"] else ""
    return cards.text(value) + small


def _score(row: Row) -> str:
    return f"<b>{words.number(row['ndcg@10'])}</b>{_interval(row['interval'])}"


def _interval(bounds: Sequence[float]) -> str:
    return f' <span class="quiet small interval">{words.interval(bounds)}</span>'
