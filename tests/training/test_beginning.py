"""Before the first step: what cannot work is told before anything is scored, and scored is what the run will read."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.tiny import begun, encoder, houses
from workbench.errors import Stopped, WorkbenchError
from workbench.models.limits import InputLimits, limits_of, set_limits
from workbench.settings import TrainSettings
from workbench.training.preparing import limit_inputs
from workbench.training.recipe import Scored
from workbench.training.run import get_ready, run_training
from workbench.workspace import Workspace


class Toy(torch.nn.Linear):
    """As much of a model as is looked at before the first step."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.prompts: dict[str, str] = {}


def recipe(loss: Any = lambda: None, **settings: Any) -> Any:
    model, seen = Toy(), []

    def score(**_: Any) -> Scored:
        seen.append(dict(model.prompts))
        return Scored(0.5, np.array([0.5]))

    return SimpleNamespace(settings=TrainSettings(**settings), model=model, loss=loss, score=score, seen=seen)


@pytest.fixture
def place(workspace: Workspace, tmp_path: Path) -> tuple[Workspace, str]:
    houses(workspace)
    return workspace, encoder(tmp_path / "encoder")


def test_the_untouched_model_is_scored_with_the_prompts_of_the_run(place: tuple[Workspace, str]) -> None:
    job = begun(place[0], "asked", place[1])
    ready = recipe(query_prompt="find: ", document_prompt="read: ")
    get_ready(place[0], job, ready)
    assert ready.seen == [{"query": "find: ", "document": "read: "}]


def test_a_loss_that_cannot_be_made_is_told_before_anything_is_scored(place: tuple[Workspace, str]) -> None:
    def refused() -> None:
        raise WorkbenchError("There are 2 Matryoshka weights and 3 dimensions.")

    ready = recipe(refused)
    with pytest.raises(WorkbenchError, match="Matryoshka weights"):
        get_ready(place[0], begun(place[0], "refused", place[1]), ready)
    assert not ready.seen


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"frozen_parts": ["nose"]}, "no part “nose”"),
        ({"part_learning_rates": ["nose=1e-3"]}, "no part “nose”"),
        ({"lora_rank": 2, "lora_targets": ["nose"]}, "no linear layer “nose”"),
        ({"matryoshka_dimensions": [16], "matryoshka_weights": [1.0, 1.0, 1.0]}, "Matryoshka weights"),
    ],
)
def test_a_setting_that_the_model_cannot_take_is_told_before_its_baseline(
    place: tuple[Workspace, str], wanted: dict[str, Any], words: str
) -> None:
    job = begun(place[0], "refused", place[1])
    path = job.path / "job.json"
    described = json.loads(path.read_text())
    described["spec"]["settings"] |= wanted
    path.write_text(json.dumps(described))
    with pytest.raises(WorkbenchError, match=words):
        run_training(place[0], job)
    assert not (job.path / "baseline.json").exists()


def test_mining_for_a_run_can_be_stopped(place: tuple[Workspace, str], monkeypatch: pytest.MonkeyPatch) -> None:
    job = begun(place[0], "mined", place[1], mined_negatives=2)

    def told(*_: Any, progress: Any, **__: Any) -> Any:
        (job.path / "STOP").touch()
        progress(1, 2, "Comparing with every document")
        raise AssertionError

    monkeypatch.setattr("workbench.training.lessons.mine", told)
    with pytest.raises(Stopped):
        run_training(place[0], job)
    assert not (job.path / "baseline.json").exists()


def test_a_limit_that_is_set_leaves_the_others_that_the_model_brings() -> None:
    trunk = torch.nn.Module()
    trunk.processor, trunk.config = None, SimpleNamespace()
    model = torch.nn.Sequential(trunk)
    set_limits(model, InputLimits(max_pixels=5_000, audio_seconds=3.0))
    limit_inputs(model, TrainSettings(audio_seconds=1.5))
    assert limits_of(model) == InputLimits(max_pixels=5_000, audio_seconds=1.5)
    limit_inputs(model, TrainSettings())
    assert limits_of(model) == InputLimits(max_pixels=5_000, audio_seconds=1.5)
