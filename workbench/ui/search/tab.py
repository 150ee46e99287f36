"""The frame of the Search tab: which index is in hand, its parts, and the form that makes another."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.collection.store import list_collections
from workbench.errors import WorkbenchError
from workbench.index.registry import get_index, list_indexes
from workbench.job_folder import JobFolder
from workbench.models.source import typed_reference
from workbench.ui import job_views, parts
from workbench.ui.choices import collection_in_hand, embedder_choices
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.place import Place
from workbench.ui.runs import start_index
from workbench.ui.search import views
from workbench.ui.search.ask import AskPart
from workbench.ui.search.in_hand import index_in_hand
from workbench.ui.search.index_page import IndexPart
from workbench.ui.search.index_page_views import job_title
from workbench.ui.search.side import SidePart

TICK_SECONDS = 1.0


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Search tab."""
    SearchTab(page, tab)


class SearchTab:
    """The widgets of the frame and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("search-top")
        self.job = view("search-job")
        self.row = view("search-parts")
        self.ask = AskPart(page)
        self.side = SidePart(page, self.ask.searcher, self.ask.asked, self.ask.options)
        self.index = IndexPart(page)
        self.parts: list[parts.Part] = [self.ask, self.side, self.index]
        with (
            gr.Accordion(
                "Make something else searchable",
                open=False,
                elem_id="search-form",
                elem_classes=["card"],
                visible=False,
            ) as self.form,
            gr.Row(elem_classes=["form-row"]),
        ):
            self.collection = gr.Dropdown(label="Collection", elem_id="search-collection")
            self.model = gr.Dropdown(label="Read by", allow_custom_value=True, elem_id="search-model")
            self.make = gr.Button("Make searchable", variant="primary", elem_id="search-make", min_width=0)
        self.foot = view("search-foot")
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self._wire(tab)

    def _wire(self, tab: gr.Tab) -> None:
        page = self.page
        inner = [widget for part in self.parts for widget in part.widgets]
        frame = [self.top, self.job, self.row, self.form, self.foot, self.collection, self.model, self.timer, self.seen]
        drawn = [*frame, *inner]
        page.refresh(tab, "search", self.refresh, [], drawn, timer=self.timer)
        page.watch("search", self.timer, self.watch_index, [self.seen], drawn)
        page.on([self.make.click], self.make_searchable, [self.collection, self.model], drawn)
        page.on([self.index.again.click], self.read_again, [self.index.model], drawn)
        inside = (self.ask.asked.view, self.ask.saved.view, *self.index.views)
        views_of_ours = (self.top, self.job, self.row, self.foot, *inside)
        page.on([one.click for one in views_of_ours], self.use_view, [], drawn)

    def refresh(self, place: Place) -> Widgets:
        """The index in hand and what can be done with it, read from disk."""
        workspace, current = self.page.workspace, self._jobs()
        listed = list_indexes(workspace)
        shown = index_in_hand(workspace, place)
        collections = [card.name for card in list_collections(workspace)]
        models = embedder_choices(workspace)
        waiting = any(not job.status().ended for job in current)
        row = parts.buttons(self.parts, parts.chosen(self.parts, place), {}, "index") if shown else ""
        return {
            self.top: views.top(listed, shown, bool(collections), waiting),
            self.job: "".join(job_views.job_card(job, job_title(job)) for job in current),
            self.row: row if len(self.parts) > 1 else "",
            self.ask.asked.view: self.ask.asked.draw(place, shown, waiting),
            self.form: gr.Accordion(
                visible=bool(collections) and (shown is not None or not waiting),
                open=shown is None and not place.asked,
                label="Make something else searchable" if shown else "Make searchable",
            ),
            self.foot: views.foot(shown) if shown and place.part != self.index.name else "",
            self.collection: gr.Dropdown(choices=collections, value=collection_in_hand(workspace, place) or None),
            self.model: gr.Dropdown(choices=models, value=models[0][1]),
            self.timer: clock(waiting, TICK_SECONDS),
            self.seen: self._seen(place),
            **parts.draw_parts(self.parts, place, shown),
        }  # fmt: skip

    def watch_index(self, place: Place, seen: str) -> Widgets | None:
        """While an index is being made: its progress, then the search. What is chosen stays until an index changes."""
        now = self._seen(place)
        if now == seen:
            return None
        changed = self.refresh(place)
        if now.partition(";")[0] == seen.partition(";")[0]:
            kept = [self.collection, self.model, *(widget for part in self.parts for widget in part.widgets)]
            kept += (
                [self.form] if changed[self.row] or changed[self.foot] else []
            )  # beside an index: as the user left it
            changed = {widget: value for widget, value in changed.items() if widget not in kept}
        return changed

    def make_searchable(self, place: Place, collection: str, model: str) -> Widgets:
        """Start indexing a collection with a model in the background."""
        if not collection or not model:
            raise WorkbenchError("Choose a collection and the model that reads it.")
        model = typed_reference(model)
        place = place.at(index=start_index(self.page, collection, model), collection=collection)
        return {self.page.place: place, **self.refresh(place)}

    def read_again(self, place: Place, model: str) -> Widgets:
        """Start reading what the index in hand holds with another model, beside the live one."""
        place = self.index.read_again(place, model)
        return {self.page.place: place, **self.refresh(place)}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons and selects of our HTML do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", ""))
        if act == "part":
            place = place.at(part=str(said["part"]))
            return {self.page.place: place, **self.refresh(place)}
        if act == "choose":
            chosen = get_index(self.page.workspace, str(said["index"]))
            asked = place.asked if chosen.collection == self.ask.asked.collection(place) else ""
            # The same words are asked of it; what was limited may not be there.
            place = place.at(index=chosen.name, collection=chosen.collection, asked=asked, how="")
        elif act == "open-saved":
            place = self.ask.saved.place(place, str(said.get("saved", "")))
            return {self.page.place: place, **self.refresh(place)}
        elif act == "remove-saved":
            return self.ask.saved.remove(str(said.get("saved", "")))
        elif act == "put-away":
            place = place.at(asked="")
        elif act == "make":
            collection, model = self.ask.asked.collection(place), self.ask.asked.model(place)
            place = place.at(index=start_index(self.page, collection, model), collection=collection)
        elif (moved := self.index.act(place, act, name)) is not None:
            place = moved
        else:
            job_views.use_job(self.page, act, name)
        return {self.page.place: place, **self.ask.clear(), **self.refresh(place)}

    def _jobs(self) -> list[JobFolder]:
        return job_views.open_jobs(self.page.workspace, "index", *self.index.works)

    def _seen(self, place: Place) -> str:
        """Changes with the indexes and which of them is shown, before the semicolon, and with the jobs, after it."""
        workspace = self.page.workspace
        listed, shown = list_indexes(workspace), index_in_hand(workspace, place)
        there = [
            shown.name if shown else "",
            self.index.seen(place, shown),
            *(f"{card.name}@{card.created}" for card in listed),
        ]
        return " ".join(there) + ";" + " ".join(job.etag() for job in self._jobs())
