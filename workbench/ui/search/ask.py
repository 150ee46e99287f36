"""The part that asks: by text, picture, sound, video or several together; what is found is looked at and played."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.collection.named import Named
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.question import LONGEST_WORDS, Question
from workbench.index.registry import IndexCard
from workbench.index.results_csv import results_csv
from workbench.index.saved import item_named
from workbench.ui.page import LISTEN_JS, Page, Widgets
from workbench.ui.place import Place
from workbench.ui.search import views
from workbench.ui.search.asked import Asked, nothing_given
from workbench.ui.search.feedback import Feedback
from workbench.ui.search.fields import Fields
from workbench.ui.search.in_hand import index_in_hand
from workbench.ui.search.options import Options
from workbench.ui.search.panel import Panel
from workbench.ui.search.query import read_query
from workbench.ui.search.saved import SavedSearches

# A file is made of what is sent, and saved by the browser.
FILE_JS = "watch('value', () => wb.keep(props.value));"
# Another page of results is read from its beginning.
RESULTS_JS = (
    LISTEN_JS
    + """
let turned = false;
element.addEventListener('click', (event) => { turned = !!event.target.closest('[data-act="turn"]'); });
watch('value', () => {
  if (turned) element.querySelector('.stages, .none')?.focus({ preventScroll: true });
  if (turned) element.scrollIntoView({ block: 'start' });
  turned = false;
});
"""
)


class AskPart:
    """The fields that ask, the choices above the results, and the results."""

    name = "ask"
    title = "Search"

    def __init__(self, page: Page) -> None:
        self.page = page
        self.searcher = page.searcher
        self.asked = Asked(page)
        with gr.Column(elem_id="search-main", min_width=0, visible=False) as self.main:
            self.fields = Fields()
            self.options = Options(page)
            self.feedback = Feedback(page)
            self.results = gr.HTML(elem_id="search-results", js_on_load=RESULTS_JS, apply_default_css=False)
            self.panel = Panel(page, self.searcher, self.feedback)
            self.saved = SavedSearches(page)
        # What nobody sees stands outside of the column: Gradio would show it together with the column.
        self.where = gr.Textbox(visible="hidden", label="Where")
        self.feedback.make_unseen()
        self.live = gr.Button("Search as I type", visible="hidden", elem_id="search-live")
        # What the address asks, and what the results on the page answer: asked once, however often the tab is drawn.
        self.opening = gr.Textbox(visible="hidden", label="In the address")
        self.done = gr.Textbox(visible="hidden", label="Answered")
        self.file = gr.HTML(elem_id="search-file", html_template="<i></i>", js_on_load=FILE_JS)
        self.widgets = [self.asked.view, self.main, *self.options.widgets, self.results, self.feedback.row,
                        self.panel.view, self.saved.view,
                        self.opening, self.done]  # fmt: skip
        self._wire()

    def _wire(self) -> None:
        page, fields, options = self.page, self.fields, self.options
        page.on([fields.mode.input], self.choose_mode, [fields.mode], fields.boxes)
        chosen = [*options.deeper, *options.chosen, self.feedback.collection, self.where]
        found = [self.results, *self.feedback.widgets, self.asked.view, self.panel.view, self.opening, self.done,
                 options.counts]  # fmt: skip
        said = [fields.mode, *fields.boxes]
        page.on([fields.go.click, fields.text.submit], self.search, [*fields.given, *chosen], found, queue=True,
                waits_on=self.results, reads="wb.filters()")  # fmt: skip
        page.on([self.live.click], self.search_live, [*fields.given, *chosen], found, queue=True, last=True,
                reads="wb.filters()")  # fmt: skip
        page.on([self.opening.change], self.search_asked, [self.opening, self.done, self.feedback.collection],
                [*found, *said], queue=True, waits_on=self.results, moved=True)  # fmt: skip
        page.on([self.results.click], self.use_results, [self.feedback.collection],
                [*found, self.file, self.saved.view], queue=True)  # fmt: skip
        page.on([self.panel.view.click], self.use_results, [self.feedback.collection], found, queue=True,
                waits_on=self.panel.view)  # fmt: skip
        self.feedback.wire(self.results, self.panel.view)

    def draw(self, place: Place, shown: IndexCard) -> Widgets:
        """What can be asked of the index in hand, and what the address asks of it."""
        asks = place.q or (place.asked and self.asked.is_there(place))
        return {
            self.main: gr.Column(visible=True),
            self.opening: _key(shown, place) if asks else "",
            **self.saved.draw(),
            **self.options.draw(shown, place),
        }

    def hide(self) -> Widgets:
        """Not shown; what was found stays for when it is shown again."""
        return {self.main: gr.Column(visible=False)}

    def clear(self) -> Widgets:
        """Without results: another index is in hand."""
        return {self.results: "", self.panel.view: "", self.done: "", self.feedback.row: gr.Row(visible=False)}

    def choose_mode(self, place: Place, mode: str) -> Widgets:
        """Show the field for what is asked with."""
        return self.fields.show(mode)

    def search(
        self, place: Place, mode: str, text: str, image: str | None, audio: str | None, video: str | None, *chosen: Any
    ) -> Widgets:
        """Ask the index and show what it found. With nothing in the fields, what the address names is asked again."""
        shown = self._index(place)
        hybrid, budget, *options, feedback, where = chosen
        question = self.options.read(shown, options, where, hybrid, budget)
        if place.asked and nothing_given(text, image, audio, video):
            return self._ask(place.at(q=""), shown, self.asked.item(place), question, feedback)
        query = read_query(mode, text, image, audio, video)
        return self._ask(_asking(place, query), shown, query, question, feedback)

    def search_live(self, place: Place, mode: str, text: str, *rest: Any) -> Widgets | None:
        """Search for what has been typed so far."""
        return self.search(place, mode, text, *rest) if mode == "text" and (text or "").strip() else None

    def search_asked(self, place: Place, opening: str, done: str, feedback: str | None) -> Widgets | None:
        """What the address asks has come into view: ask the index. Words of it can then be changed."""
        shown = index_in_hand(self.page.workspace, place)
        if not opening or opening == done or shown is None or opening != _key(shown, place):
            return None
        if place.asked and not self.asked.is_there(place):
            return None
        query = self._query(place)
        found = self._ask(place, shown, query, Question.read(place.how), feedback)
        return {**found, **self.fields.say(query.text or "")} if query.modality == "text" else found

    def use_results(self, place: Place, feedback: str | None, event: gr.EventData) -> Widgets | None:
        """What the buttons on and around the results do, and those in the panel of an open one."""
        said: dict[str, Any] = dict(event._data)
        act, key, document = (str(said.get(name, "")) for name in ("act", "asked", "document"))
        if act == "close":
            return {self.panel.view: ""}
        if act not in ("csv", "save", "turn", "open", "why", "more", "less", "liked"):
            return None
        asked = self.feedback.find(key)
        if act == "csv":
            return {self.file: {"name": f"{asked.found.index}.csv", "text": results_csv(asked.found)}}
        if act == "save":
            return self.saved.save(asked.found.index, place)
        if act in ("open", "why"):
            return self.panel.open(key, document, feedback, why=act == "why")
        question, named = Question.read(asked.how), Named(asked.collection, "corpus", document).write()
        if act == "more":
            place = place.at(asked=named, q="")
            question = question.at(offset=0, unlike="")
            found = self._ask(place, self._index(place), self._query(place), question, feedback)
            return {**found, self.asked.view: self.asked.draw(place, self._index(place), False)}
        changes: dict[str, dict[str, Any]] = {
            "turn": {"offset": max(0, int(said.get("offset", 0)))},
            "less": {"unlike": named, "offset": 0},
            "liked": {"unlike": "", "offset": 0},
        }
        return self._ask(place, self._index(place), asked.query, question.at(**changes[act]), feedback)

    def _index(self, place: Place) -> IndexCard:
        shown = index_in_hand(self.page.workspace, place)
        if shown is None:
            raise WorkbenchError("There is no index to search. Make a collection searchable first.")
        return shown

    def _unlike(self, question: Question) -> Item | None:
        """What the results are to be kept away from, if anything."""
        return item_named(self.page.workspace, question.unlike)

    def _query(self, place: Place) -> Item:
        """What the address asks with."""
        return self.asked.item(place) if place.asked else Item(text=place.q)

    def _ask(self, place: Place, shown: IndexCard, query: Item, question: Question, feedback: str | None) -> Widgets:
        """Ask, and show what was found. `place` says what is asked with, if an address can."""
        question = self.options.allowed(question)
        unlike = self._unlike(question)
        found = question.ask(self.searcher.search, shown.name, query, unlike)
        how = question.write()
        drawn = views.results(
            found,
            self.page.workspace,
            self.page.media,
            rows=shown.rows,
            asked=self.feedback.remember(query, found, shown.collection, how),
            pressed=self.feedback.pressed(query, feedback, shown.collection),
            question=question,
            can_save=bool(place.q or place.asked),
            unlike=(unlike.file or unlike.text or unlike.id)[:60] if unlike else "",
        )
        place = place.at(index=shown.name, collection=shown.collection, how=how)
        return {
            self.results: drawn,
            self.panel.view: "",
            self.done: _key(shown, place),
            self.opening: _key(shown, place) if place.q or place.asked else "",
            **self.options.count_again(self.searcher, shown, question),
            self.page.place: place,
            **({} if place.asked else {self.asked.view: ""}),
            **(self.feedback.offer(shown.collection, feedback) if found.hits else {}),
        }


def _asking(place: Place, query: Item) -> Place:
    """The place that asks with what was given by hand: only words that are not endless fit into an address."""
    words = query.text or ""
    return place.at(asked="", q=words if query.modality == "text" and len(words) <= LONGEST_WORDS else "")


def _key(shown: IndexCard, place: Place) -> str:
    """Changes with what the address asks and with the index it is asked of."""
    return "\n".join((f"{shown.name}@{shown.created}", place.asked, place.q, place.how))
