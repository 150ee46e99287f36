"""The part "Index" of the Search tab: what the index in hand is, whether it is in order, what can be done with it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.index import life
from workbench.index.registry import IndexCard, get_index, remove_index
from workbench.index.state import state
from workbench.job_folder import JobFolder
from workbench.models.remote import PREFIX as REMOTE
from workbench.models.source import is_here, typed_reference
from workbench.ui import plots
from workbench.ui.choices import embedder_choices, model_name, with_limits
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place
from workbench.ui.search import index_page_views as views
from workbench.ui.search.in_hand import index_in_hand
from workbench.ui.search.index_page_views import index_of

LOOKING, WRITING = "verify-index", "export-index"
AT_WORK = "“{}” is being worked on just now. Wait until that is done, or stop it above."


class IndexPart:
    """The widgets of the part. The frame calls `act` for its buttons, since they change more than this part."""

    name, title = "index", "Index"
    works = (LOOKING, WRITING)

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="search-index", min_width=0) as self.column:
            self.top = view("index-top")
            with gr.Row(elem_id="index-measured", elem_classes=["wide-narrow"], visible=False) as self.measured:
                self.curve = plots.make_plot("index-recall")
                self.efforts = view("index-efforts")
            self.care = view("index-care")
            with gr.Column(elem_id="index-again", elem_classes=["card"], min_width=0):
                self.again_words = view("index-again-words")
                with gr.Row(elem_classes=["form-row"]):
                    self.model = gr.Dropdown(label="Read by", allow_custom_value=True, elem_id="index-model")
                    self.again = gr.Button("Read it again", elem_id="index-again-start", min_width=0)
            self.away = view("index-away")
            self.foot = view("index-foot")
        self.views = [self.care, self.away, self.foot]
        self.widgets = [self.column, self.top, self.measured, self.curve, self.efforts, self.again_words, self.model,
                        *self.views]  # fmt: skip

    def draw(self, place: Place, shown: IndexCard) -> Widgets:
        """The index in hand, read from disk."""
        workspace = self.page.workspace
        found = state(workspace, shown)
        behind = life.behind(workspace, shown) if found.there else life.Behind()
        choices = embedder_choices(workspace)
        models = with_limits(workspace, choices, shown.modalities)
        # Offered first: another one that reads all of it and is here already.
        others = [one[1] for one in models if one in choices and one[1] != shown.model and is_here(one[1])]
        looked, written = self._last(LOOKING, shown.name), self._last(WRITING, shown.name)
        return {
            self.column: gr.Column(visible=True),
            self.top: views.top(shown, found),
            self.measured: gr.Row(visible=len(shown.efforts) > 1),
            self.curve: views.curve(shown),
            self.efforts: views.efforts(shown),
            self.care: views.care(shown, found, behind),
            self.again_words: views.again(shown),
            self.model: gr.Dropdown(choices=models, value=others[0] if others else shown.model),
            self.away: views.looked(shown, looked) + views.written(shown, written, self.page.downloads),
            self.foot: views.remove(shown),
        }

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}

    def seen(self, place: Place, shown: IndexCard | None) -> str:
        """Changes when a job has ended whose result this part shows; nothing where another part is shown."""
        if shown is None or place.part != self.name:
            return ""
        last = [self._last(work, shown.name) for work in self.works]
        return " ".join(f"{job.name}:{job.status().state}" for job in last if job and job.status().ended)

    def act(self, place: Place, said: str, name: str) -> Place | None:
        """Do what a button says with the index it names: the place to be at afterwards; None for other words."""
        if said not in ("remove", "rollback", "update", "compact", *self.works):
            return None
        workspace = self.page.workspace
        shown = get_index(workspace, name)
        if said == "remove":
            remove_index(workspace, name)
            return place.at(index="", part="")
        if said == "rollback":
            live = life.roll_back(workspace, name)
            tell(f"“{name}” is as it was: {live.rows:,} items, read by {model_name(live.model)}.")
        elif said in ("update", "compact"):
            if shown.model.startswith(REMOTE):
                raise WorkbenchError(
                    f"“{shown.model}” lies behind an address, to which documents would be sent. Start it in the "
                    f"terminal: python -m workbench index {said} {name}"
                )
            self._start("index", f"{said}-{name}", shown, life.action_spec(workspace, name, said))
        else:
            if (last := self._last(said, name)) is not None and last.status().ended:
                jobs.remove(workspace, last.name)
            self._start(said, f"{said}-{name}", shown, {"index": name, "collection": shown.collection})
        return place.at(index=name)

    def read_again(self, place: Place, model: str) -> Place:
        """Start reading the collection of the index in hand with another model beside the live one."""
        shown = index_in_hand(self.page.workspace, place)
        if shown is None:
            raise WorkbenchError("There is no index any more. Make a collection searchable first.")
        if not model:
            raise WorkbenchError("Choose the model that reads it.")
        model = typed_reference(model)
        spec = life.action_spec(self.page.workspace, shown.name, "reembed", model=model)
        self._start("index", f"reembed-{shown.name}", shown, spec)
        return place.at(index=shown.name)

    def _start(self, work: str, job: str, shown: IndexCard, spec: dict[str, Any]) -> None:
        """Start a job on the index, unless one is at work on it."""
        workspace = self.page.workspace
        for other in jobs.list_jobs(workspace, "index", *self.works):
            if index_of(other) == shown.name and not jobs.watch(other).ended:
                raise WorkbenchError(AT_WORK.format(shown.name))
        jobs.start(workspace, work, jobs.free_name(workspace, job), spec)

    def _last(self, work: str, index: str) -> JobFolder | None:
        """The newest job of this kind on the index."""
        return next((job for job in jobs.list_jobs(self.page.workspace, work) if index_of(job) == index), None)
