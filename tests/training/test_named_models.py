"""The guide and the teacher of a run: named in the form, fetched by the run."""

from __future__ import annotations

from typing import Any

import pytest
from training.planted import pair_rows, planted

from workbench.errors import WorkbenchError
from workbench.settings import TrainSettings
from workbench.training.spec import train_spec
from workbench.training.teacher import fetch_named_models
from workbench.workspace import Workspace

NAMED = [
    {"objective": "distillation", "teacher_model": "someone/large"},
    {"objective": "contrastive-guided", "guide_model": "someone/large"},
]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the Hub, which has nothing."""
    asked: list[str] = []

    def fetch(reference: str, **_: Any) -> str:
        asked.append(reference)
        raise OSError

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    return asked


@pytest.mark.parametrize("overrides", NAMED)
def test_nothing_is_fetched_while_the_settings_are_chosen(
    workspace: Workspace, fetched: list[str], overrides: dict[str, str]
) -> None:
    planted(workspace, "pairs", pair_rows())
    spec = train_spec(workspace, collection="pairs", model="starter", overrides=overrides)
    assert spec["objective"] == overrides["objective"] and fetched == []
    with pytest.raises(WorkbenchError, match="hf download someone/large"):
        fetch_named_models(workspace, spec["objective"], TrainSettings(**overrides))
    assert fetched == ["someone/large"]


@pytest.mark.parametrize("reference", ["/not/there", "a b/c", "run:gone", "nonsense"])
def test_a_teacher_that_can_be_none_is_refused_before_the_start(workspace: Workspace, reference: str) -> None:
    planted(workspace, "pairs", pair_rows())
    wanted = {"objective": "distillation", "teacher_model": reference}
    with pytest.raises(WorkbenchError, match=r"There is no (model|run)"):
        train_spec(workspace, collection="pairs", model="starter", overrides=wanted)
