"""The part that asks two ways to search the same question, side by side; blind, if the user wants to judge fairly."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.preference import Pipeline, prefer, preference
from workbench.index.question import LONGEST_WORDS
from workbench.index.recent import Recent
from workbench.index.registry import IndexCard, get_index, list_indexes
from workbench.index.results import SearchResult
from workbench.index.search import Searcher
from workbench.models.source import check_here, typed_reference
from workbench.models.vectors import halvings
from workbench.ui.page import LISTEN_JS, Page, Widgets, view
from workbench.ui.place import Place
from workbench.ui.search import side_views
from workbench.ui.search.asked import Asked
from workbench.ui.search.options import NO_RERANKER, Options

KEPT = 200
SHOWN = 10
NOTHING_YET = '<p class="quiet">Ask something that you know the answers to, and see what each of the two finds.</p>'
# After a pick, what it was is read out.
SIDE_JS = LISTEN_JS + "watch('value', () => document.getElementById('side-picked')?.focus({ preventScroll: true }));"


@dataclass(frozen=True)
class Both:
    """Two lists that wait for a pick: as they are shown, left and right."""

    pipelines: tuple[Pipeline, Pipeline]
    found: tuple[SearchResult, SearchResult]
    query: Item


class SidePart:
    """The widgets of the part and their handlers."""

    name = "side"
    title = "Side by side"

    def __init__(self, page: Page, searcher: Searcher, asked: Asked, options: Options) -> None:
        self.page, self.searcher, self.asked, self.options = page, searcher, asked, options
        self._waiting: Recent[Both] = Recent(KEPT)
        with gr.Column(elem_id="search-side", min_width=0, visible=False) as self.main:
            with gr.Row(elem_id="side-ask"):
                self.text = gr.Textbox(
                    label="What to look for", placeholder="Describe what you are looking for", elem_id="side-text",
                    container=False, max_lines=1, scale=1, min_width=120,
                )  # fmt: skip
                self.go = gr.Button("Search with both", variant="primary", elem_id="side-go", min_width=0)
            with gr.Row(elem_id="side-choices"):
                self.choices = [
                    _Choice(page, side, way) for side, way in zip(side_views.SIDES, ("First", "Second"), strict=True)
                ]
            self.blind = gr.Checkbox(
                label="Blind: shuffle the two lists and do not say which is which, until I have picked the better one",
                elem_id="side-blind", container=False,
            )  # fmt: skip
            self.results = gr.HTML(NOTHING_YET, elem_id="side-results", js_on_load=SIDE_JS, apply_default_css=False)
            self.score = view("side-score")
        self.opening = gr.Textbox(visible="hidden", label="Both in the address")
        chosen = [widget for choice in self.choices for widget in choice.widgets]
        self.widgets = [self.main, *chosen, self.score, self.opening, self.text]
        shown = [self.results, self.score]
        for choice in self.choices:
            page.on([choice.index.input], choice.choose_index, [choice.index], [choice.dimension])
        page.on([self.go.click, self.text.submit], self.ask_both, [self.text, self.blind, *chosen], shown, queue=True,
                waits_on=self.results)  # fmt: skip
        page.on([self.opening.change], self.ask_asked, [self.opening, self.blind, *chosen], shown, queue=True,
                waits_on=self.results, moved=True)  # fmt: skip
        page.on([self.results.click], self.pick_list, [], shown, queue=True)

    def draw(self, place: Place, shown: IndexCard) -> Widgets:
        """The two ways that the address names, else two that differ in the way that is most asked for."""
        listed = list_indexes(self.page.workspace)
        pair = _read(place.sides, listed) or propose(shown, listed, self.options.rerankers(shown))
        changed: Widgets = {self.main: gr.Column(visible=True), self.text: place.q}
        for choice, pipeline in zip(self.choices, pair, strict=True):
            changed |= choice.draw(pipeline, listed, self.options.rerankers(shown))
        changed[self.score] = self._score(pair)
        changed[self.opening] = f"{place.sides}\n{place.q}\n{place.asked}" if place.q or place.asked else ""
        return changed

    def hide(self) -> Widgets:
        """Not shown; what was found stays for when it is shown again."""
        return {self.main: gr.Column(visible=False)}

    def ask_both(self, place: Place, text: str, blind: bool, *chosen: Any) -> Widgets:
        """Ask both the question, and show what each found."""
        pair = self._pipelines(chosen)
        said = text.strip()
        if not said and not place.asked:
            raise WorkbenchError("Write what you are looking for, then press Search with both.")
        query = Item(text=said) if said else self.asked.item(place)
        sides = "~".join(pipeline.write() for pipeline in pair)
        place = place.at(q=said if len(said) <= LONGEST_WORDS else "", asked="" if said else place.asked, sides=sides)
        return {self.page.place: place, **self._both(pair, query, blind)}

    def ask_asked(self, place: Place, opening: str, blind: bool, *chosen: Any) -> Widgets | None:
        """The address asks both: so does the page."""
        if not opening or (place.asked and not self.asked.is_there(place)):
            return None
        query = self.asked.item(place) if place.asked else Item(text=place.q)
        pair = _read(place.sides, list_indexes(self.page.workspace)) or self._pipelines(chosen)
        return self._both(pair, query, blind)

    def pick_list(self, place: Place, event: gr.EventData) -> Widgets | None:
        """Keep which list is better, and tell which was which."""
        said: dict[str, Any] = dict(event._data)
        if said["act"] != "pick":
            return None
        try:
            both = self._waiting.get(str(said.get("key", "")), _nothing)
        except KeyError:
            raise WorkbenchError("These lists were shown too long ago. Search again, then pick.") from None
        picked = {"left": 1, "right": 2}.get(str(said.get("pick", "")), 0)
        prefer(self.page.workspace, *both.pipelines, both.query, picked)
        titles = self._titles(both.pipelines)
        told = f"You picked: {titles[picked - 1]}." if picked else "You saw no difference."
        drawn = side_views.columns(both.found, titles, self.page.workspace, self.page.media, told=told)
        # The score is told in the order of the choices above, whichever stood left.
        pair = _read(place.sides, list_indexes(self.page.workspace)) or both.pipelines
        return {self.results: drawn, self.score: self._score(pair)}

    def _both(self, pair: tuple[Pipeline, Pipeline], query: Item, blind: bool) -> Widgets:
        for one in pair:
            if one.reranker:
                check_here(typed_reference(one.reranker, remote=self.page.may_run_code))
        first, second = (one.ask(self.searcher.search, query, SHOWN) for one in pair)
        found, key = (first, second), ""
        if blind:
            if secrets.randbelow(2):
                found, pair = (second, first), (pair[1], pair[0])
            key, shown = secrets.token_urlsafe(12), Both(pair, found, query)
            self._waiting.get(key, lambda: shown)
        drawn = side_views.columns(found, self._titles(pair), self.page.workspace, self.page.media, key=key)
        return {self.results: drawn} if blind else {self.results: drawn, self.score: self._score(pair)}

    def _pipelines(self, chosen: tuple[Any, ...]) -> tuple[Pipeline, Pipeline]:
        half = len(chosen) // 2
        first, second = (self._pipeline(*chosen[place : place + half]) for place in (0, half))
        if first == second:
            raise WorkbenchError("Both sides are the same. Choose another index, size or reranker on one of them.")
        return first, second

    def _pipeline(self, index: str, dimension: str, reranker: str | None) -> Pipeline:
        size, card = int(dimension or 0), get_index(self.page.workspace, str(index))
        return Pipeline(card.name, 0 if size == card.dimension else size, reranker or "")

    def _titles(self, pair: tuple[Pipeline, Pipeline]) -> tuple[str, str]:
        listed = {card.name: card for card in list_indexes(self.page.workspace)}
        first, second = (side_views.title(one, listed.get(one.index)) for one in pair)
        return first, second

    def _score(self, pair: tuple[Pipeline, Pipeline]) -> str:
        if pair[0] == pair[1]:
            return ""
        return side_views.score(preference(self.page.workspace, *pair), self._titles(pair))


class _Choice:
    """The fields of one side: its index, how much of each vector, and what reranks."""

    def __init__(self, page: Page, side: str, way: str) -> None:
        self.page = page
        with gr.Column(min_width=0, elem_classes=["card", "side-choice"]):
            self.index = gr.Dropdown(label=f"{way} way to search: index", elem_id=f"side-{side}-index", min_width=120)
            with gr.Row():
                self.dimension = gr.Dropdown(label="Dimensions", elem_id=f"side-{side}-dimension", min_width=100)
                self.reranker = gr.Dropdown(label="Rerank with", elem_id=f"side-{side}-reranker", min_width=140)
        self.widgets = [self.index, self.dimension, self.reranker]

    def choose_index(self, place: Place, index: str) -> Widgets:
        """Offer the sizes of another index."""
        return {self.dimension: _sizes(get_index(self.page.workspace, index), 0)}

    def draw(self, pipeline: Pipeline, listed: list[IndexCard], rerankers: list[tuple[str, str]]) -> Widgets:
        """The choices, with one of them made."""
        card = next((one for one in listed if one.name == pipeline.index), listed[0])
        offered = [("nothing", NO_RERANKER), *rerankers]
        known = pipeline.reranker in {value for _, value in offered}
        return {
            self.index: gr.Dropdown(choices=[(_label(one), one.name) for one in listed], value=card.name),
            self.dimension: _sizes(card, pipeline.dimension),
            self.reranker: gr.Dropdown(choices=offered, value=pipeline.reranker if known else NO_RERANKER),
        }


def propose(shown: IndexCard, listed: list[IndexCard], rerankers: list[tuple[str, str]]) -> tuple[Pipeline, Pipeline]:
    """Two ways worth comparing: two models on one collection, else a reranker or not, else a smaller size."""
    others = [one for one in listed if one.collection == shown.collection and one.name != shown.name]
    first = Pipeline(shown.name)
    if other := next((one for one in others if one.model != shown.model), next(iter(others), None)):
        return Pipeline(other.name), first
    if usable := next((value for label, value in rerankers if "cannot read" not in label), ""):
        return first, Pipeline(shown.name, reranker=usable)
    return first, Pipeline(shown.name, halvings(shown.dimension)[-1])


def _read(sides: str, listed: list[IndexCard]) -> tuple[Pipeline, Pipeline] | None:
    """The two that an address names, if there are such indexes."""
    told = [Pipeline.read(one) for one in sides.split("~")] if sides.count("~") == 1 else []
    names = {card.name for card in listed}
    pair = [one for one in told if one is not None and one.index in names]
    return (pair[0], pair[1]) if len(pair) == 2 else None


def _sizes(card: IndexCard, chosen: int) -> gr.Dropdown:
    sizes = [(f"{size} (all)" if size == card.dimension else str(size), size) for size in halvings(card.dimension)]
    value = chosen if chosen in {size for _, size in sizes} else card.dimension
    return gr.Dropdown(choices=[(label, str(size)) for label, size in sizes], value=str(value))


def _label(card: IndexCard) -> str:
    return f"{card.name} · {side_views.model_name(card.model)}"


def _nothing() -> Both:
    raise KeyError
