"""The More part of the Data tab: add rows, take the collection away, push it to the Hub, take changes back."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.editing import changes, undo
from workbench.collection.exporting import FORMS
from workbench.collection.hub_words import check_repo_id
from workbench.collection.pushing import personal_data
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.ui import job_views
from workbench.ui import part_more_views as views
from workbench.ui.choices import collection_in_hand
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place
from workbench.workspace import Workspace

NOT_OPEN = (
    "This page is open to others, and a push goes out in its owner's name. Start the page on your own computer or with "
    "--auth USER:PASSWORD, or push on the command line."
)


class MorePart:
    """The widgets of the part and their handlers."""

    name, title = "more", "More"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="more", min_width=0) as self.column:
            self.top = view("more-top")
            self.exports = view("more-exports")
            with gr.Column(elem_id="more-push", elem_classes=["card"], min_width=0):
                self.push_words = view("more-push-words")
                with gr.Row(elem_classes=["form-row"]):
                    self.repo = gr.Textbox(
                        label="Name on the Hub", placeholder="USER/NAME", max_lines=1, elem_id="more-repo"
                    )
                    self.push = gr.Button("Push", elem_id="more-push-start")
                self.public = gr.Checkbox(label="Everybody may see it", elem_id="more-public")
                self.anyway = gr.Checkbox(label="Push it although it holds personal data", elem_id="more-anyway")
                self.pushes = view("more-pushes")
            self.history = view("more-history")
        self.widgets = [self.column, self.top, self.exports, self.push_words, self.anyway, self.pushes, self.history]
        clicked = [self.top.click, self.exports.click, self.pushes.click, self.history.click]
        page.on(clicked, self.use_view, [], self.widgets)
        page.on([self.push.click], self.start_push, [self.repo, self.public, self.anyway], self.widgets)

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """What can be done with the collection, and what has been done."""
        workspace, name = self.page.workspace, collection.name
        personal = personal_data(collection)
        since = changes(workspace, name)
        newest = since[0].when if since else 0.0
        exports, pushes = _of(workspace, "export", name), _of(workspace, "push", name)
        return {
            self.column: gr.Column(visible=True),
            self.top: views.add(collection.card),
            self.exports: views.exports(exports, newest, self.page.downloads),
            self.push_words: views.push(personal, allowed=self.page.may_run_code),
            self.anyway: gr.Checkbox(visible=bool(personal)),
            self.pushes: views.pushes(pushes, newest),
            self.history: views.history(since),
        }

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False), self.anyway: gr.Checkbox(value=False)}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of the part and of a job card do."""
        said: dict[str, Any] = dict(event._data)
        workspace, name = self.page.workspace, collection_in_hand(self.page.workspace, place)
        if said["act"] == "part":
            return {self.page.place: place.at(part=str(said["part"]), collection=name)}
        if said["act"] == "export":
            form = str(said.get("form", ""))
            if form not in FORMS:
                raise WorkbenchError(f"“{form[:40]}” is no form of an export.")
            self._begin("export", name, {"form": form})
        elif said["act"] == "undo":
            tell(f"Taken back: {undo(workspace, name).what}.", duration=5)
        else:
            job_views.use_job(self.page, said["act"], str(said.get("name", "")))
        return self.draw(place, open_collection(workspace, name))

    def start_push(self, place: Place, repo: str, public: bool, anyway: bool) -> Widgets:
        """Begin to push in the background."""
        if not self.page.may_run_code:
            raise WorkbenchError(NOT_OPEN)
        workspace, name = self.page.workspace, collection_in_hand(self.page.workspace, place)
        collection = open_collection(workspace, name)
        spec = {"repo": check_repo_id(repo or ""), "public": bool(public), "anyway": bool(anyway)}
        found = personal_data(collection)
        if found and not anyway:
            raise WorkbenchError(
                f"“{name}” holds personal data. Mend that in Check, or tick that it may be pushed all the same.", found
            )
        self._begin("push", name, spec)
        return self.draw(place, collection)

    def _begin(self, work: str, name: str, spec: dict[str, Any]) -> None:
        """Start a job in the place of the ended ones of its kind."""
        workspace = self.page.workspace
        for job in _of(workspace, work, name):
            if job.status().ended and job.spec.get("form") == spec.get("form"):
                jobs.remove(workspace, job.name)
        jobs.start(workspace, work, jobs.free_name(workspace, f"{work}-{name}"), {"collection": name, **spec})


def _of(workspace: Workspace, work: str, collection: str) -> list[JobFolder]:
    """The jobs of one kind for a collection, finished ones too; not what was exported to a folder of the user's own."""
    return [job for job in jobs.list_jobs(workspace, work, collection=collection) if not job.spec.get("to")]
