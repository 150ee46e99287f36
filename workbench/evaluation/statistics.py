"""How sure a difference is: bootstrap intervals and a permutation test over the queries, paired.

The queries are the sample: an interval says where the mean would lie had other queries of the same kind been held out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

CONFIDENCE = 0.95
POWER = 0.8
RESAMPLES = 9_999
ROW_RESAMPLES = 1_999
LARGE = 5_000
"""Above this many queries the normal approximation is used: by then it agrees to the third digit."""
BLOCK_VALUES = 4_000_000
CACHED_VALUES = 65_536
VERDICTS = ("better", "no real change", "worse")


def compare(a: np.ndarray, b: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """How much better `b` is than `a`, query by query: {"difference", "interval", "p", "verdict", "queries", "spread"}.

    a, b: (queries,) of one measure between 0 and 1, the same queries in the same order; a NaN in either leaves
    the query out. The interval is a 95 % bootstrap of the mean difference (`mean_interval`), p a two-sided paired
    permutation test (signs flipped at random). The verdict is "better" or "worse" only when both agree: the interval
    lies wholly on one side of zero and p < 0.05. spread: the standard deviation of the differences, from which
    `queries_needed` tells how many queries would show a given difference. With fewer than two queries nothing can be
    said, so the interval is all that is possible, [-1, 1]. Raises ValueError if the shapes differ.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a and b must be the same queries, but have shapes {a.shape} and {b.shape}")
    differences = b - a
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        difference = float(differences[0]) if len(differences) else 0.0
        low, high, p = -1.0, 1.0, 1.0
    else:
        difference = float(differences.mean())
        low, high = mean_interval(differences, seed=seed, resamples=RESAMPLES)
        p = permutation_p(differences, seed=seed)
    return {
        "difference": difference,
        "interval": [low, high],
        "p": p,
        "verdict": verdict(low, high, p),
        "queries": len(differences),
        "spread": float(differences.std(ddof=1)) if len(differences) > 1 else 0.0,
    }


def verdict(low: float, high: float, p: float) -> str:
    """`better`, `worse`, or `no real change`, of an interval around a difference and its p value."""
    if p < 1 - CONFIDENCE and low > 0:
        return "better"
    if p < 1 - CONFIDENCE and high < 0:
        return "worse"
    return "no real change"


def correct_for_many(comparisons: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Comparisons of one family with "p_holm", and their verdicts by it, as the more are made the more come by chance.

    Holm's step-down (1979): the smallest of n p values is multiplied by n, the next by n - 1, and none may be smaller
    than the one before. It keeps the chance of any false verdict of the family at 5 %, whatever their dependence.
    """
    order = sorted(range(len(comparisons)), key=lambda place: comparisons[place]["p"])
    corrected = [1.0] * len(comparisons)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, comparisons[place]["p"] * (len(comparisons) - rank)))
        corrected[place] = highest
    return [
        {**one, "p_holm": p, "verdict": verdict(one["interval"][0], one["interval"][1], p)}
        for one, p in zip(comparisons, corrected, strict=True)
    ]


def queries_needed(spread: float, difference: float, power: float = POWER) -> int:
    """How many held-out queries show a mean difference of this size in `power` of the cases, at p < 0.05.

    spread: standard deviation of the paired differences. The normal approximation of a paired test:
    n = ((z of 97.5 % + z of the power) · spread / difference)². Raises ValueError if the difference is 0.
    """
    if not difference:
        raise ValueError("no number of queries shows a difference of nothing")
    return max(2, math.ceil((_quantiles(power) * spread / abs(difference)) ** 2))


def smallest_seen(spread: float, queries: int, power: float = POWER) -> float:
    """The smallest mean difference that so many queries show in `power` of the cases, at p < 0.05."""
    return _quantiles(power) * spread / math.sqrt(max(1, queries))


def _quantiles(power: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(0.5 + CONFIDENCE / 2) + stats.norm.ppf(power))


def mean_interval(values: np.ndarray, seed: int = 0, resamples: int = ROW_RESAMPLES) -> tuple[float, float]:
    """The 95 % interval of the mean of `values` (queries,), by the expanded percentile bootstrap (Hesterberg 2015).

    The percentiles of resampled means, taken further out by what a normal interval lacks against Student's t: the
    plain ones, and BCa, hold a true difference too seldom with 50 queries, most of which do not differ at all
    (`benchmarks/verdicts.py`). Values that are all alike give an interval of no width, one value likewise; none at all
    gives (0, 0).
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return 0.0, 0.0
    mean, count = float(values.mean()), len(values)
    if np.ptp(values) < 1e-12:
        return mean, mean
    from scipy import stats

    if count > LARGE:
        half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2) * values.std(ddof=1) / np.sqrt(count))
        return mean - half, mean + half
    reach = math.sqrt(count / (count - 1)) * stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    low, high = np.quantile(_resampled_means(values, seed, resamples), stats.norm.cdf([-reach, reach]))
    return float(low), float(high)


def _resampled_means(values: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = max(1, CACHED_VALUES // len(values))
    blocks = [min(size, resamples - done) for done in range(0, resamples, size)]
    return np.concatenate([values[rng.integers(0, len(values), (block, len(values)))].mean(axis=1) for block in blocks])


def permutation_p(differences: np.ndarray, seed: int = 0) -> float:
    """Two-sided p of the mean of paired differences (queries,), by flipping signs at random.

    Every sign pattern is tried where there are no more than 4,096 of them, else 9,999 at random, with the observed one
    counted in, so that p is never 0 (Phipson & Smyth 2010).
    """
    differences = np.asarray(differences, dtype=np.float64)
    count, observed = len(differences), abs(float(differences.sum()))
    if count == 0 or not differences.any():
        return 1.0
    nearly = observed * (1 - 1e-12)
    if count <= 12:
        patterns = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float((np.abs((1.0 - 2.0 * patterns) @ differences) >= nearly).mean())
    if count > LARGE:
        from scipy import stats

        return float(2 * stats.norm.sf(observed / np.sqrt((differences**2).sum())))
    rng = np.random.default_rng(seed)
    extreme, done, block = 0, 0, max(1, BLOCK_VALUES // count)
    while done < RESAMPLES:
        size = min(block, RESAMPLES - done)
        flips = np.unpackbits(rng.integers(0, 256, (size, -(-count // 8)), dtype=np.uint8), axis=1)[:, :count]
        # sum of d with random signs = sum(d) - 2 * sum of the flipped ones
        sums = differences.sum() - 2.0 * (flips.astype(np.float32) @ differences.astype(np.float32))
        extreme += int((np.abs(sums) >= nearly).sum())
        done += size
    return (extreme + 1) / (RESAMPLES + 1)
