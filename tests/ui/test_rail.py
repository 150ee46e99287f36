"""The rail: which step turns while a job is at work."""

from __future__ import annotations

import pytest

from workbench.job_folder import create_job_folder
from workbench.jobs.works import WORKS
from workbench.ui.place import TABS, Place
from workbench.ui.rail import draw_rail
from workbench.workspace import Workspace

STEPS = {
    "train": "runs", "fit": "train", "add-model": "train", "join-models": "train", "evaluate": "evaluate",
    "map": "evaluate", "index": "search", "verify-index": "search", "export-index": "search",
}  # fmt: skip


@pytest.mark.parametrize("work", WORKS)
def test_every_work_turns_one_step(workspace: Workspace, work: str) -> None:
    folder = workspace.run("one") if work == "train" else workspace.job("one")
    create_job_folder(folder, work, {}, {}).write_status(state="running")
    rail, busy = draw_rail(workspace, Place())
    turning = [tab for tab in TABS if 'class="turning"' in rail.partition(f'id="go-{tab}"')[2].partition("</li>")[0]]
    assert busy
    assert turning == [STEPS.get(work, "data")]
