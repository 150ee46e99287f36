"""Hard negatives among vectors: documents that look right to a model and are not known to be.

Exact search, in blocks: memory does not grow with queries times documents. The rules are those of Sentence
Transformers' `mine_hard_negatives`, so that the same settings find the same documents:

- A query with several positives is measured by the *least* similar of them: the safe side, as anything nearer than that
  may be one more answer that nobody marked.
- relative margin m: a document stays if its similarity is at most p - |p| (1 - m), p being the positive's; absolute
  margin a: if it is at most p - a.
- Ranks count what is not known to be right. `last_rank` limits how far down is looked; `first_rank` then skips the
  first of what the margins left.

One thing differs: here every query looks equally far down. There one with fewer positives than another looks further,
by the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.errors import WorkbenchError
from workbench.evaluation.ranking import top_documents

QUERIES_AT_ONCE = 4096
PLACES_AT_ONCE = 1 << 20  # queries times ranks: bounds the memory of what is looked through
PAIRS_AT_ONCE = 1 << 16
Progress = Callable[[int, int, str], None]


def _setting(default: Any, title: str, words: str, **limits: Any) -> Any:
    return Field(default, title=title, description=words, **limits)


class MiningSettings(BaseModel):
    """What counts as a hard negative."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    per_query: int = _setting(
        4,
        "Negatives per query",
        "How many wrong documents each query gets, of each kind of document that it has answers of.",
        ge=1,
        le=100,
    )
    first_rank: int = _setting(
        1,
        "From rank",
        "Skips the most similar documents, which may be right answers that nobody marked. 1 skips none.",
        ge=1,
        le=10_000,
    )
    last_rank: int = _setting(
        100,
        "To rank",
        "How far down the list to look. Lower is faster; what is found further down is less alike.",
        ge=1,
        le=10_000,
    )
    margin: float | None = _setting(
        0.95,
        "Relative margin",
        "Leaves out what is more similar than this share of the right document's similarity. Lower is safer and finds "
        "fewer. Empty: no limit.",
        gt=0,
        le=1,
    )
    absolute_margin: float | None = _setting(
        None,
        "Absolute margin",
        "Leaves out what does not lie at least so much below the right document's similarity. Empty: no limit.",
        ge=0,
        le=2,
    )
    document_modality: str = _setting(
        "", "Kind of document", "Mines only among documents of this kind. Empty: of every kind."
    )
    reranker_margin: float = _setting(
        0.0,
        "Reranker's margin",
        "With a reranker: leaves out what it scores above the right document less this much.",
        ge=0,
    )

    @model_validator(mode="after")
    def _has_room(self) -> MiningSettings:
        if self.last_rank - self.first_rank + 1 < self.per_query:
            raise ValueError(
                f"ranks {self.first_rank} to {self.last_rank} hold fewer than {self.per_query} documents. "
                "Look further down, or ask for fewer per query"
            )
        return self

    def limit(self, positive: np.ndarray) -> np.ndarray:
        """The highest similarity that a negative may have, from the positives' similarities; infinite without any."""
        highest = np.full_like(positive, np.inf)
        if self.margin is not None:
            # Not positive * margin: that would let in more where the positive's similarity is below zero.
            highest = np.minimum(highest, positive - np.abs(positive) * np.float32(1 - self.margin))
        if self.absolute_margin is not None:
            highest = np.minimum(highest, positive - np.float32(self.absolute_margin))
        return np.where(np.isnan(positive), np.float32(np.inf), highest).astype(np.float32)


def mining_settings(values: dict[str, Any]) -> MiningSettings:
    """Settings from a form, a command or a job.json. Raises WorkbenchError that names every bad one."""
    try:
        return MiningSettings(**values)
    except ValidationError as error:
        problems = [_problem(found) for found in error.errors()]
        raise WorkbenchError("These settings for mining cannot be used.", problems) from None


def _problem(found: Any) -> str:
    if not found["loc"]:
        said = str(found["msg"]).removeprefix("Value error, ")
        return f"{said[0].upper()}{said[1:]}."
    known = MiningSettings.model_fields.get(str(found["loc"][0]))
    name = known.title if known is not None and known.title else str(found["loc"][0])
    return f"{name}: {found['msg']}."


