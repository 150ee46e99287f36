"""The Search tab: ask by text, picture, sound, video or both together; look at and play what is found."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.collection.store import Item, list_collections
from workbench.errors import WorkbenchError
from workbench.index.registry import IndexCard, get_index, list_indexes, remove_index
from workbench.index.search import Searcher
from workbench.job_folder import JobFolder
from workbench.models.source import check_here, is_here, typed_reference
from workbench.models.vectors import halvings
from workbench.ui import job_views, search_views
from workbench.ui.asked import Asked, nothing_given
from workbench.ui.choices import collection_in_hand, embedder_choices, remote_choices, reranker_choices, with_limits
from workbench.ui.feedback import Feedback
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.place import Place
from workbench.ui.runs import start_index
from workbench.ui.search_query import read_query, take_as_sent

MODES = [("Text", "text"), ("Picture", "image"), ("Sound", "audio"), ("Video", "video"), ("Mixed", "mixed")]
ANY = "any"
NO_RERANKER = ""
TICK_SECONDS = 1.0


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Search tab."""
    SearchTab(page, tab)


class SearchTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.searcher = Searcher(page.workspace)
        self.top = view("search-top")
        self.job = view("search-job")
        self.asked = Asked(page)
        with gr.Column(elem_id="search-main", min_width=0, visible=False) as self.main:
            with gr.Row(elem_id="search-ask"):
                self.mode = gr.Radio(
                    MODES,
                    value="text",
                    label="Ask by",
                    elem_id="search-mode",
                    elem_classes=["segmented"],
                    container=False,
                )
                self.text = gr.Textbox(
                    label="What to look for", placeholder="Describe what you are looking for", elem_id="search-text",
                    container=False, max_lines=1, scale=1, min_width=120,
                )  # fmt: skip
                self.go = gr.Button("Search", variant="primary", elem_id="search-go", min_width=0)
            with gr.Row(elem_id="search-media", visible=False) as self.media_row:
                # Boxes are shown and hidden, not the fields: a field that is changed becomes a new one of Gradio's own.
                with gr.Column(min_width=0, visible=False) as self.image_box:
                    self.image = gr.Image(
                        label="Picture", type="filepath", sources=["upload", "clipboard"], elem_id="search-image",
                        height=180, buttons=["fullscreen"],
                    )  # fmt: skip
                with gr.Column(min_width=0, visible=False) as self.audio_box:
                    self.audio = gr.Audio(
                        label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="search-audio",
                        buttons=[],
                    )  # fmt: skip
                with gr.Column(min_width=0, visible=False) as self.video_box:
                    self.video = gr.Video(
                        label="Video", sources=["upload"], elem_id="search-video", height=220, buttons=[]
                    )
                for field in (self.image, self.audio, self.video):
                    take_as_sent(field)
            with gr.Row(elem_id="search-options"):
                self.modality = gr.Dropdown(label="Show", elem_id="search-modality", min_width=120)
                self.dimension = gr.Dropdown(label="Dimensions", elem_id="search-dimension", min_width=110)
                self.reranker = gr.Dropdown(label="Rerank with", elem_id="search-reranker", min_width=180)
                self.first = gr.Number(
                    50, label="Rerank first", precision=0, minimum=2, maximum=1000, elem_id="search-first", min_width=90
                )
                self.count = gr.Number(
                    10, label="Results", precision=0, minimum=1, maximum=100, elem_id="search-count", min_width=90
                )
            self.filters = view("search-filters")
            self.where = gr.Textbox(visible="hidden", label="Where")
            self.feedback = Feedback(page)
            self.results = view("search-results")
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
        drawn = [self.top, self.job, self.asked.view, self.main, self.form, self.foot, self.collection, self.model,
                 self.modality, self.dimension, self.reranker, self.filters, self.timer, self.seen]  # fmt: skip
        page.refresh(tab, "search", self.refresh, [], drawn, timer=self.timer)
        page.watch("search", self.timer, self.watch_index, [self.seen], drawn)
        modes = [self.text, self.media_row, self.image_box, self.audio_box, self.video_box]
        page.on([self.mode.input], self.choose_mode, [self.mode], modes)
        page.on([self.make.click], self.make_searchable, [self.collection, self.model], drawn)
        page.on(
            [self.top.click, self.job.click, self.foot.click, self.asked.view.click],
            self.use_view,
            [],
            [*drawn, self.results, self.feedback.row],
        )
        options = [self.modality, self.dimension, self.reranker, self.first, self.count, self.feedback.collection,
                   self.where]  # fmt: skip
        found = [self.results, self.feedback.row, self.feedback.collection]
        fields = [self.mode, self.text, self.image, self.audio, self.video]
        page.on([self.go.click, self.text.submit], self.search, [*fields, *options], [*found, self.asked.view],
                queue=True, waits_on=self.results, reads="wb.filters()")  # fmt: skip
        page.on([self.asked.view.change], self.search_asked, [self.asked.view, *options], [*found, self.mode, *modes],
                queue=True, waits_on=self.results, reads="wb.filters()")  # fmt: skip
        self.feedback.wire(self.results)

    def refresh(self, place: Place) -> Widgets:
        """The index in hand and what can be asked of it, read from disk."""
        workspace, current = self.page.workspace, self._jobs()
        listed = list_indexes(workspace)
        shown = self._index(place, listed)
        collections = [card.name for card in list_collections(workspace)]
        models = embedder_choices(workspace)
        waiting = any(not job.status().ended for job in current)
        return {
            self.top: search_views.top(listed, shown, bool(collections), waiting),
            self.job: "".join(job_views.job_card(job, _title(job)) for job in current),
            self.asked.view: self.asked.draw(place, shown, waiting),
            self.main: gr.Column(visible=shown is not None),
            self.form: gr.Accordion(
                visible=bool(collections) and (shown is not None or not waiting),
                open=shown is None and not place.asked,
                label="Make something else searchable" if shown else "Make searchable",
            ),
            self.foot: search_views.foot(shown) if shown else "",
            self.collection: gr.Dropdown(choices=collections, value=collection_in_hand(workspace, place) or None),
            self.model: gr.Dropdown(choices=models, value=models[0][1]),
            self.timer: clock(waiting, TICK_SECONDS),
            self.seen: self._seen(place, listed),
            **(self._options(shown, place) if shown else {}),
        }  # fmt: skip

    def watch_index(self, place: Place, seen: str) -> Widgets | None:
        """While an index is being made: its progress, then the search. What is chosen stays until an index changes."""
        now = self._seen(place, list_indexes(self.page.workspace))
        if now == seen:
            return None
        changed = self.refresh(place)
        if now.partition(";")[0] == seen.partition(";")[0]:
            kept = [self.collection, self.model, self.modality, self.dimension, self.reranker, self.filters]
            kept += [self.form] if self.filters in changed else []  # beside an index it is as the user left it
            changed = {widget: value for widget, value in changed.items() if widget not in kept}
        return changed

    def choose_mode(self, place: Place, mode: str) -> Widgets:
        """Show the field for what is asked with."""
        return {
            self.text: gr.Textbox(visible=mode in ("text", "mixed")),
            self.media_row: gr.Row(visible=mode != "text"),
            self.image_box: gr.Column(visible=mode in ("image", "mixed")),
            self.audio_box: gr.Column(visible=mode == "audio"),
            self.video_box: gr.Column(visible=mode == "video"),
        }

    def make_searchable(self, place: Place, collection: str, model: str) -> Widgets:
        """Start indexing a collection with a model in the background."""
        if not collection or not model:
            raise WorkbenchError("Choose a collection and the model that reads it.")
        model = typed_reference(model)
        place = place.at(index=start_index(self.page, collection, model), collection=collection)
        return {self.page.place: place, **self.refresh(place)}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons and selects of our HTML do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", ""))
        if act == "choose":
            chosen = get_index(self.page.workspace, str(said["index"]))
            asked = place.asked if chosen.collection == self.asked.collection(place) else ""
            place = place.at(index=chosen.name, collection=chosen.collection, asked=asked)
        elif act == "remove":
            remove_index(self.page.workspace, name)
            place = place.at(index="")
        elif act == "put-away":
            place = place.at(asked="")
        elif act == "make":
            collection = self.asked.collection(place)
            place = place.at(index=start_index(self.page, collection, self.asked.model(place)), collection=collection)
        else:
            job_views.use_job(self.page, act, name)
        hidden = {self.feedback.row: gr.Row(visible=False)}
        return {self.page.place: place, self.results: "", **hidden, **self.refresh(place)}

    def search(
        self, place: Place, mode: str, text: str, image: str | None, audio: str | None, video: str | None, *options: Any
    ) -> Widgets:
        """Ask the index and show what it found. With nothing in the fields, what the address names is asked again."""
        shown = self._index(place, list_indexes(self.page.workspace))
        if shown is None:
            raise WorkbenchError("There is no index to search. Make a collection searchable first.")
        if place.asked and nothing_given(text, image, audio, video):
            return self._ask(shown, self.asked.item(place), *options)
        found = self._ask(shown, read_query(mode, text, image, audio, video), *options)
        return {**found, self.page.place: place.at(asked=""), self.asked.view: ""} if place.asked else found

    def search_asked(self, place: Place, drawn: str, *options: Any) -> Widgets | None:
        """What the address names has come into view: ask the index with it. Words of it can then be changed."""
        shown = self._index(place, list_indexes(self.page.workspace))
        if not drawn or shown is None or not self.asked.is_there(place):
            return None
        item = self.asked.item(place)
        found = self._ask(shown, item, *options)
        if item.modality != "text":
            return found
        text = {self.mode: "text", self.text: gr.Textbox(value=item.text, visible=True)}
        return {**found, **self.choose_mode(place, "text"), **text}

    def _ask(
        self, shown: IndexCard, query: Item, modality: str, dimension: str, reranker: str, first: int, count: int,
        feedback: str | None, where: str,
    ) -> Widgets:  # fmt: skip
        found = self.searcher.search(
            shown.name,
            query,
            top=int(count or 10),
            modality=None if modality in (ANY, None) else modality,
            dimension=int(dimension) if dimension else None,
            reranker=check_here(typed_reference(reranker, remote=self.page.may_run_code)) if reranker else None,
            rerank_first=int(first or 50),
            where=search_views.read_filters(where),
        )
        drawn = search_views.results(
            found,
            self.page.workspace,
            self.page.media,
            rows=shown.rows,
            asked=self.feedback.remember(query, found, shown.collection),
            pressed=self.feedback.pressed(query, feedback, shown.collection),
        )
        return {self.results: drawn, **(self.feedback.offer(shown.collection) if found.hits else {})}

    def _index(self, place: Place, listed: list[IndexCard]) -> IndexCard | None:
        chosen = next((card for card in listed if card.name == place.index), None)
        if chosen is None and place.index and self._jobs():
            return None  # it is being made just now
        if place.asked:  # an item of one collection, which the index of another knows nothing of
            mine = [card for card in listed if card.collection == self.asked.collection(place)]
            return chosen if chosen in mine else next(iter(mine), None)
        mine = [card for card in listed if card.collection == place.collection]
        return chosen or next(iter([*mine, *listed]), None)

    def _options(self, shown: IndexCard, place: Place) -> Widgets:
        sizes = [str(size) for size in halvings(shown.dimension)]
        rerankers = [choice for choice in reranker_choices(self.page.workspace) if is_here(choice[1])]
        if self.page.may_run_code:
            rerankers += remote_choices(self.page.workspace, "reranker")
        rerankers = with_limits(self.page.workspace, rerankers, shown.modalities)
        mine = f"run:{place.run}" if place.run else ""
        return {
            self.filters: search_views.filters(shown),
            self.modality: gr.Dropdown(choices=search_views.modality_choices(shown, ANY), value=ANY),
            self.dimension: gr.Dropdown(choices=sizes, value=sizes[0]),
            self.reranker: gr.Dropdown(
                choices=[("nothing", NO_RERANKER), *rerankers],
                value=mine if mine in {value for _, value in rerankers} else NO_RERANKER,
            ),
        }

    def _jobs(self) -> list[JobFolder]:
        return job_views.open_jobs(self.page.workspace, "index")

    def _seen(self, place: Place, listed: list[IndexCard]) -> str:
        """Changes with the indexes and which of them is shown, before the semicolon, and with the jobs, after it."""
        shown = self._index(place, listed)
        there = [shown.name if shown else "", *(f"{card.name}@{card.created}" for card in listed)]
        return " ".join(there) + ";" + " ".join(job.etag() for job in self._jobs())


def _title(job: JobFolder) -> str:
    return f"Making {job.spec.get('collection', '')} searchable"
