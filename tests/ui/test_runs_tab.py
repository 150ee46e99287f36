"""The Runs tab without a browser: what it reads, and what it does with what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from tests.ui.test_live import begin_run
from workbench.job_folder import JobFolder
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.runs import RunsTab
from workbench.workspace import Workspace


@pytest.fixture
def tab(workspace: Workspace) -> RunsTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("runs") as opened:
            return RunsTab(page, opened)


def test_a_damaged_summary_of_any_run_leaves_the_tab_whole(tab: RunsTab, workspace: Workspace) -> None:
    for name in ("older", "newer"):
        run = begin_run(workspace, name)
        run.write_status(state="finished")
        (run.path / "summary.json").write_text('{"metrics": {"ndcg')
    drawn = tab.refresh(Place(tab="runs", run="newer"))
    assert "older" in str(drawn[tab.below]) and "newer" in str(drawn[tab.top])


def test_the_events_are_read_once_for_a_drawing(
    tab: RunsTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(workspace, "one")
    read = JobFolder.events
    times: list[str] = []

    def events(job: JobFolder, kind: str | None = None) -> Iterator[dict[str, Any]]:
        times.append(job.name)
        return read(job, kind)

    monkeypatch.setattr(JobFolder, "events", events)
    drawn = tab.refresh(Place(tab="runs"))
    assert "6 of 50" in str(drawn[tab.below])
    assert times == ["one"]
