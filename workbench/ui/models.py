"""Add a model: a field in the Train tab for an id on the Hub, and what a background check of it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.source import HUB_ID, typed_reference
from workbench.ui import cards, job_views, words
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

TICK_SECONDS = 1.0
Choices = Callable[[str, str], list[tuple[str, str]]]
DONE = {"add-model": "was added", "join-models": "was joined"}


class ModelWork:
    """A background job that brings a model, and the card that shows it.

    model: the select that offers the new model as soon as it is there, filled by `choices(kind, collection)`.
    """

    work = ""
    page: Page
    model: gr.Dropdown
    choices: Choices
    fold: gr.Accordion
    found: gr.HTML
    timer: gr.Timer

    def recall(self) -> Widgets:
        """What is at work, or ended badly and was not put away: for a page that was loaded anew."""
        newest = self._newest()
        if newest is None or jobs.watch(newest).state == "finished":
            return {}
        return {**self._draw(), self.fold: gr.Accordion(open=True)}

    def _look(self, kind: str, collection: str) -> Widgets:
        shown = self._draw()
        newest = self._newest()
        if newest is not None and jobs.watch(newest).state == "finished" and collection:
            shown[self.model] = gr.Dropdown(choices=self.choices(kind, collection))
        return shown

    def _use(self, event: gr.EventData) -> Widgets:
        said: dict[str, Any] = dict(event._data)
        job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self._draw()

    def _newest(self) -> JobFolder | None:
        return next(iter(jobs.list_jobs(self.page.workspace, self.work)), None)

    def _draw(self) -> Widgets:
        job = self._newest()
        if job is None:
            return {self.found: "", self.timer: gr.Timer(active=False)}
        status = jobs.watch(job)
        result = job.result() if status.state == "finished" else None
        shown = found_card(result, DONE[self.work]) if result else job_views.job_card(job, _title(job))
        return {self.found: shown, self.timer: gr.Timer(active=not status.ended)}


class AddModel(ModelWork):
    """The widgets and their handlers; see `ModelWork`."""

    work = "add-model"

    def __init__(self, page: Page, model: gr.Dropdown, inputs: list[Any], choices: Choices) -> None:
        self.page, self.model, self.choices = page, model, choices
        with gr.Accordion("Add a model", open=False, elem_id="add-model", elem_classes=["card"]) as self.fold:
            self.reference = gr.Textbox(
                label="Id on the Hugging Face Hub", max_length=200, elem_id="add-model-reference",
                info="It is fetched and tried; then it stands in the list above. For one in a folder type in a "
                "terminal: python -m workbench models add DIR",
            )  # fmt: skip
            self.start = gr.Button("Check and add", elem_id="add-model-start")
            self.found = view("add-model-found")
            self.timer = gr.Timer(TICK_SECONDS, active=False)
        outputs = [self.found, self.timer, self.model]
        page.on([self.start.click], self.add_model, [self.reference], outputs)
        page.on([self.timer.tick], self.look_at_added, inputs, outputs, keeps=True)
        page.on([self.found.click], self.use_added, [], outputs)

    def add_model(self, place: Place, reference: str) -> Widgets:
        """Begin the check."""
        workspace, reference = self.page.workspace, typed_reference(reference or "")
        if not HUB_ID.fullmatch(reference):
            raise WorkbenchError(f"“{reference}” can be chosen everywhere already. Write an id on the Hub.")
        name = jobs.free_name(workspace, f"add-{reference.split('/')[1]}")
        jobs.start(workspace, self.work, name, {"reference": reference})
        return self._draw()

    def look_at_added(self, place: Place, kind: str, collection: str) -> Widgets:
        """How far the check is; the new model is offered as soon as it is there."""
        return self._look(kind, collection)

    def use_added(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of the job's card do."""
        return self._use(event)


def _title(job: JobFolder) -> str:
    return f"Checking {job.spec['reference']}" if job.work == "add-model" else f"Joining {job.spec['name']}"


def found_card(found: dict[str, Any], done: str = DONE["add-model"]) -> str:
    """What a check found, in words."""
    dimension = f" Vectors of {found['dimension']:,} dimensions." if found["dimension"] else ""
    memory = found["bytes"]["train"] / 1e9
    lines = [
        f"{found['parameters'] / 1e6:,.1f} million parameters.{dimension} From {memory:,.1f} GB to train all of it.",
        *(f"Before each {side}: “{prompt}”" for side, prompt in found["prompts"].items()),
        *found["notes"],
    ]
    head = f"{found['reference']} {done}. It reads {words.plurals(found['modalities'])}."
    return cards.notice(head, lines, tone="good", closable=False)
