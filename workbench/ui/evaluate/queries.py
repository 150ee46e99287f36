"""Who gained and who lost: the queries that changed most between two models, and each with what both models found."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.collection import review, review_sent
from workbench.collection.named import Named
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.index.registry import list_indexes
from workbench.models.checkpoint import RUN, run_name
from workbench.ui.evaluate import again, queries_views, ranking_views
from workbench.ui.evaluate.compared import Compared, Opened, full_size, models_of, open_query
from workbench.ui.evaluate.views import Shown, in_hand
from workbench.ui.page import LISTEN_JS, Page, Widgets, view
from workbench.ui.place import Place

PAGE = 6
# Stays where it is while the panel is drawn anew, so that what is written into it is read out.
SAID = '<p class="unseen" role="status" aria-live="polite" id="evaluate-said"></p>'
MOST = 500
# A panel that opens takes the focus, one that closes gives it back, and a press keeps its place.
PANEL_JS = (
    LISTEN_JS
    + """
let open = element.querySelector('.panel')?.dataset.query || '', pressed = '';
element.addEventListener('click', (event) => { pressed = event.target.closest('button')?.id || ''; });
watch('value', () => {
  const panel = element.querySelector('.panel'), before = open;
  open = panel?.dataset.query || '';
  const said = document.getElementById('evaluate-said');
  if (said) said.textContent = panel?.dataset.said || '';
  for (const row of document.querySelectorAll('#evaluate-changes [data-query]')) {
    row.setAttribute('aria-expanded', String(row.dataset.query === open && !!open));
  }
  if (panel && open !== before) {
    const title = panel.querySelector('h2');
    title.focus({ preventScroll: true });
    panel.scrollIntoView({ block: 'start' });
  } else if (panel && pressed) {
    (document.getElementById(pressed) || panel.querySelector('h2')).focus({ preventScroll: true });
  }
  else if (!panel && before) document.querySelector(`#evaluate-changes [data-query="${CSS.escape(before)}"]`)?.focus();
  pressed = '';
});
"""
)


class QueriesPart:
    """The widgets of the part and their handlers."""

    name, title = "queries", "Gained and lost"

    def __init__(self, page: Page, again: gr.HTML) -> None:
        """again: of the frame, where it is told that the numbers are from before, which a judgement here makes them."""
        self.page, self.again = page, again
        with gr.Column(visible=False, elem_id="evaluate-queries", min_width=0) as self.column:
            self.choice = view("evaluate-compared")
            self.changes = view("evaluate-changes")
            gr.HTML(SAID, apply_default_css=False)
            self.panel = gr.HTML(elem_id="evaluate-query", js_on_load=PANEL_JS, apply_default_css=False)
        self.shown = [self.choice, self.changes, self.panel]
        self.widgets = [self.column, *self.shown]
        page.on([self.choice.click], self.choose, [], self.shown)
        page.on([self.changes.click], self.use_changes, [], [self.panel, self.changes])
        page.on([self.panel.click], self.use_panel, [], [self.panel, self.again], each=True)

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The choice of models, the largest changes, and the query that is open."""
        return {self.column: gr.Column(visible=True), **self._draw(place, shown)}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False), self.panel: ""}

    def _draw(self, place: Place, shown: Shown) -> Widgets:
        compared = Compared.read(shown.evaluation, place.compared)
        if compared is None:
            return {self.choice: queries_views.alone(), self.panel: "", self.changes: ""}
        return {
            self.choice: queries_views.choice(shown.evaluation, compared),
            self.panel: self._panel(shown, compared, place.query) if place.query else "",
            self.changes: self._changes(shown, compared, place.query, PAGE),
        }

    def choose(self, place: Place, event: gr.EventData) -> Widgets | None:
        """Other models, or another direction."""
        said: dict[str, Any] = dict(event._data)
        shown = in_hand(self.page.workspace, place)
        models, directions = models_of(shown.evaluation), report.directions(shown.evaluation)
        chosen = Compared(str(said.get("before")), str(said.get("after")), str(said.get("direction", directions[0])))
        if not {chosen.before, chosen.after} <= set(models) or chosen.direction not in directions:
            raise WorkbenchError("The evaluation has no such models or direction. Reload the page, then choose again.")
        place = self._pinned(place, shown).at(compared=chosen.write(shown.evaluation), query="")
        return {self.page.place: place, **self._draw(place, shown)}

    def use_changes(self, place: Place, event: gr.EventData) -> Widgets | None:
        """Open a query, or show more of them."""
        said: dict[str, Any] = dict(event._data)
        shown = in_hand(self.page.workspace, place)
        compared = Compared.read(shown.evaluation, place.compared)
        if compared is None:
            return None
        count = _count(said.get("shown"))
        if said["act"] == "more":
            return {self.changes: self._changes(shown, compared, place.query, min(MOST, count + 2 * PAGE))}
        query = str(said.get("query", ""))
        panel = self._panel(shown, compared, query, "", strict=True)
        place = self._pinned(place, shown).at(query=query, compared=compared.write(shown.evaluation))
        return {self.page.place: place, self.panel: panel}

    def use_panel(self, place: Place, event: gr.EventData) -> Widgets | None:
        """What the buttons of an open query do: judge, send to review, search, close."""
        said: dict[str, Any] = dict(event._data)
        act = said["act"]
        if act == "close":
            return {self.page.place: place.at(query=""), self.panel: ""}
        shown = in_hand(self.page.workspace, place)
        compared = Compared.read(shown.evaluation, place.compared)
        if compared is None or shown.collection is None:
            raise WorkbenchError("The collection of this evaluation has been removed, so nothing can be changed in it.")
        name = shown.collection.name
        if act == "open-review":
            return {self.page.place: place.at(tab="data", collection=name, part="review")}
        opened = open_query(shown, compared, place.query)
        if act == "search":
            return {self.page.place: self._searching(place, shown, compared, opened)}
        told = {"judge": self._judge, "send": self._send, "unsend": self._unsend}[act](name, opened, said)
        shown = in_hand(self.page.workspace, place)
        return {
            self.panel: self._panel(shown, compared, place.query, told),
            self.again: again.told(self.page.workspace, shown),
        }

    def _judge(self, name: str, opened: Opened, said: dict[str, Any]) -> str:
        identifier, verdict = str(said.get("target", "")), str(said.get("verdict", ""))
        pair = opened.pair(identifier) if identifier in opened.shown else None
        if pair is None or verdict not in ("match", "not-a-match", "undo"):
            raise WorkbenchError("This result is not one of the query that is open. Reload the page.")
        if verdict == "undo":
            review.take_back(self.page.workspace, name, pair)
            return "Taken back."
        review.decide(self.page.workspace, name, *pair, verdict)
        return "Marked as a right answer." if verdict == "match" else "Marked as not an answer."

    def _send(self, name: str, opened: Opened, said: dict[str, Any]) -> str:
        count = review_sent.send(self.page.workspace, name, opened.unjudged)
        return f"Sent to review: {count} to decide."

    def _unsend(self, name: str, opened: Opened, said: dict[str, Any]) -> str:
        review_sent.take_out(self.page.workspace, name, [(one.query, one.document) for one in opened.unjudged])
        return "Taken out of the review."

    def _searching(self, place: Place, shown: Shown, compared: Compared, opened: Opened) -> Place:
        """The place where Search asks this query, of an index of the collection: the later model's if there is one."""
        collection = str(shown.evaluation["collection"])
        mine = [card for card in list_indexes(self.page.workspace) if card.collection == collection]
        index = next((card for card in mine if card.model == compared.after), next(iter(mine), None))
        run = run_name(compared.after) if compared.after.startswith(RUN) else place.run
        asked = Named(collection, opened.sides[0], opened.id).write()
        return place.at(tab="search", collection=collection, index=index.name if index else "", run=run, asked=asked)

    def _pinned(self, place: Place, shown: Shown) -> Place:
        """The place with the evaluation by its name, so that a newer one does not come in between."""
        return place.at(evaluation=str(shown.evaluation["evaluation"]))

    def _changes(self, shown: Shown, compared: Compared, opened: str, count: int) -> str:
        before, after = (full_size(shown.evaluation, model) for model in (compared.before, compared.after))
        found = report.changes(
            shown.evaluation, shown.queries, before, after, compared.direction, shown.collection, count + 1
        )
        return queries_views.changes(shown, self.page.media, found, opened, count)

    def _panel(self, shown: Shown, compared: Compared, query: str, told: str = "", strict: bool = False) -> str:
        try:
            opened = open_query(shown, compared, query)
        except WorkbenchError:
            if strict:
                raise
            return ""  # of another evaluation than the one that is shown
        waiting = set(review_sent.waiting_pairs(shown.collection)) if shown.collection else set()
        return ranking_views.panel(shown, self.page.media, opened, waiting, told)


def _count(told: Any) -> int:
    return min(MOST, max(PAGE, int(told))) if str(told).isdigit() else PAGE
