"""How much an approximate search misses, measured on the user's own vectors against exact search."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.index.table import query_table, vectors_of

if TYPE_CHECKING:
    from lancedb.table import Table

WISHED_RECALL = 0.95
WISHES = (0.95, 0.99)
# Partitions looked at and candidates (for each wanted hit) rescored by their full vectors, from the cheapest.
# The second matters more: by its codes alone, IVF_RQ finds little more than half of the true neighbours.
EFFORTS = ((20, 10), (50, 10), (50, 25), (100, 25), (100, 50), (200, 100))
SAMPLE = 100
# Distances that differ by less are equal: summed in another order, the same float32 products differ so much.
SAME_DISTANCE = 1e-6


def check_wish(wished: float) -> None:
    """Raise WorkbenchError unless this recall can be asked for."""
    if wished not in WISHES:
        raise WorkbenchError(f"The recall to reach is {' or '.join(map(str, WISHES))}, not {wished}. Choose one.")


def of_index(table: Table, kind: str, queries: np.ndarray | None, wished: float = WISHED_RECALL) -> dict[str, Any]:
    """What the card of an index says of its recall: the effort that reaches the wished one, and what each reaches."""
    efforts = [] if kind == "exact" else measure(table, queries)
    best = chosen(efforts, wished) if efforts else {"recall": 1.0, "probes": 0, "refine": 0}
    return {**{name: best[name] for name in ("recall", "probes", "refine")}, "wished": wished, "efforts": efforts}


def measure(table: Table, queries: np.ndarray | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """What each of `EFFORTS` finds: {"probes", "refine", "recall", "milliseconds"}, recall@10 against exact search.

    A sample of the table's vectors asks, each for its ten nearest besides itself; so do `queries`, (queries,
    dimension) float32, since a text that looks for a picture lies far from every picture and is harder to serve than
    another picture. The lower of the two recalls counts. A neighbour as near as the true tenth counts as found, so
    that ties do not look like misses. `milliseconds` a query, asked many at a time.
    """
    groups = _asking(table, queries, seed)
    truths = [_distances(query_table(table, asked, 11).bypass_vector_index(), len(asked)) for asked, _ in groups]
    efforts = []
    for probes, refine in EFFORTS:
        began, recalls = time.perf_counter(), []
        for (asked, skip), truth in zip(groups, truths, strict=True):
            near = _distances(query_table(table, asked, 11).nprobes(probes).refine_factor(refine), len(asked))
            tenth = truth[:, 9 + skip, None]
            recalls.append(float((near[:, skip : 10 + skip] <= tenth + SAME_DISTANCE).mean()))
        milliseconds = 1000 * (time.perf_counter() - began) / sum(len(asked) for asked, _ in groups)
        found = {"recall": round(min(recalls), 4), "milliseconds": round(milliseconds, 2)}
        efforts.append({"probes": probes, "refine": refine, **found})
    return efforts


def chosen(efforts: list[dict[str, Any]], wished: float) -> dict[str, Any]:
    """The first, and so the cheapest, of the efforts that reaches the wished recall; else the one with most."""
    reaching = [effort for effort in efforts if effort["recall"] >= wished]
    return reaching[0] if reaching else max(efforts, key=lambda effort: effort["recall"])


def _asking(table: Table, queries: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, int]]:
    """The vectors that ask, and how many of their nearest to leave out: a vector of the table finds itself first."""
    rows = table.count_rows()
    sample = np.random.default_rng(seed).choice(rows, min(SAMPLE, rows), replace=False)
    found = table.take_offsets(np.sort(sample).tolist()).select(["vector"]).to_arrow().combine_chunks().to_batches()[0]
    groups = [(vectors_of(found, found.schema.field("vector").type.list_size), 1)]
    return [*groups, (queries, 0)] if queries is not None and len(queries) else groups


def _distances(search: Any, queries: int) -> np.ndarray:
    """The distances of each query of a batch, ascending: (queries, 11); infinity where fewer were found."""
    found = search.to_arrow()
    numbers, values = found["query_index"].to_numpy(), found["_distance"].to_numpy()
    distances = np.full((queries, 11), np.inf, dtype=np.float32)
    for query in range(queries):
        mine = np.sort(values[numbers == query])
        distances[query, : len(mine)] = mine
    return distances
