"""NDCG@10, MRR@10 and recall of each query, computed by ``ir_measures`` (trec_eval's own code underneath)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.evaluation.held_out import Relevant

MEASURES = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")
LARGEST_GAIN = 1000
MISSED = -1
Pattern = tuple[tuple[int, int], ...]
"""Rank from 0 (or MISSED) and gain of each relevant document, sorted: all that the measures depend on. Queries of the
same pattern score the same, so each pattern is measured once, and there are few of them."""


@dataclass(frozen=True)
class Measured:
    """`values`: each measure's array (queries,). `first_ranks`: (queries,) rank of the first relevant document from 1,
    0 where none was ranked."""

    values: dict[str, np.ndarray]
    first_ranks: np.ndarray

    def means(self) -> dict[str, float]:
        return {name: float(values.mean()) for name, values in self.values.items()}


def measure(rankings: np.ndarray, relevant: Sequence[Relevant]) -> Measured:
    """Measure rankings against the judgements.

    rankings: (queries, ranks), document positions, best first. relevant: for each query the gain (> 0) of each relevant
    document. The gain of NDCG is the judgement itself (linear), discounted by log2 (Järvelin & Kekäläinen 2002).
    A tie cannot occur: what is handed to trec_eval is the rank.
    """
    patterns = [
        _pattern(ranking, gains) for ranking, gains in zip(rankings.tolist(), whole_gains(relevant), strict=True)
    ]
    places = {pattern: place for place, pattern in enumerate(dict.fromkeys(patterns))}
    measured = _measure_patterns(list(places))
    chosen = np.array([places[pattern] for pattern in patterns], dtype=np.int64)
    reciprocal = measured.pop("rr")[chosen]
    first_ranks = np.divide(1.0, reciprocal, out=np.zeros_like(reciprocal), where=reciprocal > 0)
    values = {name: numbers[chosen] for name, numbers in measured.items()}
    values["mrr@10"] = np.where((first_ranks > 0) & (first_ranks < 10.5), reciprocal, 0.0)
    return Measured({name: values[name] for name in MEASURES}, np.rint(first_ranks).astype(np.int64))


def _pattern(ranking: list[int], gains: dict[int, int]) -> Pattern:
    ranks = {document: rank for rank, document in enumerate(ranking) if document in gains}
    return tuple(sorted((ranks.get(document, MISSED), gain) for document, gain in gains.items()))


def _measure_patterns(patterns: list[Pattern]) -> dict[str, np.ndarray]:
    """The measures of each pattern, with the full reciprocal rank as "rr".

    A document goes by the name of its rank, and a ranking ends at its last relevant document.
    """
    import ir_measures
    from ir_measures import RR, R, nDCG

    named = {nDCG @ 10: "ndcg@10", R @ 1: "recall@1", R @ 10: "recall@10", R @ 100: "recall@100", RR: "rr"}
    values = {name: np.zeros(len(patterns)) for name in named.values()}
    judged: dict[str, dict[str, int]] = {}
    ranked: dict[str, dict[str, float]] = {}
    for number, pattern in enumerate(patterns):
        judged[str(number)] = {
            str(rank) if rank != MISSED else f"missed {place}": gain for place, (rank, gain) in enumerate(pattern)
        }
        last = max((rank for rank, _ in pattern), default=MISSED)
        ranked[str(number)] = {str(rank): -float(rank) for rank in range(max(last, 0) + 1)}
    for result in ir_measures.pytrec_eval.evaluator(list(named), judged).iter_calc(ranked):
        values[named[result.measure]][int(result.query_id)] = result.value
    return values


def whole_gains(relevant: Sequence[Relevant]) -> list[dict[int, int]]:
    """Gains as the whole numbers that trec_eval wants: as they are if whole, else in thousandths of the largest.

    NDCG does not change when all gains are multiplied alike.
    """
    largest = max((gain for found in relevant for gain in found.values()), default=1.0)
    whole = largest <= LARGEST_GAIN and all(float(g).is_integer() for found in relevant for g in found.values())
    factor = 1.0 if whole else LARGEST_GAIN / largest
    return [{d: max(1, round(gain * factor)) for d, gain in found.items()} for found in relevant]
