"""The best documents of each query, in blocks, so that memory does not grow with the corpus.

The tie rule, here and nowhere else: the higher score first, and of equal scores the document at the earlier position.
Positions follow the ids (see `held_out`), which is also the rule of Sentence Transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from workbench.evaluation.precision import RESCORED, coder
from workbench.models.vectors import truncate

TOP = 100
FIRST_BLOCK = 1024
DOCUMENT_BLOCK = 32_768
QUERY_BLOCK = 512
RESCORED_BLOCK = 32
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
    queries: Rows, query_count: int, documents: Rows, document_count: int, precision: str, top: int = TOP
) -> tuple[np.ndarray, np.ndarray]:
    """As `top_documents`, of vectors that are made when they are needed: `documents(rows)` gives (rows, dimension).

    rows: a slice, or an array of positions where the first documents are rescored.
    """
    if precision != "rescored":
        return _top(queries, query_count, documents, document_count, precision, top)
    found, _ = _top(queries, query_count, documents, document_count, precision, max(top, RESCORED))
    return _rescored(queries, documents, found, top)


def _rescored(queries: Rows, documents: Rows, positions: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `top` of these positions (queries, places) by the dot products of the vectors themselves."""
    ranked = np.empty((len(positions), min(top, positions.shape[1])), np.int64)
    for start, stop in blocks(len(positions), RESCORED_BLOCK):
        chosen = positions[start:stop]
        unique, places = np.unique(chosen, return_inverse=True)
        vectors = documents(unique)[places.reshape(chosen.shape)]
        scores = np.einsum("qd,qnd->qn", queries(slice(start, stop)), vectors)
        ranked[start:stop] = first(keys(scores, chosen), top)
    return positions_of(ranked), scores_of(ranked)


def _top(
    queries: Rows, query_count: int, documents: Rows, document_count: int, precision: str, top: int
) -> tuple[np.ndarray, np.ndarray]:
    encode = coder(precision, (documents(slice(*block)) for block in document_blocks(document_count)))
    coded = [encode(queries(slice(*block))) for block in blocks(query_count, QUERY_BLOCK)]
    best: list[np.ndarray] = []
    for start, stop in document_blocks(document_count):
        block = encode(documents(slice(start, stop)))
        for number, query_block in enumerate(coded):
            scores = query_block @ block.T
            if start == 0:
                best.append(first(keys(scores, np.arange(stop)), top))
            else:
                best[number] = _merged(best[number], scores, start, top)
    ranked = np.concatenate(best)
    return positions_of(ranked), scores_of(ranked)


def blocks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)


def document_blocks(count: int) -> Iterator[tuple[int, int]]:
    """A small block first, each next one as large as all before it, up to DOCUMENT_BLOCK.

    So each block brings about as many candidates as there are places, however large the corpus is.
    """
    start, size = 0, FIRST_BLOCK
    while start < count:
        stop = min(start + size, count)
        yield start, stop
        start, size = stop, min(stop, DOCUMENT_BLOCK)


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


def _merged(best: np.ndarray, scores: np.ndarray, start: int, top: int) -> np.ndarray:
    """The best keys so far, (queries, places), and a block's scores, (queries, block), merged.

    Blocks come in the order of positions, so a later document enters only with a score strictly above the last place,
    unless there are places left.
    """
    later = np.arange(start, start + scores.shape[1])
    if best.shape[1] < top:
        return first(np.concatenate([best, keys(scores, later)], axis=1), top)
    # Several times as fast as np.nonzero of two dimensions, which takes longer than the products themselves.
    rows, columns = np.divmod(np.flatnonzero(scores > scores_of(best[:, -1:])), scores.shape[1])
    if len(rows) == 0:
        return best
    counts = np.bincount(rows, minlength=len(best))
    candidates = np.full((len(best), counts.max()), np.iinfo(np.int64).max)
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidates[rows, slots] = keys(scores[rows, columns], later[columns])
    return first(np.concatenate([best, candidates], axis=1), top)
