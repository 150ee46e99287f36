"""The HTML of the Negatives part: what hard negatives are, how many were mined with what, and some to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from workbench.collection.store import Collection, Item
from workbench.enrich.mining import MINED
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.media_route import MediaRoute

SAMPLES = 3
WHAT = (
    "Hard negatives are wrong answers that look right. A model reads the collection and names, for each query, the "
    "documents it would take for the answer; training then learns to tell them apart."
)


@dataclass(frozen=True)
class MinedNow:
    """The mined judgements of a collection: how many, for how many queries, by which models, and some to look at.

    samples: (query id, document id, similarity or None).
    """

    count: int
    queries: int
    models: list[str]
    rerankers: list[str]
    samples: list[tuple[str, str, float | None]]


def mined_now(collection: Collection) -> MinedNow:
    """What mining has left in a collection."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    table = table.filter(pc.equal(table["source"], MINED))
    metas = [json.loads(meta or "{}") for meta in table["meta"][:1].to_pylist()]
    places = np.unique((np.arange(SAMPLES) + 0.5) * len(table) / SAMPLES).astype(int).tolist() if len(table) else []
    samples = []
    for place in places:
        row = table.slice(place, 1).to_pylist()[0]
        samples.append((row["query"], row["document"], json.loads(row["meta"] or "{}").get("similarity")))
    return MinedNow(
        count=len(table),
        queries=len(table["query"].unique()),
        models=sorted({str(meta["model"]) for meta in metas if meta.get("model")}),
        rerankers=sorted({str(meta["reranker"]) for meta in metas if meta.get("reranker")}),
        samples=samples,
    )


def top(collection: Collection, media_route: MediaRoute, busy: bool) -> str:
    """What is there, with the next step; or, before the first mining, what it is for."""
    found = mined_now(collection)
    if not found.count:
        return cards.card(f'<h2 class="title">Hard negatives</h2><p class="quiet">{cards.text(WHAT)}</p>')
    by = f" by {words.listing([model_name(model) for model in found.models])}" if found.models else ""
    screened = f", screened by {words.listing([model_name(one) for one in found.rerankers])}" if found.rerankers else ""
    labels = collection.card.labels
    said = (
        f"{words.count(found.count, 'hard negative')} for {words.count(found.queries, labels.get('query', 'query'))}, "
        f"found{by}{screened}. Training uses them; the score does not."
    )
    heading = f'<div class="heading"><h2 class="title">Hard negatives</h2><p>{cards.text(said)}</p></div>'
    drop = "" if busy else cards.button("Drop them again", "drop", identifier="negatives-drop")
    look = cards.button(
        "Review the most suspicious", "part", primary=True, identifier="negatives-review", part="review"
    )
    rows = "".join(_sample(collection, media_route, place, *one) for place, one in enumerate(found.samples))
    return cards.card(
        f'<div class="split top">{heading}<div class="actions">{drop}{look}</div></div><ul class="triples">{rows}</ul>'
    )


def _sample(
    collection: Collection, media_route: MediaRoute, place: int, query: str, document: str, similarity: float | None
) -> str:
    """One line: the question, its right answer, and what was mined as wrong."""
    right = _right_answer(collection, query, document)
    near = "" if similarity is None else f" · similarity {words.number(similarity, 2)}"
    parts = [
        (cards.text(f"Given {collection.card.labels.get('query', 'query')}"), "queries", query),
        (cards.chip("The right answer", "good", "tick"), "corpus", right),
        (cards.text(f"Mined as wrong{near}"), "corpus", document),
    ]
    cells = "".join(
        f'<div class="card item"><p class="label">{title_html}</p>'
        f"{_box(collection, media_route, side, identifier)}</div>"
        for title_html, side, identifier in parts
    )
    return f'<li aria-label="Example {place + 1}">{cells}</li>'


def _right_answer(collection: Collection, query: str, document: str) -> str:
    """The id of a right answer of a query, of the kind of `document` if there is one."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    found = table.filter(pc.and_(pc.equal(table["query"], query), pc.greater(table["score"], 0)))[
        "document"
    ].to_pylist()
    kind = _kind(collection, document)
    return next((one for one in found if _kind(collection, one) == kind), next(iter(found), ""))


def _kind(collection: Collection, document: str) -> str:
    row = collection.document_rows.get(document, -1)
    return str(collection.document_modalities[row]) if row >= 0 else ""


def _box(collection: Collection, media_route: MediaRoute, side: str, identifier: str) -> str:
    rows = collection.query_rows if side == "queries" else collection.document_rows
    row = rows.get(identifier, -1)
    item = collection.item(side, row) if row >= 0 else Item(text="It is no longer in the collection.")
    below = f'<p class="caption" tabindex="0">{cards.text(item.text)}</p>' if has_media(item) and item.text else ""
    return item_box(item, collection, side, row, media_route) + below
