"""A run that learns degrees of similarity is judged by how well they are followed, in words of their own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from training.planted import planted, scored_rows

from workbench.job_folder import JobFolder, create_job_folder
from workbench.settings import TrainSettings
from workbench.training.kinds import EmbedderRecipe
from workbench.training.recipe import NDCG, SPEARMAN, Scored
from workbench.training.report import best_step, curves
from workbench.training.shape import are_degrees
from workbench.training.similarity import Followed, correlations_compared, spearman
from workbench.workspace import Workspace

GENERATOR = np.random.default_rng(0)
SCORES = GENERATOR.random(200)
QUERIES = np.repeat(np.arange(50), 4)


def followed(noise: float) -> Followed:
    return Followed(QUERIES, SCORES, SCORES + noise * np.random.default_rng(3).normal(size=len(SCORES)))


def test_a_correlation_that_rose_is_called_better_and_one_that_fell_worse() -> None:
    good, bad = followed(0.1), followed(2.0)
    found = correlations_compared(bad.cosines, good)
    assert found["verdict"] == "better" and found["interval"][0] > 0 and found["pairs"] == 200
    assert found["difference"] == pytest.approx(good.spearman - bad.spearman)
    assert correlations_compared(good.cosines, bad)["verdict"] == "worse"
    assert correlations_compared(good.cosines, good)["verdict"] == "no real change"


def test_pairs_of_one_query_prove_nothing() -> None:
    one = Followed(np.zeros(200, np.int64), SCORES, followed(0.1).cosines)
    found = correlations_compared(followed(2.0).cosines, one)
    assert found["interval"] == [-2.0, 2.0] and found["verdict"] == "no real change"


def test_scores_that_are_all_alike_have_no_correlation() -> None:
    assert spearman(SCORES, np.ones(200)) == spearman(np.ones(200), SCORES) == 0.0


@pytest.mark.parametrize(
    ("objective", "score", "chosen_by"),
    [
        ("similarity", lambda shared, generator: 0.4 * shared + 0.1 * generator.random(), SPEARMAN),
        ("similarity", lambda shared, _: shared == 2, NDCG),
        ("contrastive", lambda shared, generator: 0.4 * shared + 0.1 * generator.random(), NDCG),
    ],
)
def test_the_best_checkpoint_of_degrees_is_told_by_the_correlation(
    workspace: Workspace, objective: str, score: Any, chosen_by: str
) -> None:
    collection = planted(workspace, "scored", scored_rows(score, 120))
    recipe = EmbedderRecipe(workspace, collection, {"model": "starter"}, TrainSettings(objective=objective))  # type: ignore[arg-type]
    assert recipe.chosen_by == chosen_by
    assert are_degrees(collection.judged("eval")) == (score(1, np.random.default_rng(0)) not in (0, 1))


def evaluated(job: JobFolder, chosen_by: str, figures: list[tuple[float, float]]) -> list[float]:
    """What the trainer is given at each evaluation of (NDCG@10, Spearman)."""
    from workbench.training.evaluator import RunEvaluator

    def score(**_: Any) -> Scored:
        ndcg, follows = left.pop(0)
        return Scored(ndcg, np.array([ndcg]), more={"spearman": follows})

    left = list(figures)
    recipe = SimpleNamespace(score=score, chosen_by=chosen_by, settings=TrainSettings())
    evaluator = RunEvaluator(job, recipe, 3)
    return [evaluator(None, steps=step)[evaluator.primary_metric] for step in (1, 2, 3)]


def test_the_trainer_and_the_page_choose_by_the_same_figure(tmp_path: Path) -> None:
    figures = [(0.9, 0.1), (0.5, 0.7), (0.6, 0.3)]
    for chosen_by, given, best in ((SPEARMAN, [0.1, 0.7, 0.3], 2), (NDCG, [0.9, 0.5, 0.6], 1)):
        job = create_job_folder(tmp_path / chosen_by[:4], "train", {}, {})
        assert evaluated(job, chosen_by, figures) == given
        events = list(job.events())
        assert best_step(events) == (best, chosen_by)
        assert curves(events)["chosen_by"] == chosen_by
    assert curves(events)["spearman"] == [[1, 0.1], [2, 0.7], [3, 0.3]]


def test_an_evaluation_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    job = create_job_folder(tmp_path / "run", "train", {}, {})
    given = evaluated(job, SPEARMAN, [(0.9, float("nan")), (0.5, -0.2), (0.6, -0.3)])
    assert given == [-1.0, -0.2, -0.3]
    assert best_step(list(job.events())) == (2, SPEARMAN)
