"""The demo that the page opens."""

from __future__ import annotations

import pytest

from workbench.collection.import_job import run_import
from workbench.collection.store import open_collection
from workbench.job_folder import create_job_folder
from workbench.ui import demo
from workbench.workspace import Workspace


def test_the_demo_is_drawn_by_an_import_job_that_says_how_far_it_is(workspace: Workspace) -> None:
    job = create_job_folder(workspace.job("import-demo"), "import", {"name": "demo", "demo": True, "scenes": 24}, {})
    result = run_import(workspace, job)
    assert result["collection"] == "demo"
    assert job.status().total == 24
    assert open_collection(workspace, "demo").card.modalities["document"]


def test_opening_the_demo_twice_draws_it_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, object]) -> None:
        started.append((work, name, spec))
        create_job_folder(workspace.job(name), work, spec, {})

    monkeypatch.setattr(demo.jobs, "start", start)
    demo.draw_collection(workspace)
    demo.draw_collection(workspace)
    assert started == [("import", "import-demo", {"name": "demo", "demo": True})]
