"""The stages of a search, one after another on the same queries, each with the time that a query takes in it.

Every stage ranks against all judgements: what one stage missed the next cannot find, and nothing is slipped in. The
times are medians over the queries, each asked alone as in a search, so a first slow call does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.floors import texts_of
from workbench.evaluation.held_out import Direction, HeldOut
from workbench.evaluation.ranking import TOP
from workbench.evaluation.reranking import RerankerLike, checked_scores
from workbench.evaluation.scoring import rankings
from workbench.evaluation.speed import DOCUMENTS, speeds
from workbench.evaluation.speed import milliseconds as search_time
from workbench.evaluation.vectors import EmbedderLike, Progress, encode_held_out, role_of
from workbench.index.full_text import NOT_FOUND, full_text

TOPS = (10, 20, 50, 100)
TIMED_QUERIES = 20
RANK_CONSTANT = 60
"""Of reciprocal rank fusion, as its authors found it (Cormack, Clarke & Büttcher 2009)."""


@dataclass(frozen=True)
class Stage:
    """What was found up to here. found: positions (queries, TOP), the best first, NOT_FOUND behind the last.
    milliseconds: the median a query of each part that led here, by its name."""

    found: np.ndarray
    milliseconds: dict[str, float]


def by_embedder(
    embedder: EmbedderLike,
    collection: Collection,
    held: HeldOut,
    name: str,
    asked: Direction,
    cache: Path | None = None,
    progress: Progress | None = None,
    dimension: int | None = None,
) -> Stage:
    """The embedder alone: the query's vector, then the nearest of all documents, compared exactly.

    asked: some of the sources of the direction `name`. With a cache all of them are encoded, as an evaluation does.
    dimension: the size that vectors are cut to, else the model's own.
    """
    whole = HeldOut({name: asked}) if cache is None else held
    vectors = encode_held_out(embedder, collection, whole, names=[name], cache=cache, progress=progress)
    size = dimension or embedder.dimension
    found, _ = rankings(vectors, asked, size)
    times = {
        "encode": _encode_time(embedder, collection, asked),
        "search": _search_time(size, len(asked.target_rows)),
    }
    return Stage(_filled(found), times)


def _encode_time(embedder: EmbedderLike, collection: Collection, asked: Direction) -> float:
    role = role_of(asked.source_side, "source", bool(getattr(embedder, "asymmetric", False)))
    encode = embedder.encode_queries if role == "query" else embedder.encode_documents
    items = collection.items(asked.source_side, asked.source_rows[:TIMED_QUERIES])
    return _median(_seconds(partial(encode, [item])) for item in items)


def _search_time(dimension: int, documents: int) -> float:
    """Of the exact comparison with so many vectors in memory; of very many from fewer, as it is linear in them."""
    rows = speeds([(dimension, "float32")], documents=min(documents, DOCUMENTS))
    return search_time(rows, dimension, "float32", documents) or 0.0


def by_full_text(collection: Collection, asked: Direction, progress: Progress | None = None) -> Stage:
    """Full text alone, by BM25."""
    queries = list(texts_of(collection, asked.source_side, asked.source_rows))
    found, seconds = np.empty((len(queries), TOP), np.int64), []
    with full_text(texts_of(collection, asked.target_side, asked.target_rows)) as words:
        for number, query in enumerate(queries):
            started = time.perf_counter()
            found[number] = words.rank(query, TOP)
            seconds.append(time.perf_counter() - started)
            if progress is not None:
                progress(number + 1, len(queries), "Searching by full text")
    return Stage(found, {"full_text": _median(seconds)})


def fused(first: Stage, second: Stage) -> Stage:
    """Both lists in one by reciprocal rank: a document has 1 ÷ (60 + its rank) from each list that it is in.

    Of equal sums the earlier position comes first, which is the tie rule everywhere.
    """
    found = np.full((len(first.found), TOP), NOT_FOUND)
    for row, lists in enumerate(zip(first.found.tolist(), second.found.tolist(), strict=True)):
        sums: dict[int, float] = {}
        for ranked in lists:
            for rank, position in enumerate(ranked, start=1):
                if position != NOT_FOUND:
                    sums[position] = sums.get(position, 0.0) + 1 / (RANK_CONSTANT + rank)
        best = sorted(sums, key=lambda position: (-sums[position], position))[:TOP]
        found[row, : len(best)] = best
    return Stage(found, first.milliseconds | second.milliseconds)


def by_reranker(
    reranker: RerankerLike, collection: Collection, asked: Direction, first: Stage, progress: Progress | None = None
) -> dict[int, Stage]:
    """The first N of a stage in the reranker's order, for each N of TOPS that there are documents for.

    Each pair is scored once, and every N follows from those scores. Each N is timed on every fourth query or so, whose
    first N documents are handed over in a call of their own, the others in a second one.
    """
    tops = tops_for(len(asked.target_rows))
    scores = np.full(first.found.shape, -np.inf)
    seconds: dict[int, list[float]] = {top: [] for top in tops}
    for number, row in enumerate(asked.source_rows.tolist()):
        if progress is not None:
            progress(number, len(asked.source_rows), "Reranking")
        query, top = collection.item(asked.source_side, row), tops[number % len(tops)]
        positions = first.found[number, : tops[-1]]
        positions = positions[positions != NOT_FOUND]
        for part in (slice(0, top), slice(top, len(positions))):
            started = time.perf_counter()
            documents = collection.items(asked.target_side, asked.target_rows[positions[part]])
            if documents:
                scores[number, : len(positions)][part] = checked_scores(reranker, query, documents)
            if part.start == 0:
                seconds[top].append(time.perf_counter() - started)
    return {
        top: Stage(_reordered(first.found, scores, top), first.milliseconds | {"rerank": _median(seconds[top])})
        for top in tops
    }


def tops_for(documents: int) -> list[int]:
    """The N to be tried: one that is not smaller than the corpus is the last."""
    return [top for top, before in zip(TOPS, (0, *TOPS), strict=False) if before < documents]


def measured_stage(stage: Stage) -> dict[str, Any]:
    """The times of a stage and their sum, to be kept; None where too few queries were asked to time all of it."""
    known = {name: round(value, 3) if np.isfinite(value) else None for name, value in stage.milliseconds.items()}
    total = sum(stage.milliseconds.values())
    return {**known, "total": round(total, 3) if np.isfinite(total) else None}


def _reordered(found: np.ndarray, scores: np.ndarray, top: int) -> np.ndarray:
    """Equal scores leave the order alone, and what is not found stays behind."""
    order = np.argsort(-scores[:, :top], axis=1, kind="stable")
    return np.concatenate([np.take_along_axis(found[:, :top], order, axis=1), found[:, top:]], axis=1)


def _filled(found: np.ndarray) -> np.ndarray:
    """A ranking of few documents, filled up to TOP."""
    return np.pad(found, ((0, 0), (0, TOP - found.shape[1])), constant_values=NOT_FOUND)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(seconds: Iterable[float]) -> float:
    """In milliseconds; not a number where there is none."""
    values = list(seconds)
    return 1000 * float(np.median(values)) if values else float("nan")
