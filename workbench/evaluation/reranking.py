"""What a reranker adds to a first stage: the first stage's best documents, put in the reranker's order.

Scored against all judgements: what the first stage missed stays missed, no relevant document is slipped in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import ALL, Direction, HeldOut, held_out
from workbench.evaluation.measures import Measured, measure
from workbench.evaluation.scoring import check_supports, rankings
from workbench.evaluation.statistics import compare, mean_interval
from workbench.evaluation.vectors import EmbedderLike, Progress, encode_held_out


class RerankerLike(Protocol):
    """What evaluation needs of a reranker; `models.Reranker` is one."""

    @property
    def reference(self) -> str: ...
    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray: ...


@dataclass(frozen=True)
class Reranking:
    """First stage against reranked, of the same queries.

    rows: two rows as of `evaluate`, the second with "reranker". comparison: reranked against first stage, NDCG@10.
    first, reranked: NDCG@10 of each query (queries,).
    """

    rows: list[dict[str, Any]]
    comparison: dict[str, Any]
    first: np.ndarray
    reranked: np.ndarray


def score_reranking(
    first_stage: EmbedderLike,
    reranker: RerankerLike,
    collection: Collection,
    dimension: int | None = None,
    top: int = 20,
    limit: int | None = None,
    direction: str = ALL,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    held: HeldOut | None = None,
    first_order: dict[int, np.ndarray] | None = None,
) -> Reranking:
    """Score `first_stage` alone, and with its first `top` documents put in the order of the reranker's scores.

    dimension: the first stage's Matryoshka dimension, its full one if none is given. limit: at most so many queries,
    the same ones in every call. first_order: what this first stage found before in this direction and dimension, by
    source row; what is missing is found and added, so that a later call with it encodes nothing.
    Documents after the first `top` keep their places, and so do documents of equal score.
    Raises WorkbenchError for a direction that the collection has not, or if the reranker's scores are not numbers.
    """
    held = held or held_out(collection)
    if direction not in held.directions:
        raise WorkbenchError(
            f"The collection “{collection.name}” has no direction “{direction}”. It has {', '.join(held.directions)}."
        )
    asked = sampled(held.directions[direction], limit)
    asked_only = HeldOut({direction: asked})
    check_supports(first_stage, collection, asked_only, [direction])
    check_supports(reranker, collection, asked_only, [direction])
    size = first_stage.dimension if dimension is None else min(dimension, first_stage.dimension)
    known = {} if first_order is None else first_order
    if not set(asked.source_rows.tolist()) <= known.keys():
        # With a cache every query of the direction is encoded, so that the vectors serve other calls, too.
        whole = held if cache is not None else asked_only
        vectors = encode_held_out(first_stage, collection, whole, names=[direction], cache=cache, progress=progress)
        found, _ = rankings(vectors, asked, size)
        known |= dict(zip(asked.source_rows.tolist(), found, strict=True))
    first_found = np.stack([known[row] for row in asked.source_rows.tolist()])
    reordered = first_found.copy()
    for number, row in enumerate(asked.source_rows.tolist()):
        if progress is not None:
            progress(number, len(asked.source_rows), "Reranking")
        places = first_found[number, :top]
        documents = collection.items(asked.target_side, asked.target_rows[places])
        scores = checked_scores(reranker, collection.item(asked.source_side, row), documents)
        reordered[number, :top] = places[np.argsort(-scores, kind="stable")]
    first, reranked = measure(first_found, asked.relevant), measure(reordered, asked.relevant)
    rows = [_row(first_stage.reference, size, direction, asked, one) for one in (first, reranked)]
    rows[1] |= {"reranker": reranker.reference, "top": top}
    before, after = first.values["ndcg@10"], reranked.values["ndcg@10"]
    comparison = {
        "a": first_stage.reference,
        "b": f"{first_stage.reference} + {reranker.reference}",
        "direction": direction,
        "metric": "ndcg@10",
        **compare(before, after),
    }
    return Reranking(rows, comparison, before, after)


def checked_scores(reranker: RerankerLike, query: Item, documents: Sequence[Item]) -> np.ndarray:
    """The reranker's scores (documents,), float64. Raises WorkbenchError if they are not numbers."""
    scores = np.asarray(reranker.score(query, documents), dtype=np.float64)
    if scores.shape != (len(documents),) or not np.isfinite(scores).all():
        raise WorkbenchError(
            f"“{reranker.reference}” gave scores that are not numbers. "
            "Its training has gone wrong: train again with a lower learning rate."
        )
    return scores


def sampled(direction: Direction, limit: int | None, seed: int = 0) -> Direction:
    """A direction with at most `limit` of its sources, drawn with a seed, and all of its targets."""
    count = len(direction.source_rows)
    if limit is None or limit >= count:
        return direction
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[: max(1, limit)])
    return Direction(
        direction.source_side,
        direction.source_rows[chosen],
        direction.target_side,
        direction.target_rows,
        [direction.relevant[place] for place in chosen.tolist()],
        direction.left_out,
    )


def _row(reference: str, dimension: int, name: str, direction: Direction, measured: Measured) -> dict[str, Any]:
    return {
        "model": reference,
        "dimension": dimension,
        "precision": "float32",
        "direction": name,
        "queries": len(direction.source_rows),
        "documents": len(direction.target_rows),
        "metrics": measured.means(),
        "interval": list(mean_interval(measured.values["ndcg@10"])),
    }
