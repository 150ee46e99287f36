"""The HTML of an open query: the query, its right answers, and what two models found for it, side by side."""

from __future__ import annotations

from collections.abc import Container

from workbench.collection.review_log import Pair
from workbench.collection.review_sent import Said
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.evaluate.compared import Opened
from workbench.ui.evaluate.queries_views import rank
from workbench.ui.evaluate.views import Shown
from workbench.ui.media_route import MediaRoute
from workbench.ui.search.views import captions

RIGHT_SHOWN = 6
JOINED = (
    "Two documents are right for each other where one query asks for both. To judge them, open that query in its own "
    "direction."
)
REMOVED = "The collection has been removed since, so only the ids of what was found are left."


def panel(shown: Shown, media_route: MediaRoute, opened: Opened, waiting: Container[Pair], told: str = "") -> str:
    """The whole panel. waiting: the pairs that wait in review. told: what was just done, for a screen reader."""
    drawer = _Drawer(shown, media_route, opened)
    close = (
        f'<button type="button" class="button" data-act="close" id="panel-close">{cards.icon("close")}Close</button>'
    )
    columns = "".join(
        drawer.ranking(kind, model, ids, other)
        for kind, model, ids, other in (
            ("before", opened.models[0], opened.before, opened.after),
            ("after", opened.models[1], opened.after, opened.before),
        )
    )
    actions = _actions(opened, waiting) if shown.collection else f'<p class="quiet">{REMOVED}</p>'
    return (
        f'<section class="card panel" data-query="{cards.text(opened.id)}" data-said="{cards.text(told)}" '
        'aria-labelledby="panel-title"><div class="split line"><h2 class="title" id="panel-title" tabindex="-1">'
        f"What both models found</h2>{close}</div>"
        f'<div class="asking">{drawer.query()}<div class="about">{_scores(opened)}{actions}</div></div>'
        f'{drawer.right()}<div class="rankings">{columns}</div></section>'
    )


def _scores(opened: Opened) -> str:
    first = f"{rank(opened.first[0])} → {rank(opened.first[1])}"
    ndcg = f"{words.number(opened.ndcg[0], 2)} → {words.number(opened.ndcg[1], 2)}"
    return cards.stats([("Rank of the first right answer", first), ("NDCG@10", ndcg)])


def _actions(opened: Opened, waiting: Container[Pair]) -> str:
    made = cards.button("Search for this", "search", identifier="panel-search")
    if opened.pair(opened.id) is None:
        return f'<div class="actions">{made}</div><p class="quiet small">{JOINED}</p>'
    unjudged = [(one.query, one.document) for one in opened.unjudged]
    if not unjudged:
        return f'<div class="actions">{made}</div><p class="quiet small">All that was found has been judged.</p>'
    if all(pair in waiting for pair in unjudged):
        made += cards.button("Open the review", "open-review", primary=True, identifier="panel-review")
        made += cards.button("Take it out", "unsend", identifier="panel-send")
        said = f"In review: {words.count(len(unjudged), 'result')} to decide."
        sign = cards.chip(said, "good", "tick")
        return f'<div class="actions">{made}</div><p>{sign}</p>'
    made += cards.button("Send to review", "send", identifier="panel-send")
    said = f"{words.count(len(unjudged), 'result')} of these nobody has judged yet."
    return f'<div class="actions">{made}</div><p class="quiet small">{said}</p>'


