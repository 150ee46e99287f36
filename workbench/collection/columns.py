"""Recognise what the columns of a table hold, by their content, and propose a role for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from workbench.collection.archive import Files
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.media_formats import modality_of_name, sniff

ROLES = ("query", "document", "negative", "score")
MAX_PATH_CHARACTERS = 1024
MEDIA_SHARE = 0.5  # a column is media if at least half of its filled cells are
NUMBER_SHARE = 0.9

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?", re.IGNORECASE)
_QUERY_NAMES = ("query", "question", "anchor", "caption", "prompt", "title", "sentence1", "sentence", "text")
_DOCUMENT_NAMES = ("document", "doc", "positive", "pos", "passage", "answer", "target", "sentence2", "context")
_SCORE_NAMES = ("score", "similarity", "relevance", "label", "rating", "grade", "gain")
_NEGATIVE = re.compile(r"(hard[_ -]?)?neg(ative)?s?([_ -]?\d+)?", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(.*[_ -])?(id|uid|uuid|key|index|split|lang|language|licen[cs]e|url|source)", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column as the user sees it.

    kind: text, image, audio, video, number or empty. role: query, document, negative, score or None, as proposed.
    samples: a few distinct values from the first rows: an `Item` with its bytes for media, a str for text and numbers.
    """

    name: str
    kind: str
    role: str | None = None
    samples: list[Item | str] = field(default_factory=list)


def cell_values(cell: Any) -> list[Any]:
    """The values of a cell: none if it is empty (or NaN), several if it holds a list."""
    if isinstance(cell, (list, tuple)):
        return [value for inner in cell for value in cell_values(inner)]
    empty = cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())
    empty = empty or (isinstance(cell, dict) and cell.get("bytes") is None and not cell.get("path"))
    return [] if empty else [cell]


def as_number(cell: Any) -> float | None:
    """The cell as a number (a decimal comma is understood), NaN for NaN; None if it is no number."""
    if isinstance(cell, (bool, int, float, Decimal)):
        return float(cell)
    if isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()):
        return float(cell.strip().replace(",", "."))
    return None


def as_text(cell: Any) -> str:
    """The cell as text that can be stored. Raises WorkbenchError (no row number) for bytes that are no text."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path") or ""
    if isinstance(cell, bytes):
        try:
            cell = cell.decode()
        except UnicodeDecodeError:
            raise WorkbenchError("the cell holds bytes that are no text. Choose another column.") from None
    # Half a surrogate pair, as some JSON holds, can be stored nowhere.
    return str(cell).strip().encode("utf-8", "replace").decode()


def media_name(cell: Any) -> str | None:
    """The file a media cell names, as written there; None if the cell brings its bytes along without a name."""
    if isinstance(cell, dict):
        path = cell.get("path")
        return str(path) if path else None
    return cell if isinstance(cell, str) else None


def recognise(cells: Sequence[Any], files: Files, folder: str) -> str:
    """The kind of a column (text, image, audio, video, number, empty) from some of its cells.

    Paths are looked up in `files`, relative to the table's `folder`; the first bytes decide, not the ending. An
    ending alone counts only where the file is missing, so that a table without its pictures is told what it lacks.
    """
    values = [value for cell in cells for value in cell_values(cell)]
    if not values:
        return "empty"
    if sum(as_number(value) is not None for value in values) >= NUMBER_SHARE * len(values):
        return "number"
    found = Counter(modality for value in values if (modality := _modality(value, files, folder)))
    if found.total() >= MEDIA_SHARE * len(values):
        return found.most_common(1)[0][0]
    return "text"


def propose_roles(kinds: dict[str, str], query: str | None = None, document: str | None = None) -> dict[str, str]:
    """Column name to role, from the kinds of all columns by name, in table order; columns without a role are left out.

    A picture, sound or video is what is looked for, a text is what people type; names decide among several.
    query, document: columns that are settled already.
    """
    usable = [name for name, kind in kinds.items() if kind not in ("number", "empty")]
    negatives = [name for name in usable if _NEGATIVE.fullmatch(name) and name not in (query, document)]
    rest = [name for name in usable if name not in (*negatives, query, document)]
    if query is None:
        media = [name for name in rest if kinds[name] != "text"]
        texts = [name for name in rest if kinds[name] == "text"]
        query = _likely_query(media if media and kinds.get(document or "") == "text" else texts or media)
    rest = [name for name in rest if name != query]
    if document is None:
        media = [name for name in rest if kinds[name] != "text"]
        document = _named(media or rest, _DOCUMENT_NAMES) or _first_plain(media or rest)
    roles = {name: "negative" for name in negatives if document and kinds[name] == kinds[document]}
    roles |= {query: "query"} if query else {}
    roles |= {document: "document"} if document else {}
    score = _named([name for name, kind in kinds.items() if kind == "number"], _SCORE_NAMES)
    return roles | ({score: "score"} if score and score not in roles else {})


def is_role_name(name: str) -> bool:
    """Whether a cell is what people call the column of a query, a document, a negative or a score."""
    plain = name.strip().lower()
    return plain in (*_QUERY_NAMES, *_DOCUMENT_NAMES, *_SCORE_NAMES) or bool(_NEGATIVE.fullmatch(plain))


def _likely_query(names: Sequence[str]) -> str | None:
    others = [name for name in names if name != _named(names, _DOCUMENT_NAMES)]
    return _named(names, _QUERY_NAMES) or _first_plain(others or names)


def _named(names: Sequence[str], hints: Sequence[str]) -> str | None:
    """The first name that is a hint, else the first that has a hint among its words; earlier hints win."""
    for hint in hints:
        for name in names:
            if name.lower() == hint:
                return name
    for hint in hints:
        for name in names:
            if hint in re.split(r"[^a-z0-9]+", name.lower()):
                return name
    return None


def _first_plain(names: Sequence[str]) -> str | None:
    """The first name that does not look like an identifier's, else the first."""
    return next((name for name in names if not _IDENTIFIER.fullmatch(name)), names[0] if names else None)


def _modality(value: Any, files: Files, folder: str) -> str | None:
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        kind = sniff(data)
        return kind[0] if kind else modality_of_name(media_name(value) or "")
    name = media_name(value)
    if name is None or len(name) > MAX_PATH_CHARACTERS or "\n" in name:
        return None
    try:
        found = files.find(name, folder)
    except WorkbenchError:
        return modality_of_name(name)
    if found is None:
        return modality_of_name(name)
    with files.open(found) as file:
        kind = sniff(file.read(64))
    return kind[0] if kind else modality_of_name(name)
