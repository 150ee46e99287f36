"""Is a second stage worth it: what full text and a reranker add to an embedder, against the time of a query."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.pipelines import FEWEST, MOST, QUERIES, pipeline_spec
from workbench.evaluation.remote_cost import preview_second_stage
from workbench.job_folder import JobFolder
from workbench.models.remote import PREFIX, remote_model
from workbench.models.remote_check import preview_words
from workbench.models.remote_keys import handed_keys
from workbench.models.source import typed_reference
from workbench.ui import cards, job_views, plots, words
from workbench.ui.choices import embedder_choices, model_name, remote_choices, reranker_choices, with_limits
from workbench.ui.evaluate import pipelines_views as views
from workbench.ui.evaluate.views import Shown, in_hand
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

WORK = "pipeline"
EVALUATED, NONE = "", ""
WHOLE = ""
STARTER = [("starter-reranker (offline)", "starter-reranker")]
TICK_SECONDS = 1.5


class PipelinesPart:
    """The widgets of the part and their handlers."""

    name, title = "pipelines", "Is a second stage worth it"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="evaluate-pipelines", min_width=0) as self.column:
            self.job = view("pipelines-job")
            self.plot = plots.make_plot("pipelines-plot")
            self.told = view("pipelines-told")
            with gr.Column(elem_id="pipelines-form", elem_classes=["card"], min_width=0) as self.form:
                self._make_form()
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.seen = gr.Textbox(visible="hidden", label="Seen")
        self.results = [self.job, self.plot, self.told, self.start, self.key, self.timer, self.seen]
        self.widgets = [
            self.column, self.form, self.model, self.reranker, self.direction, self.size, *self.results,
        ]  # fmt: skip
        self._wire()

    def _make_form(self) -> None:
        with gr.Row(elem_classes=["form-row"]):
            # Empty is the evaluation's last model, so that a chosen one stays while the page is drawn again.
            self.model = gr.Dropdown(
                [("the model evaluated last", EVALUATED)], value=EVALUATED, label="First stage",
                elem_id="pipelines-model", info="Finds the first hundred.",
            )  # fmt: skip
            self.reranker = gr.Dropdown(
                [*STARTER, ("none", NONE)], value=STARTER[0][1], label="Reranker", allow_custom_value=True,
                elem_id="pipelines-reranker", info="Puts them in order. A Hub id can be typed.",
            )  # fmt: skip
        with gr.Row(elem_classes=["form-row"]):
            self.direction = gr.Dropdown([("as uploaded", "all")], value="all", label="Direction",
                                         elem_id="pipelines-direction")  # fmt: skip
            self.size = gr.Dropdown([("all", WHOLE)], value=WHOLE, label="Dimensions", elem_id="pipelines-size")
            self.queries = gr.Number(
                QUERIES, label="Queries", precision=0, minimum=FEWEST, maximum=MOST, elem_id="pipelines-queries"
            )
        self.fuse = gr.Checkbox(
            False, label="Search by full text beside it", elem_id="pipelines-fuse",
            info="Both lists are merged by rank. Needs texts on both sides.",
        )  # fmt: skip
        self.sends = view("pipelines-sends")
        self.key = gr.Textbox(
            label="Key", type="password", max_length=1000, visible=False, elem_id="pipelines-key",
            info="For this measurement only; it is kept nowhere. Empty: the environment's.",
        )  # fmt: skip
        self.start = gr.Button("Measure", variant="primary", elem_id="pipelines-start")

    def _wire(self) -> None:
        page = self.page
        asked: list[Any] = [self.model, self.reranker, self.direction, self.queries, self.fuse]
        page.on([self.start.click], self.start_pipeline, [*asked, self.size, self.key], self.results)
        page.on([self.job.click], self.use_view, [], self.results)
        page.on([self.timer.tick], self.watch_pipeline, [self.seen], self.results, keeps=True)
        # A box that is ticked changes nothing of what is sent.
        page.on([one.change for one in asked[:4]], self.show_sends, asked[:4], [self.sends, self.key],
                keeps=True)  # fmt: skip

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """What has been measured, what is being measured, and the form."""
        workspace, there = self.page.workspace, shown.collection
        kinds = sorted({kind for side in there.card.modalities.values() for kind in side}) if there else []
        last = str(shown.evaluation["models"][-1]["reference"])
        models = [(f"{model_name(last)} (evaluated here)", EVALUATED), *embedder_choices(workspace)]
        rerankers = [*with_limits(workspace, reranker_choices(workspace), kinds), ("none", NONE)]
        if self.page.may_run_code:
            models += remote_choices(workspace, "embedder")
            rerankers += remote_choices(workspace, "reranker")
        directions = [(words.direction(name), name) for name in report.directions(shown.evaluation)]
        return {
            self.column: gr.Column(visible=True),
            self.form: gr.Column(visible=there is not None),
            self.model: gr.Dropdown(choices=models),
            self.reranker: gr.Dropdown(choices=rerankers),
            self.direction: gr.Dropdown(choices=directions),
            self.size: gr.Dropdown(choices=[("all", WHOLE), *_sizes(shown)]),
            **self._results(shown),
        }

    def hide(self) -> Widgets:
        """Nothing of it, and its clock stands still."""
        return {self.column: gr.Column(visible=False), self.timer: gr.Timer(active=False)}

    def watch_pipeline(self, place: Place, seen: str) -> Widgets | None:
        """While a pipeline is measured: its progress, then what came of it."""
        if (place.tab, place.part) != ("evaluate", self.name):
            return {self.timer: gr.Timer(active=False)}
        shown = in_hand(self.page.workspace, place)
        return None if self._seen(shown) == seen else self._results(shown)

    def start_pipeline(
        self, place: Place, model: str, reranker: str, direction: str, queries: int | None, fuse: bool,
        size: str = WHOLE, key: str = "",
    ) -> Widgets:  # fmt: skip
        """Begin to measure in the background; what is found is kept in the evaluation in hand."""
        shown = in_hand(self.page.workspace, place)
        spec = self._spec(shown, model, reranker, direction, queries, fuse)
        spec["dimension"] = int(size) if size else None
        name = jobs.free_name(self.page.workspace, f"pipeline-{spec['collection']}")
        keyed = _keyed(spec["model"], spec["reranker"]) if (key or "").strip() else ""
        environment = handed_keys([(remote_model(self.page.workspace, keyed), key)]) if keyed else {}
        jobs.start(self.page.workspace, WORK, name, spec, environment=environment)
        return {**self._results(shown), self.key: ""}

    def show_sends(self, place: Place, model: str, reranker: str, direction: str, queries: int | None) -> Widgets:
        """Who gets how much of the collection if this is measured; nothing where no model is remote."""
        asked = model or "", reranker or ""
        if not self.page.may_run_code or not any(one.startswith(PREFIX) for one in asked) or not queries:
            return {self.sends: "", self.key: gr.Textbox(visible=False)}
        spec = self._spec(in_hand(self.page.workspace, place), model, reranker, direction, queries, not reranker)
        told = [preview_words(one) for one in preview_second_stage(self.page.workspace, spec)]
        label = f"Key for {model_name(_keyed(*asked))}"
        return {
            self.sends: cards.notice("What leaves this computer:", told, tone="warn", closable=False),
            self.key: gr.Textbox(visible=True, label=label),
        }

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of a job card do."""
        said: dict[str, Any] = dict(event._data)
        job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self._results(in_hand(self.page.workspace, place))

    def _spec(
        self, shown: Shown, model: str, reranker: str, direction: str, queries: int | None, fuse: bool
    ) -> dict[str, Any]:
        if shown.collection is None:
            raise WorkbenchError("The collection of this evaluation is gone, so nothing can be measured on it.")
        chosen = model or str(shown.evaluation["models"][-1]["reference"])
        allowed = self.page.may_run_code
        # What has been evaluated may be a folder, which somebody in the terminal named.
        evaluated = [str(one["reference"]) for one in shown.evaluation["models"]]
        known = {one for one in evaluated if allowed or not one.startswith(PREFIX)}
        return pipeline_spec(
            self.page.workspace,
            collection=str(shown.evaluation["collection"]),
            model=chosen if chosen in known else typed_reference(chosen, remote=allowed),
            reranker=typed_reference(reranker, remote=allowed) if reranker else None,
            fuse=bool(fuse),
            direction=direction,
            queries=int(queries or 0),
            evaluation=str(shown.evaluation["evaluation"]),
        )

    def _results(self, shown: Shown) -> Widgets:
        found = list(reversed(shown.evaluation.get("pipelines") or []))
        current = self._jobs(shown)
        busy = any(not job.status().ended for job in current)
        return {
            self.job: "".join(job_views.job_card(job, views.job_title(job.spec)) for job in current),
            self.plot: gr.HTML(value=views.plot(found), visible=bool(found)),
            self.told: views.told(found, shown.evaluation),
            self.start: gr.Button(interactive=not busy),
            self.timer: gr.Timer(TICK_SECONDS, active=busy),
            self.seen: self._seen(shown),
        }

    def _jobs(self, shown: Shown) -> list[JobFolder]:
        found = job_views.open_jobs(self.page.workspace, WORK)
        return [job for job in found if job.spec.get("evaluation") == shown.evaluation["evaluation"]]

    def _seen(self, shown: Shown) -> str:
        measured = (str(one["created"]) for one in shown.evaluation.get("pipelines") or [])
        return " ".join([str(shown.evaluation["evaluation"]), *measured, *(job.etag() for job in self._jobs(shown))])


def _keyed(model: str, reranker: str | None) -> str:
    """Which of the two a key is for: the reranker if it is remote, else the first stage if that is; else none."""
    return next((one for one in (reranker, model) if one and one.startswith(PREFIX)), "")


def _sizes(shown: Shown) -> list[tuple[str, str]]:
    """The sizes that the models of the evaluation were scored at, the largest first."""
    sizes = sorted({int(row["dimension"]) for row in shown.evaluation["results"]}, reverse=True)
    return [(f"{size:,}", str(size)) for size in sizes]
