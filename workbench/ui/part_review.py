"""The Review part of the Data tab: candidates, generated queries and unlabelled documents, decided by keyboard."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from workbench.collection import review, review_sent
from workbench.collection.review import Progress
from workbench.collection.review_log import Log
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.ui import cards
from workbench.ui import part_review_views as views
from workbench.ui.choices import collection_in_hand
from workbench.ui.page import LISTEN_JS, Page, Widgets
from workbench.ui.place import Place
from workbench.ui.search.views import captions
from workbench.workspace import Workspace, check_name

BATCH = 8
ALL = 1 << 40
MOST_STEPS = 500
REVIEW_JS = LISTEN_JS + "wb.review.begin(element, trigger); watch('value', () => wb.review.drawn());"
ANSWER_JS = "watch('value', () => wb.review.answered(props.value));"


# Guards the record of what the pages of the browser have had done.
PAGES = threading.Lock()
MOST_PAGES = 1000


@dataclass(frozen=True)
class Step:
    """One decision that the page sends. `page` and `number`: which page of a browser, and which of its decisions."""

    number: int
    page: str
    mode: str
    collection: str
    verdict: str
    query: str
    document: str
    text: str


@dataclass
class Done:
    """The number of the last step that a page has had done; the lock is held while its steps are done."""

    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class ReviewPart:
    """The widgets of the part and their handlers."""

    name = "review"
    title = "Review"

    def __init__(self, page: Page) -> None:
        self.page = page
        self._done: dict[str, Done] = {}
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

        What cannot be kept (the document is gone, say) is told, and does not hold up the rest. A page that waits long
        for its answer sends the same steps again: those that are done, or being done, are not done twice.
        """
        problems: list[str] = []
        undone: list[str] = []
        steps = _read_steps(said.get("steps"))
        done = self._done_of(steps[0].page if steps else "")
        with done.lock:
            for step in steps:
                if step.number <= done.number:
                    continue
                try:
                    undone = _decide(self.page.workspace, step) or undone
                except WorkbenchError as error:
                    problems.append(error.message)
                done.number = step.number
        collection = open_collection(self.page.workspace, collection_in_hand(self.page.workspace, place))
        counted = mode if mode in views.MODES else "mined"
        progress = _progress(collection, counted)[counted]
        answer = {
            "at": time.time_ns(),
            "done": done.number,
            "reviewed": progress.reviewed,
            "total": progress.total,
            "undone": undone,
        }
        changed: Widgets = {self.answer: answer}
        if said.get("draw") in (True, "true"):
            changed[self.view] = self._draw(collection, mode)
        if problems:
            changed[self.page.message] = cards.notice("Not everything could be kept.", list(dict.fromkeys(problems)))
        return changed

    def _done_of(self, page: str) -> Done:
        """What a page of the browser has had done, of the newest pages."""
        with PAGES:
            done = self._done[page] = self._done.pop(page, Done())
            while len(self._done) > MOST_PAGES:
                self._done.pop(next(iter(self._done)))
        return done

    def _draw(self, collection: Collection, mode: str) -> str:
        found = {name: one for name, one in _progress(collection, *views.MODES).items() if one.total}
        left = {name: one.total - one.reviewed - one.skipped for name, one in found.items()}
        shown = mode if mode in left else next((one for one, count in left.items() if count), next(iter(left), ""))
        if not shown:
            return views.nothing(collection)
        if not left[shown]:
            body = views.finished(found[shown], shown)
        else:
            bar = views.bar(shown, found[shown])
            cases = self._cases(collection, shown)
            body = views.review(shown, collection.name, bar, cases, left[shown] > BATCH)
        return views.modes(shown, left) + body

    def _cases(self, collection: Collection, mode: str) -> str:
        if mode == "unlabelled":
            documents = review.unlabelled(collection, limit=BATCH)
            return views.Cases(collection, self.page.media, {}).unlabelled(documents)
        found = {"sent": review_sent.sent, "mined": review.suspicious, "generated": review.generated}[mode]
        cases = found(collection, limit=BATCH)
        documents = [one for case in cases for one in (*case.positives, *(c.document for c in case.candidates))]
        drawer = views.Cases(collection, self.page.media, captions(collection, documents))
        return drawer.generated(cases) if mode == "generated" else drawer.candidates(cases, mode)


def _progress(collection: Collection, *modes: str) -> dict[str, Progress]:
    """How far each of some modes is. What was skipped belongs to the mode that would show it again."""
    log = Log.read(collection)
    written = set(generated_queries(collection))
    skipped = {
        "unlabelled": sum(not query for query, _ in log.skipped),
        "generated": sum(query in written for query, _ in log.skipped),
    }
    found = {}
    for mode in modes:
        if mode in ("sent", "mined"):
            found[mode] = review_sent.sent_progress(collection) if mode == "sent" else review.progress(collection)
            continue
        verdicts = {"generated": ("keep", "drop"), "unlabelled": ("label",)}[mode]
        reviewed = sum(line["verdict"] in verdicts for line in log.decisions.values())
        still = review.generated if mode == "generated" else review.unlabelled
        left = len(list(still(collection, limit=ALL)))
        found[mode] = Progress(reviewed, left + reviewed + skipped[mode], skipped[mode])
    return found


def generated_queries(collection: Collection) -> list[str]:
    """The ids of the queries that a model wrote and nobody has kept or dropped."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    return table.filter(pc.equal(table["source"], "generated"))["query"].unique().to_pylist()


def _read_steps(told: Any) -> list[Step]:
    """The decisions that the page sends, in their order. Anything else is refused."""
    words = ("page", "mode", "collection", "verdict", "query", "document", "text")
    try:
        steps = json.loads(told or "[]")[:MOST_STEPS]
        return [Step(int(step["number"]), **{name: str(step.get(name, "")) for name in words}) for step in steps]
    except (ValueError, AttributeError, TypeError, KeyError):
        raise WorkbenchError("The page sent something that is no decision. Reload it and go on.") from None


def _decide(workspace: Workspace, step: Step) -> list[str]:
    """Do one step; returns the query and the document of what was taken back."""
    name = check_name(step.collection, "collection")
    if step.verdict == "undo":
        taken = review.take_back(workspace, name)
        return [taken.query, taken.document]
    if step.mode == "generated":
        review.decide_generated(workspace, name, step.query, step.verdict)
    elif step.mode in ("sent", "mined"):
        review.decide(workspace, name, step.query, step.document, step.verdict)
    elif step.verdict == "skip":
        review.skip_document(workspace, name, step.document)
    else:
        review.label(workspace, name, step.document, step.text)
    return []
