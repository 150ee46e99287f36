"""Many queries from a file: JSON lines, a CSV or TSV table, or one text on each line.

    .jsonl  {"id", "text", "image", "audio", "video"}   an id if there is one; media are paths, from the file's folder
    .csv    a header with a column of texts, perhaps one of ids and columns image, audio, video
    .tsv    id, tab, text, without a header
    else    one text on each line; its number is its id

A line that cannot be asked is told by its number, and the others are read on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import media
from workbench.collection.delimited import records
from workbench.collection.encodings import detect_encoding, holds_foreign_bytes
from workbench.collection.store import Item
from workbench.errors import WorkbenchError

KINDS = ("image", "audio", "video")
TEXT_COLUMNS = ("text", "query", "question", "caption", "sentence")
ID_COLUMNS = ("id", "_id", "query_id", "qid")
NOTHING_ASKED = "it asks nothing: it has no text and no file."


@dataclass(frozen=True)
class Asked:
    """One query of a batch, the line on which it stands, and its id."""

    line: int
    id: str
    item: Item


@dataclass(frozen=True)
class Skipped:
    """A line that asks nothing that can be answered, and why."""

    line: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        """As `import` tells what it left out."""
        return {"row": self.line, "reason": self.reason}


def read_queries(path: Path, column: str = "") -> Iterator[Asked | Skipped]:
    """The queries of a file one after another, of which no two have the same id.

    column: of a CSV, the one with the texts; else the first of TEXT_COLUMNS that it has. Raises WorkbenchError in words
    if the file cannot be read, or holds no such column.
    """
    first: dict[str, int] = {}
    for found in _read(path, column):
        if isinstance(found, Asked) and (before := first.setdefault(found.id, found.line)) != found.line:
            yield Skipped(found.line, f"its id “{found.id[:60]}” is that of line {before} already.")
        else:
            yield found


def _read(path: Path, column: str) -> Iterator[Asked | Skipped]:
    try:
        with open(path, "rb") as binary:
            encoding = detect_encoding(binary)
        with open(path, encoding=encoding, errors="surrogateescape", newline="") as text:
            yield from _reader(path, column)(text)
    except OSError as error:
        raise WorkbenchError(f"The file of queries, {path}, cannot be read: {error.strerror}.") from error
    except WorkbenchError as error:
        if not error.message.startswith("it is "):
            raise
        raise WorkbenchError(f"The file of queries, {path}, cannot be read: {error.message}") from error


def _reader(path: Path, column: str) -> Any:
    ending, folder = path.suffix.lower(), path.absolute().parent
    if ending in (".jsonl", ".ndjson"):
        return lambda lines: _from_json(lines, folder)
    if ending == ".csv":
        return lambda lines: _from_csv(lines, folder, path.name, column)
    if ending == ".tsv":
        return _from_tsv
    return _from_lines


def _from_lines(lines: Iterable[str]) -> Iterator[Asked | Skipped]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _asked(number, str(number), {"text": line.strip()}, Path())


def _from_tsv(lines: Iterable[str]) -> Iterator[Asked | Skipped]:
    for number, line in enumerate(lines, start=1):
        identifier, tab, text = line.rstrip("\r\n").partition("\t")
        if not tab and line.strip():
            yield Skipped(number, "there is no tab between an id and a text.")
        elif line.strip():
            yield _asked(number, identifier.strip() or str(number), {"text": text.strip()}, Path())


def _from_json(lines: Iterable[str], folder: Path) -> Iterator[Asked | Skipped]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            yield Skipped(number, 'it is no JSON object such as {"id": "q1", "text": "a red circle"}.')
            continue
        identifier = next((str(said[name]) for name in ID_COLUMNS if said.get(name) not in (None, "")), str(number))
        text = next((said[name] for name in TEXT_COLUMNS if said.get(name)), None)
        yield _asked(number, identifier, {**said, "text": text}, folder)


def _from_csv(lines: Iterable[str], folder: Path, name: str, column: str) -> Iterator[Asked | Skipped]:
    header: list[str] | None = None
    texts = ids = ""
    try:
        for number, (cells, problem) in enumerate(records(lines, ","), start=1):
            if problem:
                yield Skipped(number, problem)
            elif header is None:
                header = [cell.strip() for cell in cells]
                texts, ids = _columns(header, name, column)
            elif cells:
                row = dict(zip(header, cells, strict=False))
                said = {**{kind: row.get(kind, "") for kind in KINDS}, "text": row.get(texts, "").strip()}
                yield _asked(number, row.get(ids, "").strip() or str(number), said, folder)
    except csv.Error as error:
        raise WorkbenchError(f"The file of queries, {name}, is no table that can be read: {error}.") from error


def _columns(header: list[str], name: str, column: str) -> tuple[str, str]:
    """The column of the texts, empty where there are only files, and that of the ids, empty where there is none."""
    names = {cell.lower(): cell for cell in header}
    texts = column if column in header else next((names[one] for one in TEXT_COLUMNS if one in names), "")
    if (column and column not in header) or not (texts or set(KINDS) & set(header)):
        wanted = f"“{column}”" if column else " or ".join(TEXT_COLUMNS[:2])
        raise WorkbenchError(
            f"The file of queries, {name}, has no column {wanted}. It has: {', '.join(header)[:300]}. Name the one "
            "with the queries with --column."
        )
    return texts, next((names[one] for one in ID_COLUMNS if one in names), "")


def _asked(line: int, identifier: str, said: Mapping[str, Any], folder: Path) -> Asked | Skipped:
    text = said.get("text")
    if text is not None and not isinstance(text, str):
        return Skipped(line, "its text is no text.")
    if holds_foreign_bytes(f"{text}{identifier}"):
        return Skipped(line, "some of its letters are in another encoding than the rest of the file.")
    found: dict[str, Any] = {"text": text.strip()} if text and text.strip() else {}
    for kind in KINDS:
        if not said.get(kind):
            continue
        try:
            found[kind] = read_media(kind, folder / str(said[kind]))
        except WorkbenchError as error:
            return Skipped(line, error.message)
    return Asked(line, identifier, Item(**found)) if found else Skipped(line, NOTHING_ASKED)


def read_media(kind: str, path: Path) -> bytes:
    """The bytes of a picture, sound or video, which has been looked at. Raises WorkbenchError that names the file."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be used"
        raise WorkbenchError(f"The file “{path}” cannot be read: {why}.") from error
    try:
        media.check_media(kind, data)
    except WorkbenchError as error:
        raise WorkbenchError(f"“{path.name}”: {error.message}") from error
    return data
