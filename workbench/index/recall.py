"""How much an approximate search misses, measured on the user's own vectors against exact search."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.index import codes
from workbench.index.table import precision_of, query_table, vectors_of

if TYPE_CHECKING:
    from lancedb.table import Table

WISHED_RECALL = 0.95
WISHES = (0.95, 0.99)
# Partitions looked at, and candidates (for each wanted hit) rescored by their full vectors, from the cheapest on. By
# its codes alone IVF_RQ finds little more than half of the true neighbours; where clusters overlap, partitions lack.
EFFORTS = ((20, 10), (50, 10), (100, 10), (150, 10), (200, 10), (200, 25), (400, 25), (400, 50))
ALL_FOUND = 0.999
SAMPLE = 100
# Distances that differ by less are equal: summed in another order, the same float32 products differ so much.
SAME_DISTANCE = 1e-6


def check_wish(wished: float) -> None:
    """Raise WorkbenchError unless this recall can be asked for."""
    if wished not in WISHES:
        raise WorkbenchError(f"The recall to reach is {' or '.join(map(str, WISHES))}, not {wished}. Choose one.")


def measure(table: Table, queries: np.ndarray | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """What `EFFORTS` find, up to one that finds all: {"probes", "refine", "recall", "sure", "milliseconds"} of each.

    A sample of the table's vectors asks, each for its ten nearest besides itself; so do `queries`, (queries,
    dimension) float32, since a text that looks for a picture lies far from every picture and is harder to serve than
    another picture. The lower of the two counts. `recall` is recall@10 against exact search, and `sure` that less its
    standard error, as other queries than these will ask. A neighbour as near as the true tenth counts as found, so that
    ties do not look like misses. `milliseconds` a query, asked many at a time. A search by signs has one effort.
    """
    groups = _asking(table, queries, seed)
    truths = [_distances(query_table(table, asked, 11).bypass_vector_index(), len(asked)) for asked, _ in groups]
    signs = codes.load_codes(table) if precision_of(table) == "rescored" else None
    efforts = []
    for probes, refine in EFFORTS if signs is None else ((0, 0),):
        began, recalls = time.perf_counter(), []
        for (asked, skip), truth in zip(groups, truths, strict=True):
            if signs is None:
                near = _distances(query_table(table, asked, 11).nprobes(probes).refine_factor(refine), len(asked))
            else:
                near = _by_signs(table, signs, asked)
            tenth = truth[:, 9 + skip, None]
            of_each = (near[:, skip : 10 + skip] <= tenth + SAME_DISTANCE).mean(axis=1)
            recalls.append((float(of_each.mean()), float(of_each.std() / np.sqrt(len(of_each)))))
        milliseconds = 1000 * (time.perf_counter() - began) / sum(len(asked) for asked, _ in groups)
        recall, error = min(recalls)
        found = {"recall": round(recall, 4), "sure": round(recall - error, 4), "milliseconds": round(milliseconds, 2)}
        efforts.append({"probes": probes, "refine": refine, **found})
        if recall >= ALL_FOUND:  # more effort finds no more
            break
    return efforts


def chosen(efforts: list[dict[str, Any]], wished: float) -> dict[str, Any]:
    """The first, and so the cheapest, of the efforts that surely reaches the wished recall; else the one with most."""
    reaching = [effort for effort in efforts if effort["sure"] >= wished]
    return reaching[0] if reaching else max(efforts, key=lambda effort: effort["recall"])


def _asking(table: Table, queries: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, int]]:
    """The vectors that ask, and how many of their nearest to leave out: a vector of the table finds itself first."""
    rows = table.count_rows()
    sample = np.random.default_rng(seed).choice(rows, min(SAMPLE, rows), replace=False)
    found = table.take_offsets(np.sort(sample).tolist()).select(["vector"]).to_arrow().combine_chunks().to_batches()[0]
    groups = [(vectors_of(found, found.schema.field("vector").type.list_size), 1)]
    return [*groups, (queries, 0)] if queries is not None and len(queries) else groups


def _by_signs(table: Table, signs: codes.Codes, queries: np.ndarray) -> np.ndarray:
    """As `_distances`, of a search by signs."""
    distances = np.full((len(queries), 11), np.inf, dtype=np.float32)
    for number, query in enumerate(queries):
        found = [1.0 - row["score"] for row in codes.nearest(table, signs, query, 11)]
        distances[number, : len(found)] = found
    return distances


def _distances(search: Any, queries: int) -> np.ndarray:
    """The distances of each query of a batch, ascending: (queries, 11); infinity where fewer were found."""
    found = search.to_arrow()
    numbers, values = found["query_index"].to_numpy(), found["_distance"].to_numpy()
    distances = np.full((queries, 11), np.inf, dtype=np.float32)
    for query in range(queries):
        mine = np.sort(values[numbers == query])
        distances[query, : len(mine)] = mine
    return distances
