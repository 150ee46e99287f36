"""The best documents of each query, in blocks, so that memory does not grow with the corpus, nor with queries times it.

The tie rule, here and nowhere else: the higher score first, and of equal scores the document at the earlier position.
The order is that of the dot products in float64, rounded to float32, so that documents with the same vector have the
same score, wherever they stand.
Positions follow the ids (see `held_out`), which is also the rule of Sentence Transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from workbench.evaluation.precision import RESCORED, Coder, coder
from workbench.evaluation.products import TILE, Exact, Plain, Products, products_for
from workbench.memory import is_out_of_memory
from workbench.models.vectors import truncate

LOG = logging.getLogger(__name__)
TOP = 100
SPARE = 28
FEW = 4096
"""Up to so many documents are ranked by exact products at once."""
FIRST_BLOCK = 1024
DOCUMENT_BLOCK = 32_768
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
    encode = coder(precision, (documents(slice(*block)) for block in document_blocks(document_count, TILE)))
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
        """The `top` best keys of each query, best first, by the products; without the device once it is full."""
        try:
            return self._ranked(queries, top)
        except Exception as error:
            if isinstance(self._products, Plain) or not is_out_of_memory(error):
                raise
            LOG.warning("the device has too little memory left for ranking, so the processor does it: %s", error)
        # Past the except block, where the error would still hold what lies on the device.
        self._products = Plain()
        return self._ranked(queries, top)

    def _ranked(self, queries: np.ndarray, top: int) -> np.ndarray:
        parts = [queries[start:stop] for start, stop in blocks(len(queries), QUERY_BLOCK)]
        asked = [(self._products.place(part), _Places(len(part), top)) for part in parts]
        for start, stop in document_blocks(self.count, self._products.most(queries.shape[1])):
            block = self._products.place(self.encode(self.documents(slice(start, stop))))
            for query_block, places in asked:
                if places.free:
                    places.fill(self._products.scores(query_block, block), start)
                else:
                    places.add(*self._products.above(query_block, block, places.bounds), start)
        return np.concatenate([places.ranked() for _, places in asked])


class _Places:
    """The best keys of some queries so far. What may enter gathers until it is worth a sorting.

    Blocks come in the order of positions, so a later document enters only with a score strictly above the last place.
    As long as the last places are not sorted anew, too much gathers, and never too little.
    """

    def __init__(self, count: int, top: int) -> None:
        self._best, self._top = np.empty((count, 0), np.int64), top
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._counts = np.zeros(count, np.int64)  # of those that wait
        self.bounds = np.empty(0, np.float32)

    @property
    def free(self) -> bool:
        return self._best.shape[1] < self._top

    def fill(self, scores: np.ndarray, start: int) -> None:
        """All documents of the block that begins at `start`, by their scores (queries, documents)."""
        self._keep(keys(scores, np.arange(start, start + scores.shape[1])))

    def add(self, rows: np.ndarray, places: np.ndarray, scores: np.ndarray, start: int) -> None:
        """Pairs of a query and a document of that block, with scores above the bounds."""
        self._waiting.append((rows, keys(scores, start + places)))
        self._counts += np.bincount(rows, minlength=len(self._counts))
        if self._counts.sum() > self._best.size or self._counts.max() > 4 * self._top:
            self._sort()

    def ranked(self) -> np.ndarray:
        self._sort()
        return self._best

    def _sort(self) -> None:
        if not self._waiting:
            return
        rows, found = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        order = np.argsort(rows.astype(np.uint16), kind="stable")  # of so few values, by counting
        rows, counts = rows[order], self._counts
        candidates = np.full((len(counts), counts.max()), np.iinfo(np.int64).max)
        candidates[rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)] = found[order]
        self._waiting, self._counts = [], np.zeros_like(counts)
        self._keep(candidates)

    def _keep(self, candidates: np.ndarray) -> None:
        self._best = first(np.concatenate([self._best, candidates], axis=1), self._top)
        self.bounds = scores_of(self._best[:, -1])


def blocks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)


def document_blocks(count: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """A small block first, each next one as large as all before it, up to `most`, else DOCUMENT_BLOCK.

    So each block brings about as many candidates as there are places, or fewer, however large the corpus is.
    """
    start, size = 0, FIRST_BLOCK
    while start < count:
        stop = min(start + size, count)
        yield start, stop
        start, size = stop, min(stop, most or DOCUMENT_BLOCK)


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
