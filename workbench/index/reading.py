"""Open the live table of an index for reading all of it, and say in words what goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.location import location
from workbench.index.registry import IndexCard, live_table
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table

# The vectors of one slice; what the engine holds besides is a part of that.
SLICE_BYTES = 16 << 20


@contextmanager
def reading(workspace: Workspace, card: IndexCard) -> Iterator[tuple[Table, table.Origin] | None]:
    """Yield the live table of an index and its origin, or None if it is gone or torn.

    Raises WorkbenchError if the table is replaced, removed or found damaged while it is being read.
    """
    try:
        opened = table.open_or_none(table.connect(workspace), card.table)
        if opened is None:
            location(workspace).names()  # an address that does not answer says so
        yield opened
    except (OSError, RuntimeError, ValueError) as error:
        if live_table(workspace, card.name) != card.table:
            raise WorkbenchError(
                f"The index “{card.name}” was replaced or removed while it was being read. Try again."
            ) from error
        raise WorkbenchError(
            f"The files of the index “{card.name}” cannot be read: some are gone or damaged, or it was being tidied "
            "just now. Try again; if it says so again, build the index again."
        ) from error


def in_slices(opened: Table, columns: Sequence[str]) -> Iterator[Any]:
    """All rows as Arrow record batches, of a table with vectors of any size.

    A whole scan reads ahead by hundreds of megabytes, whatever its batches; so it is asked for slice by slice. The
    order of a version's rows is always the same.
    """
    rows = max(table.SCAN_ROWS, SLICE_BYTES // (4 * table.vector_size(opened)))
    for start in range(0, opened.count_rows(), rows):
        yield from opened.search().select(list(columns)).offset(start).limit(rows).to_batches(table.SCAN_ROWS)
