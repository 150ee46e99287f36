"""The best documents of each query, in blocks, so that memory does not grow with the corpus, nor with queries times it.

The tie rule, here and nowhere else: the higher score first, and of equal scores the document at the earlier position.
The order is that of the dot products in float64, rounded to float32, so that documents with the same vector have the
same score, wherever they stand.
Positions follow the ids (see `held_out`), which is also the rule of Sentence Transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from workbench.evaluation.precision import RESCORED, Coder, coder
from workbench.evaluation.products import TILE, Exact, Products, products_for
from workbench.models.vectors import truncate

TOP = 100
SPARE = 28
FEW = 4096
"""Up to so many documents are ranked by exact products at once."""
FIRST_BLOCK = 1024
DOCUMENT_BLOCK = 32_768
BLOCK_VALUES = DOCUMENT_BLOCK * 256
QUERY_BLOCK = 1024
QUERIES_AT_ONCE = 8192
RESCORED_VALUES = 1 << 22
Rows = Callable[[Any], np.ndarray]


def top_documents(
    queries: np.ndarray, documents: np.ndarray, dimension: int, precision: str = "float32", top: int = TOP
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and scores of the `top` documents of each query, best first.

    queries: (queries, full dimension), documents: (documents, full dimension), both unit vectors in the order of their
    positions; either may be a memory-mapped file. Returns two arrays (queries, min(top, documents)), int64 and float32.
    Both are cut to `dimension`, renormalised, and scored at `precision`.
    """
    return top_of_rows(
        lambda rows: truncate(queries[rows], dimension),
        len(queries),
        lambda rows: truncate(documents[rows], dimension),
        len(documents),
        precision,
        top,
    )


def top_of_rows(
    queries: Rows,
    query_count: int,
    documents: Rows,
    document_count: int,
    precision: str,
    top: int = TOP,
    device: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As `top_documents`, of vectors that are made when they are needed: `documents(rows)` gives (rows, dimension).

    rows: a slice, or an array of positions. device: of torch, for the products; else it is chosen (`products_for`).
    """
    encode = coder(precision, (documents(slice(*block)) for block in document_blocks(document_count)))
    scan = _Scan(documents, document_count, encode, products_for(query_count * document_count, device))
    shape = query_count, min(top, document_count)
    positions, scores = np.empty(shape, np.int64), np.empty(shape, np.float32)
    for start, stop in blocks(query_count, QUERIES_AT_ONCE):
        vectors = queries(slice(start, stop))
        if precision == "rescored":
            found = positions_of(scan.ranked(encode(vectors), max(top, RESCORED)))
            ranked = _rescored(vectors, documents, found)[:, :top]
        elif precision == "binary":  # whole numbers, whose products have no rounding
            ranked = scan.ranked(encode(vectors), top)
        else:
            ranked = _settled(encode(vectors), scan, top)
        positions[start:stop], scores[start:stop] = positions_of(ranked), scores_of(ranked)
    return positions, scores


def _settled(queries: np.ndarray, scan: _Scan, top: int) -> np.ndarray:
    """The first `top` keys of each query by exact products: fast ones find some more than are wanted, to choose from.

    A fast product may give equal vectors scores that differ in the last bit, by where they stand, and the cut could
    fall among them. Where that cannot be excluded, because what was left out is so close to the last place, the query
    is ranked again by exact products alone.
    """
    if scan.count <= FEW:
        return scan.exact().ranked(queries, top)
    found = scan.ranked(queries, top + SPARE)
    rounding = 2 * queries.shape[1] * 2.0**-24  # of two products of unit vectors, at most
    ranked = _told_apart(queries, scan, found, rounding)[:, :top]
    if found.shape[1] == scan.count:
        return ranked
    unsure = np.flatnonzero(scores_of(ranked[:, -1]) <= scores_of(found[:, -1]) + rounding)
    if len(unsure):
        ranked[unsure] = scan.exact().ranked(queries[unsure], top)
    return ranked


def _told_apart(queries: np.ndarray, scan: _Scan, found: np.ndarray, rounding: float) -> np.ndarray:
    """These keys (queries, places), best first, sorted again: exact scores for those that rounding may have swapped."""
    scores = scores_of(found)
    close = scores[:, :-1] - scores[:, 1:] <= rounding
    near = np.zeros(found.shape, bool)
    near[:, :-1] |= close
    near[:, 1:] |= close
    ranked, rows, positions = found.copy(), near.nonzero()[0], positions_of(found[near])
    exact = np.empty(len(rows), np.float32)
    for start, stop in blocks(len(rows), max(1, RESCORED_VALUES // queries.shape[1])):
        vectors = scan.encode(scan.documents(positions[start:stop])).astype(np.float64)
        exact[start:stop] = np.vecdot(vectors, queries[rows[start:stop]].astype(np.float64))
    ranked[near] = keys(exact, positions)
    return np.sort(ranked, axis=1)


def _rescored(queries: np.ndarray, documents: Rows, positions: np.ndarray) -> np.ndarray:
    """The keys of these positions (queries, places), sorted, by the exact dot products of the vectors."""
    ranked = np.empty(positions.shape, np.int64)
    for start, stop in blocks(len(positions), max(1, RESCORED_VALUES // (positions.shape[1] * queries.shape[1]))):
        chosen = positions[start:stop]
        vectors = documents(chosen.ravel()).astype(np.float64).reshape(*chosen.shape, -1)
        scores = np.matmul(vectors, queries[start:stop, :, None].astype(np.float64))[..., 0]
        ranked[start:stop] = np.sort(keys(scores.astype(np.float32), chosen), axis=1)
    return ranked


class _Scan:
    """One corpus, to be gone through for some queries at a time."""

    def __init__(self, documents: Rows, count: int, encode: Coder, products: Products) -> None:
        self.documents, self.count, self.encode, self._products = documents, count, encode, products

    def exact(self) -> _Scan:
        return _Scan(self.documents, self.count, self.encode, Exact())

    def ranked(self, queries: np.ndarray, top: int) -> np.ndarray:
        """The `top` best keys of each query, best first, by the products."""
        parts = [queries[start:stop] for start, stop in blocks(len(queries), QUERY_BLOCK)]
        asked = [self._products.place(part) for part in parts]
        best = [np.empty((len(part), 0), np.int64) for part in parts]
        room = np.empty((0, queries.shape[1]), np.float32)
        for start, stop in document_blocks(self.count, queries.shape[1]):
            if len(room) < stop - start:
                room = np.empty((stop - start, queries.shape[1]), np.float32)
            block = self._products.place(self._filled(room[: stop - start], start))
            for number, query_block in enumerate(asked):
                if best[number].shape[1] < top:
                    scores = keys(self._products.scores(query_block, block), np.arange(start, stop))
                    best[number] = first(np.concatenate([best[number], scores], axis=1), top)
                else:
                    found = self._products.above(query_block, block, scores_of(best[number][:, -1]))
                    best[number] = _merged(best[number], *found, start)
        return np.concatenate(best)

    def _filled(self, block: np.ndarray, start: int) -> np.ndarray:
        """`block` with the coded documents from `start` on, a tile at a time, which stays in the processor's cache."""
        for first_row, last_row in blocks(len(block), TILE):
            block[first_row:last_row] = self.encode(self.documents(slice(start + first_row, start + last_row)))
        return block


def blocks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)


