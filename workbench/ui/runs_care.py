"""The lower part of the Runs tab: notes, clone, comparison, script. All of the run that the tab shows."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.source import typed_reference
from workbench.settings import parse_overrides
from workbench.training.comparing import compare_runs
from workbench.training.script import script_of
from workbench.ui import plots, runs_compare_views
from workbench.ui.job_views import check_may_begin
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.workspace import check_name

MOST_COMPARED = 4  # as many as there are colours


def shown_run(page: Page, place: Place, runs: list[JobFolder] | None = None) -> JobFolder | None:
    """The run that the tab shows: the one of the address, else the newest."""
    runs = jobs.list_runs(page.workspace) if runs is None else runs
    return next((run for run in runs if run.name == place.run), None) or (runs[0] if runs else None)


class RunCare:
    """The widgets below a run and their handlers."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(elem_id="runs-care", min_width=0, visible=False) as self.all:
            with gr.Accordion("Notes and tags", open=False, elem_id="run-notes", elem_classes=["card"]):
                self.text = gr.Textbox(label="Notes", lines=3, max_length=10_000, elem_id="run-note")
                self.tags = gr.Textbox(label="Tags", info="Separated by commas.", elem_id="run-tags")
                self.save = gr.Button("Save the notes", elem_id="run-note-save")
            with gr.Accordion("Clone with changes", open=False, elem_id="run-clone", elem_classes=["card"]):
                self.changes = gr.Textbox(
                    label="What to change", lines=3, placeholder="learning_rate=1e-5\nepochs=3",
                    info="One setting a line, as key=value. All others stay as they are.", elem_id="run-clone-changes",
                )  # fmt: skip
                self.clone_name = gr.Textbox(label="Name of the clone", max_length=64, elem_id="run-clone-name")
                self.clone = gr.Button("Start the clone", elem_id="run-clone-start")
            with gr.Accordion("Compare with other runs", open=False, elem_id="run-compare", elem_classes=["card"]):
                self.others = gr.Dropdown(
                    label="Other runs", multiselect=True, max_choices=MOST_COMPARED - 1, elem_id="run-compare-with"
                )
                with gr.Row(elem_classes=["halves"], visible=False) as self.curves:
                    self.loss = plots.make_plot("run-compare-loss")
                    self.ndcg = plots.make_plot("run-compare-ndcg")
                self.compared = view("run-compared")
            with gr.Accordion("Show as a script", open=False, elem_id="run-script", elem_classes=["card"]):
                self.about_script = view("run-script-about", value=runs_compare_views.about_script())
                self.show_script = gr.Button("Write the script", elem_id="run-script-show")
                self.script = gr.Code(
                    label="Script", language="python", interactive=False, visible=False, elem_id="run-script-text"
                )
        self._wire()

    @property
    def widgets(self) -> list[Any]:
        """Everything that `fill` sets."""
        return [self.all, self.text, self.tags, self.changes, self.clone_name, self.others, self.curves,
                self.compared, self.script]  # fmt: skip

    def _wire(self) -> None:
        page = self.page
        page.on([self.clone.click], self.start_clone, [self.changes, self.clone_name])
        page.on([self.others.change], self.compare, [self.others], [self.curves, self.loss, self.ndcg, self.compared])
        page.on([self.show_script.click], self.write_script, [], [self.script])

    def fill(self, run: JobFolder | None, runs: list[JobFolder]) -> Widgets:
        """The widgets for a run that has just been chosen; what was typed for another one goes."""
        if run is None:
            return {self.all: gr.Column(visible=False)}
        notes = jobs.read_notes(run)
        return {
            self.all: gr.Column(visible=True),
            self.text: notes["text"],
            self.tags: ", ".join(notes["tags"]),
            self.changes: "",
            self.clone_name: jobs.free_name(self.page.workspace, run.name),
            self.others: gr.Dropdown(
                choices=[other.name for other in runs if other.name != run.name], value=[], multiselect=True
            ),
            self.curves: gr.Row(visible=False),
            self.compared: "",
            self.script: gr.Code(value="", visible=False),
        }

    def save_notes(self, place: Place, text: str, tags: str) -> Widgets:
        """Keep what was noted about the run."""
        notes = jobs.write_notes(self._run(place), text, tags.split(","))
        return {self.text: notes["text"], self.tags: ", ".join(notes["tags"])}

    def start_clone(self, place: Place, changes: str, name: str) -> Widgets:
        """Start the run again with some settings changed, and show the new one."""
        run = self._run(place)
        check_may_begin(self.page, run)
        overrides = parse_overrides([line.strip() for line in changes.splitlines() if line.strip()])
        for key, value in overrides.items():
            if key.endswith("_model") and value:
                overrides[key] = typed_reference(str(value))
        clone = jobs.clone(self.page.workspace, run.name, check_name(name, "run"), overrides)
        return {self.page.place: place.at(tab="runs", run=clone.name)}

    def compare(self, place: Place, others: list[str] | None) -> Widgets:
        """The run and others side by side."""
        if not others:
            return {self.curves: gr.Row(visible=False), self.compared: ""}
        compared = compare_runs(self.page.workspace, [self._run(place).name, *others])
        return {
            self.curves: gr.Row(visible=True),
            self.loss: runs_compare_views.overlaid(compared, "loss", "loss"),
            self.ndcg: runs_compare_views.overlaid(compared, "ndcg", "NDCG@10 on the held-out part"),
            self.compared: runs_compare_views.side_by_side(compared),
        }

    def write_script(self, place: Place) -> Widgets:
        """The run as a plain Python script."""
        text = script_of(self._run(place), public=not self.page.may_run_code)
        return {self.script: gr.Code(value=text, visible=True)}

    def _run(self, place: Place) -> JobFolder:
        run = shown_run(self.page, place)
        if run is None:
            raise WorkbenchError("There is no run any more. Start one on the Train tab.")
        return run
