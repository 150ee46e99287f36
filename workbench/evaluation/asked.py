"""The held-out queries of a collection as a batch for its index, so that the run can be scored by trec_eval."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.collection.store import open_collection
from workbench.evaluation.held_out import ALL, held_out
from workbench.index.asking import Asked
from workbench.workspace import Workspace


def held_out_queries(workspace: Workspace, collection: str) -> tuple[Iterator[Asked], set[str]]:
    """The queries of the direction `all`, and the ids of the documents that they are scored against.

    What training has seen is no part of that corpus, as in an evaluation. Raises WorkbenchError if nothing is held out.
    """
    opened = open_collection(workspace, collection)
    direction = held_out(opened).directions[ALL]
    ids = opened.corpus["id"][:]

    def queries() -> Iterator[Asked]:
        for line, row in enumerate(direction.source_rows, start=1):
            item = opened.item("queries", int(row))
            yield Asked(line, item.id, item)

    return queries(), {ids[int(row)] for row in direction.target_rows}
