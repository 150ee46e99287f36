"""The last steps of a table before it is published: merge its chunks, index it if it is large, measure, publish."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.index import recall, table
from workbench.index.fields import describe_fields
from workbench.index.filling import checked
from workbench.index.full_text import add_full_text
from workbench.index.registry import IndexCard, publish
from workbench.index.sweeping import drop_others
from workbench.models import Embedder, LazyItems
from workbench.workspace import Workspace, is_disk_full

if TYPE_CHECKING:
    from lancedb.table import Table

# More parts than these make each search slower, and an index cut for far fewer or far more rows finds less.
MOST_DELTAS = 5
GROWN, SHRUNK = 1.5, 0.5


def tidy(part: Table, rows: int, dimension: int, live: IndexCard | None = None) -> dict[str, Any]:
    """Merge the chunks and bring the approximate index up to date: `kind` and `built_rows` of the card.

    An index that came with the table of `live` takes new rows as a delta, which costs what the new rows cost; when
    deltas have piled up, or the table has grown or shrunk far, it is built from nothing. Only for a table that nobody
    reads yet.
    """
    if live is not None and live.kind != "exact" and _index_still_suits(part, rows, live):
        part.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)
        return {"kind": live.kind, "built_rows": live.built_rows}
    table.compact(part)
    kind = table.add_vector_index(part, rows, dimension)
    return {"kind": kind, "built_rows": 0 if kind == "exact" else rows}


def _index_still_suits(part: Table, rows: int, live: IndexCard) -> bool:
    stats = part.index_stats("vector_idx")
    if stats is None or rows < table.APPROXIMATE_FROM_ROWS:
        return False
    # The rows to come in make one delta more.
    deltas = (stats.num_indices or 1) + (stats.num_unindexed_rows > 0)
    built = live.built_rows or live.rows
    return deltas <= MOST_DELTAS and SHRUNK * built <= rows <= GROWN * built


def measure(
    part: Table,
    kind: str,
    dimension: int,
    asking: tuple[Collection, Embedder] | None,
    wished: float = recall.WISHED_RECALL,
) -> dict[str, Any]:
    """What the card says of a finished table: recall with its effort, its full text, and the fields to filter by.

    Full text is added where it is missing. asking: the collection whose queries ask, beside the table's own vectors,
    and the model that reads them. wished: the recall@10 that the effort shall reach.
    """
    efforts = []
    if kind != "exact":
        efforts = recall.measure(part, None if asking is None else sample_of_queries(*asking, dimension))
    best = recall.chosen(efforts, wished) if efforts else {"recall": 1.0, "probes": 0, "refine": 0}
    return {
        **{name: best[name] for name in ("recall", "probes", "refine")},
        "efforts": efforts,
        "wished": wished,
        "full_text": add_full_text(part),
        "fields": describe_fields(part),
    }


def count_modalities(collection: Collection) -> dict[str, int]:
    """How many documents of a collection are of each modality."""
    names, counts = np.unique(collection.document_modalities.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def sample_of_queries(collection: Collection, embedder: Embedder, dimension: int) -> np.ndarray | None:
    """The vectors of some queries of the collection that the model can read, or None if there are none."""
    readable = np.flatnonzero(np.isin(collection.query_modalities.astype(str), embedder.modalities))
    if not len(readable):
        return None
    rows = np.random.default_rng(0).permutation(readable)[: recall.SAMPLE]
    vectors = embedder.encode_queries(LazyItems(collection, "queries", rows))
    return checked(vectors, len(rows), dimension, embedder.reference)


def publish_table(
    workspace: Workspace, part_name: str, started: float, *, same_content: bool = False, **said: Any
) -> IndexCard:
    """Publish a finished table and delete what it replaces but the state before. `said`: the rest of the card.

    started: `time.perf_counter()` of then.
    """
    card = IndexCard(
        table=part_name,
        bytes=table.bytes_of(workspace, part_name),
        seconds=round(time.perf_counter() - started, 3),
        created=time.time(),
        **said,
    )
    card = publish(workspace, card, same_content=same_content)
    drop_others(workspace, card.name)
    return card


@contextmanager
def full_disk_in_words(workspace: Workspace, name: str, part: Table, total: int) -> Iterator[None]:
    """Say how far the work came. A chunk is committed whole or not at all, so what is there can be gone on from."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise WorkbenchError(
            f"The disk that holds {workspace.index} is full. {part.count_rows():,} of {total:,} documents are in the "
            f"begun index “{name}”. Free some space (old runs are the largest), then start it again to go on from "
            "there, or remove it."
        ) from error
