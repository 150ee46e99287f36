"""Scores the model while it trains, and tells the job folder."""

from __future__ import annotations

import time
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from workbench.job_folder import JobFolder


class RunEvaluator(BaseEvaluator):
    """The held-out NDCG@10 as the library's trainer asks for it; the best checkpoint is chosen by it."""

    def __init__(self, job: JobFolder, recipe: Any, total_steps: int) -> None:
        super().__init__()
        self.job = job
        self.recipe = recipe
        self.total_steps = total_steps
        self.greater_is_better = True
        self.primary_metric = "ndcg@10"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """Score the recipe's model, which is the one in training."""
        started = time.time()
        scored = self.recipe.score(quick=True)
        self.job.emit(
            "evaluation",
            step=max(steps, 0),
            metrics={"ndcg@10": scored.ndcg, **scored.more},
            results=[{key: row[key] for key in ("dimension", "direction", "metrics")} for row in scored.rows],
            seconds=time.time() - started,
        )
        more = "".join(f", {name} {value:.3f}" for name, value in scored.more.items())
        self.job.say(
            f"step {steps} of {self.total_steps}: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} queries{more}"
        )
        return {"ndcg@10": scored.ndcg}
