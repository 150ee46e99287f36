"""Make items of cells and files: bytes read, media decoded once to check them, thumbnails made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from workbench.collection.archive import Files
from workbench.collection.columns import as_text, cell_values, media_name
from workbench.collection.reading import empty_cell, read_media
from workbench.collection.store import MODALITIES, Item
from workbench.collection.tables import Table, detect_encoding
from workbench.errors import WorkbenchError
from workbench.media import NOUNS, thumbnail
from workbench.media_formats import sniff

TEXT_ENDINGS = ("txt", "md")
MAX_TEXT_BYTES = 1 << 20


class Known(Protocol):
    """Whoever knows which items are stored already."""

    def has(self, side: str, identifier: str) -> bool: ...


class ItemReader:
    """Read items for the two sides of a collection.

    A file that many rows name is read once: its id is kept, or what is wrong with it. An item that `known` has
    already comes back with its id alone, without bytes.
    """

    def __init__(self, files: Files, known: Known) -> None:
        self._files, self._known = files, known
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
        for column in columns:
            if not cell_values(cells.get(column)):
                raise WorkbenchError(empty_cell(column))
        if len(columns) == 1:
            kind = kinds[columns[0]]
            found = [self._item(side, table, value, kind) for value in cell_values(cells[columns[0]])]
        else:
            parts = [self._part(table, cell_values(cells[column])[0], kinds[column]) for column in columns]
            if len({part.modality for part in parts}) < len(parts):
                raise WorkbenchError(
                    f"the cells of {', '.join(columns)} hold items of the same kind. Choose one column."
                )
            merged = {
                kind: getattr(part, kind) for part in parts for kind in MODALITIES if getattr(part, kind) is not None
            }
            file = next((part.file for part in parts if part.file), "")
            found = [self._finished(side, Item(file=file, **merged))]
        return [replace(item, meta=meta or {}) for item in found]

    def file_item(self, name: str) -> Item:
        """A whole file as a document. Raises WorkbenchError, beginning with the file, if it cannot be used."""
        try:
            data = self._files.read(name)
        except OSError:
            raise WorkbenchError(f"the file “{name}” cannot be read, or is a link out of the folder.") from None
        kind = sniff(data)
        if kind:
            media: dict[str, Any] = {kind[0]: data}
            return self._finished("corpus", Item(file=name, **media))
        if name.rpartition(".")[2].lower() not in TEXT_ENDINGS:
            raise WorkbenchError(f"the file “{name}” is no picture, sound, video or text that can be read.")
        if len(data) > MAX_TEXT_BYTES:
            raise WorkbenchError(f"the file “{name}” is a text of more than {MAX_TEXT_BYTES >> 20} MB. Cut it up.")
        with self._files.open(name) as file:
            text = data.decode(detect_encoding(file), "replace").strip()
        if not text:
            raise WorkbenchError(f"the file “{name}” is empty.")
        return Item(text=text, file=name)

    def _item(self, side: str, table: Table, value: Any, kind: str) -> Item:
        file = media_name(value) if kind in NOUNS and isinstance(value, str) else None
        if file is None:
            return self._finished(side, self._part(table, value, kind))
        key = f"{table.folder}\n{file}"
        if key in self._bad_files:
            raise WorkbenchError(self._bad_files[key])
        seen = self._ids.get(key)
        if seen is not None and self._known.has(side, seen):
            return Item(id=seen)
        try:
            item = self._finished(side, self._part(table, value, kind))
        except WorkbenchError as error:
            # The words alone: the exception would keep the file's bytes alive.
            self._bad_files[key] = error.message
            raise
        self._ids[key] = item.id
        return item

    def _part(self, table: Table, value: Any, kind: str) -> Item:
        if kind not in NOUNS:
            text = as_text(value)
            if not text:
                raise WorkbenchError("the text is empty. Fill it, or remove the row.")
            return Item(text=text)
        data, file = read_media(value, kind, self._files, table.folder)
        found = sniff(data)
        media: dict[str, Any] = {found[0] if found else kind: data}
        return Item(file=file, **media)

    def _finished(self, side: str, item: Item) -> Item:
        """With id, and, unless it is stored already, checked and with a thumbnail."""
        identifier = item.content_id()
        if self._known.has(side, identifier):
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


def _merged(parts: list[Item]) -> Item:
    """One item of several modalities, made of items of one each."""
    contents = {kind: getattr(part, kind) for part in parts for kind in MODALITIES if getattr(part, kind) is not None}
    return Item(file=next((part.file for part in parts if part.file), ""), **contents)


def _named(error: WorkbenchError, kind: str, file: str) -> WorkbenchError:
    """The same words with the file's name in them: the picture “cat.png” is cut off …"""
    noun = f"the {NOUNS[kind]}"
    return WorkbenchError(error.message.replace(noun, f"{noun} “{file}”", 1)) if file else error
