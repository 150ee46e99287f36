"""The Write queries part of the Data tab: a language model that the user names writes queries for documents.

Off until somebody asks for it. What has been previewed, and only that, can be sent: the button that begins carries the
fingerprint of the settings it was drawn for.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.columns import as_number
from workbench.collection.editing import Change, changes, undo
from workbench.collection.store import Collection, open_collection
from workbench.enrich.choosing import GenerationSettings
from workbench.enrich.endpoint import key_for
from workbench.enrich.generating import generation_settings, generation_spec, preview_generation
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.source import typed_reference
from workbench.ui import cards, job_views
from workbench.ui import part_generate_views as views
from workbench.ui.choices import collection_in_hand, embedder_choices, with_limits
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.part_review import generated_queries
from workbench.ui.place import Place

WORK = "generate"
FIELDS = GenerationSettings.model_fields
NO_CHECK = [("no check", "")]
TICK_SECONDS = 1.0
CHANGED = "Something has changed since the preview, and nothing has been sent. Below is what it would be now."


class GeneratePart:
    """The widgets of the part and their handlers."""

    name = "generate"
    title = "Write queries"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="generate", min_width=0) as self.column:
            self.top = view("generate-top")
            self.job = view("generate-job")
            self.result = view("generate-result")
            with gr.Column(elem_id="generate-form", elem_classes=["card"], min_width=0, visible=False) as self.form:
                self._make_form()
            self.preview = view("generate-preview")
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self.widgets = [
            self.column, self.top, self.job, self.result, self.form, self.preview, self.settings["which"],
            self.settings["round_trip"], self.settings["sends_sound"], self.timer, self.seen,
        ]  # fmt: skip
        given = [*self.prices, *self.settings.values()]
        page.on([self.look.click], self.show_preview, given, self.widgets, queue=True, waits_on=self.preview)
        page.on([self.preview.click], self.write, given, self.widgets, queue=True, waits_on=self.preview)
        page.on([self.job.click, self.result.click], self.use_view, [], self.widgets, queue=True)  # for its toast
        page.on([self.timer.tick], self.watch_writing, [self.seen], self.widgets, keeps=True)

    def _make_form(self) -> None:
        made: dict[str, Any] = {}
        with gr.Row(elem_classes=["form-row"]):
            made["endpoint"] = gr.Textbox(placeholder="http://localhost:11434/v1", max_lines=1, **_about("endpoint"))
            made["endpoint_model"] = gr.Textbox(placeholder="llama3.2", max_lines=1, **_about("endpoint_model"))
        with gr.Row(elem_classes=["form-row"]):
            made["which"] = gr.Dropdown([("without a query", "unqueried"), ("all", "all")], **_about("which"))
            made["per_document"] = _number("per_document", 20)
        with gr.Accordion(
            "Advanced: prompt, check, limits, prices",
            open=False,
            elem_id="generate-advanced",
            elem_classes=["inner"],
        ):
            made["prompt"] = gr.Textbox(lines=6, max_lines=16, **_about("prompt"))
            with gr.Row(elem_classes=["form-row"]):
                made["round_trip"] = gr.Dropdown(NO_CHECK, allow_custom_value=True, **_about("round_trip", value=""))
                made["round_trip_rank"] = _number("round_trip_rank", 10_000)
            with gr.Row(elem_classes=["form-row"]):
                made["limit"] = _number("limit", None)
                made["at_once"] = _number("at_once", 64)
            made["sends_sound"] = gr.Checkbox(visible=False, **_about("sends_sound"))
            with gr.Row(elem_classes=["form-row"]):
                self.prices = [_price("sent", "prompt"), _price("written", "answer")]
        self.settings = made
        self.look = gr.Button("Preview", variant="primary", elem_id="generate-look")

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """What it is, what is being written, what was written, and the form. No preview: it is of another moment."""
        workspace, allowed = self.page.workspace, self.page.may_run_code
        current = job_views.open_jobs(workspace, WORK, collection=collection.name)
        busy = any(not job.status().ended for job in current)
        kinds = collection.card.modalities.get("document", [])
        choices = with_limits(workspace, embedder_choices(workspace), ["text", *kinds])
        without, every = views.unqueried(collection), len(collection.corpus)
        which = [(f"those without a query ({without:,})", "unqueried"), (f"all ({every:,})", "all")]
        return {
            self.column: gr.Column(visible=True),
            self.top: views.top(collection, allowed, os.environ),
            self.job: "".join(job_views.job_card(job, views.job_title(job.spec)) for job in current),
            self.result: "" if busy else self._last_result(collection),
            self.form: gr.Column(visible=allowed and not busy),
            self.preview: "",
            self.settings["which"]: gr.Dropdown(choices=which),
            self.settings["round_trip"]: gr.Dropdown(choices=[*NO_CHECK, *choices]),
            self.settings["sends_sound"]: gr.Checkbox(visible=any("audio" in kind for kind in kinds)),
            self.timer: gr.Timer(TICK_SECONDS, active=busy),
            self.seen: self._seen(collection),
        }

    def hide(self) -> Widgets:
        """Nothing of it, and its clock stands still."""
        return {self.column: gr.Column(visible=False), self.preview: "", self.timer: gr.Timer(active=False)}

    def watch_writing(self, place: Place, seen: str) -> Widgets | None:
        """While the model writes: its progress, then what came of it."""
        if (place.tab, place.part) != ("data", self.name):
            return {self.timer: gr.Timer(active=False)}
        collection = self._collection(place)
        return None if self._seen(collection) == seen else self.draw(place, collection)

    def show_preview(self, place: Place, *given: Any) -> Widgets:
        """How much it would be, and the first prompts; sends nothing."""
        self._check_allowed()
        return {self.preview: self._preview(self._collection(place), *given)}

    def write(self, place: Place, event: gr.EventData, *given: Any) -> Widgets:
        """Begin what was previewed, in the background; where that has changed since, show it anew."""
        self._check_allowed()
        collection = self._collection(place)
        settings = self._read(given, dry_run=False)
        if dict(event._data).get("seen") != _fingerprint(collection, settings):
            drawn = self._preview(collection, *given)
            return {self.preview: drawn, self.page.message: cards.notice(CHANGED, tone="warn")}
        workspace = self.page.workspace
        if any(not job.status().ended for job in job_views.open_jobs(workspace, WORK, collection=collection.name)):
            raise WorkbenchError(f"Queries for “{collection.name}” are being written already.")
        spec = generation_spec(workspace, collection=collection.name, **settings.model_dump())
        jobs.start(workspace, WORK, jobs.free_name(workspace, f"{WORK}-{collection.name}"), spec)
        return self.draw(place, collection)

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of the result and of a job card do."""
        said: dict[str, Any] = dict(event._data)
        workspace, name = self.page.workspace, collection_in_hand(self.page.workspace, place)
        if said["act"] == "part":
            return {self.page.place: place.at(part=str(said["part"]), collection=name)}
        if said["act"] == "undo":
            newest = next(iter(changes(workspace, name)), None)
            if newest is None or str(newest.number) != str(said.get("number")):
                raise WorkbenchError(f"“{name}” has been changed since. What has been changed stands in More.")
            tell(f"Taken back: {undo(workspace, name).what}.", duration=5)
        else:
            job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self.draw(place, open_collection(workspace, name))

    def _check_allowed(self) -> None:
        if not self.page.may_run_code:
            raise WorkbenchError(views.NOT_OPEN)

    def _preview(self, collection: Collection, *given: Any) -> str:
        settings = self._read(given, dry_run=True)
        found = preview_generation(
            self.page.workspace,
            collection.name,
            settings,
            prompt_price=read_price(given[0]),
            answer_price=read_price(given[1]),
        )
        with_key = bool(settings.endpoint and key_for(settings.endpoint))
        return views.preview(found, settings, with_key, _fingerprint(collection, settings))

    def _read(self, given: tuple[Any, ...], *, dry_run: bool) -> GenerationSettings:
        """The settings in the form; `given` begins with the prices. An empty number is the usual one."""
        values = dict(zip(self.settings, given[len(self.prices) :], strict=True))
        values["round_trip"] = typed_reference(values["round_trip"]) if values["round_trip"] else None
        kept = {name: value for name, value in values.items() if value is not None}
        return generation_settings({**kept, "dry_run": dry_run})

    def _last_result(self, collection: Collection) -> str:
        """What came of the newest writing that has finished and has not been taken back."""
        history = changes(self.page.workspace, collection.name)
        for job in jobs.list_jobs(self.page.workspace, WORK, collection=collection.name):
            found = job.result()
            if not found or "kept" not in found or job.status().state != "finished":
                continue
            change = next((one for one in history if _made_by(one, job, found)), None)
            if change is not None or not found["kept"]:
                undoable = change if change is not None and change == history[0] else None
                return views.result(found, job.name, len(generated_queries(collection)), undoable)
        return ""

    def _collection(self, place: Place) -> Collection:
        return open_collection(self.page.workspace, collection_in_hand(self.page.workspace, place))

    def _seen(self, collection: Collection) -> str:
        current = job_views.open_jobs(self.page.workspace, WORK, collection=collection.name)
        return " ".join([collection.fingerprint, *(job.etag() for job in current)])


