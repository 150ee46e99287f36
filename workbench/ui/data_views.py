"""The HTML of the Data tab: the way in, and the collection at a glance."""

from __future__ import annotations

import numpy as np

from workbench.collection.store import Card, Collection, Item
from workbench.ui import cards, words
from workbench.ui.media_route import MediaRoute

SAMPLES = 8
WAY_WORDS = {
    "upload": "A table with one pair a row (CSV, TSV, JSONL, Parquet); with media, a ZIP of the table and its files. "
    "Or PDFs, pictures, sounds and videos alone, to be searched now and given queries later.",
    "paste": "One pair a line, as copied from a spreadsheet, or with “ | ” between its two parts.",
    "hub": "A data set of the Hugging Face Hub. Only the first rows are fetched before you choose what to bring.",
}


def bring_words(way: str) -> str:
    """What may be brought this way, in one breath."""
    return f'<p class="quiet">{cards.text(WAY_WORDS[way])}</p>'


def demo_words() -> str:
    """What the demo is."""
    return (
        '<h2 class="title">No data at hand?</h2><p class="quiet">3,000 drawn scenes, each with a sentence and a '
        "short tune. Works offline, trains in minutes.</p>"
    )


def top(collections: list[Card], shown: Card | None, bringing: str, importing: bool) -> str:
    """The heading: the collection in hand with its counts, or the first sentence of all.

    bringing: `bring` while another collection is brought, `add` while rows are added to the one in hand, else "".
    """
    if shown is None:
        lead = (
            "Your import is being read."
            if importing
            else ("Bring pairs of what people ask and what they should find, or look round with the demo.")
        )
        return cards.heading("Data", cards.text(lead))
    if bringing:
        back = cards.button("Back to " + shown.name, "back")
        head = cards.heading("Bring pairs", "They become a collection of their own.")
        if bringing == "add":
            lead = "New rows join; what is there already is recognised; what is held out for the score stays held out."
            head = cards.heading(f"Add to {shown.name}", lead)
        return f'<div class="split top">{head}<div class="actions">{back}</div></div>'
    head = cards.heading(shown.name, cards.text(counts_sentence(shown)))
    choice = cards.chooser("collection", "Collection", ((card.name, card.name) for card in collections), shown.name)
    buttons = cards.button("Bring other pairs", "bring", identifier="data-bring-more")
    buttons += cards.button("Train on this", "", primary=True, open_tab="train", identifier="data-train")
    return f'<div class="split top">{head}<div class="actions">{choice}{buttons}</div></div>'


def counts_sentence(card: Card) -> str:
    """2,412 queries, 1,639 images, 2,433 judgements. Held out …"""
    counts = card.counts
    sides = [
        words.count(counts.get(key, 0), card.labels.get(side, side))
        for key, side in (("queries", "query"), ("documents", "document"))
    ]
    wrong = counts.get("wrong", 0)
    pairs = counts.get("train", 0) + counts.get("eval", 0) - wrong
    if not counts.get("queries"):
        return f"{words.count(counts.get('documents', 0), 'document')}, without queries yet."
    marked = f", {words.count(wrong, 'wrong answer')} marked as such" if wrong else ""
    sentence = f"{sides[0]}, {sides[1]}, {words.count(pairs, 'pair')}{marked}."
    return " ".join(part for part in (sentence, card.split.get("sentence", "")) if part)


