"""Tables, columns, vectors and collections that searches have used last, kept for the next one in bounded caches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.codes import Codes, load_codes
from workbench.index.fields import Column, load_column, rows_of_modality
from workbench.index.location import files_gone
from workbench.index.memory import Matrix, load_matrix
from workbench.index.recent import Recent
from workbench.index.registry import IndexCard, live_table
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table

KEPT_TABLES = 8
KEPT_COLLECTIONS = 8
KEPT_MATRIX_BYTES = 1 << 29
KEPT_COLUMN_BYTES = 1 << 28


class Replaced(Exception):
    """The table was replaced or removed while it was being read."""


class OpenIndexes:
    """What is open of the indexes of a workspace. Thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._tables: Recent[Table] = Recent(KEPT_TABLES)
        self._collections: Recent[Collection] = Recent(KEPT_COLLECTIONS)
        self._matrices: Recent[Matrix] = Recent(KEPT_MATRIX_BYTES, weigh=lambda matrix: matrix.nbytes)
        self._columns: Recent[Column] = Recent(KEPT_COLUMN_BYTES, weigh=lambda column: column.nbytes)
        self._rows: Recent[np.ndarray] = Recent(KEPT_COLUMN_BYTES, weigh=lambda rows: rows.nbytes)
        self._codes: Recent[Codes] = Recent(KEPT_MATRIX_BYTES, weigh=lambda codes: codes.nbytes)
        self._database: Recent[Any] = Recent(1)

    @contextmanager
    def reading(self, card: IndexCard) -> Iterator[Table]:
        """Yield the open table of an index. Raises Replaced if it went away because a new one has come."""
        try:
            yield self._tables.get(card.table, lambda: self._open(card))
        except (OSError, RuntimeError, ValueError) as error:
            self._tables.forget(card.table)
            if live_table(self._workspace, card.name) != card.table:
                raise Replaced from error
            if not table.is_there(self._workspace, card.table):
                raise files_gone(self._workspace, card.name) from error
            raise

    def _open(self, card: IndexCard) -> Table:
        database = self._database.get("database", lambda: table.connect(self._workspace))
        opened = database.open_table(card.table)
        origin = table.Origin.read(opened.schema.metadata)
        if origin is None or (origin.fingerprint, origin.dimension) != (card.fingerprint, card.dimension):
            raise WorkbenchError(
                f"The table of the index “{card.name}” holds other vectors than it says. Build it again."
            )
        return opened

    def columns(self, card: IndexCard, opened: Table, names: Iterable[str]) -> dict[str, Column]:
        """Fields of the documents' metadata, by name. Raises WorkbenchError for one that no document has."""
        return {name: self._columns.get((card.table, name), partial(load_column, opened, name)) for name in names}

    def rows_of(self, card: IndexCard, opened: Table, modality: str) -> np.ndarray:
        """The row numbers of the documents of one modality, ascending."""
        return self._rows.get((card.table, modality), lambda: rows_of_modality(opened, modality))

    def matrix(self, card: IndexCard, opened: Table, size: int) -> Matrix:
        """The vectors of an index in memory, cut to `size` components."""
        return self._matrices.get((card.table, size), lambda: load_matrix(opened, card.dimension, size))

    def codes(self, card: IndexCard, opened: Table) -> Codes:
        """The signs of an index's vectors in memory, where it keeps signs."""
        return self._codes.get(card.table, lambda: load_codes(opened))

    def collection(self, card: IndexCard) -> Collection | None:
        """The collection that an index was made from, or None if it is gone."""
        try:
            opened = open_collection(self._workspace, card.collection)
        except WorkbenchError:
            return None
        version = (opened.name, opened.fingerprint, opened.card.created)
        return self._collections.get(version, lambda: opened)
