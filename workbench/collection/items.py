"""Make items of cells and files: bytes read, media decoded once to check them, thumbnails made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from workbench.collection.archive import Files
from workbench.collection.columns import as_text, cell_values, find_media, media_name
from workbench.collection.pdf import PAGE_DPI, is_pdf, page_picture, split_page
from workbench.collection.store import MODALITIES, Item
from workbench.collection.tables import Table
from workbench.errors import WorkbenchError
from workbench.media import NOUNS, thumbnail
from workbench.media_formats import sniff


class Known(Protocol):
    """Whoever knows which items are stored already."""

    def has(self, side: str, identifier: str) -> bool: ...


class ItemReader:
    """Read items for the two sides of a collection.

    A file that many rows name is read once: its id is kept, or what is wrong with it. An item that `known` has
    already comes back with its id alone, without bytes. page_dpi: at which the pages of PDFs are drawn.
    """

    def __init__(self, files: Files, known: Known, page_dpi: int = PAGE_DPI) -> None:
        self._files, self._known, self._page_dpi = files, known, page_dpi
        self._ids: dict[str, str] = {}
        self._bad_files: dict[str, str] = {}

    def items(
        self,
        side: str,
        table: Table,
        cells: dict[str, Any],
        columns: list[str],
        kinds: dict[str, str],
        meta: dict[str, Any] | None = None,
    ) -> list[Item]:
        """The items in some cells of a row: one for each value of one column, or one made of several columns.

        side: queries or corpus. Raises WorkbenchError (no row number) if a cell is empty or cannot be used.
        """
        if len(columns) == 1:
            kind, values = kinds[columns[0]], cell_values(cells.get(columns[0]))
            if not values:
                raise WorkbenchError(empty_cell(columns[0]))
            return [self._item(side, table, value, kind, meta or {}) for value in values]
        for column in columns:
            if not cell_values(cells.get(column)):
                raise WorkbenchError(empty_cell(column))
        return [self.merged(side, table, cells, columns, kinds, meta)]

    def merged(
        self,
        side: str,
        table: Table,
        cells: dict[str, Any],
        columns: list[str],
        kinds: dict[str, str],
        meta: dict[str, Any] | None = None,
    ) -> Item:
        """One item of all cells of a row that are filled. Raises WorkbenchError (no row number) if none of them is."""
        filled = [(column, values[0]) for column in columns if (values := cell_values(cells.get(column)))]
        if not filled:
            raise WorkbenchError(f"there is nothing in {' or '.join(f'“{column}”' for column in columns)}. Fill it.")
        if len(filled) == 1:
            return self._item(side, table, filled[0][1], kinds[filled[0][0]], meta or {})
        parts = [self._part(table, value, kinds[column]) for column, value in filled]
        if len({part.modality for part in parts}) < len(parts):
            names = ", ".join(column for column, _ in filled)
            raise WorkbenchError(f"the cells of {names} hold items of the same kind. Choose one column.")
        return checked_item(self._known, side, replace(_merged(parts), meta=meta or {}))

    def _item(self, side: str, table: Table, value: Any, kind: str, meta: dict[str, Any]) -> Item:
        if kind not in NOUNS:
            return _text_item(self._known, side, value, meta)
        file = media_name(value) if isinstance(value, str) else None
        if file is None:
            return checked_item(self._known, side, replace(self._part(table, value, kind), meta=meta))
        key = f"{table.folder}\n{file}"
        if key in self._bad_files:
            raise WorkbenchError(self._bad_files[key])
        seen = self._ids.get(key)
        if seen is not None and self._known.has(side, seen):
            return Item(id=seen)
        try:
            item = checked_item(self._known, side, replace(self._part(table, value, kind), meta=meta))
        except WorkbenchError as error:
            # The words alone: the exception would keep the file's bytes alive.
            self._bad_files[key] = error.message
            raise
        self._ids[key] = item.id
        return item

    def _part(self, table: Table, value: Any, kind: str) -> Item:
        if kind not in NOUNS:
            return Item(text=_text(value))
        data, file = read_media(value, kind, self._files, table.folder, self._page_dpi)
        found = sniff(data)
        media: dict[str, Any] = {found[0] if found else kind: data}
        return Item(file=file, **media)


def _text(value: Any) -> str:
    text = as_text(value)
    if not text:
        raise WorkbenchError("the text is empty. Fill it, or remove the row.")
    return text


def _text_item(known: Known, side: str, value: Any, meta: dict[str, Any]) -> Item:
    """A text with its id; there may be a million of them, so nothing is made twice."""
    text = _text(value)
    identifier = Item(text=text).content_id()
    return Item(id=identifier) if known.has(side, identifier) else Item(text=text, id=identifier, meta=meta)


def checked_item(known: Known, side: str, item: Item) -> Item:
    """The item with its id, and, unless it is stored already, with its media decoded once and a thumbnail.

    One that is stored comes back with its id alone. Raises WorkbenchError (no row number) if its media are damaged.
    """
    identifier = item.content_id()
    if known.has(side, identifier):
        return Item(id=identifier)
    small = item.thumbnail
    for kind in ("image", "audio", "video"):
        data = getattr(item, kind)
        if data is None:
            continue
        try:
            made = thumbnail(kind, data)
        except WorkbenchError as error:
            raise _named(error, kind, item.file) from error
        small = small or made
    return replace(item, id=identifier, thumbnail=small)


def read_media(cell: Any, kind: str, files: Files, folder: str, page_dpi: int = PAGE_DPI) -> tuple[bytes, str]:
    """The bytes a media cell holds or names, and the file name to show ("" if it has none).

    A PDF gives the picture of the page that the cell names ("report.pdf#page=3"), else of its first. kind: what the
    column holds, for the words. Raises WorkbenchError (no row number) if the file is missing, lies outside the upload,
    or cannot be read.
    """
    data, file = _read_file(cell, kind, files, folder)
    if not is_pdf(data) or sniff(data):
        return data, file
    name, number = split_page(media_name(cell) or "")
    label = file or name
    try:
        picture = page_picture(data, number or 1, page_dpi)
    except WorkbenchError as error:
        words = error.message.replace("the PDF", f"the PDF “{label}”", 1) if label else error.message
        raise WorkbenchError(words) from error
    return picture, f"{label}#page={number or 1}" if label else ""


def _read_file(cell: Any, kind: str, files: Files, folder: str) -> tuple[bytes, str]:
    name = media_name(cell)
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if isinstance(data, bytes):
        return data, Path(name).name if name else ""
    if name is None:
        raise WorkbenchError(f"the cell holds no {NOUNS[kind]}. Give the name of a file, or remove the row.")
    found = find_media(name, files, folder)
    if found is None:
        shown = name.strip() if len(name) <= 120 else name.strip()[:117] + "…"
        raise WorkbenchError(f"the {NOUNS[kind]} “{shown}” {files.missing_advice}")
    try:
        return files.read(found), found
    except OSError as error:
        raise WorkbenchError(f"the {NOUNS[kind]} “{found}” cannot be read: {error.strerror or error}.") from error


def empty_cell(column: str) -> str:
    """The words for a cell that must be filled and is not, without the row number."""
    return f"the cell of “{column}” is empty. Fill it, or remove the row."


def _merged(parts: list[Item]) -> Item:
    """One item of several modalities, made of items of one each."""
    contents = {kind: getattr(part, kind) for part in parts for kind in MODALITIES if getattr(part, kind) is not None}
    return Item(file=next((part.file for part in parts if part.file), ""), **contents)


def _named(error: WorkbenchError, kind: str, file: str) -> WorkbenchError:
    """The same words with the file's name in them: the picture “cat.png” is cut off …"""
    noun = f"the {NOUNS[kind]}"
    return WorkbenchError(error.message.replace(noun, f"{noun} “{file}”", 1)) if file else error