def _made_by(change: Change, job: JobFolder, found: dict[str, Any]) -> bool:
    """Whether a change is what a job has written."""
    what = f"Generated {found['kept']:,} queries with “{found['model']}”"
    return change.what == what and change.when >= float(job.job.get("created") or 0)


def _fingerprint(collection: Collection, settings: GenerationSettings) -> str:
    """What was previewed: the collection as it stands, and every setting."""
    shown = {**settings.model_dump(exclude={"dry_run"}), "collection": f"{collection.name}@{collection.fingerprint}"}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode("utf-8", "replace")).hexdigest()


def read_price(value: str | float | None) -> float | None:
    """The price of a million tokens as it was typed; None for an empty field. Raises WorkbenchError otherwise."""
    if value is None or not str(value).strip():
        return None
    price = as_number(value)
    if price is None or not 0 <= price < math.inf:
        raise WorkbenchError(f"“{str(value)[:40]}” is no price. Write a number, 0.15 for example, or leave it empty.")
    return price


def _about(name: str, **changed: Any) -> dict[str, Any]:
    """Label, explanation and usual value of the field of one setting."""
    info = FIELDS[name]
    given = {"value": info.default, "label": info.title, "info": info.description, "elem_id": f"generate-{name}"}
    return {**given, **changed}


def _number(name: str, most: int | None) -> gr.Number:
    return gr.Number(precision=0, minimum=0 if name == "limit" else 1, maximum=most, **_about(name))


def _price(label: str, name: str) -> gr.Textbox:
    return gr.Textbox(
        "", label=f"Price of a million tokens {label}", info="In any currency. Empty: no cost is shown.",
        placeholder="none", max_lines=1, elem_id=f"generate-{name}-price",
    )  # fmt: skip
