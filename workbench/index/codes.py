"""Search by signs: one bit a component in memory, then the first documents of each query in order by their vectors.

It is what an evaluation calls `rescored`, step for step: the RESCORED documents whose signs differ least from those of
the query (of equal ones, the lower row first), in the order of their float32 vectors, which lie on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.index.table import COLUMNS, packed, scan

if TYPE_CHECKING:
    from lancedb.table import Table

RESCORED = 400


@dataclass(frozen=True)
class Codes:
    """The signs of a table's vectors, in the order of the table. rows: their row numbers; bits: (rows, words) uint64;
    kinds: (rows,) into `modalities`."""

    rows: np.ndarray
    bits: np.ndarray
    kinds: np.ndarray
    modalities: list[str]

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.bits.nbytes + self.kinds.nbytes

    def first(
        self, query: np.ndarray, count: int, modality: str | None = None, among: np.ndarray | None = None
    ) -> np.ndarray:
        """Where in the table the documents are whose signs differ least from those of `query`: (count,) or fewer."""
        chosen = self._chosen(modality, among)
        bits, rows = (self.bits, self.rows) if chosen is None else (self.bits[chosen], self.rows[chosen])
        apart = np.bitwise_count(bits ^ _words(packed(query[None]))).sum(axis=1, dtype=np.int64)
        order = apart << 40 | rows
        best = np.argpartition(order, count)[:count] if count < len(order) else np.arange(len(order))
        return best if chosen is None else chosen[best]

    def _chosen(self, modality: str | None, among: np.ndarray | None) -> np.ndarray | None:
        if modality is None and among is None:
            return None
        kept = np.ones(len(self.rows), bool)
        if modality is not None:
            known = self.modalities.index(modality) if modality in self.modalities else -1
            kept &= self.kinds == known
        if among is not None:
            kept &= np.isin(self.rows, among)
        return np.flatnonzero(kept)


def load_codes(table: Table) -> Codes:
    """Read the signs of a whole table."""
    rows, bits, kinds = [], [], []
    known: dict[str, int] = {}
    for batch in scan(table, ["row", "modality", "bits"]):
        rows.append(batch["row"].to_numpy())
        bits.append(np.asarray(batch["bits"].flatten()).reshape(batch.num_rows, -1))
        kinds.append(np.array([known.setdefault(kind, len(known)) for kind in batch["modality"].to_pylist()], np.int16))
    if not rows:
        return Codes(np.zeros(0, np.int64), np.zeros((0, 1), np.uint64), np.zeros(0, np.int16), [])
    return Codes(np.concatenate(rows), _words(np.concatenate(bits)), np.concatenate(kinds), list(known))


def nearest(
    table: Table,
    codes: Codes,
    query: np.ndarray,
    limit: int,
    modality: str | None = None,
    among: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """The nearest rows by signs, then by vectors: `COLUMNS` and `score` (cosine), best first.

    query: (dimension,) float32 of unit length. among: only these row numbers.
    """
    places = codes.first(query, max(limit, RESCORED), modality, among)
    if not len(places):
        return []
    found = table.take_offsets(np.sort(places).tolist()).select([*COLUMNS, "vector"]).to_arrow()
    vectors = np.array(found["vector"].combine_chunks().flatten()).reshape(-1, len(query))
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    best = np.lexsort((found["row"].to_numpy(), -scores))[:limit]
    rows = found.drop_columns(["vector"]).take(best).to_pylist()
    return [{**row, "score": float(scores[place])} for row, place in zip(rows, best, strict=True)]


def _words(bits: np.ndarray) -> np.ndarray:
    """Bytes (rows, bytes) as (rows, words) uint64, filled up with zeros: eight times fewer to compare."""
    whole = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    whole[:, : bits.shape[1]] = bits
    return whole.view(np.uint64)