@dataclass(frozen=True)
class Mined:
    """Hard negatives as parallel arrays, by query and then the most similar first.

    queries, documents: positions (or rows). similarities: cosines. ranks: of the document among those not known to be
    right, from 1. positives: the similarity of the query's least similar right document, NaN where it has none.
    """

    queries: np.ndarray
    documents: np.ndarray
    similarities: np.ndarray
    ranks: np.ndarray
    positives: np.ndarray

    def __len__(self) -> int:
        return len(self.queries)

    def only(self, keep: np.ndarray) -> Mined:
        """Those that a mask or an order chooses."""
        return Mined(*(getattr(self, field.name)[keep] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Mined]) -> Mined:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @classmethod
    def none(cls) -> Mined:
        whole, real = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return cls(whole, whole, real, whole, real)


@dataclass(frozen=True)
class Known:
    """Pairs that are judged already: positions of queries and of documents, in parallel."""

    queries: np.ndarray
    documents: np.ndarray


def hard_negatives(
    query_vectors: np.ndarray,
    document_vectors: np.ndarray,
    right: Known,
    settings: MiningSettings,
    *,
    judged: Known | None = None,
    per_query: int | None = None,
    progress: Progress | None = None,
) -> Mined:
    """The hard negatives of each query, at most `per_query` of them (by default as many as the settings say).

    query_vectors (queries, dimension), document_vectors (documents, dimension): unit vectors, either may be a
    memory-mapped file. right: the right pairs. judged: further pairs not to be offered, as they are judged wrong
    already. Of equal similarities the document at the earlier position comes first. `progress` may raise Stopped.
    """
    count = len(query_vectors)
    if not count or not len(document_vectors):
        return Mined.none()
    right_keys = _keys(right, len(document_vectors))
    judged_keys = _keys(judged, len(document_vectors))
    each = np.bincount(right.queries, minlength=count)
    positives = _positive_similarities(query_vectors, document_vectors, right)
    limits = settings.limit(positives)
    found, done = [], 0
    for chosen, depth in _batches(each, len(document_vectors), settings.last_rank):
        if progress is not None:
            progress(done, count, "Comparing with every document")
        positions, scores = top_documents(query_vectors[chosen], document_vectors, document_vectors.shape[1], top=depth)
        pairs = chosen[:, None] * len(document_vectors) + positions
        is_right = _among(pairs, right_keys)
        ranks = np.cumsum(~is_right, axis=1)
        keep = ~is_right & (ranks <= settings.last_rank) & (scores <= limits[chosen, None])
        keep &= ~_among(pairs, judged_keys)
        place = np.cumsum(keep, axis=1)
        wanted = settings.per_query if per_query is None else per_query
        keep &= (place >= settings.first_rank) & (place < settings.first_rank + wanted)
        rows, columns = np.nonzero(keep)
        who = chosen[rows]
        found.append(Mined(who, positions[rows, columns], scores[rows, columns], ranks[rows, columns], positives[who]))
        done += len(chosen)
    if progress is not None:
        progress(count, count, "Comparing with every document")
    every = Mined.joined(found)
    return every.only(np.argsort(every.queries, kind="stable"))


def _batches(each: np.ndarray, documents: int, last_rank: int) -> Iterator[tuple[np.ndarray, int]]:
    """Positions of queries that are looked at together, and how many documents of each must be ranked for it.

    Queries with as many right documents come together: one with thousands would make all others look as deep.
    """
    order = np.argsort(-each, kind="stable")
    start = 0
    while start < len(order):
        depth = min(documents, last_rank + int(each[order[start]]))
        stop = start + max(1, min(QUERIES_AT_ONCE, PLACES_AT_ONCE // depth))
        yield np.sort(order[start:stop]), depth
        start = stop


def _keys(known: Known | None, documents: int) -> np.ndarray:
    """One sorted number for each pair."""
    if known is None:
        return np.zeros(0, np.int64)
    return np.unique(np.asarray(known.queries, np.int64) * documents + known.documents)


def _among(pairs: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which of these pairs are among the sorted keys."""
    if not len(keys):
        return np.zeros(pairs.shape, bool)
    place = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
    return keys[place] == pairs


def _positive_similarities(query_vectors: np.ndarray, document_vectors: np.ndarray, right: Known) -> np.ndarray:
    """The similarity of each query's least similar right document, (queries,); NaN where it has none."""
    least = np.full(len(query_vectors), np.inf, np.float32)
    for start in range(0, len(right.queries), PAIRS_AT_ONCE):
        part = np.s_[start : start + PAIRS_AT_ONCE]
        asked = query_vectors[right.queries[part]]
        similarities = np.einsum("ij,ij->i", asked, document_vectors[right.documents[part]])
        np.minimum.at(least, right.queries[part], similarities)
    least[np.isinf(least)] = np.nan
    return least
