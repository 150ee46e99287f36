"""The queue in a real browser: moved, paused and let go on by clicks, in two tabs, on a narrow page too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.conftest import App, axe, open_tab
from tests.ui.test_live import begin_run
from tests.ui.test_runs_queue import wait_in_line
from workbench import jobs
from workbench.jobs import processes

pytestmark = pytest.mark.slow


def first_of(page: Any, name: str) -> None:
    page.wait_for_function(f"document.querySelector('ol.queue .move')?.dataset.name === '{name}'")


def pause_until(page: Any, when: str, answer: str) -> None:
    """Type a time and press, faster than anybody does: what opens the form may answer in between, and empty it."""
    from playwright.sync_api import TimeoutError as TooLate

    for _ in range(10):
        page.fill("#queue-until input, #queue-until textarea", when)
        page.click("#queue-pause-go")
        try:
            page.wait_for_function("words => document.body.innerText.includes(words)", arg=answer, timeout=9_000)
        except TooLate:
            continue
        return
    raise AssertionError(f"“{answer}” was never said")


def test_the_queue_is_moved_and_paused_by_clicks(module_app: App, new_page: Callable[..., Any]) -> None:
    workspace = module_app.workspace
    for job in (begin_run(workspace, "learning"), *wait_in_line(workspace, "a", "b")):
        job.write_status(**processes.identity())  # they live as long as this test, however slow the machine is
    page, other = new_page(), new_page(width=390, height=844, dark=True)
    for one in (page, other):
        open_tab(one, module_app, "runs", run="learning")
        first_of(one, "a")
    page.click("[aria-label='Move b up']")
    first_of(page, "b")
    first_of(other, "b")  # the other tab sees it
    other.click("#queue-pause-now")
    other.wait_for_selector("#queue-go-on")
    assert jobs.hold_now(workspace).at_once  # type: ignore[union-attr]
    page.click("#queue-go-on")
    page.wait_for_selector("#queue-go-on", state="detached")  # its answer draws the queue anew
    page.click("#runs-queue .link")
    pause_until(page, "soon", "“soon” is no time")
    pause_until(page, "23:59", "Paused until 23:59")
    assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for one in (page, other):
        assert axe(one) == [] and one.browsing.errors == []
