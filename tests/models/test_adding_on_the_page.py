"""The field of the Train tab that adds a model: what it refuses, what it starts, what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models import hub_layouts as hub
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models.added import added_models
from workbench.models.examine import run_add
from workbench.ui.models import found_card
from workbench.ui.page import build_page
from workbench.ui.place import Place
from workbench.workspace import Workspace, write_json


def handlers(workspace: Workspace) -> dict[str, Any]:
    blocks, _ = build_page(workspace)
    wrapped = [getattr(wired.fn, "__wrapped__", None) for wired in blocks.fns.values()]
    return {handler.__name__: handler for handler in wrapped if handler is not None}


def shown(changed: dict[Any, Any]) -> str:
    return next(value for widget, value in changed.items() if getattr(widget, "elem_id", "") == "add-model-found")


def finished(workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> JobFolder:
    """A job that has added `folder` as someone/small, done here and now."""
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    job = create_job_folder(workspace.jobs / "add-small", "add-model", {"reference": "someone/small"}, {})
    write_json(job.path / "result.json", run_add(workspace, job))
    job.write_status(state="finished")
    return job


def test_a_folder_or_a_starter_is_not_added_on_the_page(workspace: Workspace) -> None:
    page = handlers(workspace)
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        page["add_model"](Place(), "/etc")
    with pytest.raises(WorkbenchError, match="can be chosen everywhere already"):
        page["add_model"](Place(), "starter")


def test_an_id_starts_a_job_in_the_background(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []

    def start(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        asked.append((work, name, spec))
        return create_job_folder(workspace.jobs / name, work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    changed = handlers(workspace)["add_model"](Place(), " someone/small ")
    assert asked == [("add-model", "add-small", {"reference": "someone/small"})]
    assert "Checking someone/small" in shown(changed)


def test_what_was_found_is_told_and_the_model_is_there(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(workspace, hub.text_embedder(tmp_path / "small", "Bert", pooling="mean"), monkeypatch)
    assert [one.reference for one in added_models(workspace)] == ["someone/small"]
    found = job.result()
    assert found is not None
    assert "someone/small was added. It reads texts." in found_card(found)
    assert "Vectors of 32 dimensions" in shown(handlers(workspace)["look_at_added"](Place(), "embedder", ""))
    assert "&lt;b&gt;" in found_card(found | {"notes": ["<b>"]})
