"""The Data tab: bring pairs, say which column is looked for with which; then the collection, part by part."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.store import Card, list_collections, open_collection, remove_collection
from workbench.doctor.mended import read_standing
from workbench.job_folder import JobFolder
from workbench.ui import data_views, demo, job_views, part_check, parts
from workbench.ui.bring import Bring
from workbench.ui.brought import Brought
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.part_check import CheckPart
from workbench.ui.part_generate import GeneratePart
from workbench.ui.part_more import MorePart
from workbench.ui.part_negatives import NegativesPart
from workbench.ui.part_pairs import PairsPart
from workbench.ui.part_review import ReviewPart
from workbench.ui.place import Place

TICK_SECONDS = 1.0
# In the place of a part: another collection is brought, or rows are added to the one in hand.
BRING, ADD = "bring", "add"
WORKS = ("import", "check", "export", "push")
# Not drawn again while they are open because something else has changed: they keep what is half done.
OWN_PACE = ("review", "negatives", "generate")


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Data tab."""
    DataTab(page, tab)


class DataTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("data-top")
        self.bring = Bring(page)
        self.job = view("data-job")
        self.row = view("data-parts")
        pairs, check, negatives, writes = PairsPart(page), CheckPart(page), NegativesPart(page), GeneratePart(page)
        review, more = ReviewPart(page), MorePart(page)
        self.parts: list[parts.Part] = [pairs, check, negatives, writes, review, more]
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self._wire(tab, check, writes, more)

    def _wire(self, tab: gr.Tab, check: CheckPart, writes: GeneratePart, more: MorePart) -> None:
        page, bring = self.page, self.bring
        inner = [widget for part in self.parts for widget in part.widgets]
        drawn = [self.top, bring.column, bring.demo, self.row, self.job, self.timer, self.seen, *inner]
        whole = [*drawn, bring.mapper, bring.way, *bring.shown, bring.text, bring.repo, bring.config, bring.split,
                 bring.task]  # fmt: skip
        page.refresh(tab, "data", self.refresh, bring.values, drawn, timer=self.timer)
        page.watch("data", self.timer, self.watch_jobs, [self.seen, *bring.values], drawn)
        page.on([bring.way.input], self.choose_way, [bring.way], [*bring.shown, bring.mapper])
        looks = [bring.upload.upload, bring.look_at_rows.click, bring.look_at_hub.click]
        page.on(looks, self.look, bring.values, whole, queue=True, waits_on=bring.column)
        page.on([bring.bring_task.click], self.bring_task, [bring.task, bring.config, bring.split], whole)
        page.on([bring.upload.clear], self.start_over, [], whole)
        page.on([bring.open_demo.click], self.open_demo_collection, [], whole)
        page.on([bring.mapper.click], self.use_mapper, bring.values, whole, queue=True)
        clicked = [view.click for view in (self.top, self.row, self.job, self.parts[0].widgets[0])]
        page.on(clicked, self.use_view, bring.values, whole)
        said = (check.findings, check.job, writes.result, more.exports, more.pushes, more.history)
        heads = [view.change for view in said]
        page.on(heads, self.draw_head, [self.top, self.row], [self.top, self.row, self.timer], keeps=True)
        page.on([page.place.change], self.follow, [self.seen], whole, keeps=True)

    def refresh(self, place: Place, *values: Any) -> Widgets:
        """Everything of the tab, read from disk."""
        return self._draw(place, bool(Brought.of(*values)) if values else False)

    def _draw(self, place: Place, brought: bool = False) -> Widgets:
        collections = list_collections(self.page.workspace)
        shown = self._in_hand(place, collections)
        imports = job_views.open_jobs(self.page.workspace, "import")
        if shown and shown.name != place.collection and place.collection in _coming(imports):
            shown = None
        bringing = place.part if place.part in (BRING, ADD) and shown else ""
        bringing = bringing or (BRING if brought or not (collections or imports) else "")
        return {
            self.top: data_views.top(collections, shown, bringing, bool(imports)),
            self.bring.column: gr.Column(visible=bool(bringing)),
            self.bring.demo: gr.Column(visible=bringing == BRING and not brought),
            self.job: "".join(job_views.job_card(job, _title(job)) for job in imports),
            self.timer: clock(self._busy(), TICK_SECONDS),
            self.seen: self._seen(place, collections),
            **self._draw_parts(place, None if bringing else shown),
        }

    def _draw_parts(self, place: Place, card: Card | None) -> Widgets:
        collection = open_collection(self.page.workspace, card.name) if card else None
        row = self._draw_row(place, card) if card else ""
        return {self.row: row, **parts.draw_parts(self.parts, place, collection)}

    def _draw_row(self, place: Place, card: Card) -> str:
        badges = {"check": part_check.badge(read_standing(self.page.workspace, card.name))}
        return parts.buttons(self.parts, parts.chosen(self.parts, place), badges)

    def draw_head(self, place: Place, top: str, row: str) -> Widgets | None:
        """A part has changed the collection or begun a job: the counts, the badge and the clock follow."""
        collections = list_collections(self.page.workspace)
        shown = self._in_hand(place, collections)
        if shown is None or place.part in (BRING, ADD):
            return None
        drawn = {self.top: data_views.top(collections, shown, "", False), self.row: self._draw_row(place, shown)}
        busy = self._busy()
        return {**drawn, self.timer: clock(True, TICK_SECONDS)} if busy or [*drawn.values()] != [top, row] else None

    def watch_jobs(self, place: Place, seen: str, *values: Any) -> Widgets | None:
        """While a job works: its progress; when it has ended, what came of it."""
        if self._seen(place, list_collections(self.page.workspace)) == seen:
            return None
        changed = self.refresh(place, *values)
        shown = parts.chosen(self.parts, place)
        kept = shown.widgets if shown.name in OWN_PACE else []
        return {widget: value for widget, value in changed.items() if widget not in kept}

    def follow(self, place: Place, seen: str) -> Widgets | None:
        """A part, or another tab, has sent the page to another part."""
        return None if place.tab != "data" or seen.partition(" ")[0] == _part(place) else self._at(place)

    def choose_way(self, place: Place, way: str) -> Widgets:
        """Upload, paste, or fetch from the Hub."""
        return {**self.bring.choose_way(way), self.bring.mapper: ""}

    def look(self, place: Place, *values: Any) -> Widgets:
        """Show what is in what was brought, and which columns look like questions and answers."""
        brought = Brought.of(*values)
        if brought.way == "upload" and not brought:
            return self.start_over(place)
        return {**self._draw(place, True), **self.bring.look(brought, self._adding_to(place))}

    def bring_task(self, place: Place, task: str, subset: str, split: str) -> Widgets:
        """Fetch a standard set."""
        return self._at(place.at(collection=self.bring.start_task(task, subset, split), part=""))

    def start_over(self, place: Place) -> Widgets:
        """Back to what was there before something was brought."""
        return {**self.bring.emptied(), **self._draw(place)}

    def use_mapper(self, place: Place, event: gr.EventData, *values: Any) -> Widgets:
        """What the mapper's selects and buttons do: choose, turn round, import, cancel."""
        said: dict[str, Any] = dict(event._data)
        brought, adding_to = Brought.of(*values), self._adding_to(place)
        if said["act"] == "cancel" or not brought:
            return self.start_over(place)
        if said["act"] != "import":
            return self.bring.choose(brought, said, adding_to)
        name = self.bring.start(brought, said, adding_to)
        return self._at(place.at(collection=name, part="more" if adding_to else ""))

    def use_view(self, place: Place, event: gr.EventData, *values: Any) -> Widgets:
        """What the buttons of the collection and of a job card do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", ""))
        if act in (BRING, "back", "part"):
            return self._at(place.at(part={BRING: BRING, "back": ""}.get(act, str(said.get("part", "")))))
        if act == "choose":
            return self._at(place.at(collection=str(said["collection"])))
        if act == "remove":
            remove_collection(self.page.workspace, name)
            return self._at(place.at(collection="", part=""))
        job_views.use_job(self.page, act, name)
        return self.refresh(place, *values)

    def open_demo_collection(self, place: Place) -> Widgets:
        """Show the demo collection; the first time it is drawn in the background."""
        demo.draw_collection(self.page.workspace)
        return self._at(place.at(collection=demo.COLLECTION, part=""))

    def _at(self, place: Place) -> Widgets:
        return {self.page.place: place, **self.bring.emptied(), **self._draw(place)}

    def _in_hand(self, place: Place, collections: list[Card]) -> Card | None:
        return next((card for card in collections if card.name == place.collection), next(iter(collections), None))

    def _adding_to(self, place: Place) -> str:
        card = self._in_hand(place, list_collections(self.page.workspace)) if place.part == ADD else None
        return card.name if card else ""

    def _busy(self) -> bool:
        return any(not job.status().ended for job in job_views.open_jobs(self.page.workspace, *WORKS))

    def _seen(self, place: Place, collections: list[Card]) -> str:
        """Changes with every job of the tab, one that began and ended between two looks too."""
        worked = jobs.list_jobs(self.page.workspace, *WORKS)
        for job in worked:
            jobs.watch(job)  # one that was killed is told so here
        cards_seen = (f"{card.name}@{card.fingerprint}" for card in collections)
        return " ".join([_part(place), *(job.etag() for job in worked), *cards_seen])


def _coming(imports: list[JobFolder]) -> set[str]:
    """The names of the collections that are being imported."""
    return {str(job.spec.get("name", "")) for job in imports if not job.status().ended}


def _part(place: Place) -> str:
    return place.part or "pairs"


def _title(job: JobFolder) -> str:
    spec = job.spec
    if spec.get("demo"):
        return "Drawing the demo"
    return f"Adding to {spec.get('name', '')}" if spec.get("add") else f"Importing {spec.get('name', '')}"
