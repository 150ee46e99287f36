"""The gap between modalities: how far apart the middles of two kinds of items lie.

The gap is the distance between the means of the unit vectors of the two (Liang et al. 2022, "Mind the Gap", NeurIPS):
0 where both are spread over the same region, 2 at most. Pictures and texts that mean the same can be found by one
another across a gap, but what is asked then finds its own kind first where both are in the corpus.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from workbench.evaluation.projection import unit


def gaps(groups: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The gap between every two of these groups of vectors, each (items, dimension).

    Rows: {"between": [one, other], "gap", "chance", "items": [n, m]}. chance: the distance that two groups of so many
    items would have though they came from one region, for nothing but which items happened to be drawn.
    """
    described = {name: (unit(vectors).mean(axis=0, dtype=np.float64), len(vectors)) for name, vectors in groups.items()}
    rows = []
    for one, other in combinations(described, 2):
        (mean, count), (other_mean, other_count) = described[one], described[other]
        together = count + other_count
        pooled = (mean * count + other_mean * other_count) / together
        # Of unit vectors the variance about their mean is 1 - |mean|², with no second pass over them.
        spread = max(0.0, 1.0 - float(pooled @ pooled)) * together / max(1, together - 1)
        rows.append(
            {
                "between": [one, other],
                "gap": float(np.linalg.norm(mean - other_mean)),
                "chance": float(np.sqrt(spread * (1 / count + 1 / other_count))),
                "items": [count, other_count],
            }
        )
    return rows
