"""The queue on the Runs tab, without a browser: what the card says, what its buttons do, when it is drawn again."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from tests.ui.test_live import begin_run
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.rail import draw_rail
from workbench.ui.runs import RunsTab
from workbench.workspace import Workspace

EVIL = "<img src=x onerror=alert(1)>"
HERE = Place(tab="runs")


@pytest.fixture
def tab(workspace: Workspace) -> RunsTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("runs") as opened:
            return RunsTab(page, opened)


def press(tab: RunsTab, **said: str) -> dict[Any, Any]:
    return tab.use_view(HERE, gr.EventData(None, said))


def wait_in_line(workspace: Workspace, *names: str) -> list[JobFolder]:
    return [create_job_folder(workspace.run(name), "train", begin_spec(), {}) for name in names]


def begin_spec() -> dict[str, Any]:
    return {"kind": "embedder", "model": "starter", "collection": "photos", "settings": {}}


def test_the_card_is_there_only_while_there_is_something_to_say(tab: RunsTab, workspace: Workspace) -> None:
    assert tab.refresh(HERE)[tab.queue.card] == ""
    assert tab.open_tab(HERE)[tab.queue.form.all].visible is False
    jobs.pause(workspace)
    assert "Paused. The queue goes on when you say so." in tab.refresh(HERE)[tab.queue.card]
    assert tab.open_tab(HERE)[tab.queue.form.all].visible is True
    jobs.go_on(workspace)
    run = begin_run(workspace, "only")
    run.write_status(device="cuda:1")
    card = tab.refresh(HERE)[tab.queue.card]
    assert "1 at work, nothing waits." in card and "on cuda:1" in card and "Finish this, then pause" in card
    run.write_status(state="finished")
    assert tab.refresh(HERE)[tab.queue.card] == ""


def test_waiting_runs_are_moved_by_their_buttons(tab: RunsTab, workspace: Workspace) -> None:
    wait_in_line(workspace, "a", "b", "c")
    card = press(tab, act="move", name="c", where="first")[tab.queue.card]
    assert card.index('aria-label="Move c up"') < card.index('aria-label="Move a up"')
    assert [one.name for one in jobs.the_line(workspace)[1]] == ["c", "a", "b"]
    press(tab, act="move", name="c", where="anywhere")  # forged: taken for the nearest that there is
    JobFolder(workspace.run("a")).write_status(state="running")
    with pytest.raises(WorkbenchError, match="does not wait in the queue: it is running"):
        press(tab, act="move", name="a", where="up")
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        press(tab, act="move", name=EVIL, where="up")


def test_the_queue_is_paused_and_goes_on_by_its_buttons(tab: RunsTab, workspace: Workspace) -> None:
    run = begin_run(workspace, "learning")
    create_job_folder(workspace.job("mining"), "mine", {}, {}).write_status(state="running")
    card = press(tab, act="pause", when="now")[tab.queue.card]
    assert jobs.hold_now(workspace).at_once is True  # type: ignore[union-attr]
    assert card.count("saves what it has, then waits") == card.count("ends before the pause begins for it") == 1
    run.write_status(state="queued", note=jobs.hold_now(workspace).words)  # type: ignore[union-attr]
    drawn = tab.refresh(HERE)
    assert "<strong>Paused</strong>" in drawn[tab.top] and "goes on from step 6" in drawn[tab.queue.card]
    assert press(tab, act="go-on")[tab.queue.card].count("Go on now") == 0
    assert jobs.hold_now(workspace) is None
    press(tab, act="pause", when="after")
    assert jobs.hold_now(workspace).at_once is False  # type: ignore[union-attr]


def test_the_form_pauses_until_a_time_and_keeps_hours(tab: RunsTab, workspace: Workspace) -> None:
    form = tab.queue.form
    tab.pause_queue(HERE, "23:59", "now")
    assert "Paused until 23:59" in jobs.hold_now(workspace).words  # type: ignore[union-attr]
    with pytest.raises(WorkbenchError, match="is no time"):
        tab.pause_queue(HERE, EVIL, "after")
    jobs.go_on(workspace)
    drawn = tab.keep_hours(HERE, "20:00", "7:00")
    assert (drawn[form.begin], drawn[form.end]) == ("20:00", "07:00")
    assert "works between 20:00 and 07:00" in drawn[form.about]
    with pytest.raises(WorkbenchError, match="no time of day"):
        tab.keep_hours(HERE, "", "07:00")
    assert tab.keep_no_hours(HERE)[form.begin] == "" and jobs.read_rules(workspace).hours is None


def test_a_tick_draws_the_queue_alone_when_nothing_else_is_new_and_nothing_when_nothing_is(
    tab: RunsTab, workspace: Workspace
) -> None:
    run = begin_run(workspace, "running")
    place = Place(tab="runs", run="running")
    seen = tab.refresh(place)[tab.seen]
    assert tab.watch_run(place, seen) is None
    jobs.pause(workspace)
    drawn = tab.watch_run(place, seen)
    assert drawn is not None and set(drawn) == {tab.queue.card, tab.seen}
    seen = drawn[tab.seen]
    run.write_status(step=7)
    drawn = tab.watch_run(place, seen)
    assert drawn is not None and tab.queue.card not in drawn and tab.top in drawn
    wait_in_line(workspace, "next")
    drawn = tab.watch_run(place, drawn[tab.seen])
    assert drawn is not None and "next" in drawn[tab.queue.card]


def test_a_paused_run_neither_turns_nor_quickens_the_page(tab: RunsTab, workspace: Workspace) -> None:
    jobs.pause(workspace)
    [run] = wait_in_line(workspace, "held")
    assert draw_rail(workspace, HERE)[1] is True
    run.write_status(note=jobs.hold_now(workspace).words)  # type: ignore[union-attr]
    assert draw_rail(workspace, HERE)[1] is False
    drawn = tab.refresh(HERE)
    assert "turning" not in drawn[tab.top] + drawn[tab.queue.card] and "unknown" not in drawn[tab.top]


def test_names_and_devices_from_disk_are_text(tab: RunsTab, workspace: Workspace) -> None:
    run = begin_run(workspace, "odd")
    run.write_status(device=f"cuda:{EVIL}")
    create_job_folder(workspace.job("odd-job"), "mine", {"device": EVIL}, {})
    assert "<img" not in tab.refresh(HERE)[tab.queue.card]
