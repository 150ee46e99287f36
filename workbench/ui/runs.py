"""The Runs tab: one run followed live, its verdict, what can be done with it, and the list of all runs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.store import list_collections
from workbench.errors import WorkbenchError
from workbench.index.registry import list_indexes
from workbench.job_folder import JobFolder
from workbench.models.remote import PREFIX as REMOTE
from workbench.training import report
from workbench.training.advice import advice_for
from workbench.ui import plots, runs_views
from workbench.ui.choices import run_kind
from workbench.ui.job_views import check_may_begin
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.place import Place
from workbench.ui.runs_care import RunCare, shown_run
from workbench.ui.runs_queue import Queue

TICK_SECONDS = 2.0


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Runs tab."""
    RunsTab(page, tab)


class RunsTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("runs-top")
        self.queue = Queue(page)
        with gr.Row(elem_id="runs-curves", elem_classes=["halves"], visible=False) as self.curves:
            self.loss = plots.make_plot("runs-loss")
            self.ndcg = plots.make_plot("runs-ndcg")
        self.below = view("runs-below")
        self.queue.make_form()
        self.care = RunCare(page)
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        shown = [
            self.top, self.queue.card, self.curves, self.loss, self.ndcg, self.below, self.timer, self.seen
        ]  # fmt: skip
        whole = [*shown, *self.queue.widgets, *self.care.widgets]
        page.refresh(tab, "runs", self.open_tab, [], whole, timer=self.timer)
        page.watch("runs", self.timer, self.watch_run, [self.seen], shown)
        page.on([self.top.click, self.queue.card.click, self.below.click], self.use_view, [], whole)
        noted = [self.care.text, self.care.tags]
        page.on([self.care.save.click], self.save_notes, noted, [*shown, *noted])
        form, kept = self.queue.form, [*shown, *self.queue.widgets]
        page.on([form.pause.click], self.pause_queue, [form.until, form.when], kept)
        page.on([form.keep.click], self.keep_hours, [form.begin, form.end], kept)
        page.on([form.always.click], self.keep_no_hours, [], kept)

    def open_tab(self, place: Place) -> Widgets:
        """The chosen run, and what can be done with it. What is being typed about it is not drawn again meanwhile."""
        runs = jobs.list_runs(self.page.workspace)
        filled = {**self.queue.fill(bool(runs)), **self.care.fill(shown_run(self.page, place, runs), runs)}
        return {**self.refresh(place), **filled}

    def refresh(self, place: Place) -> Widgets:
        """The chosen run, read from disk."""
        runs = jobs.list_runs(self.page.workspace)
        shown, (card, line) = shown_run(self.page, place, runs), self.queue.look()
        if shown is None:
            has_collection = bool(list_collections(self.page.workspace))
            return {
                self.top: runs_views.nothing(has_collection),
                self.queue.card: card,
                self.curves: gr.Row(visible=False),
                self.below: "",
                self.timer: clock(False, TICK_SECONDS),
                self.seen: _seen(None, runs, line),
            }
        status = jobs.watch(shown)
        events = list(shown.events())
        curves, summary = report.curves(events), report.run_summary(self.page.workspace, shown.name, status, events)
        return {
            self.top: runs_views.top(runs, shown, status, summary, advice_for(shown, events)),
            self.queue.card: card,
            self.curves: gr.Row(visible=True),
            self.loss: runs_views.loss_plot(curves, shown.spec),
            self.ndcg: runs_views.ndcg_plot(curves),
            self.below: runs_views.below(runs, shown, status, events, self._indexes(shown)),
            self.timer: clock(not status.ended and not runs_views.is_held(status), TICK_SECONDS),
            self.seen: _seen(shown, runs, line),
        }

    def save_notes(self, place: Place, text: str, tags: str) -> Widgets:
        """Keep what was noted about the run; its tags stand in the list."""
        return {**self.care.save_notes(place, text, tags), **self.refresh(place)}

    def watch_run(self, place: Place, seen: str) -> Widgets | None:
        """What is new of a run at work; nothing where its files have not changed."""
        runs = jobs.list_runs(self.page.workspace)
        shown = shown_run(self.page, place, runs)
        if shown is not None:
            jobs.watch(shown)
        card, line = self.queue.look()
        now = _seen(shown, runs, line)
        if now == seen:
            return None
        if now.partition("\n")[0] == seen.partition("\n")[0]:  # nothing is new but the queue
            return {self.queue.card: card, self.seen: now}
        drawn = self.refresh(place)
        if line == seen.partition("\n")[2]:  # drawn again, the card would lose the keyboard's place in it
            del drawn[self.queue.card]
        return drawn

    def pause_queue(self, place: Place, until: str, when: str) -> Widgets:
        """Pause the queue as the form says."""
        return {**self.queue.pause(until, when), **self.refresh(place)}

    def keep_hours(self, place: Place, begin: str, end: str) -> Widgets:
        """Work in some hours of the day alone."""
        return {**self.queue.keep_hours(begin, end), **self.refresh(place)}

    def keep_no_hours(self, place: Place) -> Widgets:
        """Work at all hours again."""
        return {**self.queue.keep_none(), **self.refresh(place)}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of a run do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", "") or said.get("run", ""))
        if self.queue.use(said):
            return self.refresh(place)
        if act == "choose":
            return self._at(place.at(run=name))
        if act == "remove":
            jobs.remove(self.page.workspace, name)
            return self._at(place.at(run=""))
        run = jobs.find(self.page.workspace, name)
        if act == "search":
            return {self.page.place: self._searchable(place, run)}
        if act == "evaluate":
            return {self.page.place: place.at(tab="evaluate", run=name, collection=str(run.spec.get("collection", "")))}
        if act == "check":
            collection = str(run.spec.get("collection", ""))
            return {self.page.place: place.at(tab="data", part="check", collection=collection)}
        if act == "again" and (advice := advice_for(run)) is not None:
            check_may_begin(self.page, run)
            again = jobs.clone(self.page.workspace, name, jobs.free_name(self.page.workspace, name), advice.changes)
            return self._at(place.at(run=again.name))
        if act == "stop":
            jobs.stop(run)
        elif act == "resume":
            jobs.resume(self.page.workspace, name)
        elif act == "clean":
            jobs.clean(self.page.workspace, name)
        return self._at(place.at(run=name))

    def _indexes(self, run: JobFolder) -> list[str]:
        return [card.name for card in list_indexes(self.page.workspace) if card.model == f"run:{run.name}"]

    def _at(self, place: Place) -> Widgets:
        return {self.page.place: place, **self.open_tab(place)}

    def _searchable(self, place: Place, run: JobFolder) -> Place:
        """The Search tab with an index of this run's model: one that is there, else one that is started now."""
        collection = str(run.spec.get("collection", ""))
        place = place.at(tab="search", run=run.name, collection=collection)
        if run_kind(run) != "embedder":
            return place
        model = f"run:{run.name}"
        for card in list_indexes(self.page.workspace):
            if card.model == model and card.collection == collection:
                return place.at(index=card.name)
        return place.at(index=start_index(self.page, collection, model))


