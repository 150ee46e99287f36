"""One document of an index looked at closely: the item itself, what lies nearest to it, and what is judged of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.collection.store import Collection, Item, open_collection
from workbench.errors import WorkbenchError
from workbench.index.registry import get_index
from workbench.index.results import Hit
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.index.search import Searcher

NEAREST = 6
MOST_JUDGEMENTS = 12


@dataclass(frozen=True)
class Judged:
    """A judgement on a document: its query, and what was said by whom. score: 0 is a known wrong answer."""

    query: str
    text: str
    modality: str
    row: int
    score: float
    source: str
    split: str


@dataclass(frozen=True)
class Look:
    """A document, with its row in its collection. `judged_in_all` counts also what `judged` leaves out."""

    collection: Collection
    row: int
    item: Item
    nearest: list[Hit]
    judged: list[Judged]
    judged_in_all: int


def look(searcher: Searcher, workspace: Workspace, index: str, document: str, *, nearest: int = NEAREST) -> Look:
    """Look at one document of an index. Raises WorkbenchError if it is no longer in the index's collection."""
    card = get_index(workspace, index)
    collection = open_collection(workspace, card.collection)
    row = collection.document_rows.get(document)
    if row is None:
        raise WorkbenchError(
            f"This document is no longer in the collection “{collection.name}”. Bring the index up to date, "
            "then search again."
        )
    item = collection.item("corpus", row)
    # A document that asks is a query of its own; it finds itself, which is left out.
    found = searcher.search(index, replace(item, id=""), top=nearest + 1).hits if nearest else []
    judged = judged_of(collection, document)
    others = [hit for hit in found if hit.id != document][:nearest]
    return Look(collection, row, item, others, judged[:MOST_JUDGEMENTS], len(judged))


def judged_of(collection: Collection, document: str) -> list[Judged]:
    """The judgements on a document: those that people gave in Search first, then right answers before wrong ones."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    rows = table.filter(pc.equal(table["document"], document)).to_pylist()
    rows.sort(key=lambda row: (row["source"] != "feedback", -row["score"]))
    return [_judged(collection, row) for row in rows if row["query"] in collection.query_rows]


def _judged(collection: Collection, row: dict[str, Any]) -> Judged:
    place = collection.query_rows[row["query"]]
    queries = collection.queries.data
    text, modality = (queries[name][place].as_py() for name in ("text", "modality"))
    return Judged(row["query"], text or "", modality, place, float(row["score"]), row["source"], row["split"])
