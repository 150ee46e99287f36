"""The Negatives part of the Data tab: mine hard negatives in the background, look at some, drop them again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.columns import as_number
from workbench.collection.store import Collection, open_collection
from workbench.enrich.hard_negatives import MiningSettings
from workbench.enrich.mining import drop_mined, mining_spec
from workbench.errors import WorkbenchError
from workbench.models.source import typed_reference
from workbench.ui import job_views, words
from workbench.ui import part_negatives_views as views
from workbench.ui.choices import collection_in_hand, embedder_choices, reranker_choices, with_limits
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place

WORK = "mine"
FIELDS = MiningSettings.model_fields
NUMBERS = ("first_rank", "last_rank", "margin", "absolute_margin", "reranker_margin")
NO_LIMIT = ("margin", "absolute_margin")  # these may be left empty
STARTER = [("starter (offline)", "starter")]
NO_RERANKER = ""
TICK_SECONDS = 1.0


class NegativesPart:
    """The widgets of the part and their handlers."""

    name = "negatives"
    title = "Hard negatives"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="negatives", min_width=0) as self.column:
            self.top = view("negatives-top")
            self.job = view("negatives-job")
            with gr.Column(elem_id="negatives-form", elem_classes=["card"], min_width=0, visible=False) as self.form:
                self._make_form()
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self.widgets = [
            self.column, self.top, self.job, self.form, self.model, self.reranker, self.modality, self.timer, self.seen,
        ]  # fmt: skip
        settings = [self.model, self.reranker, self.per_query, self.modality, *self.numbers.values()]
        page.on([self.start.click], self.start_mining, settings, self.widgets)
        page.on([self.top.click, self.job.click], self.use_view, [], self.widgets, queue=True)  # for its toast
        page.on([self.timer.tick], self.watch_mining, [self.seen], self.widgets, keeps=True)

    def _make_form(self) -> None:
        with gr.Row(elem_classes=["form-row"]):
            self.model = gr.Dropdown(
                STARTER, value="starter", label="Found by", allow_custom_value=True, elem_id="negatives-model",
                info="Best the model that you are going to train.",
            )  # fmt: skip
            self.per_query = gr.Number(
                FIELDS["per_query"].default, label=FIELDS["per_query"].title, precision=0, minimum=1, maximum=100,
                info="4 will do; more makes training slower.", elem_id="negatives-per_query",
            )  # fmt: skip
            self.reranker = gr.Dropdown(
                [("nothing", NO_RERANKER)], value=NO_RERANKER, label="Screened by", elem_id="negatives-reranker",
                allow_custom_value=True, info="A reranker leaves out likely answers. Slower.",
            )  # fmt: skip
        with gr.Accordion(
            "Advanced: how far down, and how near", open=False, elem_id="negatives-advanced", elem_classes=["inner"]
        ):
            self.numbers = {name: _field(name) for name in NUMBERS}
            kind = FIELDS["document_modality"]
            self.modality = gr.Dropdown(
                [("every kind", "")], value="", label=kind.title, info=kind.description, elem_id="negatives-modality"
            )
        self.start = gr.Button("Mine hard negatives", variant="primary", elem_id="negatives-start")

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """What has been mined, what is being mined, and the form."""
        workspace = self.page.workspace
        current = job_views.open_jobs(workspace, WORK, collection=collection.name)
        busy = any(not job.status().ended for job in current)
        kinds = collection.card.modalities.get("document", [])
        needed = [*collection.card.modalities.get("query", []), *kinds]
        choices = with_limits(workspace, embedder_choices(workspace), needed)
        rerankers = [("nothing", NO_RERANKER), *with_limits(workspace, reranker_choices(workspace), needed)]
        return {
            self.column: gr.Column(visible=True),
            self.top: views.top(collection, self.page.media, busy),
            self.job: "".join(job_views.job_card(job, f"Mining {collection.name}") for job in current),
            self.form: gr.Column(visible=not busy),
            self.model: gr.Dropdown(choices=choices),
            self.reranker: gr.Dropdown(choices=rerankers),
            self.modality: gr.Dropdown(
                choices=[("every kind", ""), *((words.plurals([kind]), kind) for kind in kinds)], visible=len(kinds) > 1
            ),
            self.timer: gr.Timer(TICK_SECONDS, active=busy),
            self.seen: self._seen(collection),
        }

    def hide(self) -> Widgets:
        """Nothing of it, and its clock stands still."""
        return {self.column: gr.Column(visible=False), self.timer: gr.Timer(active=False)}

    def watch_mining(self, place: Place, seen: str) -> Widgets | None:
        """While a model mines: its progress, then what it found."""
        if (place.tab, place.part) != ("data", self.name):
            return {self.timer: gr.Timer(active=False)}
        collection = self._collection(place)
        return None if self._seen(collection) == seen else self.draw(place, collection)

    def start_mining(
        self, place: Place, model: str, reranker: str, per_query: int, modality: str, *numbers: float | str | None
    ) -> Widgets:
        """Begin to mine in the background, replacing what was mined before."""
        given = {name: read_limit(name, value) for name, value in zip(NUMBERS, numbers, strict=True)}
        settings: dict[str, Any] = {"per_query": per_query, "document_modality": modality or "", **given}
        collection = self._collection(place)
        spec = mining_spec(
            self.page.workspace,
            collection=collection.name,
            model=typed_reference(model) if model else None,
            reranker=typed_reference(reranker) if reranker else None,
            **{name: value for name, value in settings.items() if value is not None or name in NO_LIMIT},
        )
        name = jobs.free_name(self.page.workspace, f"mine-{collection.name}")
        jobs.start(self.page.workspace, WORK, name, spec)
        return self.draw(place, collection)

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of the part and of a job card do."""
        said: dict[str, Any] = dict(event._data)
        act = said["act"]
        if act == "part":
            return {self.page.place: place.at(part=str(said["part"]))}
        if act == "drop":
            name = collection_in_hand(self.page.workspace, place)
            count = drop_mined(self.page.workspace, name)
            tell(f"Dropped {words.count(count, 'hard negative')} from “{name}”.", duration=4, title="Hard negatives")
        else:
            job_views.use_job(self.page, act, str(said.get("name", "")))
        return self.draw(place, self._collection(place))

    def _collection(self, place: Place) -> Collection:
        return open_collection(self.page.workspace, collection_in_hand(self.page.workspace, place))

    def _seen(self, collection: Collection) -> str:
        current = job_views.open_jobs(self.page.workspace, WORK, collection=collection.name)
        return " ".join([collection.fingerprint, *(job.etag() for job in current)])


def _field(name: str) -> gr.Number | gr.Textbox:
    """The field of one advanced setting, with the line that says what more of it does."""
    info = FIELDS[name]
    about: dict[str, Any] = {"label": info.title, "info": info.description, "elem_id": f"negatives-{name}"}
    if name in NO_LIMIT:  # an empty number would be shown as 0
        value = "" if info.default is None else f"{info.default:g}"
        return gr.Textbox(value, placeholder="no limit", max_lines=1, **about)
    return gr.Number(info.default, precision=0 if info.annotation is int else None, **about)


def read_limit(name: str, value: float | str | None) -> float | None:
    """A number as it was typed, None for an empty field. Raises WorkbenchError for anything else."""
    if value is None or not str(value).strip():
        return None
    number = as_number(value)
    if number is None:
        raise WorkbenchError(f"{FIELDS[name].title}: “{str(value)[:40]}” is no number. Write one, or leave it empty.")
    return number
