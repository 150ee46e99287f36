"""Dot products of blocks of vectors, and which of them lie above a bound: with numpy, or with torch on a device.

Both give the same to rounding. The rule of ties is none of theirs: they hand over what may rank, `ranking` orders it.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np

TILE = 1024
DEVICE_BLOCK = 32_768
DEVICE_VALUES = 1 << 23
GROUP = 32
DENSE = 8
WORTH_MOVING = 50_000_000
"""Fewer scores than these are not worth the way to a GPU, whose memory a training may need."""
Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows of the queries, places of the documents in their block, and scores: one of each for every pair."""


class Products(Protocol):
    def most(self, dimension: int) -> int:
        """How many documents of this size to take at once."""

    def place(self, vectors: np.ndarray) -> Any:
        """The vectors as the two others take them."""

    def scores(self, queries: Any, documents: Any) -> np.ndarray:
        """All dot products, float32 (queries, documents)."""

    def above(self, queries: Any, documents: Any, bounds: np.ndarray) -> Found:
        """The pairs whose dot product is larger than the bound of the query, in any order."""


class Plain:
    """Products in float32, of so few documents at once that all stays in the processor's cache until it is looked at.

    Their last bit depends on where in a block a document stands, as that of every fast product does.
    """

    def __init__(self) -> None:
        self._room = np.empty(0, np.float32)

    def most(self, dimension: int) -> int:
        return TILE

    def place(self, vectors: np.ndarray) -> np.ndarray:
        return vectors

    def scores(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        return queries @ documents.T

    def above(self, queries: np.ndarray, documents: np.ndarray, bounds: np.ndarray) -> Found:
        return above_in(self._product(documents, queries), bounds)

    def _product(self, documents: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """(documents, queries), in the same memory each time: new memory costs as much as looking at the scores."""
        shape = (len(documents), len(queries))
        if self._room.size < shape[0] * shape[1]:
            self._room = np.empty(shape[0] * shape[1], np.float32)
        return np.matmul(documents, queries.T, out=self._room[: shape[0] * shape[1]].reshape(shape))


class Exact(Plain):
    """Products in float64, rounded to float32: equal vectors have equal scores, wherever they stand."""

    def scores(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        return (queries.astype(np.float64) @ documents.astype(np.float64).T).astype(np.float32)

    def _product(self, documents: np.ndarray, queries: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.scores(documents, queries))


class OnDevice:
    """Products by torch. Only what lies above the bounds comes back, so little moves and numpy orders it."""

    def __init__(self, device: str) -> None:
        self._device = device

    def most(self, dimension: int) -> int:
        return min(DEVICE_BLOCK, max(TILE, DEVICE_VALUES // dimension))

    def place(self, vectors: np.ndarray) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(vectors)).to(self._device)

    def scores(self, queries: Any, documents: Any) -> np.ndarray:
        return np.asarray((queries @ documents.T).cpu().numpy())

    def above(self, queries: Any, documents: Any, bounds: np.ndarray) -> Found:
        scores = queries @ documents.T
        pairs = (scores > self.place(bounds)[:, None]).nonzero(as_tuple=True)
        rows, places, found = (part.cpu().numpy() for part in (*pairs, scores[pairs]))
        return rows, places, found


def above_in(scores: np.ndarray, bounds: np.ndarray) -> Found:
    """The pairs of scores (documents, queries) that are larger than the bounds (queries,).

    Looks at the largest of each GROUP of documents first, of which few are large enough: this takes a fiftieth of the
    time of the products, where comparing every score takes a tenth.
    """
    count = scores.shape[1]
    grouped = scores[: len(scores) // GROUP * GROUP].reshape(-1, GROUP, count)
    hit = np.flatnonzero(grouped.max(axis=1) > bounds)
    if len(scores) % GROUP or DENSE * len(hit) > len(grouped) * count:
        places, rows = np.divmod(np.flatnonzero(scores > bounds), count)
        return rows, places, scores[places, rows]
    groups, rows = np.divmod(hit, count)
    inside = grouped[groups, :, rows]
    hits, within = np.nonzero(inside > bounds[rows, None])
    return rows[hits], groups[hits] * GROUP + within, inside[hits, within]


def products_for(scores: int, device: str | None = None) -> Products:
    """What computes so many scores: on `device`, else on a GPU that torch has already, where that is worth the way."""
    if device is not None:
        return OnDevice(device)
    torch = sys.modules.get("torch")
    if scores >= WORTH_MOVING and torch is not None and torch.cuda.is_available():
        return OnDevice("cuda")
    return Plain()
