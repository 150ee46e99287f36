"""The frame of the Evaluate tab: which evaluation is shown, part by part, and the form that starts another."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.store import list_collections
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import (
    EvaluationCard,
    check_embedders,
    list_evaluations,
    remove_evaluation,
)
from workbench.evaluation.measures import MEASURES, check_measures
from workbench.evaluation.results import free_evaluation_name
from workbench.job_folder import JobFolder
from workbench.models.source import typed_reference
from workbench.ui import job_views, parts
from workbench.ui.choices import collection_in_hand, run_base
from workbench.ui.evaluate import again, views
from workbench.ui.evaluate.map import MapPart
from workbench.ui.evaluate.pipelines import PipelinesPart
from workbench.ui.evaluate.queries import QueriesPart
from workbench.ui.evaluate.reports import ReportRow
from workbench.ui.evaluate.size import SizePart
from workbench.ui.evaluate.verdicts import VerdictsPart
from workbench.ui.evaluate.where import WherePart
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.place import Place
from workbench.ui.remotes import RemoteModels

PRECISIONS = [
    ("float32", "float32"),
    ("float16: half the space", "float16"),
    ("int8: a quarter", "int8"),
    ("binary: a 32nd", "binary"),
    ("binary, the first rescored", "rescored"),
]
OFFERED_MEASURES = [*MEASURES, "ndcg@100", "map@100", "precision@1", "precision@10", "success@1", "success@10"]
TICK_SECONDS = 1.5
BESIDES = " :: "


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Evaluate tab."""
    EvaluateTab(page, tab)


class EvaluateTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("evaluate-top")
        self.job = view("evaluate-job")
        self.row = view("evaluate-parts")
        self.again = view("evaluate-again")
        self.parts: list[parts.Part] = [
            SizePart(page), VerdictsPart(page), WherePart(page), QueriesPart(page, self.again), PipelinesPart(page),
            MapPart(page),
        ]  # fmt: skip
        self.reports = ReportRow(page)
        self.foot = view("evaluate-foot")
        with gr.Accordion("Evaluate models", open=True, elem_id="evaluate-form", elem_classes=["card"]) as self.form:
            with gr.Row(elem_classes=["form-row"]):
                self.models = gr.Dropdown(
                    label="Models", multiselect=True, allow_custom_value=True, elem_id="evaluate-models", scale=3,
                    info="The first one is what the others are compared with. A Hub id can be typed.",
                )  # fmt: skip
                self.collection = gr.Dropdown(label="On the held-out part of", elem_id="evaluate-collection", scale=1)
            with gr.Row(elem_classes=["form-row"]):
                self.dimensions = gr.Textbox(
                    label="Dimensions", placeholder="all that the models name", elem_id="evaluate-dimensions", scale=1,
                    info="Sizes to cut the vectors to, with commas between.",
                )  # fmt: skip
                self.precisions = gr.CheckboxGroup(
                    PRECISIONS, value=["float32"], label="Number formats", elem_id="evaluate-precisions", scale=2
                )
            self.measures = gr.Dropdown(
                OFFERED_MEASURES, value=list(MEASURES), label="Measures", multiselect=True, allow_custom_value=True,
                elem_id="evaluate-measures",
                info="NDCG@10 is always taken, and decides. Any rank to 100 can be typed, for example map@50.",
            )  # fmt: skip
            self.remote = RemoteModels(page, self.models, self.collection)
            self.start = gr.Button("Evaluate", variant="primary", elem_id="evaluate-start")
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self._wire(tab)

    def _wire(self, tab: gr.Tab) -> None:
        page = self.page
        inner = [widget for part in self.parts for widget in part.widgets]
        shown = [
            self.top,
            self.job,
            self.row,
            self.again,
            *inner,
            *self.reports.widgets,
            self.foot,
            self.form,
            self.timer,
            self.seen,
        ]
        drawn = [*shown, self.models, self.collection, *self.remote.widgets]
        page.refresh(tab, "evaluate", self.refresh, [], drawn, timer=self.timer)
        page.watch("evaluate", self.timer, self.watch_job, [self.seen], [*shown, self.models])
        chosen = [self.models, self.collection, self.dimensions, self.precisions, self.measures]
        asked = [*chosen, *self.remote.widgets]
        page.on([self.start.click], self.start_evaluation, asked, drawn)
        page.on([one.click for one in (self.top, self.job, self.row, self.foot)], self.use_view, [], drawn)
        page.on([self.again.click], self.evaluate_again, [], drawn)

    def refresh(self, place: Place) -> Widgets:
        """Everything of the tab, read from disk."""
        return {**self._choices(place), **self._show(place)}

    def watch_job(self, place: Place, seen: str) -> Widgets | None:
        """While an evaluation works: its progress, then its result."""
        now = self._seen()
        if now == seen:
            return None
        if now.partition(BESIDES)[2] == seen.partition(BESIDES)[2]:
            return self._progress()  # a job went on: what it has not changed yet stays as it is under the user's eyes
        # Only what can be chosen: what is chosen stays as it is under the user's hands.
        return {**self._show(place), self.models: gr.Dropdown(choices=self.remote.choices())}

    def start_evaluation(
        self,
        place: Place,
        models: list[str],
        collection: str,
        dimensions: str,
        precisions: list[str],
        measures: list[str],
        keyed: str | None = None,
        key: str = "",
    ) -> Widgets:
        """Start the background job that evaluates the chosen models."""
        if not collection:
            raise WorkbenchError("There is no collection to evaluate on. Import one first, on the Data tab.")
        if not models:
            raise WorkbenchError("Choose at least one model to evaluate.")
        environment = self.remote.environment(models, keyed, key)
        models = [typed_reference(model, remote=self.page.may_run_code) for model in models]
        check_embedders(self.page.workspace, models)
        name = free_evaluation_name(self.page.workspace, collection)
        spec = {
            "collection": collection,
            "models": models,
            "dimensions": read_dimensions(dimensions),
            "precisions": precisions or ["float32"],
            "measures": check_measures(measures or ()),
            "name": name,
        }
        free = jobs.free_name(self.page.workspace, f"evaluate-{name}")
        jobs.start(self.page.workspace, "evaluate", free, spec, environment=environment)
        return self._at(place.at(evaluation=name))

    def evaluate_again(self, place: Place, event: gr.EventData) -> Widgets:
        """Start the same evaluation anew, on the collection as it is now."""
        shown = views.in_hand(self.page.workspace, place)
        name = again.start_again(self.page, shown.evaluation)
        return {**self.refresh(place), self.again: again.started(name)}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons and selects of our HTML do."""
        said: dict[str, Any] = dict(event._data)
        act, name = said["act"], str(said.get("name", ""))
        if act == "choose":
            return self._at(place.at(evaluation=str(said["evaluation"]), compared="", query="", family=""))
        if act == "part":
            return self._at(place.at(part=str(said["part"])))
        if act == "remove":
            remove_evaluation(self.page.workspace, name)
            return self._at(place.at(evaluation="", part=""))
        job_views.use_job(self.page, act, name)
        return self.refresh(place)

    def _at(self, place: Place) -> Widgets:
        return {self.page.place: place, **self.refresh(place)}

    def _choices(self, place: Place) -> Widgets:
        workspace = self.page.workspace
        names = [card.name for card in list_collections(workspace)]
        collection = collection_in_hand(workspace, place)
        choices = self.remote.choices()
        tuned = next((run for run in jobs.list_runs(workspace) if f"run:{run.name}" in {v for _, v in choices}), None)
        chosen = [run_base(tuned), f"run:{tuned.name}"] if tuned else ["starter"]
        if place.run and f"run:{place.run}" in {value for _, value in choices}:
            run = jobs.find(workspace, place.run)
            chosen = [run_base(run), f"run:{run.name}"]
        return {
            self.models: gr.Dropdown(choices=choices, value=chosen, multiselect=True, allow_custom_value=True),
            self.collection: gr.Dropdown(choices=names, value=collection or None),
            **self.remote.draw(),
        }

    def _progress(self) -> Widgets:
        current = self._jobs()
        return {
            self.job: "".join(job_views.job_card(job, views.job_title(job)) for job in current),
            self.timer: clock(any(not job.status().ended for job in current), TICK_SECONDS),
            self.seen: self._seen(),
        }

    def _show(self, place: Place) -> Widgets:
        workspace = self.page.workspace
        listed = list_evaluations(workspace)
        shown = next((card for card in listed if card.name == place.evaluation), None)
        shown = shown or (listed[0] if listed else None)
        return {
            **self._progress(),
            **self._draw(place, listed, shown, bool(list_collections(workspace)), bool(self._jobs())),
        }

    def _draw(
        self,
        place: Place,
        listed: list[EvaluationCard],
        card: EvaluationCard | None,
        has_collection: bool,
        at_work: bool,
    ) -> Widgets:
        if card is None:
            return {
                self.top: views.nothing(has_collection),
                self.row: "",
                self.again: "",
                **parts.draw_parts(self.parts, place, None),
                **self.reports.draw(None),
                self.foot: "",
                self.form: gr.Accordion(visible=has_collection, open=not at_work),
            }
        shown = views.open_shown(self.page.workspace, card)
        return {
            self.top: views.top(listed, card, shown.evaluation),
            self.row: parts.buttons(self.parts, parts.chosen(self.parts, place), {}, "evaluation"),
            self.again: again.told(self.page.workspace, shown),
            **parts.draw_parts(self.parts, place, shown),
            **self.reports.draw(shown.evaluation),
            self.foot: views.foot(shown.evaluation),
            self.form: gr.Accordion(label="Evaluate other models or sizes", visible=True, open=False),
        }

    def _jobs(self) -> list[JobFolder]:
        return job_views.open_jobs(self.page.workspace, "evaluate", "map")

    def _seen(self) -> str:
        """How far the jobs are, and, behind it, all that the rest of the tab is drawn from."""
        current = self._jobs()
        there = sorted(path.stem for path in self.page.workspace.evaluations.glob("*.json"))
        runs = (f"{run.name}:{run.status().state}" for run in jobs.list_runs(self.page.workspace))
        states = (f"{job.name}:{job.status().state}" for job in current)
        return BESIDES.join([" ".join(job.etag() for job in current), " ".join([*there, *states, *runs])])


def read_dimensions(words: str) -> list[int] | None:
    """``256, 128`` → [256, 128]; nothing → None. Raises WorkbenchError for anything else."""
    parts = [part for part in (words or "").replace(";", ",").replace(" ", ",").split(",") if part]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise WorkbenchError(f"“{words}” are no dimensions. Write whole numbers with commas, for example 256, 128, 64.")
    return [int(part) for part in parts] or None
