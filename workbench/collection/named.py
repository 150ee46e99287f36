"""An item of a collection by its name: what an address, a saved search or a command can carry."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.collection.store import SIDES, Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.workspace import NAME_PATTERN, Workspace


@dataclass(frozen=True)
class Named:
    """An item by its collection, its side (`queries` or `corpus`) and its id."""

    collection: str
    side: str
    id: str

    @classmethod
    def read(cls, told: str) -> Named | None:
        """What `write` wrote; None for anything else."""
        collection, _, item = told.partition(":")
        side, _, identifier = item.partition(":")
        if not NAME_PATTERN.fullmatch(collection) or side not in SIDES or not identifier:
            return None
        return cls(collection, side, identifier)

    def write(self) -> str:
        """As an address names it."""
        return f"{self.collection}:{self.side}:{self.id}"

    def find(self, workspace: Workspace) -> tuple[Collection, int]:
        """The collection, and the row of the item on its side. Raises WorkbenchError if there is no such item."""
        collection = open_collection(workspace, self.collection)
        rows = collection.query_rows if self.side == "queries" else collection.document_rows
        if self.id not in rows:
            raise WorkbenchError(f"What is to be searched for is no longer in the collection “{collection.name}”.")
        return collection, rows[self.id]
