"""What the Runs tab says about a failure, and its button that mends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.ui.test_live import begin_run
from workbench import jobs
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.runs import RunsTab
from workbench.workspace import Workspace

PLACE = Place(tab="runs", run="one")


@pytest.fixture
def tab(workspace: Workspace) -> RunsTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("runs") as opened:
            return RunsTab(page, opened)


def press(tab: RunsTab, act: str) -> dict[Any, Any]:
    event: Any = SimpleNamespace(_data={"act": act, "name": "one"})
    return tab.use_view(PLACE, event)


def test_a_run_without_memory_offers_a_clone_that_needs_less(
    tab: RunsTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin_run(workspace, "one")
    run.emit("started", mini_batch_size=16)
    run.emit("failed", reason="Memory ran out.", out_of_memory=True)
    run.write_status(state="failed", reason="Memory ran out.")
    batch = min(16, int(run.spec["settings"]["batch_size"]))
    shown = str(tab.refresh(PLACE)[tab.top])
    assert f"Start again with a mini-batch of {batch // 2}" in shown and "run-resume" in shown
    cloned: list[Any] = []

    def clone(workspace: Workspace, name: str, new_name: str, changes: dict[str, Any]) -> Any:
        cloned.append((name, new_name, changes))
        return begin_run(workspace, new_name)

    monkeypatch.setattr(jobs, "clone", clone)
    changed = press(tab, "again")
    assert cloned == [("one", "one-2", {"mini_batch_size": batch // 2})]
    assert changed[tab.page.place].run == "one-2"


def test_a_bad_file_leads_to_the_check(tab: RunsTab, workspace: Workspace) -> None:
    run = begin_run(workspace, "one")
    run.write_status(state="failed", reason="Row 3 of the documents (“a.png”) cannot be read: the picture is damaged.")
    assert "Look at it in Check" in str(tab.refresh(PLACE)[tab.top])
    there = press(tab, "check")[tab.page.place]
    assert (there.tab, there.part) == ("data", "check")


def test_a_run_that_helped_itself_says_so_while_it_learns(tab: RunsTab, workspace: Workspace) -> None:
    run = begin_run(workspace, "one")
    run.emit("advice", about="out of memory", applied=True, words="The run goes on with 8.", value=8)
    assert "The run goes on with 8." in str(tab.refresh(PLACE)[tab.top])
