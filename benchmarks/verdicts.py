"""How often the verdicts of an evaluation are right, in simulated collections of which the truth is known.

    python benchmarks/verdicts.py [--collections 200] [--queries 300] [--json]

NDCG@10 of a query is drawn as rankings give it: most queries have one right document at some rank, some are missed
altogether, some have several. Two models share how hard a query is (the correlation that makes paired comparisons
sharper). Measured are
- itself: a model against itself, the same numbers twice: the share called "no real change" (wanted: all);
- nothing: two models of the same kind, that differ by chance alone: the share called "no real change" (wanted: 95 %
  or more), for one pair, and for a family of eleven models against the first, corrected for many and not;
- planted: the second model is better by 0.05 in truth: the share called "better" (wanted: nearly all of 300 queries);
- coverage: the share of 95 % intervals, of a mean and of a difference, in which the true value lies (wanted: 95 %).
The truth is what 400,000 drawn queries give.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench.evaluation.statistics import compare, correct_for_many, mean_interval

SHARED = 0.7  # of a query's difficulty is the same for both models
FAMILY = 11


def ndcg_of(skill: float, hardness: np.ndarray, chance: np.ndarray, several: np.ndarray) -> np.ndarray:
    """NDCG@10 (queries,) of a model of this skill: 1 / log2(rank + 1) of the right document, means of two for some."""
    difficulty = np.sqrt(SHARED) * hardness + np.sqrt(1 - SHARED) * chance
    rank = np.floor(np.exp(1.6 * (difficulty - skill)) + 1).clip(1, 1e6)
    gained = np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)
    other = np.where(rank * 3 <= 10, 1 / np.log2(rank * 3 + 1), 0.0)
    best_of_two = 1 + 1 / np.log2(3)
    return np.where(several, (gained + other) / best_of_two, gained)


def draw(generator: np.random.Generator, queries: int, skills: list[float]) -> list[np.ndarray]:
    """NDCG@10 of the same queries by several models."""
    hardness, several = generator.standard_normal(queries), generator.random(queries) < 0.2
    return [ndcg_of(skill, hardness, generator.standard_normal(queries), several) for skill in skills]


def true_mean(skill: float) -> float:
    return float(draw(np.random.default_rng(99), 400_000, [skill])[0].mean())


def skill_for(wanted: float, low: float = -3.0, high: float = 6.0) -> float:
    """The skill whose true mean is `wanted`, by halving."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if true_mean(middle) < wanted else (low, middle)
    return (low + high) / 2


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def simulate(collections: int, queries: int, level: float) -> dict[str, Any]:
    """All figures for models whose true NDCG@10 is `level`."""
    skill, better = skill_for(level), skill_for(level + 0.05)
    means, truth = true_mean(skill), true_mean(better) - true_mean(skill)
    itself, nothing, planted, within_mean, within_difference = [], [], [], [], []
    family, uncorrected = [], []
    for number in range(collections):
        generator = np.random.default_rng([number, queries])
        first, same, tuned = draw(generator, queries, [skill, skill, better])
        itself.append(compare(first, first, seed=number)["verdict"] == "no real change")
        nothing.append(compare(first, same, seed=number)["verdict"] == "no real change")
        found = compare(first, tuned, seed=number)
        planted.append(found["verdict"] == "better")
        within_difference.append(found["interval"][0] <= truth <= found["interval"][1])
        low, high = mean_interval(first, seed=number)
        within_mean.append(low <= means <= high)
    for number in range(collections // 4):
        models = draw(np.random.default_rng([number, queries, 1]), queries, [skill] * (1 + FAMILY))
        pairs = [compare(models[0], other, seed=number) for other in models[1:]]
        uncorrected.append(all(one["verdict"] == "no real change" for one in pairs))
        family.append(all(one["verdict"] == "no real change" for one in correct_for_many(pairs)))
    return {
        "true NDCG@10": round(means, 3),
        "queries": queries,
        "collections": collections,
        "itself called no real change": share(itself),
        "nothing called no real change": share(nothing),
        "eleven of nothing, all no real change": share(family),
        "the same, not corrected": share(uncorrected),
        "planted difference": round(truth, 4),
        "planted called better": share(planted),
        "interval of the difference holds the truth": share(within_difference),
        "interval of the mean holds the truth": share(within_mean),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collections", type=int, default=200)
    parser.add_argument("--queries", type=int, nargs="*", default=[300, 50])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = [simulate(given.collections, queries, level) for queries in given.queries for level in (0.5, 0.85)]
    if given.json:
        print(json.dumps(found))
        return
    for one in found:
        print("\n".join(f"{name:45s} {value}" for name, value in one.items()), end="\n\n")


if __name__ == "__main__":
    main()
