"""The vectors of a small index in memory, cut to a Matryoshka dimension, to try out what a smaller size finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.index.table import scan, vectors_of
from workbench.models import truncate

if TYPE_CHECKING:
    from lancedb.table import Table


@dataclass(frozen=True)
class Matrix:
    """vectors: (rows, dimension) float32, of unit length, in the order of `rows`, their row numbers in the corpus."""

    rows: np.ndarray
    modalities: np.ndarray
    vectors: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.modalities.nbytes + self.vectors.nbytes

    def nearest(
        self, query: np.ndarray, limit: int, modality: str | None = None, among: np.ndarray | None = None
    ) -> tuple[list[int], list[float]]:
        """The row numbers and cosines of the nearest, best first; of equals, the lower row first.

        query: (dimension,) float32 of unit length. among: only these row numbers.
        """
        scores = self.vectors @ query
        rows, chosen = self.rows, np.ones(len(self.rows), bool)
        if modality is not None:
            chosen &= self.modalities == modality
        if among is not None:
            chosen &= np.isin(rows, among)
        scores, rows = scores[chosen], rows[chosen]
        best = np.argsort(-scores, kind="stable")[:limit]
        return rows[best].tolist(), scores[best].tolist()


def load_matrix(table: Table, dimension: int, size: int) -> Matrix:
    """Read a whole table of `dimension`, keeping the first `size` components, renormalised."""
    rows, modalities, vectors = [], [], []
    for batch in scan(table, ["row", "modality", "vector"]):
        rows.append(batch["row"].to_numpy())
        modalities.append(np.array(batch["modality"].to_pylist(), dtype=str))
        vectors.append(truncate(vectors_of(batch, dimension), size))
    if not rows:
        return Matrix(np.zeros(0, np.int64), np.zeros(0, str), np.zeros((0, size), np.float32))
    order = np.argsort(np.concatenate(rows))
    return Matrix(np.concatenate(rows)[order], np.concatenate(modalities)[order], np.concatenate(vectors)[order])
