"""The HTML of the Search tab: what is searched, the results as cards of one height, who moved, how long it took."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.index.question import Question
from workbench.index.registry import IndexCard
from workbench.index.results import Hit, SearchResult
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.media_route import MediaRoute
from workbench.ui.search import around, feedback_views
from workbench.workspace import Workspace


def top(listed: list[IndexCard], shown: IndexCard | None, has_collection: bool, waiting: bool) -> str:
    """What is searched, in a sentence, and the select of indexes."""
    if shown is None:
        if not has_collection:
            return cards.heading("Search") + cards.empty(
                "Import a collection first; then one click makes it searchable.",
                cards.button("Bring pairs", "", primary=True, open_tab="data"),
            )
        lead = (
            "It can be searched as soon as every item has been read."
            if waiting
            else ("A model reads every item of a collection once; then you can ask by text, picture or sound.")
        )
        return cards.heading("Search", cards.text(lead))
    lead = (
        f"{cards.text(contents(shown))} in <b>{cards.text(shown.collection)}</b>, read by "
        f"<b>{cards.text(model_name(shown.model))}</b> at {shown.dimension} dimensions."
    )
    options = (
        (card.name, card.name if card.name == card.collection else f"{card.name} · {card.collection}")
        for card in listed
    )
    choice = cards.chooser("index", "Index", options, shown.name)
    return f'<div class="split top">{cards.heading("Search", lead)}{choice}</div>'


def contents(index: IndexCard) -> str:
    """1,639 pictures and 200 sounds."""
    parts = []
    for name, count in sorted(index.modalities.items(), key=lambda entry: -entry[1]):
        plural = words.MODALITY_PLURALS.get(name, f"items of {words.modality(name)}")
        parts.append(words.count(count, words.modality(name), plural))
    return words.listing(parts) or words.count(index.rows, "item")


def modality_choices(index: IndexCard, anything: str) -> list[tuple[str, str]]:
    """What the results may be limited to."""
    named = [(words.MODALITY_PLURALS.get(name, words.modality(name)), name) for name in index.modalities]
    return [("everything", anything), *named]


def foot(index: IndexCard) -> str:
    """How the index is made."""
    kind = "compared with every item" if index.kind == "exact" else f"{index.kind}, recall {index.recall:.3f}"
    return cards.foot(f"{words.size(index.bytes)} · {kind} · made {words.clock(index.created)}")


def results(
    found: SearchResult,
    workspace: Workspace,
    media_route: MediaRoute,
    *,
    rows: int = 0,
    asked: str = "",
    pressed: Mapping[str, str] | None = None,
    question: Question | None = None,
    unlike: str = "",
    can_save: bool = False,
) -> str:
    """The hits as cards, with the milliseconds of each stage above them.

    rows: of the whole index. asked: the search that their buttons name; `pressed`: what is marked already, by id.
    question: how it was asked. unlike: the name of what they are kept away from. can_save: whether an
    address says what was asked.
    """
    question = question or Question()
    if not found.hits:
        return around.nothing(question, asked)
    best, worst = max(hit.score for hit in found.hits), min(0.0, *(hit.score for hit in found.hits))
    shown = Shown(workspace, media_route, found.hits)
    boxes = "".join(
        _hit(
            hit,
            (hit.score - worst) / max(best - worst, 1e-9),
            shown,
            bool(found.reranker),
            feedback_views.buttons(hit, asked, (pressed or {}).get(hit.id, ""), with_open=True) if asked else "",
        )
        for hit in found.hits
    )
    most = rows if found.matching is None else found.matching
    start = f' start="{question.offset + 1}"' if question.offset else ""
    head = f'<div class="split over-hits">{around.kept_away(unlike, asked)}{around.head(found, question, rows)}</div>'
    return f'{head}{around.notes(found)}<ol class="grid hits"{start}>{boxes}</ol>' + (
        around.foot(found, question, asked, most, can_save) if asked else ""
    )


class Shown:
    """What is shown of hits: their media, and the words with which their collections ask for them.

    key: sets the players of one list apart from those of another.
    """

    def __init__(self, workspace: Workspace, media_route: MediaRoute, hits: list[Hit], key: str = "play") -> None:
        self._media_route, self._key = media_route, key
        self._collections: dict[str, Collection] = {}
        self._captions: dict[str, str] = {}
        for name in {hit.collection for hit in hits}:
            try:
                self._collections[name] = open_collection(workspace, name)
            except WorkbenchError:
                continue  # removed since: the index still has the texts
            documents = [hit.id for hit in hits if hit.collection == name]
            self._captions |= captions(self._collections[name], documents)

    def box(self, hit: Hit) -> tuple[str, str]:
        """The upper part of a card and its caption."""
        collection = self._collections.get(hit.collection)
        if collection is None or hit.row < 0:
            said = hit.text or hit.file or hit.id
            if hit.thumbnail is None:
                return cards.words_box(said), ""
            kept = cards.inline(hit.thumbnail, "image/webp")
            return cards.media("image", kept, kept, hit.file or said, ""), said
        item = collection.item("corpus", hit.row)
        own = item.text if has_media(item) else ""
        asked = self._captions.get(hit.id, "")
        return item_box(item, collection, "corpus", hit.row, self._media_route, self._key), own or asked or hit.file


def captions(collection: Collection, documents: list[str]) -> dict[str, str]:
    """The text of a query that each document answers, where there is one; found by scanning the tables."""
    import pyarrow as pa
    import pyarrow.compute as pc

    judged = collection.judgements.data.table.select(["query", "document", "score"])
    judged = judged.filter(pc.and_(pc.is_in(judged["document"], pa.array(documents)), pc.greater(judged["score"], 0)))
    queries = collection.queries.data.table.select(["id", "text"])
    queries = queries.filter(pc.is_in(queries["id"], pa.array(judged["query"].unique())))
    texts = dict(zip(queries["id"].to_pylist(), queries["text"].to_pylist(), strict=True))
    found: dict[str, str] = {}
    for query, document in zip(judged["query"].to_pylist(), judged["document"].to_pylist(), strict=True):
        if texts.get(query):
            found.setdefault(document, texts[query])
    return found


def _hit(hit: Hit, share: float, shown: Shown, reranked: bool, thumbs_html: str) -> str:
    box, words_below = shown.box(hit)
    caption = f'<p class="caption" tabindex="0">{cards.text(words_below)}</p>' if words_below else "<p></p>"
    moved = _moved(hit) if reranked else ""
    line = f'<div class="split"><span class="small quiet">{hit.rank} · {words.number(hit.score, 2)}</span>{moved}</div>'
    bar = f'<div class="bar"><i style="width:{100 * share:.0f}%"></i></div>'
    return f'<li class="card item hit">{box}{caption}<div class="score">{bar}{line}{thumbs_html}</div></li>'


def _moved(hit: Hit) -> str:
    """By how many ranks the reranker moved it: an arrow, the number, and words for a screen reader."""
    by = hit.moved
    if by == 0:
        return f'<span class="moved" title="not moved">{cards.icon("flat")}<span class="unseen">not moved</span></span>'
    tone, arrow, said = ("good", "up", "up") if by > 0 else ("bad", "down", "down")
    return (
        f'<span class="moved {tone}" title="was {hit.first_rank}">{cards.icon(arrow)}{abs(by)}'
        f'<span class="unseen"> {said}, was {hit.first_rank}</span></span>'
    )
