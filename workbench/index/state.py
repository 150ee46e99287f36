"""What the files of an index look like now: how many pieces, versions and bytes, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.index.location import location
from workbench.index.reading import reading
from workbench.index.registry import IndexCard
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table


@dataclass(frozen=True)
class State:
    """fragments: pieces that the rows lie in; a search looks into each. versions: states that its files can still be
    read at. unindexed: rows that the search structure does not hold yet, which are compared one by one. place: the
    folder or address. there: whether it can be opened at all."""

    place: str
    there: bool = False
    fragments: int = 0
    versions: int = 0
    unindexed: int = 0


def state(workspace: Workspace, card: IndexCard) -> State:
    """Look at the files of an index without reading its rows."""
    place = location(workspace).uri
    with reading(workspace, card) as opened:
        if opened is None:
            return State(place)
        found = opened[0]
        # What is called a class of its own is a dictionary.
        stats: Any = found.stats()
        fragments = int(stats["fragment_stats"]["num_fragments"])
        return State(place, True, fragments, len(found.list_versions()), _unindexed(found))


def _unindexed(opened: Table) -> int:
    return sum(index.num_unindexed_rows or 0 for index in opened.list_indices() if "vector" in index.columns)
