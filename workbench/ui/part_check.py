"""The Check part of the Data tab: the data doctor looks the collection over, and mends what it can."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.editing import undo
from workbench.collection.store import Collection, open_collection
from workbench.doctor.fixes import fix
from workbench.doctor.mended import Standing, read_standing
from workbench.errors import WorkbenchError
from workbench.ui import job_views
from workbench.ui import part_check_views as views
from workbench.ui.choices import collection_in_hand, embedder_choices, with_limits
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place

WORK = "check"


class CheckPart:
    """The widgets of the part and their handlers."""

    name, title = "check", "Check"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="check", min_width=0) as self.column:
            self.top = view("check-top")
            self.job = view("check-job")
            self.findings = view("check-findings")
        self.widgets = [self.column, self.top, self.job, self.findings]
        page.on([self.top.click, self.job.click], self.use_top, [], self.widgets)
        page.on([self.findings.click], self.use_finding, [], self.widgets, queue=True, waits_on=self.findings)

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """The last check and what came of it, or what there is to be looked for."""
        workspace, name = self.page.workspace, collection.name
        current = job_views.open_jobs(workspace, WORK, collection=name)
        busy = any(not job.status().ended for job in current)
        standing = read_standing(workspace, name)
        needed = [*collection.card.modalities.get("query", []), *collection.card.modalities.get("document", [])]
        models = with_limits(workspace, embedder_choices(workspace), needed)
        shown = views.Examples(collection, self.page.media)
        return {
            self.column: gr.Column(visible=True),
            self.top: views.top(standing, models, busy),
            self.job: "".join(job_views.job_card(job, f"Checking {name}") for job in current),
            self.findings: views.findings(standing, shown) if standing else "",
        }

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False), self.findings: ""}

    def use_top(self, place: Place, event: gr.EventData) -> Widgets:
        """Begin a check, or what the buttons of its job card do."""
        said: dict[str, Any] = dict(event._data)
        workspace, name = self.page.workspace, collection_in_hand(self.page.workspace, place)
        if said["act"] == "check":
            models = {reference for _, reference in embedder_choices(workspace)}
            model = str(said.get("check-model", ""))
            spec = {"collection": name, "model": model if model in models else None}
            for job in job_views.open_jobs(workspace, WORK, collection=name):
                if job.status().ended:
                    jobs.remove(workspace, job.name)
            jobs.start(workspace, WORK, jobs.free_name(workspace, f"check-{name}"), spec)
        else:
            job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self.draw(place, open_collection(workspace, name))

    def use_finding(self, place: Place, event: gr.EventData) -> Widgets:
        """Mend a finding, or take the newest change back."""
        said: dict[str, Any] = dict(event._data)
        workspace, name = self.page.workspace, collection_in_hand(self.page.workspace, place)
        if said["act"] == "fix":
            standing = read_standing(workspace, name)
            if standing is None or f"{standing.check.created:.3f}" != said.get("check"):
                raise WorkbenchError(f"“{name}” has been checked again since. Look at the new findings first.")
            tell(fix(workspace, name, int(said["number"])), duration=5)
        elif said["act"] == "undo":
            tell(f"Taken back: {undo(workspace, name).what}.", duration=5)
        return self.draw(place, open_collection(workspace, name))


def badge(standing: Standing | None) -> tuple[str, str]:
    """What stands on the part's button: how many findings ask to be mended, and that in words. Notes do not count."""
    count = 0 if standing is None else sum(finding.severity != "note" for finding in standing.left)
    return (f"{count:,}", f"{count:,} findings that block training or are likely to hurt") if count else ("", "")
