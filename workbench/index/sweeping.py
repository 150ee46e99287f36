"""The tables of an index that no card names: one to go on with, the others to delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workbench.collection.store import list_collections
from workbench.index import table
from workbench.index.location import location, sweep_probes
from workbench.index.registry import (
    BeingBuilt,
    building,
    drop_gone,
    drop_lock,
    live_table,
    named_tables,
    new_table_name,
)
from workbench.index.table import Origin
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table

KEEP_PARTIAL_SECONDS = 7 * 24 * 3600.0


def sweep(workspace: Workspace, working_on: str) -> None:
    """Delete what kills have left of all indexes: tables of no use to anybody, and begun ones nothing can continue.

    A begun table is kept for a week, as long as the collection it was made from is there. Begun tables of `working_on`
    are left to the work that holds its lock.
    """
    drop_gone(workspace)
    sweep_probes(workspace)
    collections = {card.name for card in list_collections(workspace)}
    database = table.connect(workspace)
    for name in {table.index_and_number(found)[0] for found in table.all_tables(workspace)} - {working_on}:
        with suppress(BeingBuilt), building(workspace, name):
            for found in unnamed(workspace, name):
                if not _can_continue(workspace, database, found, collections):
                    table.drop_table(workspace, found)
            if not table.tables_of(workspace, name):
                drop_lock(workspace, name)


def _can_continue(workspace: Workspace, database: Any, found: str, collections: set[str]) -> bool:
    opened = None if _replaced(workspace, found) else table.open_or_none(database, found)
    if opened is None:
        return False
    age = time.time() - location(workspace).last_written(found)
    return opened[1].collection in collections and age < KEEP_PARTIAL_SECONDS


def _replaced(workspace: Workspace, found: str) -> bool:
    """Whether a table is older than the live one of its index: it was live once, and only its deletion is left."""
    name, number = table.index_and_number(found)
    live = live_table(workspace, name)
    return live is not None and number < table.index_and_number(live)[1]


def unnamed(workspace: Workspace, name: str) -> list[str]:
    """The tables of an index on disk that its card does not name."""
    named = named_tables(workspace, name)
    return [found for found in table.tables_of(workspace, name) if found not in named]


def begin_or_continue(
    workspace: Workspace,
    name: str,
    origin: Origin,
    fits: Callable[[Table], bool] = lambda part: True,
    copied: str | None = None,
) -> tuple[str, Table]:
    """A begun table of this origin that `fits`, or a new one: empty, or made of the table `copied`.

    All other begun or replaced tables of this index are deleted.
    """
    database = table.connect(workspace)
    for found in reversed(unnamed(workspace, name)):
        opened = None if _replaced(workspace, found) else table.open_or_none(database, found)
        if opened is not None and origin.same_vectors(opened[1]) and fits(opened[0]):
            drop_others(workspace, name, keep=found)
            return found, opened[0]
    drop_others(workspace, name)
    fresh = new_table_name(workspace, name)
    if copied is None:
        return fresh, table.create(database, fresh, origin)
    from workbench.index.copying import copy_table

    copy_table(workspace, copied, fresh)
    return fresh, database.open_table(fresh)


def drop_others(workspace: Workspace, name: str, keep: str | None = None) -> None:
    """Delete the tables of an index that its card does not name, but `keep`."""
    for found in unnamed(workspace, name):
        if found != keep:
            table.drop_table(workspace, found)
