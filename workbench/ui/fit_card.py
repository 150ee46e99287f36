"""“Will it fit?” on the Train tab: an estimate while the form is being filled, and a measurement when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.training.fit import fit
from workbench.training.measurements import configuration
from workbench.ui import fit_views, job_views
from workbench.ui.page import Page, Widgets, clock, view
from workbench.ui.place import Place

WORK = "fit"
TICK_SECONDS = 2.0
ReadSpec = Callable[..., dict[str, Any]]


class FitCard:
    """The box and its handlers. `draw` takes the spec of a run; whoever shows it wires it with `wire`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = view("train-fit")

    def wire(self, tab: str, timer: gr.Timer, inputs: Sequence[Any], read_spec: ReadSpec) -> None:
        """Wire the box. read_spec: makes a run's spec of the values of `inputs`.

        Whoever shows the form draws the box anew when a field is changed.
        """
        self.timer, self.read_spec = timer, read_spec
        shown = [self.view, timer]
        self.page.on([self.view.click], self.use, inputs, shown)
        self.page.watch(tab, timer, self.estimate, inputs, shown)

    def draw(self, spec: dict[str, Any]) -> Widgets:
        """The box for a spec, read from disk."""
        job = self._job(spec)
        busy = job is not None and not job.status().ended
        box = fit_views.fit_box(fit(self.page.workspace, spec), job)
        return {self.view: box, self.timer: clock(busy, TICK_SECONDS) if busy else gr.Timer(active=False)}

    def estimate(self, place: Place, *given: Any) -> Widgets:
        """The box for what the form says now."""
        try:
            return self.draw(self.read_spec(*given))
        except WorkbenchError as error:
            return self.refuse(error)

    def refuse(self, error: WorkbenchError) -> Widgets:
        """The box where the form makes no run."""
        return {self.view: fit_views.cannot(error)}

    def use(self, place: Place, event: gr.EventData, *given: Any) -> Widgets:
        """Measure, or what the buttons of its job say."""
        said: dict[str, Any] = dict(event._data)
        spec = self.read_spec(*given)
        if said["act"] == "measure":
            self.measure(spec)
        else:
            job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self.draw(spec)

    def measure(self, spec: dict[str, Any]) -> None:
        """Start a dry run of this spec, unless one is at work; what is left of earlier ones is put away."""
        workspace, collection = self.page.workspace, str(spec["collection"])
        for job in jobs.list_jobs(workspace, WORK, collection=collection):
            if jobs.watch(job).ended:
                jobs.remove(workspace, job.name)
        if self._job(spec) is None:
            name = jobs.free_name(workspace, f"fit-{collection}")
            jobs.start(workspace, WORK, name, {"collection": collection, "run": spec})

    def _job(self, spec: dict[str, Any]) -> JobFolder | None:
        """The measurement of this configuration that is at work or ended badly."""
        workspace = self.page.workspace
        mine = configuration(workspace, spec)
        for job in job_views.open_jobs(workspace, WORK, collection=str(spec["collection"])):
            if configuration(workspace, job.spec["run"]) == mine:
                return job
        return None
