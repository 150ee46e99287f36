"""What a visitor may name as a model, and who may let one run its own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.collection.demo import make_demo
from workbench.errors import WorkbenchError
from workbench.models.starter import starter_folder
from workbench.settings import TrainSettings
from workbench.ui.launch import notices
from workbench.ui.page import build_page
from workbench.ui.place import Place
from workbench.workspace import Workspace, open_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("typed"))
    make_demo(workspace, scenes=30)
    return workspace


def handlers(workspace: Workspace) -> dict[str, Any]:
    """The handlers of a page that nobody has called its owner's, by name, as they are before errors become messages."""
    blocks, _ = build_page(workspace)
    wrapped = [getattr(wired.fn, "__wrapped__", None) for wired in blocks.fns.values()]
    return {handler.__name__: handler for handler in wrapped if handler is not None}


def test_no_folder_is_a_model_on_the_page(workspace: Workspace) -> None:
    page = handlers(workspace)
    settings = [None] * len(TrainSettings.model_fields)
    for folder in (str(starter_folder()), "/etc", "."):
        with pytest.raises(WorkbenchError, match="cannot be used on the page"):
            page["start_training"](Place(), "demo", folder, "embedder", "quick", "mine", False, *settings)
        with pytest.raises(WorkbenchError, match="cannot be used on the page"):
            page["start_evaluation"](Place(), [folder], "demo", "", [], [])
        with pytest.raises(WorkbenchError, match="cannot be used on the page"):
            page["make_searchable"](Place(), "demo", folder)
    assert not list(workspace.runs.iterdir()) and not list(workspace.jobs.iterdir())


@pytest.mark.parametrize(
    ("objective", "field"), [("distillation", "teacher_model"), ("contrastive-guided", "guide_model")]
)
def test_no_folder_is_a_guide_or_a_teacher_on_the_page(workspace: Workspace, objective: str, field: str) -> None:
    page = handlers(workspace)
    for folder in (str(starter_folder()), "/etc", "/not/there", "."):
        told = {"objective": objective, field: folder}
        settings = [told.get(name) for name in TrainSettings.model_fields]
        chosen = ["demo", "starter", "embedder", "quick"]
        with pytest.raises(WorkbenchError, match="cannot be used on the page"):
            page["start_training"](Place(), *chosen, "mine", False, *settings)
        assert "cannot be used on the page" in str(page["follow"](Place(), *chosen, False, *settings))
    assert not list(workspace.runs.iterdir())


def test_a_models_own_code_needs_a_page_of_ones_own(workspace: Workspace) -> None:
    page = handlers(workspace)
    settings = [None] * len(TrainSettings.model_fields)
    with pytest.raises(WorkbenchError, match="no model may run its own code here"):
        page["start_training"](Place(), "demo", "someone/model", "embedder", "quick", "mine", True, *settings)


def test_a_space_without_a_login_says_who_can_use_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/workbench")
    assert any("Whoever can open this Space" in sentence for sentence in notices(workspace, "0.0.0.0", False))
    assert not any("Whoever can open" in sentence for sentence in notices(workspace, "0.0.0.0", True))
    assert Path("/data").is_mount() or any("lost when it restarts" in s for s in notices(workspace, "0.0.0.0", True))
