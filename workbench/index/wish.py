"""What one search asks for besides its index and its query, checked before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.fields import Condition
from workbench.index.registry import IndexCard

MOST_HITS = 1000
LONGEST_QUERY = 100_000


@dataclass(frozen=True)
class Wish:
    """The options of `Searcher.search`, by the same names."""

    model: str | None = None
    top: int = 10
    offset: int = 0
    modality: str | None = None
    dimension: int | None = None
    reranker: str | None = None
    rerank_first: int = 50
    where: tuple[Condition, ...] = ()
    hybrid: float = 0.0
    unlike: Item | None = None
    budget_ms: float | None = None

    @property
    def last(self) -> int:
        """The rank of the last hit of this page."""
        return self.offset + self.top

    @property
    def reranks(self) -> bool:
        """Whether the reranker can change this page: those behind the first `rerank_first` keep their order."""
        return self.reranker is not None and self.offset < self.rerank_first

    @property
    def candidates(self) -> int:
        """How many hits the first stage must find."""
        return max(self.last, self.rerank_first) if self.reranks else self.last


def readable(item: Item) -> Item:
    """The item with a text that can be written as UTF-8: half a pair of letters, which programs may send, cannot."""
    if item.text is None or item.text.isascii():
        return item
    return replace(item, text=item.text.encode(errors="replace").decode())


def check(wish: Wish, queries: Sequence[Item]) -> None:
    """Raise WorkbenchError in words for a wish that no search can meet."""
    for query in queries:
        _check_query(query, "There is nothing to search for yet. Give a text, a picture, a sound or a video.")
    if wish.unlike is not None:
        _check_query(wish.unlike, "There is nothing to keep away from. Give a text, a picture, a sound or a video.")
    if not 1 <= wish.top <= MOST_HITS:
        raise WorkbenchError(f"A search shows 1 to {MOST_HITS:,} results, not {wish.top}.")
    if wish.offset < 0 or wish.last > MOST_HITS:
        raise WorkbenchError(f"Pages reach to the result {MOST_HITS:,}, not from {wish.offset + 1:,} to {wish.last:,}.")
    if not 1 <= wish.rerank_first <= MOST_HITS:
        raise WorkbenchError(f"A reranker can order the first 1 to {MOST_HITS:,} results, not {wish.rerank_first}.")
    if wish.modality is not None and wish.modality not in table.ALLOWED_MODALITIES:
        raise WorkbenchError(f"“{str(wish.modality)[:40]}” is no kind of document. Choose text, image, audio or video.")
    if not 0 <= wish.hybrid <= 1:
        raise WorkbenchError(f"The share of full text is a number from 0 to 1, not {wish.hybrid}.")
    if wish.budget_ms is not None and not (math.isfinite(wish.budget_ms) and wish.budget_ms > 0):
        raise WorkbenchError(f"The time that reranking must fit into is more than 0 ms, not {wish.budget_ms}.")


def size_of(card: IndexCard, dimension: int | None) -> int:
    """How many vector components to compare. Raises WorkbenchError if the index cannot be searched by so many."""
    if dimension is None or dimension == card.dimension:
        return card.dimension
    if not 2 <= dimension < card.dimension:
        raise WorkbenchError(
            f"The index “{card.name}” holds vectors of {card.dimension} numbers, so it cannot be searched by "
            f"{dimension}. Choose fewer, or build the index again at that size."
        )
    if card.rows > table.APPROXIMATE_FROM_ROWS:
        raise WorkbenchError(
            f"The index “{card.name}” has {card.rows:,} rows. A smaller size can be tried out on up to "
            f"{table.APPROXIMATE_FROM_ROWS:,}; beyond, build an index at {dimension} numbers and search that."
        )
    return dimension


def _check_query(query: Item, nothing: str) -> None:
    if not query.modality or (query.modality == "text" and not (query.text or "").strip()):
        raise WorkbenchError(nothing)
    if len(query.text or "") > LONGEST_QUERY:
        raise WorkbenchError(
            f"A query has up to {LONGEST_QUERY:,} characters, not {len(query.text or ''):,}. Search by a part of it."
        )
