"""Two ranked lists in one, by reciprocal rank: ranks can be added where scores of different kinds cannot.

Source: Cormack, Clarke & Büttcher 2009.
"""

from __future__ import annotations

from collections.abc import Sequence

RANK_CONSTANT = 60


def fused(nearest: Sequence[int], by_words: Sequence[int], balance: float) -> list[tuple[int, float]]:
    """The rows of both lists with their sums of share ÷ (60 + rank), best first; of equal sums, the lower row first.

    balance: the share of `by_words`, 0 to 1. A list without a share is left out.
    """
    sums: dict[int, float] = {}
    for rows, share in ((nearest, 1.0 - balance), (by_words, balance)):
        for rank, row in enumerate(rows if share else (), start=1):
            sums[row] = sums.get(row, 0.0) + share / (RANK_CONSTANT + rank)
    return sorted(sums.items(), key=lambda one: (-one[1], one[0]))
