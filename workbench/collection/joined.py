"""Tables of one upload that refer to each other by ids, read as one: captions.csv with image_id, images.csv with id."""

from __future__ import annotations

import itertools
import pickle
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from workbench.collection.columns import MAX_PATH_CHARACTERS, as_text, cell_values
from workbench.collection.filling import Progress
from workbench.collection.tables import Row, Table
from workbench.errors import WorkbenchError

PLAIN_IDS = ("id", "_id")
IDS_COMPARED = 5_000
ROWS_COMPARED = 50
UNIQUE_SHARE = {1: 0.9, 2: 0.5}  # by strength: how many ids of the other table must be there once
WEAK_SHARE = 0.5  # of the ids that must be found where only the values, and not the names, say what belongs together
ROWS_PER_PROGRESS = 256
_ID = re.compile(r"(.*[^a-z])?_?(id|ids|uid|uuid|key)", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """`column` of the table that refers holds the ids that are in `key` of `table`."""

    column: str
    table: Table
    key: str


class JoinedTable(Table):
    """A table with, in each row, the cells of the rows that its ids refer to.

    The tables referred to are kept on disk while it is read, so that memory does not grow with them.
    """

    def __init__(self, main: Table, links: Sequence[Link]) -> None:
        super().__init__(main.files, main.name)
        self.main, self.links = main, list(links)
        self._lookups: list[_Lookup] = []

    @cached_property
    def columns(self) -> list[str]:
        return [*self.main.columns, *(name for link in self.links for name in self._renamed(link).values())]

    @property
    def sentence(self) -> str:
        """Which tables were joined by what."""
        parts = [f"“{link.table.label}” by {link.column}" for link in self.links]
        return f"“{self.main.label}” joined with {' and '.join(parts)}."

    def prepare(self, progress: Progress | None = None) -> None:
        """Read the tables that are referred to. `rows` does it by itself where this was not called."""
        if not self._lookups:
            self._lookups = [_Lookup(link, self._renamed(link), progress) for link in self.links]

    def rows(self) -> Iterator[Row]:
        self.prepare()
        for row in self.main.rows():
            yield row if row.problem else self._joined(row)

    def count_rows(self) -> int:
        return self.main.count_rows()

    def left_out(self) -> Iterator[tuple[int, str]]:
        """Row number and sentence of every row of the other tables that nothing refers to, or that is no good.

        To be asked when the rows have been read.
        """
        for lookup in self._lookups:
            yield from lookup.left_out()

    def _joined(self, row: Row) -> Row:
        cells = dict(row.cells)
        for link, lookup in zip(self.links, self._lookups, strict=True):
            values = cell_values(row.cells.get(link.column))
            if not values:
                return Row(row.number, problem=f"“{link.column}” is empty. Fill it, or remove the row.")
            identifier = as_id(values[0])
            found = lookup.find(identifier)
            if found is None:
                words = f"“{link.column}” is “{identifier[:80]}”, and “{link.table.label}” has no row with that id."
                return Row(row.number, problem=f"{words} Add it there, or remove the row.")
            cells |= found
        return replace(row, cells=cells)

    def _renamed(self, link: Link) -> dict[str, str]:
        """Columns of the table referred to, without its key: their names there to their names here."""
        taken = set(self.main.columns)
        for other in self.links[: self.links.index(link)]:
            taken |= set(self._renamed(other).values())
        stem = link.table.label.rpartition(".")[0]
        names = [name for name in link.table.columns if name != link.key]
        return {name: f"{stem} {name}" if name in taken else name for name in names}


class _Lookup:
    """The rows of one table by their ids, in a database on disk that goes when it is closed."""

    def __init__(self, link: Link, renamed: dict[str, str], progress: Progress | None) -> None:
        self._link, self._renamed = link, renamed
        self._problems: list[tuple[int, str]] = []
        self._used = bytearray()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma journal_mode = off")
        self._database.execute("begin")
        self._database.execute("create table kept (id text primary key, place int, row int, cells blob) without rowid")
        for place, row in enumerate(link.table.rows()):
            if progress and place % ROWS_PER_PROGRESS == 0:
                progress(place, 0, f"Reading “{link.table.label}”")
            self._used.append(0)
            self._keep(place, row)
        self._last: tuple[str, dict[str, Any] | None] = ("", None)

    def find(self, identifier: str) -> dict[str, Any] | None:
        """The cells of the row with this id, under their names in the joined table; None if there is none."""
        if identifier == self._last[0] and self._last[1] is not None:
            return self._last[1]
        found = self._database.execute("select place, cells from kept where id = ?", (identifier,)).fetchone()
        if found is None:
            return None
        self._used[found[0]] = 1
        self._last = (identifier, pickle.loads(found[1]))  # of our own making, a moment ago
        return self._last[1]

    def left_out(self) -> Iterator[tuple[int, str]]:
        yield from self._problems
        for identifier, place, number in self._database.execute("select id, place, row from kept order by place"):
            if not self._used[place]:
                yield number, f"{self._where(number)}: no row refers to its id “{identifier[:80]}”, so it was left out."

    def _keep(self, place: int, row: Row) -> None:
        values = [] if row.problem else cell_values(row.cells.get(self._link.key))
        if row.problem or not values:
            problem = row.problem or f"“{self._link.key}” is empty, so nothing can refer to it. Fill it."
            self._problems.append((row.number, f"{self._where(row.number)}: {problem}"))
            return
        cells = {new: self._from_here(row.cells.get(old)) for old, new in self._renamed.items()}
        identifier = as_id(values[0])
        data = pickle.dumps(cells, protocol=pickle.HIGHEST_PROTOCOL)
        added = self._database.execute(
            "insert or ignore into kept values (?, ?, ?, ?)", (identifier, place, row.number, data)
        )
        if not added.rowcount:
            words = f"the id “{identifier[:80]}” is there already, in a row above. Give it another, or remove the row."
            self._problems.append((row.number, f"{self._where(row.number)}: {words}"))

    def _where(self, number: int) -> str:
        return f"Row {number} of “{self._link.table.label}”"

    def _from_here(self, cell: Any) -> Any:
        """A cell that names a file beside its own table names it from the top instead."""
        table = self._link.table
        if not table.folder or not isinstance(cell, str) or len(cell) > MAX_PATH_CHARACTERS or "." not in cell:
            return cell
        try:
            return table.files.find(cell, table.folder) or cell
        except WorkbenchError:
            return cell  # told when it is opened


def as_id(cell: Any) -> str:
    """An id as text: 3, 3.0 and "3" are the same one."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return as_text(cell)


def join_tables(tables: Sequence[Table]) -> JoinedTable | None:
    """The tables as one, if one of them refers to all others by id; None if that is not plain.

    Column names tell ("image_id" refers to the "id" of images.csv), and the first rows must agree with them.
    """
    if not 2 <= len(tables) <= 5:
        return None
    found = []
    for main in tables:
        links = [_link(main, other) for other in tables if other is not main]
        if all(links):
            found.append(JoinedTable(main, [link for link in links if link is not None]))
    if len(found) > 1:
        # Both have each id once: the one whose ids are not called plainly "id" is the one that refers.
        found = [table for table in found if not any(link.column.lower() in PLAIN_IDS for link in table.links)] or found
    return found[0] if found else None


def _link(main: Table, other: Table) -> Link | None:
    """How `main` refers to `other`, None if it does not."""
    keys = [name for name in other.columns if _ID.fullmatch(name)]
    names = [name for name in main.columns if _ID.fullmatch(name) or _is_name_of(name, other)]
    best: tuple[int, Link] | None = None
    for key, column in itertools.product(keys, names):
        strength = _strength(column, key, other)
        if strength and (best is None or strength > best[0]) and _agree(main, column, other, key, strength):
            best = (strength, Link(column, other, key))
    return best[1] if best else None


def _strength(column: str, key: str, other: Table) -> int:
    """2 if the names say that a column holds the ids of a table, 1 if they do not contradict it, else 0."""
    plain = key.lower() in PLAIN_IDS
    if plain and (_is_name_of(column, other) or _is_name_of(re.sub(r"[_ -]?(uid|id|key)$", "", column.lower()), other)):
        return 2
    if not plain and column.lower() == key.lower():
        return 2
    return 1 if plain and column.lower() not in PLAIN_IDS else 0


def _is_name_of(name: str, table: Table) -> bool:
    """Whether a name is that of a table, singular or plural."""
    stem = table.label.rpartition(".")[0].lower()
    return bool(name) and name.lower() in (stem, stem.removesuffix("s"), stem.removesuffix("es"))


def _agree(main: Table, column: str, other: Table, key: str, strength: int) -> bool:
    """Whether the first rows of two tables can be joined: the ids are unique in the other, and some are found there."""
    ids = list(_first_ids(other, key, IDS_COMPARED))
    if not ids or len(set(ids)) < UNIQUE_SHARE[strength] * len(ids):
        return False
    referred = list(_first_ids(main, column, ROWS_COMPARED))
    found = len(set(referred) & set(ids)) / max(1, len(set(referred)))
    if strength == 1:
        return found >= WEAK_SHARE
    return found > 0 or (bool(referred) and len(ids) == IDS_COMPARED)


def _first_ids(table: Table, column: str, count: int) -> Iterator[str]:
    for row in itertools.islice(table.rows(), count):
        for value in cell_values(row.cells.get(column)):
            yield as_id(value)
