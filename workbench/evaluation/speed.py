"""How long one query takes to be compared with every vector of a size, exactly, on this machine.

The vectors are random: the time depends on their number and form alone. Each form is the one that an index holds in
memory, packed: what is saved in bytes must be paid for in turning them back, and that counts here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from workbench.evaluation.precision import INT8_STEPS, RESCORED
from workbench.models.vectors import normalize

DOCUMENTS = 50_000
QUERIES = 15
TOP = 10
BLOCK = 4096
Search = Callable[[np.ndarray], np.ndarray]
"""From one unit vector (dimension,) to the score of every document (documents,), or of some and the worst of others."""


def speeds(cells: Sequence[tuple[int, str]], documents: int = DOCUMENTS) -> list[dict[str, Any]]:
    """{"dimension", "precision", "documents", "milliseconds"} of each (dimension, precision): the median of 15 queries.

    Comparing is linear in the documents, so another number of them takes in proportion, without a search structure.
    One core does it, whichever the form, and its own time counts: forms can be compared, and a busy machine tells
    nearly the same.
    """
    from threadpoolctl import threadpool_limits

    with _one_thread(), threadpool_limits(1):  # torch brings threads of its own, so it comes first
        return [
            row for dimension in sorted({size for size, _ in cells}) for row in _of_size(cells, dimension, documents)
        ]


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _of_size(cells: Sequence[tuple[int, str]], dimension: int, documents: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    vectors = normalize(rng.standard_normal((documents, dimension), dtype=np.float32))
    asked = normalize(rng.standard_normal((QUERIES + 1, dimension), dtype=np.float32))
    return [
        {
            "dimension": dimension,
            "precision": precision,
            "documents": documents,
            "milliseconds": _median(SEARCHES[precision](vectors), asked),
        }
        for precision in dict.fromkeys(kind for size, kind in cells if size == dimension)
    ]


def milliseconds(measured: Sequence[dict[str, Any]], dimension: int, precision: str, items: int) -> float | None:
    """The time of one search among so many items, from the rows of `speeds`; None where that size was not measured."""
    for row in measured:
        if (row["dimension"], row["precision"]) == (dimension, precision):
            return float(row["milliseconds"]) * items / int(row["documents"])
    return None


def _median(search: Search, asked: np.ndarray) -> float:
    taken = []
    for query in asked:
        began = time.thread_time()
        scores = search(query)
        np.argpartition(scores, -TOP)[-TOP:]
        taken.append(time.thread_time() - began)
    return round(1000 * float(np.median(taken[1:])), 3)  # the first one warms up


def _plain(vectors: np.ndarray) -> Search:
    return lambda query: _by_blocks(vectors, query)


def _halves(vectors: np.ndarray) -> Search:
    """Turned back by torch, as by numpy it takes ten times as long."""
    import torch

    stored = torch.from_numpy(vectors.astype(np.float16))

    def search(query: np.ndarray) -> np.ndarray:
        scores, asked = np.empty(len(stored), np.float32), torch.from_numpy(query)
        for start in range(0, len(stored), BLOCK):
            scores[start : start + BLOCK] = (stored[start : start + BLOCK].float() @ asked).numpy()
        return scores

    return search


def _int8(vectors: np.ndarray) -> Search:
    low, step = vectors.min(axis=0), np.ptp(vectors, axis=0) / INT8_STEPS
    stored = np.rint((vectors - low) / step).astype(np.uint8)
    return lambda query: _by_blocks(stored, query * step) + float(low @ query)


def _binary(vectors: np.ndarray) -> Search:
    stored = _packed(vectors)

    def search(query: np.ndarray) -> np.ndarray:
        apart: np.ndarray = np.bitwise_count(stored ^ _packed(query[None])).sum(axis=1, dtype=np.int32)
        return -apart

    return search


def _rescored(vectors: np.ndarray) -> Search:
    coarse = _binary(vectors)

    def search(query: np.ndarray) -> np.ndarray:
        first = np.argpartition(coarse(query), -RESCORED)[-RESCORED:]
        scores: np.ndarray = vectors[first] @ query
        return scores

    return search


SEARCHES: dict[str, Callable[[np.ndarray], Search]] = {
    "float32": _plain,
    "float16": _halves,
    "int8": _int8,
    "binary": _binary,
    "rescored": _rescored,
}


def _by_blocks(stored: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Dot products of vectors that are turned into float32 a block at a time, so that they stay in the cache."""
    scores = np.empty(len(stored), np.float32)
    for start in range(0, len(stored), BLOCK):
        scores[start : start + BLOCK] = stored[start : start + BLOCK].astype(np.float32, copy=False) @ query
    return scores


def _packed(vectors: np.ndarray) -> np.ndarray:
    """One bit a component, in words of 64."""
    bits = np.packbits(vectors > 0, axis=1)
    whole = -(-bits.shape[1] // 8) * 8
    return np.pad(bits, ((0, 0), (0, whole - bits.shape[1]))).view(np.uint64)
