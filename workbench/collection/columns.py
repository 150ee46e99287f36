"""Recognise what the columns of a table hold, by their content, and propose a role for each."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from workbench.collection.archive import Files
from workbench.collection.pdf import is_pdf, names_pdf, split_page
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
SCORE_NAMES = ("score", "similarity", "relevance", "label", "rating", "grade", "gain")
_NEGATIVE = re.compile(r"(hard[_ -]?)?neg(ative)?s?([_ -]?\d+)?", re.IGNORECASE)
SPLIT_WORDS = dict.fromkeys(("train", "training"), "train")
SPLIT_WORDS |= dict.fromkeys(("test", "testing", "dev", "validation", "valid", "val", "eval", "evaluation"), "eval")
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
    if isinstance(cell, dict):
        empty = not cell if not is_media_cell(cell) else cell.get("bytes") is None and not cell.get("path")
    return [] if empty else [cell]


def is_media_cell(cell: Any) -> bool:
    """Whether a cell brings a file along as the Hub's libraries write it, {"bytes", "path"}, and is no other object."""
    return isinstance(cell, dict) and ("bytes" in cell or "path" in cell)


def as_number(cell: Any) -> float | None:
    """The cell as a number (a decimal comma is understood), NaN for NaN; None if it is no number."""
    if isinstance(cell, (bool, int, float, Decimal)):
        try:
            return float(cell)
        except OverflowError:
            return math.inf if cell > 0 else -math.inf
    if isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()):
        return float(cell.strip().replace(",", "."))
    if isinstance(cell, str) and cell.strip().lower() in ("true", "false"):  # as spreadsheets and pandas write them
        return float(cell.strip().lower() == "true")
    return None


def as_text(cell: Any) -> str:
    """The cell as text that can be stored. Raises WorkbenchError (no row number) for bytes that are no text."""
    if isinstance(cell, str):
        return _storable(cell)
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path") or "" if is_media_cell(cell) else as_json(cell)
    if isinstance(cell, bytes):
        try:
            cell = cell.decode()
        except UnicodeDecodeError:
            raise WorkbenchError("the cell holds bytes that are no text. Choose another column.") from None
    return _storable(str(cell))


def as_json(cell: Any) -> str:
    """An object of a table as JSON, dates and the like as text."""
    return json.dumps(cell, ensure_ascii=False, default=str)


def _storable(text: str) -> str:
    text = text.strip()
    # Half a surrogate pair, as some JSON holds, can be stored nowhere.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def score_of(cell: Any, column: str) -> float:
    """The score in a cell. Raises WorkbenchError (no row number) if it is empty or no number."""
    value = as_number(cell)
    if value is None and not cell_values(cell):
        raise WorkbenchError(f"the score in “{column}” is empty. Give a number, or remove the row.")
    if value is None or not math.isfinite(value) or abs(value) > 1e30:
        raise WorkbenchError(f"the score “{str(cell)[:40]}” is not a number. Give one, or remove the row.")
    return value


def plain_cell(cell: Any) -> Any:
    """A cell as metadata keep it: a text, number or truth value; lists joined by commas, objects as JSON.

    None for what is empty, bytes and media. Numbers in text, as a CSV has them, are left as they are written.
    """
    values = cell_values(cell)
    if not values or isinstance(values[0], bytes) or is_media_cell(values[0]):
        return None
    value = as_json(values[0]) if isinstance(values[0], dict) else values[0]
    if len(values) > 1:
        value = ", ".join(as_json(one) if isinstance(one, dict) else str(one) for one in values)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else _storable(str(value))


def split_of_word(cell: Any) -> str | None:
    """train or eval, as a cell or part of a name says it ("dev" and "test" are eval); None if it says neither."""
    return SPLIT_WORDS.get(str(cell).strip().lower())


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
    return recognise_in([(cell, folder) for cell in cells], files)


def recognise_in(cells: Sequence[tuple[Any, str]], files: Files) -> str:
    """As `recognise`, for the cells of several tables, each with the folder of its own."""
    values = [(value, folder) for cell, folder in cells for value in cell_values(cell)]
    if not values:
        return "empty"
    if sum(as_number(value) is not None for value, _ in values) >= NUMBER_SHARE * len(values):
        return "number"
    found = Counter(modality for value, folder in values if (modality := _modality(value, files, folder)))
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
    score = _named([name for name, kind in kinds.items() if kind == "number"], SCORE_NAMES)
    return roles | ({score: "score"} if score and score not in roles else {})


def is_role_name(name: str) -> bool:
    """Whether a cell is what people call the column of a query, a document, a negative or a score."""
    plain = name.strip().lower()
    return plain in (*_QUERY_NAMES, *_DOCUMENT_NAMES, *SCORE_NAMES) or bool(_NEGATIVE.fullmatch(plain))


def is_negative(name: str) -> bool:
    """Whether a column is called as negatives are: negative, negative_3, hard_neg."""
    return _NEGATIVE.fullmatch(name) is not None


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


def find_media(name: str, files: Files, folder: str) -> str | None:
    """The full name of the file that a cell of a table in `folder` names, with or without "#page=3"; None if there
    is none. Raises WorkbenchError (no row number) if the name points outside the upload."""
    if len(name) > MAX_PATH_CHARACTERS or "\n" in name:
        return None
    found = files.find(name, folder)
    plain, page = split_page(name)
    return files.find(plain, folder) if found is None and page is not None else found


def _modality(value: Any, files: Files, folder: str) -> str | None:
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        kind = _sniff(data[:1024])
        return kind or _promised(media_name(value) or "")
    name = media_name(value)
    if name is None or len(name) > MAX_PATH_CHARACTERS or "\n" in name:
        return None
    try:
        found = find_media(name, files, folder)
    except WorkbenchError:
        return _promised(name)
    if found is None:
        return _promised(name)
    with files.open(found) as file:
        return _sniff(file.read(1024)) or _promised(name)


def _sniff(head: bytes) -> str | None:
    """The modality of a file; the pages of a PDF are pictures."""
    kind = sniff(head)
    return kind[0] if kind else "image" if is_pdf(head) else None


def _promised(name: str) -> str | None:
    return modality_of_name(name) or ("image" if names_pdf(name) else None)
