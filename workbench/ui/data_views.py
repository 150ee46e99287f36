"""The HTML of the Data tab: the way in, the role mapper, the collection."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from workbench import media
from workbench.collection.reading import Column, Preview
from workbench.collection.store import Card, Collection, Item
from workbench.ui import cards, words
from workbench.ui.media_route import MediaRoute

PREVIEW_ROWS = 5
SAMPLES = 8
LARGEST_INLINE_SOUND = 400_000


def bring_words() -> str:
    """What an upload must be, in one breath."""
    return (
        '<h2 class="title">Bring pairs</h2><p class="quiet">A table with one pair a row: CSV, TSV, JSONL or Parquet. '
        "With pictures, sounds or videos: a ZIP of the table and the files it names.</p>"
    )


def demo_words() -> str:
    """What the demo is."""
    return (
        '<h2 class="title">No data at hand?</h2><p class="quiet">3,000 drawn scenes, each with a sentence and a '
        "short tune. Works offline, trains in minutes.</p>"
    )


def top(collections: list[Card], shown: Card | None, bringing: bool, importing: bool) -> str:
    """The heading: the collection in hand with its counts, or the first sentence of all."""
    if shown is None:
        lead = (
            "Your import is being read."
            if importing
            else ("Bring pairs of what people ask and what they should find, or look round with the demo.")
        )
        return cards.heading("Data", cards.text(lead))
    if bringing:
        back = cards.button("Back to " + shown.name, "back")
        return (
            f'<div class="split top">{cards.heading("Bring pairs", "Each upload becomes a collection of its own.")}'
            f'<div class="actions">{back}</div></div>'
        )
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
    pairs = counts.get("train", 0) + counts.get("eval", 0)
    sentence = f"{sides[0]}, {sides[1]}, {words.count(pairs, 'pair')}."
    return " ".join(part for part in (sentence, card.split.get("sentence", "")) if part)


def mapper(preview: Preview, roles: Mapping[str, str | None], name: str) -> str:
    """“Given query, find image”, with the first rows below it."""
    row_words = f"{words.count(preview.row_count, 'row')}. " if preview.row_count is not None else ""
    sentence = (
        f'<p class="sentence"><span>Given</span> {_column_select("query", preview.columns, roles, required=True)}'
        f"<span>, find</span> {_column_select('document', preview.columns, roles, required=True)} "
        f'<button type="button" class="button" data-act="turn" id="map-turn">{cards.icon("swap")}Turn round</button>'
        "</p>"
    )
    optional = (
        f"<label>Known wrong answers {_column_select('negative', preview.columns, roles)}</label>"
        f"<label>Score {_column_select('score', preview.columns, roles)}</label>"
        f'<label>Name of the collection <input name="name" id="map-name" value="{cards.text(name)}" maxlength="64" '
        'autocomplete="off" spellcheck="false"></label>'
    )
    actions = cards.button("Cancel", "cancel") + cards.button("Import", "import", primary=True, identifier="map-import")
    problems = (
        cards.notice("Before you import:", preview.problems, tone="warn", closable=False) if preview.problems else ""
    )
    return (
        f'<section class="card mapper"><div class="split">{sentence}</div>{problems}{_preview_table(preview, roles)}'
        f'<div class="split end"><div class="fields">{optional}</div><div class="actions">{actions}</div></div>'
        f'<p class="quiet small">{row_words}Texts, pictures and sounds are told apart by what is in them.</p></section>'
    )


def _column_select(
    role: str, columns: Iterable[Column], roles: Mapping[str, str | None], *, required: bool = False
) -> str:
    spoken = {"query": "Given", "document": "find", "negative": "Known wrong answers", "score": "Score"}[role]
    options = (
        "" if required and roles.get(role) else f'<option value="">{"choose a column" if required else "none"}</option>'
    )
    for column in columns:
        if column.kind == "empty" or (role == "score" and column.kind != "number"):
            continue
        chosen = " selected" if roles.get(role) == column.name else ""
        label = f"{column.name} ({words.modality(column.kind)})" if not required else column.name
        options += f'<option value="{cards.text(column.name)}"{chosen}>{cards.text(label)}</option>'
    pill = ' class="pill"' if required else ""
    return f'<select name="{role}" id="map-{role}" data-act="map" aria-label="{spoken}"{pill}>{options}</select>'


def _preview_table(preview: Preview, roles: Mapping[str, str | None]) -> str:
    named = {column: role for role, column in roles.items() if column}
    headers = [
        f"{column.name} · {words.modality(column.kind)}" + (f" · {named[column.name]}" if column.name in named else "")
        for column in preview.columns
    ]
    rows = [
        [_cell(row.get(column.name), column, f"map-{place}-{at}") for at, column in enumerate(preview.columns)]
        for place, row in enumerate(preview.rows[:PREVIEW_ROWS])
    ]
    return cards.table(headers, rows, caption="The first rows")


def _cell(value: Any, column: Column, key: str) -> str:
    """One value of the preview: a small picture or player made inline, or the text."""
    name = PurePath(str(value)).name
    found = (one for one in column.samples if isinstance(one, Item) and one.file and PurePath(one.file).name == name)
    sample = next(found, None)
    if sample is None or sample.thumbnail is None:
        return f'<span class="clip" title="{cards.text(value)}">{cards.text("" if value is None else value)}</span>'
    small = _inline(sample.thumbnail, "image/webp")
    sound = sample.audio
    sniffed = media.sniff(sound) if sound and len(sound) <= LARGEST_INLINE_SOUND else None
    if sound and sniffed:
        player = _inline(sound, media.content_type(sniffed[1]))
        return f'<div class="small-media">{cards.media("audio", small, player, name, key)}</div>'
    return f'<img class="small-picture" src="{small}" alt="{cards.text(name)}">'


def _inline(data: bytes, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def collection(shown: Collection, media_route: MediaRoute) -> str:
    """The collection: its sentence, sample pairs, and the rows that were left out, with their reasons."""
    card = shown.card
    labels = card.labels
    sentence = (
        f'<p class="sentence">Given <b class="pill">{cards.text(labels.get("query", "query"))}</b>, find '
        f'<b class="pill">{cards.text(labels.get("document", "document"))}</b></p>'
    )
    samples = "".join(_sample(shown, query, document, media_route) for query, document in _pairs(shown))
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


def item_box(item: Item, shown: Collection, side: str, row: int, media_route: MediaRoute) -> str:
    """The upper part of a card: the picture, the player, or the text."""
    for kind in ("video", "image", "audio"):
        if getattr(item, kind) is None:
            continue
        full = media_route.url(shown.name, shown.fingerprint, side, row, kind)
        thumb = media_route.url(shown.name, shown.fingerprint, side, row, "thumb") if item.thumbnail else full
        name = item.text or item.file or words.modality(kind)
        return cards.media(kind, thumb, full, name, f"play-{shown.name}-{side}-{row}")
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