def _seen(shown: JobFolder | None, runs: list[JobFolder], line: str) -> str:
    """Changes with whatever the shown run does and with the state of every other; and below, with the queue."""
    states = [shown.etag(), *(f"{run.name}:{run.status().state}" for run in runs)] if shown else []
    return f"{' '.join(states)}\n{line}"


def start_index(
    page: Page, collection: str, model: str, dimension: int | None = None, precision: str = "float32"
) -> str:
    """Start making a collection searchable with a model, at a dimension if one is given; the name of the index to come.

    What is being made already, or at this size is there, is not made again. Raises WorkbenchError for a remote
    model: every document would be sent away, which the terminal tells the count and cost of first.
    """
    if model.startswith(REMOTE):
        raise WorkbenchError(
            f"An index with “{model}” sends every document to its address. Start it in the terminal, which says how "
            f"much that is: python -m workbench index --name NAME --collection {collection} --model {model}"
        )
    workspace, wanted = page.workspace, {"collection": collection, "model": model, "dimension": dimension}
    wanted["precision"] = precision
    for job in jobs.list_jobs(workspace, "index"):
        if wanted.items() <= job.spec.items() and not jobs.watch(job).ended:
            return str(job.spec["name"])
    cards = list_indexes(workspace)
    if dimension is not None:
        for card in cards:
            if (card.collection, card.model, card.dimension, card.precision) == (
                collection,
                model,
                dimension,
                precision,
            ):
                return card.name
    called = model.removeprefix("run:").rsplit("/", 1)[-1] + (f"-{dimension}" if dimension else "")
    name = jobs.free_name(workspace, f"index-{called}")
    index = name.removeprefix("index-")
    index = index if index not in {card.name for card in cards} else name
    jobs.start(workspace, "index", name, {"name": index, **wanted})
    return index
