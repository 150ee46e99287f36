"""The part that asks: by text, picture, sound, video or several together; what is found is looked at and played."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.registry import IndexCard
from workbench.index.search import Searcher
from workbench.models.source import check_here, is_here, typed_reference
from workbench.models.vectors import halvings
from workbench.ui.choices import remote_choices, reranker_choices, with_limits
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.ui.search import views
from workbench.ui.search.asked import Asked, nothing_given
from workbench.ui.search.feedback import Feedback
from workbench.ui.search.in_hand import index_in_hand
from workbench.ui.search.query import read_query, take_as_sent

MODES = [("Text", "text"), ("Picture", "image"), ("Sound", "audio"), ("Video", "video"), ("Mixed", "mixed")]
ANY = "any"
NO_RERANKER = ""


class AskPart:
    """The fields that ask, the choices above the results, and the results."""

    name = "ask"
    title = "Search"

    def __init__(self, page: Page) -> None:
        self.page = page
        self.searcher = Searcher(page.workspace)
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
        self.options = [self.modality, self.dimension, self.reranker, self.first, self.count]
        self.widgets = [self.asked.view, self.main, self.filters, self.modality, self.dimension, self.reranker,
                        self.results, self.feedback.row]  # fmt: skip
        self._wire()

    def _wire(self) -> None:
        page = self.page
        modes = [self.text, self.media_row, self.image_box, self.audio_box, self.video_box]
        page.on([self.mode.input], self.choose_mode, [self.mode], modes)
        options = [self.modality, self.dimension, self.reranker, self.first, self.count, self.feedback.collection,
                   self.where]  # fmt: skip
        found = [self.results, self.feedback.row, self.feedback.collection]
        fields = [self.mode, self.text, self.image, self.audio, self.video]
        page.on([self.go.click, self.text.submit], self.search, [*fields, *options], [*found, self.asked.view],
                queue=True, waits_on=self.results, reads="wb.filters()")  # fmt: skip
        page.on([self.asked.view.change], self.search_asked, [self.asked.view, *options], [*found, self.mode, *modes],
                queue=True, waits_on=self.results, reads="wb.filters()")  # fmt: skip
        self.feedback.wire(self.results)

    def draw(self, place: Place, shown: IndexCard) -> Widgets:
        """What can be asked of the index in hand."""
        return {self.main: gr.Column(visible=True), **self._choices(shown, place)}

    def hide(self) -> Widgets:
        """Not shown; what was found stays for when it is shown again."""
        return {self.main: gr.Column(visible=False)}

    def clear(self) -> Widgets:
        """Without results: another index is in hand."""
        return {self.results: "", self.feedback.row: gr.Row(visible=False)}

    def choose_mode(self, place: Place, mode: str) -> Widgets:
        """Show the field for what is asked with."""
        return {
            self.text: gr.Textbox(visible=mode in ("text", "mixed")),
            self.media_row: gr.Row(visible=mode != "text"),
            self.image_box: gr.Column(visible=mode in ("image", "mixed")),
            self.audio_box: gr.Column(visible=mode == "audio"),
            self.video_box: gr.Column(visible=mode == "video"),
        }

    def search(
        self, place: Place, mode: str, text: str, image: str | None, audio: str | None, video: str | None, *options: Any
    ) -> Widgets:
        """Ask the index and show what it found. With nothing in the fields, what the address names is asked again."""
        shown = index_in_hand(self.page.workspace, place)
        if shown is None:
            raise WorkbenchError("There is no index to search. Make a collection searchable first.")
        if place.asked and nothing_given(text, image, audio, video):
            return self._ask(shown, self.asked.item(place), *options)
        found = self._ask(shown, read_query(mode, text, image, audio, video), *options)
        return {**found, self.page.place: place.at(asked=""), self.asked.view: ""} if place.asked else found

    def search_asked(self, place: Place, drawn: str, *options: Any) -> Widgets | None:
        """What the address names has come into view: ask the index with it. Words of it can then be changed."""
        shown = index_in_hand(self.page.workspace, place)
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
            where=views.read_filters(where),
        )
        drawn = views.results(
            found,
            self.page.workspace,
            self.page.media,
            rows=shown.rows,
            asked=self.feedback.remember(query, found, shown.collection),
            pressed=self.feedback.pressed(query, feedback, shown.collection),
        )
        return {self.results: drawn, **(self.feedback.offer(shown.collection) if found.hits else {})}

    def _choices(self, shown: IndexCard, place: Place) -> Widgets:
        sizes = [str(size) for size in halvings(shown.dimension)]
        rerankers = [choice for choice in reranker_choices(self.page.workspace) if is_here(choice[1])]
        if self.page.may_run_code:
            rerankers += remote_choices(self.page.workspace, "reranker")
        rerankers = with_limits(self.page.workspace, rerankers, shown.modalities)
        mine = f"run:{place.run}" if place.run else ""
        return {
            self.filters: views.filters(shown),
            self.modality: gr.Dropdown(choices=views.modality_choices(shown, ANY), value=ANY),
            self.dimension: gr.Dropdown(choices=sizes, value=sizes[0]),
            self.reranker: gr.Dropdown(
                choices=[("nothing", NO_RERANKER), *rerankers],
                value=mine if mine in {value for _, value in rerankers} else NO_RERANKER,
            ),
        }
