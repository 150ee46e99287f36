"""The spec of a run: which models a kind starts from, what an estimate leaves alone, whose code may run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training.planted import pair_rows, planted

from tests.models import hub_layouts as hub
from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.models.source import find
from workbench.settings import TrainSettings
from workbench.training import spec as specs
from workbench.training.kinds import CrossEncoderRecipe, EmbedderRecipe
from workbench.training.spec import train_spec
from workbench.ui.choices import base_choices
from workbench.workspace import Workspace

COLBERT = "answerdotai/answerai-colbert-small-v1"


@pytest.fixture
def pairs(workspace: Workspace) -> Collection:
    return planted(workspace, "pairs", pair_rows())


@pytest.mark.usefixtures("pairs")
def test_every_model_that_is_offered_is_of_a_kind_that_the_run_can_start_from(workspace: Workspace) -> None:
    offered = {kind: [model for _, model in base_choices(workspace, kind)] for kind in specs.KINDS}
    assert "starter" in offered["late-interaction"] and "starter-reranker" not in offered["late-interaction"]
    assert COLBERT in offered["late-interaction"]
    assert offered["reranker"][0] == "starter-reranker" and COLBERT not in offered["reranker"]
    for kind, model in (("reranker", COLBERT), ("late-interaction", "starter-reranker")):
        with pytest.raises(WorkbenchError, match="Choose an embedder, or the kind"):
            train_spec(workspace, collection="pairs", model=model, kind=kind)
    assert train_spec(workspace, collection="pairs", model=COLBERT, kind="late-interaction")


@pytest.mark.usefixtures("pairs")
def test_an_estimate_leaves_the_collection_as_it_is(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[str] = []
    monkeypatch.setattr(specs, "settle", lambda _, name: settled.append(name))
    train_spec(workspace, collection="pairs", model="starter", starts=False)
    assert settled == []
    train_spec(workspace, collection="pairs", model="starter")
    assert settled == ["pairs"]


def test_leave_for_one_model_to_run_its_code_is_none_for_its_guide_teacher_or_first_stage(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    other = str(hub.jina_v3(tmp_path / "other"))
    assert find(workspace, other, trust_remote_code=True)
    spec: dict[str, Any] = {"model": "starter", "trust_remote_code": True, "objective": "contrastive-guided"}
    with pytest.raises(WorkbenchError, match="may not do so yet"):
        EmbedderRecipe(workspace, pairs, spec, TrainSettings(guide_model=other)).loss()
    with pytest.raises(WorkbenchError, match="may not do so yet"):
        taught = spec | {"objective": "distillation"}
        EmbedderRecipe(workspace, pairs, taught, TrainSettings(teacher_model=other)).datasets()
    with pytest.raises(WorkbenchError, match="may not do so yet"):
        CrossEncoderRecipe(workspace, pairs, spec | {"objective": "bce", "first_stage": other}, TrainSettings())
