"""The Data tab: bring pairs, say which column is looked for with which, see what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.reading import preview_source
from workbench.collection.store import Card, list_collections, open_collection, remove_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.ui import data_views, demo, job_views, parts
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.part_negatives import NegativesPart
from workbench.ui.part_pairs import PairsPart
from workbench.ui.part_review import ReviewPart
from workbench.ui.place import Place
from workbench.workspace import check_name, propose_name

UPLOADS = [".csv", ".tsv", ".jsonl", ".parquet", ".zip"]
ROLES = ("query", "document", "negative", "score")
TICK_SECONDS = 1.0


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Data tab."""
    DataTab(page, tab)


class DataTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("data-top")
        with gr.Column(elem_id="data-bring", elem_classes=["card"], visible=False) as self.bring:
            self.bring_words = gr.HTML(data_views.bring_words(), apply_default_css=False)
            with gr.Row(elem_classes=["ways"]):
                self.upload = gr.File(
                    label="Upload your pairs", file_types=UPLOADS, elem_id="data-upload", height=132, scale=3
                )
                with gr.Column(elem_classes=["way"], min_width=220, scale=2) as self.way:
                    gr.HTML(data_views.demo_words(), apply_default_css=False)
                    self.open_demo = gr.Button("Open the demo", variant="primary", elem_id="data-demo")
        self.mapper = view("data-mapper")
        self.job = view("data-job")
        self.row = view("data-parts")
        self.parts: list[parts.Part] = [PairsPart(page), NegativesPart(page), ReviewPart(page)]
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self._wire(tab)

    def _wire(self, tab: gr.Tab) -> None:
        page = self.page
        inner = [widget for part in self.parts for widget in part.widgets]
        drawn = [self.top, self.bring, self.way, self.row, self.job, self.timer, self.seen, *inner]
        page.refresh(tab, "data", self.refresh, [self.upload], drawn, timer=self.timer)
        page.watch("data", self.timer, self.watch_import, [self.seen, self.upload], drawn)
        page.on([self.upload.upload], self.read_upload, [self.upload], [self.mapper, self.upload, *drawn], queue=True)
        page.on([self.upload.clear], self.forget_upload, [], [self.mapper, *drawn])
        page.on([self.open_demo.click], self.open_demo_collection, [], drawn)
        page.on([self.mapper.click], self.use_mapper, [self.upload], [self.mapper, self.upload, *drawn])
        clicked = [view.click for view in (self.top, self.row, self.job, self.parts[0].widgets[0])]
        page.on(clicked, self.use_view, [self.upload], [self.mapper, *drawn])
        page.on([page.place.change], self.follow, [self.seen], drawn)

    def refresh(self, place: Place, upload: str | None, *, bring: bool = False) -> Widgets:
        """Everything of the tab, read from disk."""
        collections = list_collections(self.page.workspace)
        shown = next((card for card in collections if card.name == place.collection), None)
        shown = shown or (collections[0] if collections else None)
        current = self._imports()
        open_for_more = bring or bool(upload) or not (collections or current)
        return {
            self.top: data_views.top(collections, shown, open_for_more, bool(current)),
            self.bring: gr.Column(visible=open_for_more),
            self.way: gr.Column(visible=not upload),
            **self._draw_parts(place, None if upload or bring else shown),
            self.job: "".join(job_views.job_card(job, _title(job)) for job in current),
            self.timer: clock(any(not job.status().ended for job in current), TICK_SECONDS),
            self.seen: self._seen(place, current, collections),
        }

    def watch_import(self, place: Place, seen: str, upload: str | None) -> Widgets | None:
        """While an import works: its progress; when it has ended, the collection it made."""
        if self._seen(place, self._imports(), list_collections(self.page.workspace)) == seen:
            return None
        changed = self.refresh(place, upload)
        shown = parts.chosen(self.parts, place)
        kept = shown.widgets if shown.at_its_own_pace else []
        return {widget: value for widget, value in changed.items() if widget not in kept}

    def follow(self, place: Place, seen: str) -> Widgets | None:
        """A part has sent the page to another part."""
        shown = parts.chosen(self.parts, place).name
        return None if place.tab != "data" or seen.partition(" ")[0] == shown else self.refresh(place, None)

    def read_upload(self, place: Place, upload: str | None) -> Widgets:
        """Show what is in the file and which columns look like questions and answers."""
        if not upload:
            return self.forget_upload(place)
        preview = preview_source(Path(upload))
        name = propose_name(Path(upload).name, {card.name for card in list_collections(self.page.workspace)})
        return {**self.refresh(place, upload), self.mapper: data_views.mapper(preview, preview.roles, name)}

    def forget_upload(self, place: Place) -> Widgets:
        """Back to what was there before the upload."""
        return {self.mapper: "", **self.refresh(place, None)}

    def use_mapper(self, place: Place, upload: str | None, event: gr.EventData) -> Widgets:
        """What the mapper's selects and buttons do: choose, turn round, import, cancel."""
        said: dict[str, Any] = dict(event._data)
        if said["act"] == "cancel" or not upload:
            return {self.upload: None, **self.forget_upload(place)}
        roles = {role: said.get(role) or None for role in ROLES}
        if said["act"] == "turn":
            roles["query"], roles["document"] = roles["document"], roles["query"]
        if said["act"] == "import":
            return self._start_import(place, upload, str(said.get("name", "")), roles)
        return {self.mapper: data_views.mapper(preview_source(Path(upload)), roles, str(said.get("name", "")))}

    def use_view(self, place: Place, upload: str | None, event: gr.EventData) -> Widgets:
        """What the buttons of the collection and of a job card do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", ""))
        if act == "bring":
            return self.refresh(place, None, bring=True)
        if act == "part":
            return self._at(place.at(part=str(said["part"])))
        if act == "choose":
            return self._at(place.at(collection=str(said["collection"])))
        if act == "remove":
            remove_collection(self.page.workspace, name)
            return self._at(place.at(collection=""))
        job_views.use_job(self.page.workspace, act, name)
        return {self.mapper: "", **self.refresh(place, upload)}

    def open_demo_collection(self, place: Place) -> Widgets:
        """Show the demo collection; the first time it is drawn in the background."""
        demo.draw_collection(self.page.workspace)
        return self._at(place.at(collection=demo.COLLECTION))

    def _start_import(self, place: Place, upload: str, name: str, roles: dict[str, str | None]) -> Widgets:
        check_name(name, "collection")
        if name in {card.name for card in list_collections(self.page.workspace)}:
            raise WorkbenchError(f"There is already a collection named “{name}”. Choose another name.")
        spec = {"name": name, "source": upload, "roles": roles, "seed": 0}
        jobs.start(self.page.workspace, "import", jobs.free_name(self.page.workspace, f"import-{name}"), spec)
        return {self.mapper: "", self.upload: None, **self._at(place.at(collection=name))}

    def _at(self, place: Place) -> Widgets:
        return {self.page.place: place, **self.refresh(place, None)}

    def _seen(self, place: Place, current: list[JobFolder], collections: list[Card]) -> str:
        shown = parts.chosen(self.parts, place).name
        return " ".join(
            [shown, *(job.etag() for job in current), *(f"{card.name}@{card.created}" for card in collections)]
        )

    def _imports(self) -> list[JobFolder]:
        return job_views.open_jobs(self.page.workspace, "import")

    def _draw_parts(self, place: Place, card: Card | None) -> Widgets:
        collection = open_collection(self.page.workspace, card.name) if card else None
        row = parts.buttons(self.parts, parts.chosen(self.parts, place), {}) if card else ""
        return {self.row: row, **parts.draw_parts(self.parts, place, collection)}


def _title(job: JobFolder) -> str:
    spec = job.spec
    return "Drawing the demo" if spec.get("demo") else f"Importing {spec.get('name', '')}"