def collection(shown: Collection, media_route: MediaRoute) -> str:
    """The collection: its sentence, sample pairs, and the rows that were left out, with their reasons."""
    card = shown.card
    labels = card.labels
    sentence = (
        f'<p class="sentence">Given <b class="pill">{cards.text(labels.get("query", "query"))}</b>, find '
        f'<b class="pill">{cards.text(labels.get("document", "document"))}</b></p>'
    )
    pairs = _pairs(shown)
    samples = "".join(_sample(shown, query, document, media_route) for query, document in pairs)
    if not pairs:
        sentence = _without_queries()
        rows = (
            np.unique(np.linspace(0, len(shown.corpus) - 1, SAMPLES).astype(int)).tolist() if len(shown.corpus) else []
        )
        samples = "".join(_document(shown, row, media_route) for row in rows)
    made = f"Imported {words.clock(card.created)}."
    remove = cards.remove(
        "collection",
        f"This deletes the collection “{cards.text(card.name)}” with its {card.counts.get('queries', 0):,} queries and "
        f"{card.counts.get('documents', 0):,} documents. Runs, indexes and evaluations made from it stay.",
        card.name,
    )
    return (
        cards.card(sentence + f'<div class="grid samples">{samples}</div>') + _skipped(card) + cards.foot(made, remove)
    )


def _without_queries() -> str:
    said = "These documents can be searched with any model. To train one, say what people would ask to find them."
    review = cards.button("Type queries for them", "part", part="review")
    return f'<div class="split"><p class="quiet">{said}</p>{review}</div>'


def _document(shown: Collection, row: int, media_route: MediaRoute) -> str:
    item = shown.item("corpus", row)
    caption = item.text or item.file if has_media(item) else item.file
    below = f'<p class="caption" tabindex="0">{cards.text(caption)}</p>' if caption else ""
    return f'<article class="card item">{item_box(item, shown, "corpus", row, media_route)}{below}</article>'


def _pairs(shown: Collection) -> list[tuple[int, int]]:
    """A few right pairs, spread over the collection and over the modalities of its documents, no document twice."""
    judged = shown.judged()
    right = np.flatnonzero(judged.scores > 0)
    kinds = shown.document_modalities[judged.documents[right]]
    groups = [right[kinds == kind] for kind in dict.fromkeys(kinds.tolist())]
    picked: dict[int, int] = {}
    for turn in range(SAMPLES):
        for group in groups:
            at = group[(turn * len(group)) // SAMPLES]
            picked.setdefault(int(judged.documents[at]), int(judged.queries[at]))
    return [(query, document) for document, query in list(picked.items())[:SAMPLES]]


def _sample(shown: Collection, query: int, document: int, media_route: MediaRoute) -> str:
    asked, answer = shown.item("queries", query), shown.item("corpus", document)
    top_side, top_row, top_item, below = ("corpus", document, answer, asked)
    if not has_media(answer) and has_media(asked):
        top_side, top_row, top_item, below = ("queries", query, asked, answer)
    box = item_box(top_item, shown, top_side, top_row, media_route)
    caption = below.text or top_item.text or below.file
    return f'<article class="card item">{box}<p class="caption" tabindex="0">{cards.text(caption or "")}</p></article>'


def has_media(item: Item) -> bool:
    """Whether there is something to look at or to listen to."""
    return any(part is not None for part in (item.image, item.audio, item.video))


def item_box(item: Item, shown: Collection, side: str, row: int, media_route: MediaRoute, key: str = "play") -> str:
    """The upper part of a card: the picture, the player, or the text. key: sets players of one item apart."""
    for kind in ("video", "image", "audio"):
        if getattr(item, kind) is None:
            continue
        full = media_route.url(shown.name, shown.fingerprint, side, row, kind)
        thumb = media_route.url(shown.name, shown.fingerprint, side, row, "thumb") if item.thumbnail else full
        name = item.text or item.file or words.modality(kind)
        return cards.media(kind, thumb, full, name, f"{key}-{shown.name}-{side}-{row}")
    return cards.words_box(item.text or "")


def _skipped(card: Card) -> str:
    if not card.skipped:
        return ""
    rows = [[f"{skip.get('row', '')}", cards.text(skip.get("reason", ""))] for skip in card.skipped]
    title = f"{words.count(len(rows), 'row')} left out"
    return cards.card(
        f'<h2 class="title">{cards.chip("Worth knowing", "", "info")} {cards.text(title)}</h2>'
        + cards.table([">Row", "Reason"], rows, caption=title),
        classes="skipped",
    )
