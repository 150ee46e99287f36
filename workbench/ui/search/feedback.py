"""Feedback in Search: a press on a result becomes a judgement in a collection of the user's choice."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.collection.feedback import count_feedback, give_feedback, withdraw
from workbench.collection.store import Item, list_collections, open_collection
from workbench.errors import WorkbenchError
from workbench.index.recent import Recent
from workbench.index.results import Hit, SearchResult
from workbench.ui.choices import finished_runs
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place
from workbench.ui.search import feedback_views
from workbench.workspace import check_name

KEPT_BYTES = 1 << 28
SEARCHED = ""
NOBODY = "local"
FORGOTTEN = "These results are from before the workbench was started anew. Search again first."
MARKS_JS = "watch('value', () => wb.marked(props.value));"


@dataclass(frozen=True)
class Asked:
    """One search: with what it asked, and what it found. Kept in memory only: a mark needs the question as it was."""

    query: Item
    found: SearchResult
    collection: str
    how: str = ""

    @property
    def model(self) -> str:
        return self.found.model

    @property
    def hits(self) -> dict[str, Hit]:
        return {hit.id: hit for hit in self.found.hits}

    @property
    def nbytes(self) -> int:
        media = (self.query.image, self.query.audio, self.query.video)
        return sum(len(data) for data in media if data) + 1000 * (1 + len(self.found.hits))


class Feedback:
    """The choice of the collection beside the results, and what the buttons on them do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._asked: Recent[Asked] = Recent(KEPT_BYTES, weigh=lambda asked: asked.nbytes)
        with gr.Row(elem_id="search-feedback", visible=False) as self.row:
            gr.HTML(feedback_views.purpose(), apply_default_css=False)
            self.collection = gr.Dropdown(
                [("the collection searched", SEARCHED)], value=SEARCHED, elem_id="search-feedback-collection",
                label="Collection for your thumbs: choose one, or type a new name", allow_custom_value=True,
                container=False, min_width=200,
            )  # fmt: skip
            self.again = view("search-again")
        self.marks = gr.HTML(elem_id="search-marks", html_template="<i></i>", js_on_load=MARKS_JS)
        self.widgets = [self.row, self.collection, self.again]

    def make_unseen(self) -> None:
        """The field that nobody sees, outside of what is hidden and shown: Gradio would show it too."""
        self.shown = gr.Textbox(visible="hidden", label="Shown")

    def wire(self, *views: gr.HTML) -> None:
        """Let the buttons on results, and another choice of the collection, do something."""
        page = self.page
        # In the queue: toasts travel with it.
        shown = [self.marks, *self.widgets]
        page.on([one.click for one in views], self.mark, [self.collection], shown, queue=True, each=True)
        page.on([self.collection.change], self.choose, [self.collection, self.shown], [self.marks, self.again],
                reads="wb.asked()")  # fmt: skip

    def remember(self, query: Item, found: SearchResult, collection: str, how: str = "") -> str:
        """Keep a search so that its results can be marked; returns the key that their buttons carry."""
        key = secrets.token_urlsafe(12)
        asked = Asked(query, found, collection, how)
        self._asked.get(key, lambda: asked)
        return key

    def offer(self, collection: str, chosen: str | None = "") -> Widgets:
        """The choice of the collection, once there are results to be marked, and how many marks it holds."""
        names = [card.name for card in list_collections(self.page.workspace)]
        searched = [(f"{collection} (searched)", SEARCHED)] if collection in names else []
        others = [(name, name) for name in names if name != collection]
        return {self.row: gr.Row(visible=True), self.collection: gr.Dropdown(choices=[*searched, *others]),
                self.again: self._again(chosen or collection)}  # fmt: skip

    def _again(self, name: str) -> str:
        """How many thumbs a collection got since a model was trained on it last, and whether that is enough."""
        workspace = self.page.workspace
        if name not in {card.name for card in list_collections(workspace)}:
            return ""
        runs = finished_runs(workspace, "embedder", "reranker", "late-interaction")
        trained = [float(run.job["created"]) for run in runs if run.spec.get("collection") == name]
        count = count_feedback(open_collection(workspace, name), max(trained, default=0.0))
        return feedback_views.again(count, bool(trained))

    def pressed(self, query: Item, chosen: str | None, collection: str) -> dict[str, str]:
        """The verdicts on this question that the chosen collection holds already: document id to verdict."""
        name = chosen or collection
        if name not in {card.name for card in list_collections(self.page.workspace)}:
            return {}
        return feedback_views.verdicts(open_collection(self.page.workspace, name), query.id or query.content_id())

    def choose(self, place: Place, chosen: str | None, key: str) -> Widgets | None:
        """Another collection: what it holds of this question already."""
        try:
            asked = self.find(key)
        except WorkbenchError:
            return None
        return {
            self.marks: {"asked": key, "verdicts": self.pressed(asked.query, chosen, asked.collection)},
            self.again: self._again(chosen or asked.collection),
        }

    def mark(self, place: Place, chosen: str | None, event: gr.EventData, request: gr.Request) -> Widgets | None:
        """A press on one of the three buttons; the second press on the same one takes it back."""
        said: dict[str, Any] = dict(event._data)
        if said["act"] != "mark":
            return None
        key, document_id, verdict = (str(said.get(name, "")) for name in ("asked", "document", "verdict"))
        asked = self.find(key)
        hit = asked.hits.get(document_id)
        if hit is None or verdict not in feedback_views.VERDICTS:
            raise WorkbenchError(FORGOTTEN)
        name = check_name((chosen or asked.collection).strip(), "collection")
        if self.pressed(asked.query, name, asked.collection).get(document_id) == verdict:
            withdraw(self.page.workspace, name, asked.query, document_id)
            verdict = ""
        else:
            by = request.username or NOBODY
            document = self._document(asked, hit)
            give_feedback(
                self.page.workspace, name, asked.query, document, verdict,
                by=by, model=asked.model, query_text=asked.query.text or "", when=time.time(),
            )  # fmt: skip
        tell(feedback_views.noted(verdict, name), duration=4, title="Feedback")
        return {
            self.marks: {"asked": key, "verdicts": self.pressed(asked.query, name, asked.collection)},
            **self.offer(asked.collection, name),
        }

    def _document(self, asked: Asked, hit: Hit) -> Item:
        """What was found, with its media, to be put into another collection."""
        row = open_collection(self.page.workspace, asked.collection).document_rows.get(hit.id)
        if row is None:
            raise WorkbenchError(
                f"This result is no longer in the collection “{asked.collection}”, so it cannot be marked. Make the "
                "collection searchable again."
            )
        return open_collection(self.page.workspace, asked.collection).item("corpus", row)

    def find(self, key: str) -> Asked:
        """A search that was remembered. Raises WorkbenchError if it is too long ago."""
        try:
            return self._asked.get(key, _nothing)
        except KeyError:
            raise WorkbenchError(FORGOTTEN) from None


def _nothing() -> Asked:
    raise KeyError
