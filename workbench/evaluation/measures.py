"""NDCG, MRR, MAP, recall, precision and success of each query at any rank, by ``ir_measures`` (trec_eval inside)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import Relevant

MEASURES = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")
"""Those that are taken unless others are asked for. The first is what models are compared by."""
FAMILIES = {"ndcg": "nDCG", "mrr": "RR", "map": "AP", "recall": "R", "precision": "P", "success": "Success"}
DEEPEST = 100
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


def check_measures(names: Sequence[str]) -> tuple[str, ...]:
    """Names such as `map@100` or `precision@5`, without repetitions; the usual ones where none is given.

    Raises WorkbenchError for an unknown family, or a rank that is not between 1 and 100: no more are ranked.
    """
    chosen = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip())) or MEASURES
    for name in chosen:
        family, rank = _parts(name)
        if family not in FAMILIES or not 1 <= rank <= DEEPEST:
            raise WorkbenchError(
                f"“{name}” is no measure. Write one of {', '.join(FAMILIES)}, then @ and a rank from 1 to {DEEPEST}, "
                "for example map@100."
            )
    return chosen


def _parts(name: str) -> tuple[str, int]:
    """`recall@10` → ("recall", 10); a name without a rank has rank 0."""
    found = re.fullmatch(r"([a-z]+)@(\d{1,4})", name)
    return (found[1], int(found[2])) if found else (name, 0)


def measure(rankings: np.ndarray, relevant: Sequence[Relevant], names: Sequence[str] = MEASURES) -> Measured:
    """Measure rankings against the judgements.

    rankings: (queries, ranks), document positions, best first. relevant: for each query the gain (> 0) of each relevant
    document. names: as of `check_measures`. The gain of NDCG is the judgement itself (linear), discounted by log2
    (Järvelin & Kekäläinen 2002); for the others a document is relevant or not. MAP and recall divide by all relevant
    documents, also those that cannot be among so few ranks, as trec_eval does.
    A tie cannot occur: what is handed to trec_eval is the rank.
    """
    patterns = [
        _pattern(ranking, gains) for ranking, gains in zip(rankings.tolist(), whole_gains(relevant), strict=True)
    ]
    places = {pattern: place for place, pattern in enumerate(dict.fromkeys(patterns))}
    by_rank = [name for name in names if _parts(name)[0] != "mrr"]
    measured = _measure_patterns(list(places), by_rank)
    chosen = np.array([places[pattern] for pattern in patterns], dtype=np.int64)
    reciprocal = measured.pop("rr")[chosen]
    first_ranks = np.divide(1.0, reciprocal, out=np.zeros_like(reciprocal), where=reciprocal > 0)
    values = {name: numbers[chosen] for name, numbers in measured.items()}
    for name in names:
        family, rank = _parts(name)
        if family == "mrr":  # trec_eval knows it without a rank only
            values[name] = np.where((first_ranks > 0) & (first_ranks < rank + 0.5), reciprocal, 0.0)
    return Measured({name: values[name] for name in names}, np.rint(first_ranks).astype(np.int64))


def _pattern(ranking: list[int], gains: dict[int, int]) -> Pattern:
    ranks = {document: rank for rank, document in enumerate(ranking) if document in gains}
    return tuple(sorted((ranks.get(document, MISSED), gain) for document, gain in gains.items()))


def _measure_patterns(patterns: list[Pattern], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The measures of each pattern, with the full reciprocal rank as "rr".

    A document goes by the name of its rank, and a ranking ends at its last relevant document.
    """
    import ir_measures

    named: dict[Any, str] = {ir_measures.RR: "rr"}
    for name in names:
        family, rank = _parts(name)
        named[getattr(ir_measures, FAMILIES[family]) @ rank] = name
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
