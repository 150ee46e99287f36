"""What a search answers: hits in order, who moved, and the time of each stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One document found. `row` is its row in the corpus of `collection`, −1 if it is there no more; only then
    `thumbnail` holds the picture (WebP) that the index kept of it.

    `first_rank` and `first_score` (cosine, −1 to 1) are the embedder's; `rerank_score` is the reranker's, None where
    it did not look. `score` is the one that `rank` follows from. `rank` and `first_rank` count from 1.
    """

    rank: int
    id: str
    score: float
    modality: str
    text: str
    file: str
    row: int
    collection: str
    first_rank: int
    first_score: float
    rerank_score: float | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    thumbnail: bytes | None = field(default=None, repr=False)

    @property
    def moved(self) -> int:
        """How many places the reranker moved it up; negative for down."""
        return self.first_rank - self.rank


@dataclass(frozen=True)
class SearchResult:
    """The answer to one query. `milliseconds`: of `encode`, `search` and `rerank`, without loading a model.

    `dimension` is the number of vector components compared; `reranker` is None where none was asked for. `matching` is
    how many documents meet the conditions on their metadata, None where there were no conditions.
    """

    index: str
    model: str
    hits: list[Hit]
    milliseconds: dict[str, float]
    dimension: int
    reranker: str | None = None
    matching: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The object that the command `search` prints; with a reranker, each hit also says where it came from.

        With conditions it also says how many documents met them: `matching`.
        """
        keys = ["rank", "id", "score", "modality", "text", "file"]
        keys += ["first_rank", "first_score", "rerank_score"] if self.reranker else []
        return {
            "index": self.index,
            "model": self.model,
            "hits": [{key: getattr(hit, key) for key in keys} for hit in self.hits],
            "milliseconds": self.milliseconds,
            **({} if self.matching is None else {"matching": self.matching}),
        }
