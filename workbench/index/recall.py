"""How much an approximate search misses, measured on the user's own vectors against exact search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.index.table import query_table, vectors_of

if TYPE_CHECKING:
    from lancedb.table import Table

WISHED_RECALL = 0.95
# Partitions looked at and candidates (for each wanted hit) rescored by their full vectors, from the cheapest.
# The second matters more: by its codes alone, IVF_RQ finds little more than half of the true neighbours.
EFFORTS = ((50, 10), (50, 25), (100, 50), (200, 100))
SAMPLE = 100
# Distances that differ by less are equal: summed in another order, the same float32 products differ so much.
SAME_DISTANCE = 1e-6


def measure(table: Table, queries: np.ndarray | None = None, seed: int = 0) -> tuple[float, int, int]:
    """(recall@10, probes, refine): the smallest of `EFFORTS` that reaches `WISHED_RECALL`, else the largest.

    A sample of the table's vectors asks, each for its ten nearest besides itself; so do `queries`, (queries,
    dimension) float32, since a text that looks for a picture lies far from every picture and is harder to serve than
    another picture. The lower of the two recalls counts. A neighbour as near as the true tenth counts as found, so
    that ties do not look like misses.
    """
    rows = table.count_rows()
    asking = np.random.default_rng(seed).choice(rows, min(SAMPLE, rows), replace=False)
    found = table.take_offsets(np.sort(asking).tolist()).select(["vector"]).to_arrow().combine_chunks().to_batches()[0]
    # How many of the nearest to leave out: a vector of the table finds itself first.
    groups = [(vectors_of(found, found.schema.field("vector").type.list_size), 1)]
    if queries is not None and len(queries):
        groups.append((queries, 0))
    truths = [_distances(query_table(table, asked, 11).bypass_vector_index(), len(asked)) for asked, _ in groups]
    recall, probes, refine = 0.0, *EFFORTS[0]
    for probes, refine in EFFORTS:
        recalls = []
        for (asked, skip), truth in zip(groups, truths, strict=True):
            near = _distances(query_table(table, asked, 11).nprobes(probes).refine_factor(refine), len(asked))
            tenth = truth[:, 9 + skip, None]
            recalls.append(float((near[:, skip : 10 + skip] <= tenth + SAME_DISTANCE).mean()))
        recall = min(recalls)
        if recall >= WISHED_RECALL:
            break
    return round(recall, 4), probes, refine


def _distances(search: Any, queries: int) -> np.ndarray:
    """The distances of each query of a batch, ascending: (queries, 11); infinity where fewer were found."""
    found = search.to_arrow()
    numbers, values = found["query_index"].to_numpy(), found["_distance"].to_numpy()
    distances = np.full((queries, 11), np.inf, dtype=np.float32)
    for query in range(queries):
        mine = np.sort(values[numbers == query])
        distances[query, : len(mine)] = mine
    return distances
