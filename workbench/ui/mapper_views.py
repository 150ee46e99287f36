"""The HTML of the role mapper: “Given caption, find photo”, with the first rows below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any

from workbench import media
from workbench.collection.direction import direction_warning
from workbench.collection.reading import Preview
from workbench.collection.store import Item
from workbench.ui import cards, words

LARGEST_INLINE = {"audio": 600_000, "video": 1_000_000}
EVERY_NEGATIVE = "*"
PAGE_DPI = {"100": "coarse: 100 dpi", "150": "usual: 150 dpi", "250": "small print: 250 dpi"}
HUB_ROWS = {"1000": "the first 1,000", "10000": "the first 10,000", "100000": "the first 100,000", "": "all"}
SEGMENTS = {"": "each as a whole", "5": "pieces of 5 s", "10": "pieces of 10 s", "30": "pieces of 30 s"}
UNASKED = "They can be searched as they are. Type queries for them in Review, or have them written by a model."
SPOKEN = {
    "query": "Given",
    "document": "find",
    "query_with": "Also part of the question",
    "document_with": "Also part of what is found",
    "negative": "Known wrong answers",
    "score": "Score",
}


@dataclass(frozen=True)
class Chosen:
    """What the fields of the mapper say: columns by role (`…_with` are a second column of the same item), and words."""

    query: str = ""
    document: str = ""
    query_with: str = ""
    document_with: str = ""
    negative: str = ""
    score: str = ""
    name: str = ""
    page_dpi: str = "150"
    segment_seconds: str = ""
    rows: str = "10000"

    @classmethod
    def proposed(cls, preview: Preview, name: str) -> Chosen:
        """What the columns look like."""
        roles = {role: column or "" for role, column in preview.roles.items()}
        several = len(_negatives(preview)) > 1
        return cls(**{**roles, "negative": EVERY_NEGATIVE if several else roles["negative"]}, name=name)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Chosen:
        """What a click in the mapper tells."""
        chosen = cls(**{one.name: str(said[one.name]) for one in fields(cls) if said.get(one.name) is not None})
        # A column has one side: chosen for this one, it leaves the other to what was here before.
        other = {"query": "document", "document": "query"}.get(str(said.get("role", "")))
        if other and chosen.query == chosen.document:
            return replace(chosen, **{other: str(said.get("was", ""))})
        return chosen

    def turned(self) -> Chosen:
        """The question and what is found change places."""
        return replace(
            self,
            query=self.document,
            document=self.query,
            query_with=self.document_with,
            document_with=self.query_with,
            negative="",
        )

    def roles(self, preview: Preview) -> dict[str, Any]:
        """As `import_collection` takes them."""
        every = _negatives(preview) if self.negative == EVERY_NEGATIVE else [self.negative]
        return {
            "query": [column for column in (self.query, self.query_with) if column],
            "document": [column for column in (self.document, self.document_with) if column],
            "negative": [column for column in every if column] or None,
            "score": self.score or None,
        }

    def most_rows(self) -> int:
        """How many rows of a data set of the Hub are fetched, 0 for all."""
        return int(self.rows) if self.rows in HUB_ROWS and self.rows else 0

    def options(self) -> dict[str, Any]:
        """The choices that pages and videos have, for the spec of the import."""
        dpi = int(self.page_dpi) if self.page_dpi in PAGE_DPI else 150
        seconds = float(self.segment_seconds) if self.segment_seconds in SEGMENTS and self.segment_seconds else None
        return {"page_dpi": dpi, "segment_seconds": seconds}


def mapper(preview: Preview, chosen: Chosen, adding_to: str = "", *, from_hub: bool = False) -> str:
    """The whole mapper. adding_to: the collection that the rows join, "" where they become one of their own.

    from_hub: how many rows are fetched may be chosen.
    """
    if preview.layout and not preview.columns:
        return _documents(preview, chosen, adding_to)
    kinds = {column.name: column.kind for column in preview.columns}
    warning = direction_warning(preview.rows, kinds, {"query": chosen.query, "document": chosen.document})
    problems = cards.notice(warning, tone="warn", closable=False) if warning else ""
    if preview.problems:
        problems += cards.notice("Before you import:", preview.problems, tone="warn", closable=False)
    fetched = f"<label>Rows {_select('rows', 'Rows', HUB_ROWS, chosen.rows)}</label>" if from_hub else ""
    layout = f'<p class="quiet">{cards.text(preview.layout)}</p>' if preview.layout else ""
    row_words = f"{words.count(preview.row_count, 'row')}. " if preview.row_count is not None else ""
    return (
        f'<section class="card mapper">{layout}<div class="split">{_sentence(preview, chosen)}</div>{problems}'
        f"{_table(preview, chosen)}"
        f'<div class="split end"><div class="fields">{_optional(preview, chosen)}{_file_choices(preview, chosen)}'
        f"{fetched}{_name_field(chosen, adding_to)}</div>{_actions(adding_to)}</div>"
        f'<p class="quiet small">{row_words}Texts, pictures and sounds are told apart by what is in them.</p></section>'
    )


def _documents(preview: Preview, chosen: Chosen, adding_to: str) -> str:
    """What has no columns: documents, with nothing to choose but how they are read."""
    boxes = "".join(
        f'<article class="card item">{_picture(item, f"map-{place}")}'
        f'<p class="caption" tabindex="0">{cards.text(item.file or item.text or "")}</p></article>'
        for place, item in enumerate(preview.samples)
    )
    problems = (
        cards.notice("Before you import:", preview.problems, tone="warn", closable=False) if preview.problems else ""
    )
    unasked = f'<p class="quiet small">{UNASKED}</p>' if "without queries" in preview.layout else ""
    return (
        f'<section class="card mapper"><p class="lead">{cards.text(preview.layout)}</p>{problems}'
        f'<div class="grid samples">{boxes}</div>'
        f'<div class="split end"><div class="fields">{_file_choices(preview, chosen)}'
        f"{_name_field(chosen, adding_to)}</div>{_actions(adding_to)}</div>"
        f"{unasked}</section>"
    )


def _sentence(preview: Preview, chosen: Chosen) -> str:
    return (
        f'<p class="sentence"><span>Given</span> {_column_select("query", preview, chosen, required=True)}'
        f"<span>, find</span> {_column_select('document', preview, chosen, required=True)} "
        f'<button type="button" class="button" data-act="turn" id="map-turn">{cards.icon("swap")}Turn round</button>'
        "</p>"
    )


def _optional(preview: Preview, chosen: Chosen) -> str:
    """The choices that need not be made; those that nothing could be chosen for are left out."""
    made = {
        role: f"<label>{SPOKEN[role]} {_column_select(role, preview, chosen)}</label>"
        for role in ("negative", "score", "query_with", "document_with")
        if _choices(role, preview, chosen)
    }
    beside = made.pop("query_with", "") + made.pop("document_with", "")
    if beside:
        is_open = " open" if chosen.query_with or chosen.document_with else ""
        beside = f'<details class="beside"{is_open}><summary>Several columns for one</summary>{beside}</details>'
    return "".join(made.values()) + beside


def _file_choices(preview: Preview, chosen: Chosen) -> str:
    """How the pages of PDFs and how videos are read, where there are any."""
    made = ""
    if _has_pages(preview):
        made += f"<label>Pages drawn {_select('page_dpi', 'Pages drawn', PAGE_DPI, chosen.page_dpi)}</label>"
    if "video" in preview.layout:
        made += f"<label>Videos {_select('segment_seconds', 'Videos', SEGMENTS, chosen.segment_seconds)}</label>"
    return made


def _name_field(chosen: Chosen, adding_to: str) -> str:
    if adding_to:
        return ""
    return (
        f'<label>Name of the collection <input name="name" id="map-name" value="{cards.text(chosen.name)}" '
        'maxlength="64" autocomplete="off" spellcheck="false"></label>'
    )


def _actions(adding_to: str) -> str:
    label = f"Add to {adding_to}" if adding_to else "Import"
    made = cards.button("Cancel", "cancel") + cards.button(label, "import", primary=True, identifier="map-import")
    return f'<div class="actions">{made}</div>'


def _select(name: str, label: str, options: Mapping[str, str], chosen: str) -> str:
    inner = cards.options_of(options.items(), chosen)
    return f'<select name="{name}" id="map-{name}" aria-label="{label}">{inner}</select>'


def _column_select(role: str, preview: Preview, chosen: Chosen, *, required: bool = False) -> str:
    now = getattr(chosen, role)
    nothing = [] if required and now else [("", "choose a column" if required else "none")]
    options = cards.options_of([*nothing, *_choices(role, preview, chosen)], now)
    pill = ' class="pill"' if required else ""
    data = f'data-act="map" data-role="{role}" data-was="{cards.text(now)}"'
    return f'<select name="{role}" id="map-{role}" {data} aria-label="{SPOKEN[role]}"{pill}>{options}</select>'


def _choices(role: str, preview: Preview, chosen: Chosen) -> list[tuple[str, str]]:
    """What may have a role: (column, words)."""
    columns = [column for column in preview.columns if column.kind != "empty"]
    kinds = {column.name: column.kind.replace("number", "text") for column in columns}
    if role in ("query", "document"):
        return [(column.name, column.name) for column in columns]
    taken = {chosen.query, chosen.document}
    if role == "score":
        columns = [column for column in columns if column.kind == "number"]
    elif role == "negative":
        columns = [column for column in columns if column.name not in taken]
    else:
        # One item holds one of each kind: a text that belongs to a picture, say. An identifier belongs to nothing.
        beside = chosen.query if role == "query_with" else chosen.document
        others = [column for column in columns if column.name not in taken and column.role is None]
        columns = [one for one in others if one.kind != "number" and kinds[one.name] != kinds.get(beside)]
    found = [(column.name, f"{column.name} ({words.modality(column.kind)})") for column in columns]
    several = _negatives(preview)
    if role == "negative" and len(several) > 1:
        found.insert(0, (EVERY_NEGATIVE, f"{several[0]} … {several[-1]} ({len(several)} columns)"))
    return found


def _negatives(preview: Preview) -> list[str]:
    return [column.name for column in preview.columns if column.role == "negative"]


def _table(preview: Preview, chosen: Chosen) -> str:
    named: dict[str, str] = {}
    for role in ("query", "document", "negative", "score"):
        column = getattr(chosen, role)
        named |= dict.fromkeys(_negatives(preview) if column == EVERY_NEGATIVE else [column], role)
    named |= {chosen.query_with: "query", chosen.document_with: "document"}
    named.pop("", None)
    headers = []
    for column in preview.columns:
        role = named.get(column.name, column.name)
        kind = f"{column.name} · {words.modality(column.kind)}"
        headers.append(kind if role == column.name else f"{kind} · {role}")
    rows = [
        [
            _cell(row.get(column.name), items.get(column.name), f"map-{place}-{at}")
            for at, column in enumerate(preview.columns)
        ]
        for place, (row, items) in enumerate(zip(preview.rows, preview.items, strict=False))
    ]
    return cards.table(headers, rows, caption="The first rows")


def _has_pages(preview: Preview) -> bool:
    """Whether pages of PDFs are going to be drawn."""
    samples = [one for column in preview.columns for one in column.samples if isinstance(one, Item)]
    return "PDF" in preview.layout or any(".pdf" in one.file.lower() for one in samples)


def _cell(value: Any, item: Item | None, key: str) -> str:
    """One value of the preview: a small picture or player made inline, or the text."""
    if item is None or item.thumbnail is None:
        return f'<span class="clip" title="{cards.text(value)}">{cards.text("" if value is None else value)}</span>'
    return f'<div class="small-media">{_picture(item, key, PurePath(str(value)).name)}</div>'


def _picture(item: Item, key: str, name: str = "") -> str:
    """A picture, a player made inline where the bytes are few, or a text; nothing is fetched."""
    name = name or item.file or item.text or ""
    if item.thumbnail is None:
        return cards.words_box(item.text or name)
    small = cards.inline(item.thumbnail, "image/webp")
    for kind, most in LARGEST_INLINE.items():
        data = getattr(item, kind)
        sniffed = media.sniff(data) if data and len(data) <= most else None
        if data and sniffed and sniffed[0] == kind:
            return cards.media(kind, small, cards.inline(data, media.content_type(sniffed[1])), name, key)
    return cards.media("image", small, small, name, key)
