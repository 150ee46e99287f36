"""Scores the model while it trains, and tells the job folder."""

from __future__ import annotations

import math
import time
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from workbench.job_folder import JobFolder
from workbench.training.noting import noting
from workbench.training.precision import computing
from workbench.training.recipe import NDCG
from workbench.training.trainer import METRIC


class RunEvaluator(BaseEvaluator):
    """The held-out score as the library's trainer asks for it; the best checkpoint is the one where it is highest.

    It is NDCG@10, or what else the recipe says that its lesson is told by (`chosen_by`).
    """

    def __init__(self, job: JobFolder, recipe: Any, total_steps: int) -> None:
        super().__init__()
        self.job = job
        self.recipe = recipe
        self.total_steps = total_steps
        self.greater_is_better = True
        self.primary_metric = METRIC

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """Score the recipe's model, which is the one in training. Raises Stopped at a STOP."""
        started = time.time()
        with computing(self.recipe.settings):
            scored = self.recipe.score(quick=True, progress=noting(self.job, f"Scoring after step {steps:,}"))
        self.job.emit(
            "evaluation",
            step=max(steps, 0),
            metrics={NDCG: scored.ndcg, **scored.more},
            chosen_by=self.recipe.chosen_by,
            results=[{key: row[key] for key in ("dimension", "direction", "metrics")} for row in scored.rows],
            seconds=time.time() - started,
        )
        more = "".join(f", {name} {value:.3f}" for name, value in scored.more.items())
        self.job.say(
            f"step {steps} of {self.total_steps}: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} queries{more}"
        )
        # What is no number is no good, and would never be called worse than anything.
        chosen = scored.figure(self.recipe.chosen_by)
        return {METRIC: chosen if math.isfinite(chosen) else -1.0}
