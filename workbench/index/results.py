"""What a search answers: hits in order, who moved, and the time of each stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One document found. `row` is its row in the corpus of `collection`, −1 if it is there no more; only then
    `thumbnail` holds the picture (WebP) that the index kept of it.

    `first_rank` is the rank before the reranker; `first_score` is the cosine of the vectors, −1 to 1; `rerank_score` is
    the reranker's, None where it did not look. `score` is the one that `rank` follows from; in a hybrid search, that is
    the sum of reciprocal ranks. All ranks count from 1.
    `vector_rank` and `text_rank`: the places in the list of the nearest vectors and in that of full text, None where
    the document was not among the first of it; a search without full text has no `text_rank`.
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
    vector_rank: int | None = None
    text_rank: int | None = None

    @property
    def moved(self) -> int:
        """How many places the reranker moved it up; negative for down."""
        return self.first_rank - self.rank


@dataclass(frozen=True)
class SearchResult:
    """The answer to one query. `milliseconds`: of `encode`, `search` and `rerank`, without loading a model.

    `dimension` is the number of vector components compared; `reranker` is None where none was asked for. `matching` is
    how many documents meet the conditions on their metadata, None where there were no conditions.
    `per_second`: of `encode` queries, of `search` documents that were to be chosen from, of `rerank` documents read.
    `hybrid` is the share that full text had, 0 where it could not be asked. `notes` say in whole sentences what was
    left out of what was asked for; `reranked` counts the documents that the reranker read.
    """

    index: str
    model: str
    hits: list[Hit]
    milliseconds: dict[str, float]
    dimension: int
    reranker: str | None = None
    matching: int | None = None
    per_second: dict[str, float] = field(default_factory=dict)
    offset: int = 0
    hybrid: float = 0.0
    reranked: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that the command `search` prints; with a reranker, each hit also says where it came from.

        With conditions it also says how many documents met them: `matching`. In a hybrid search each hit says its
        places in the two lists. `notes` are there if there are any.
        """
        keys = ["rank", "id", "score", "modality", "text", "file"]
        keys += ["first_rank", "first_score", "rerank_score"] if self.reranker else []
        keys += ["vector_rank", "text_rank"] if self.hybrid else []
        return {
            "index": self.index,
            "model": self.model,
            "hits": [{key: getattr(hit, key) for key in keys} for hit in self.hits],
            "milliseconds": self.milliseconds,
            **({"per_second": self.per_second} if self.per_second else {}),
            **({} if self.matching is None else {"matching": self.matching}),
            **({"notes": list(self.notes)} if self.notes else {}),
        }
