"""What the recipes of all kinds of run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.settings import TrainSettings
from workbench.training.shape import choose_objective, shape_of
from workbench.training.similarity import Followed

NDCG, SPEARMAN = "ndcg@10", "spearman"
Progress = Callable[[int, int, str], None]


@dataclass
class Scored:
    """One scoring: the mean NDCG@10, its value for each query, and the flat rows for the page.

    more: further figures by name, such as `spearman`. by_direction: NDCG@10 of each query (queries,), for every
    direction that was scored. followed: the held-out pairs where their scores are followed too.
    """

    ndcg: float
    per_query: np.ndarray
    rows: list[dict[str, Any]] = field(default_factory=list)
    first_stage: np.ndarray | None = None
    more: dict[str, float] = field(default_factory=dict)
    by_direction: dict[str, np.ndarray] = field(default_factory=dict)
    followed: Followed | None = None

    def figure(self, name: str) -> float:
        """The figure of this name: `ndcg@10`, or one of `more`."""
        return self.ndcg if name == NDCG else self.more[name]


def objective_of(spec: dict[str, Any], collection: Collection, settings: TrainSettings, kind: str) -> str:
    """The objective that the spec names, or that suits the collection: specs of earlier versions name none."""
    return str(spec.get("objective") or choose_objective(shape_of(collection), kind, settings).name)
