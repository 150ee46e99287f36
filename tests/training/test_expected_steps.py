"""The steps that an estimate counts are those that a run takes, whatever a row of its lessons is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.settings import OBJECTIVES, TrainSettings
from workbench.training.fit import expected_steps
from workbench.training.kinds import CrossEncoderRecipe
from workbench.training.pairs import Pairs
from workbench.training.report import pairs_a_step
from workbench.training.run import count_steps

RIGHT, WRONG = 100, 40


def expected(kind: str, objective: str, settings: TrainSettings) -> int:
    counted = SimpleNamespace(card=SimpleNamespace(counts={"train": RIGHT + WRONG, "wrong": WRONG}))
    return expected_steps(counted, {"kind": kind, "objective": objective, "settings": settings.model_dump()})  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", OBJECTIVES["reranker"])
@pytest.mark.parametrize("batch", [16, 64])
def test_the_steps_of_each_objective_of_a_reranker_are_foretold(objective: str, batch: int) -> None:
    settings = TrainSettings(epochs=2, batch_size=batch, negatives_per_query=7)
    recipe = object.__new__(CrossEncoderRecipe)
    recipe.settings, recipe.objective, recipe.passes = settings, objective, 2
    rows = np.arange(2 * RIGHT)
    recipe.pairs = [Pairs("text->text", rows, rows)]
    datasets: Any = range(2 * RIGHT * (8 if objective in ("bce", "distillation") else 1))
    if objective == "contrastive":
        datasets = {"text->text": datasets}
    assert expected("reranker", objective, settings) == pytest.approx(count_steps(recipe, datasets, settings), abs=1)


def test_what_is_judged_wrong_by_itself_is_a_row_of_its_own() -> None:
    settings = TrainSettings(epochs=1, batch_size=10)
    assert expected("embedder", "contrastive", settings) == RIGHT / 10
    assert expected("embedder", "binary", settings) == (RIGHT + WRONG) / 10


@pytest.mark.parametrize(
    ("kind", "objective", "pairs"),
    [("embedder", "contrastive", 2 * 30), ("reranker", "bce", 2 * 30), ("reranker", "lambda", 2 * 3 * 8)],
)
def test_the_pairs_of_a_step_are_those_of_all_batches_that_it_adds_up(kind: str, objective: str, pairs: int) -> None:
    settings = TrainSettings(batch_size=30, gradient_accumulation=2, negatives_per_query=7)
    assert pairs_a_step({"kind": kind, "objective": objective, "settings": settings.model_dump()}) == pairs
