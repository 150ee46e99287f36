"""The first stage of a search: the nearest vectors and, where it is wished, full text beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.index import codes, table
from workbench.index.full_text import nearest_in_words
from workbench.index.fusion import fused
from workbench.index.opened import OpenIndexes
from workbench.index.registry import IndexCard
from workbench.index.results import Hit
from workbench.index.wish import Wish
from workbench.models import truncate

if TYPE_CHECKING:
    from lancedb.table import Table

FUSED_FROM = 100
"""So deep are both lists read at least, before they become one: what is far down in one may be high up in the other."""


@dataclass(frozen=True)
class FirstStage:
    """Finds the candidates of several queries at once. among: only these row numbers, ascending."""

    indexes: OpenIndexes
    card: IndexCard
    wish: Wish
    among: np.ndarray | None

    def hits(self, vectors: np.ndarray, words: Sequence[str]) -> list[list[Hit]]:
        """The candidates of each query, best first. vectors: (queries, dimension); words: what full text looks for."""
        limit = self.wish.candidates
        depth = max(limit, FUSED_FROM) if self.wish.hybrid else limit
        with self.indexes.reading(self.card) as opened:
            near = self._near(opened, vectors, depth)
            if not self.wish.hybrid:
                return [[self._hit(rank, row) for rank, row in enumerate(rows, start=1)] for rows in near]
            both = zip(near, vectors, words, strict=True)
            return [self._both(rows, self._by_words(opened, vector, asked, depth)) for rows, vector, asked in both]

    def _near(self, opened: Table, vectors: np.ndarray, limit: int) -> list[list[dict[str, Any]]]:
        card, wish = self.card, self.wish
        if vectors.shape[1] < card.dimension:
            return [self._in_memory(opened, vector, limit) for vector in vectors]
        if card.kind == "BINARY":
            signs = self.indexes.codes(card, opened)
            return [codes.nearest(opened, signs, vector, limit, wish.modality, self.among) for vector in vectors]
        # Among few rows of a rare modality, the probed partitions may hold none: those are compared exactly.
        rare = wish.modality is not None and card.modalities.get(wish.modality, 0) < table.APPROXIMATE_FROM_ROWS
        probes = 0 if rare else card.probes
        how: dict[str, Any] = {"modality": wish.modality, "probes": probes, "refine": card.refine}
        if self.among is None:
            return table.nearest_of_each(opened, vectors, limit, **how)
        return [table.nearest_among(opened, vector, limit, self.among, **how) for vector in vectors]

    def _in_memory(self, opened: Table, vector: np.ndarray, limit: int) -> list[dict[str, Any]]:
        matrix = self.indexes.matrix(self.card, opened, len(vector))
        rows, scores = matrix.nearest(vector, limit, self.wish.modality, self.among)
        found = table.rows_at(opened, rows)
        return [{**found[row], "score": score} for row, score in zip(rows, scores, strict=True)]

    def _by_words(self, opened: Table, vector: np.ndarray, words: str, limit: int) -> list[dict[str, Any]] | None:
        """What full text finds, each row with its cosine to the query too; None where it cannot be asked."""
        if not (self.card.full_text and words.strip()):
            return None
        columns = [*table.COLUMNS, "vector"]
        found = nearest_in_words(opened, words, limit, columns, modality=self.wish.modality, among=self.among)
        if found:
            kept = truncate(np.array([row.pop("vector") for row in found], np.float32), len(vector))
            for row, score in zip(found, kept @ vector, strict=True):
                row["score"] = float(score)
        return found

    def _both(self, near: list[dict[str, Any]], by_words: list[dict[str, Any]] | None) -> list[Hit]:
        """Both lists in one; the nearest vectors alone where full text cannot be asked."""
        balance = 0.0 if by_words is None else self.wish.hybrid
        by_words = by_words or []
        rows = {row["row"]: row for row in [*by_words, *near]}
        places = [{row["row"]: place for place, row in enumerate(found, start=1)} for found in (near, by_words)]
        hits = []
        for rank, (row, score) in enumerate(fused(list(places[0]), list(places[1]), balance), start=1):
            found = {"vector_rank": places[0].get(row), "text_rank": places[1].get(row), "score": score}
            hits.append(self._hit(rank, {**rows[row], "first_score": rows[row]["score"], **found}))
        return hits[: self.wish.candidates]

    def _hit(self, rank: int, row: dict[str, Any]) -> Hit:
        return Hit(
            rank=rank,
            id=row["id"],
            score=float(row["score"]),
            modality=row["modality"],
            text=row["text"],
            file=row["file"],
            row=int(row["row"]),
            collection=self.card.collection,
            first_rank=rank,
            first_score=float(row.get("first_score", row["score"])),
            meta=json.loads(row["meta"] or "{}"),
            vector_rank=row.get("vector_rank", rank),
            text_rank=row.get("text_rank"),
        )
