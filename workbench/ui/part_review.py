"""The Review part of the Data tab: mined negatives, generated queries and unlabelled documents, decided by keyboard."""

from __future__ import annotations

import json
import time
from typing import Any

import gradio as gr

from workbench.collection import review
from workbench.collection.review import Progress
from workbench.collection.review_log import Log
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.ui import cards
from workbench.ui import part_review_views as views
from workbench.ui.choices import collection_in_hand
from workbench.ui.page import LISTEN_JS, Page, Widgets
from workbench.ui.place import Place
from workbench.ui.search_views import captions
from workbench.workspace import Workspace, check_name

BATCH = 8
ALL = 1 << 40
MOST_STEPS = 500
REVIEW_JS = LISTEN_JS + "wb.review.begin(element, trigger); watch('value', () => wb.review.drawn());"
ANSWER_JS = "watch('value', () => wb.review.answered(props.value));"


class ReviewPart:
    """The widgets of the part and their handlers."""

    name = "review"
    title = "Review"
    at_its_own_pace = True

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="review", min_width=0) as self.column:
            self.view = gr.HTML(elem_id="review-view", js_on_load=REVIEW_JS, apply_default_css=False)
            self.answer = gr.HTML(elem_id="review-answer", html_template="<i></i>", js_on_load=ANSWER_JS)
        self.widgets = [self.column, self.view, self.answer]
        page.on([self.view.click], self.use_view, [], self.widgets, each=True)

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """The next cases of the collection, read from disk."""
        return {self.column: gr.Column(visible=True), self.view: self._draw(collection, "")}

    def hide(self) -> Widgets:
        """Nothing of it, and nothing that takes keys."""
        return {self.column: gr.Column(visible=False), self.view: ""}

    def use_view(self, place: Place, event: gr.EventData) -> Widgets:
        """What the keys and buttons of the review do: a few decisions at a time, another mode, the skipped again."""
        said: dict[str, Any] = dict(event._data)
        workspace, mode = self.page.workspace, str(said.get("mode", ""))
        if said["act"] == "steps":
            return self._take(place, mode, said)
        name = collection_in_hand(workspace, place)
        if said["act"] == "part":
            return {self.page.place: place.at(part=str(said["part"]))}
        if said["act"] == "again":
            review.new_round(workspace, name)
        if said["act"] == "undo":
            review.take_back(workspace, name)
        return {self.view: self._draw(open_collection(workspace, name), mode)}

    def _take(self, place: Place, mode: str, said: dict[str, Any]) -> Widgets:
        """Keep what was decided, and draw the next cases where those on the page run out.

        What cannot be kept (the document is gone, say) is told, and does not hold up the rest.
        """
        problems: list[str] = []
        undone: list[str] = []
        for step in _read_steps(said.get("steps")):
            try:
                undone = _decide(self.page.workspace, step) or undone
            except WorkbenchError as error:
                problems.append(error.message)
        collection = open_collection(self.page.workspace, collection_in_hand(self.page.workspace, place))
        progress = _progress(collection, mode if mode in views.MODES else "mined")
        answer = {"at": time.time_ns(), "reviewed": progress.reviewed, "total": progress.total, "undone": undone}
        changed: Widgets = {self.answer: answer}
        if said.get("draw") in (True, "true"):
            changed[self.view] = self._draw(collection, mode)
        if problems:
            changed[self.page.message] = cards.notice("Not everything could be kept.", list(dict.fromkeys(problems)))
        return changed

    def _draw(self, collection: Collection, mode: str) -> str:
        left = _left(collection)
        shown = mode if mode in left else next((one for one, count in left.items() if count), next(iter(left), ""))
        if not shown:
            return views.nothing(collection)
        progress = _progress(collection, shown)
        if not left[shown]:
            body = views.finished(progress, shown)
        else:
            body = views.review(
                shown, collection.name, views.bar(shown, progress), self._cases(collection, shown), left[shown] > BATCH
            )
        return views.modes(shown, left) + body

    def _cases(self, collection: Collection, mode: str) -> str:
        if mode == "unlabelled":
            documents = review.unlabelled(collection, limit=BATCH)
            return views.Cases(collection, self.page.media, {}).unlabelled(documents)
        found = review.suspicious if mode == "mined" else review.generated
        cases = found(collection, limit=BATCH)
        documents = [one for case in cases for one in (*case.positives, *(c.document for c in case.candidates))]
        drawer = views.Cases(collection, self.page.media, captions(collection, documents))
        return drawer.mined(cases) if mode == "mined" else drawer.generated(cases)


def _left(collection: Collection) -> dict[str, int]:
    """How many of each mode are left to be looked at; a mode that the collection has nothing for is not there."""
    found = {mode: _progress(collection, mode) for mode in views.MODES}
    return {mode: one.total - one.reviewed - one.skipped for mode, one in found.items() if one.total}


def _progress(collection: Collection, mode: str) -> Progress:
    """How far one mode is. What was skipped belongs to the mode that would show it again."""
    log = Log.read(collection)
    written = set(generated_queries(collection))
    skipped = {
        "unlabelled": sum(not query for query, _ in log.skipped),
        "generated": sum(query in written for query, _ in log.skipped),
    }
    if mode == "mined":
        found = review.progress(collection)
        return Progress(found.reviewed, found.total, len(log.skipped) - sum(skipped.values()))
    verdicts = {"generated": ("keep", "drop"), "unlabelled": ("label",)}[mode]
    reviewed = sum(line["verdict"] in verdicts for line in log.decisions.values())
    left = len(
        review.generated(collection, limit=ALL) if mode == "generated" else review.unlabelled(collection, limit=ALL)
    )
    return Progress(reviewed, left + reviewed + skipped[mode], skipped[mode])


def generated_queries(collection: Collection) -> list[str]:
    """The ids of the queries that a model wrote and nobody has kept or dropped."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    return table.filter(pc.equal(table["source"], "generated"))["query"].unique().to_pylist()


def _read_steps(told: Any) -> list[dict[str, str]]:
    """The decisions that the page sends, each {"verdict", "query", "document", "text"}. Anything else is refused."""
    try:
        steps = json.loads(str(told or "[]"))
        return [{str(key): str(value) for key, value in step.items()} for step in steps[:MOST_STEPS]]
    except (ValueError, AttributeError, TypeError):
        raise WorkbenchError("The page sent something that is no decision. Reload it and go on.") from None


def _decide(workspace: Workspace, step: dict[str, str]) -> list[str]:
    """Do one step; returns the query and the document of what was taken back."""
    verdict, query, document = (step.get(key, "") for key in ("verdict", "query", "document"))
    name, mode = check_name(step.get("collection", ""), "collection"), step.get("mode", "")
    if verdict == "undo":
        taken = review.take_back(workspace, name)
        return [taken.query, taken.document]
    if mode == "generated":
        review.decide_generated(workspace, name, query, verdict)
    elif mode == "mined":
        review.decide(workspace, name, query, document, verdict)
    elif verdict == "skip":
        review.skip_document(workspace, name, document)
    else:
        review.label(workspace, name, document, step.get("text", ""))
    return []