class _Drawer:
    """Draws the items of one open query."""

    def __init__(self, shown: Shown, media_route: MediaRoute, opened: Opened) -> None:
        self._collection, self._media, self._opened = shown.collection, media_route, opened
        self._created = float(shown.evaluation.get("created") or 0.0)
        of_documents = shown.collection is not None and opened.sides[1] == "corpus"
        self._captions = captions(shown.collection, opened.shown) if shown.collection and of_documents else {}

    def query(self) -> str:
        """The query itself, with its media."""
        return f'<div class="item asked">{self._body(self._opened.sides[0], self._opened.id, "query")}</div>'

    def right(self) -> str:
        """The right answers, whether found or not, and what was one until a review said otherwise."""
        right, listed = self._opened.right, self._opened.listed
        if self._collection is None or not listed:
            return ""
        drawn = "".join(
            self._answer(f"right-{place}", identifier, self._places(identifier), "")
            for place, identifier in enumerate(listed[:RIGHT_SHOWN])
        )
        more = len(listed) - RIGHT_SHOWN
        told = f'<p class="quiet small">And {words.count(more, "other right answer")}.</p>' if more > 0 else ""
        title = {0: "No right answer is left", 1: "The right answer"}.get(
            len(right), f"The {len(right):,} right answers"
        )
        return f'<div class="rights"><h3 class="label">{title}</h3><ul class="answers">{drawn}</ul>{told}</div>'

    def ranking(self, kind: str, model: str, ids: list[str], other: list[str]) -> str:
        """What one model found. kind: `before` or `after`; other: what the other one found."""
        listed = "".join(
            self._answer(f"{kind}-{place}", identifier, str(place + 1), _moved(kind, place, identifier, other))
            for place, identifier in enumerate(ids)
        )
        name = cards.text(model_name(model))
        return (
            f'<section><h3 class="label" id="ranking-{kind}">{name}</h3>'
            f'<ol class="answers" aria-labelledby="ranking-{kind}">{listed}</ol></section>'
        )

    def _answer(self, key: str, identifier: str, place: str, moved: str) -> str:
        said = self._opened.said.get(identifier)
        right = identifier in self._opened.right
        sign = cards.chip("Right", "good", "tick") if right else ""
        if said is not None and said.score <= 0:
            sign = cards.chip("Not an answer", "", "close")
        button = self._button(key, identifier, said) if self._collection is not None else ""
        return (
            f'<li class="answer{" right" if right else ""}"><div class="place"><b>{cards.text(place)}</b>{moved}</div>'
            f'<div class="item">{self._body(self._opened.sides[1], identifier, key)}</div>'
            f'<div class="verdict">{sign}{button}</div></li>'
        )

    def _button(self, key: str, identifier: str, said: Said | None) -> str:
        """What one click does to the judgement of this answer; none where no judgement is about it."""
        if self._opened.pair(identifier) is None or identifier not in self._rows(self._opened.sides[1]):
            return ""
        label, verdict = ("A right answer", "match")
        if said is not None and said.decided >= self._created and said.decided:
            label, verdict = ("Take back", "undo")
        elif said is not None and said.score > 0:
            label, verdict = ("Not an answer", "not-a-match")
        name = cards.text(self._name(self._opened.sides[1], identifier))
        return (
            f'<button type="button" class="button" data-act="judge" data-verdict="{verdict}" id="judge-{key}" '
            f'data-target="{cards.text(identifier)}" aria-label="{label}: {name}">{label}</button>'
        )

    def _body(self, side: str, identifier: str, key: str) -> str:
        collection = self._collection
        row = self._rows(side).get(identifier)
        if collection is None or row is None:
            gone = "" if collection is None else '<p class="quiet small">It is no longer in the collection.</p>'
            return f'<p class="caption">{cards.text(identifier)}</p>{gone}'
        item = collection.item(side, row)
        box = item_box(item, collection, side, row, self._media, key)
        if not has_media(item):
            return box
        caption = item.text or self._captions.get(identifier) or item.file
        return box + (f'<p class="caption" tabindex="0">{cards.text(caption)}</p>' if caption else "")

    def _rows(self, side: str) -> dict[str, int]:
        if self._collection is None:
            return {}
        return self._collection.query_rows if side == "queries" else self._collection.document_rows

    def _name(self, side: str, identifier: str) -> str:
        """What an item is called in a word or two, for who cannot see it."""
        collection = self._collection
        if collection is None:
            return identifier
        item = collection.item(side, self._rows(side)[identifier])
        return (item.text or self._captions.get(identifier) or item.file or identifier)[:80]

    def _places(self, identifier: str) -> str:
        """4 → 1, or that it was not found."""
        places = [
            str(ids.index(identifier) + 1) if identifier in ids else "–"
            for ids in (self._opened.before, self._opened.after)
        ]
        return " → ".join(places)


def _moved(kind: str, place: int, identifier: str, other: list[str]) -> str:
    """Where the other model had it: an arrow with the number of ranks, and words for a screen reader."""
    if identifier not in other:
        said = "not among the first 10 after" if kind == "before" else "not among the first 10 before"
        tone, sign, short = ("bad", "down", "gone") if kind == "before" else ("good", "up", "new")
        return _sign(tone, sign, short, said)
    by = place - other.index(identifier) if kind == "before" else other.index(identifier) - place
    if by == 0:
        return _sign("", "flat", "", "not moved")
    was = f"{'then' if kind == 'before' else 'was'} {other.index(identifier) + 1}"
    return _sign("good", "up", str(by), f"up, {was}") if by > 0 else _sign("bad", "down", str(-by), f"down, {was}")


def _sign(tone: str, icon: str, short: str, said: str) -> str:
    return (
        f'<span class="moved {tone}" title="{cards.text(said)}">{cards.icon(icon)}{cards.text(short)}'
        f'<span class="unseen"> {cards.text(said)}</span></span>'
    )