def document_blocks(count: int, dimension: int = 1) -> Iterator[tuple[int, int]]:
    """A small block first, each next one as large as all before it, up to DOCUMENT_BLOCK, fewer of long vectors.

    So each block brings about as many candidates as there are places, however large the corpus is.
    """
    start, size = 0, FIRST_BLOCK
    while start < count:
        stop = min(start + size, count)
        yield start, stop
        start, size = stop, min(stop, DOCUMENT_BLOCK, max(FIRST_BLOCK, BLOCK_VALUES // dimension))


def keys(scores: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """One whole number for each score and position, smaller for what ranks earlier: the tie rule as a number.

    scores: float32, positions: int64 below 2**32, shapes that broadcast. The upper half are the bits of the score,
    which order as the numbers do once those of negative numbers are flipped; the lower half is the position. No two are
    equal, so any sorting is stable, and whole numbers sort several times as fast as a stable sort of floats does.
    """
    bits = (scores + np.float32(0)).view(np.int32)  # adding 0 makes -0.0 equal to 0.0
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    return (~bits).astype(np.int64) << 32 | positions


def scores_of(ranked: np.ndarray) -> np.ndarray:
    """The scores that keys were made of."""
    bits = ~(ranked >> 32).astype(np.int32)
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    return bits.view(np.float32)


def positions_of(ranked: np.ndarray) -> np.ndarray:
    """The positions that keys were made of."""
    return ranked & 0xFFFFFFFF


def first(ranked: np.ndarray, top: int) -> np.ndarray:
    """The `top` smallest keys of each row, sorted."""
    if ranked.shape[1] > 4 * top:
        ranked = np.partition(ranked, top - 1, axis=1)[:, :top]
    return np.sort(ranked, axis=1)[:, :top]


def _merged(best: np.ndarray, rows: np.ndarray, places: np.ndarray, scores: np.ndarray, start: int) -> np.ndarray:
    """The best keys so far, (queries, places), and what was found in the block that begins at `start`, merged.

    Blocks come in the order of positions, so a later document enters only with a score strictly above the last place.
    """
    if len(rows) == 0:
        return best
    order = np.argsort(rows.astype(np.uint16), kind="stable")  # of so few values, by counting
    rows = rows[order]
    counts = np.bincount(rows, minlength=len(best))
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidates = np.full((len(best), counts.max()), np.iinfo(np.int64).max)
    candidates[rows, slots] = keys(scores[order], start + places[order])
    return first(np.concatenate([best, candidates], axis=1), best.shape[1])
