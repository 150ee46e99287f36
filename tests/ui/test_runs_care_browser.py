"""Notes, comparison and script of a run in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.conftest import App, axe, open_tab
from tests.ui.test_runs_care import EVIL, finished
from workbench import jobs

pytestmark = pytest.mark.slow


def test_a_run_is_noted_and_compared_on_the_page(module_app: App, page: Any) -> None:
    run = finished(module_app.workspace, "noted", learning_rate=1e-3)
    finished(module_app.workspace, "another", learning_rate=1e-4)
    open_tab(page, module_app, "runs", run="noted")
    page.wait_for_selector("#run-notes")
    fold = page.locator("#runs-below details.remove:has(#run-remove)")
    fold.locator("summary").click()
    page.click("#run-notes button")
    page.fill("#run-note textarea", EVIL)
    page.fill("#run-tags input, #run-tags textarea", "paper")
    page.click("#run-note-save")
    for _ in range(100):
        if jobs.read_notes(run)["tags"]:
            break
        page.wait_for_timeout(100)
    assert jobs.read_notes(run) == {"text": EVIL, "tags": ["paper"]}
    page.wait_for_selector("#runs-below :text('paper')")
    assert fold.get_attribute("open") is not None, "what was unfolded closed when the run was drawn again"
    open_tab(page, module_app, "runs", run="another")
    assert fold.get_attribute("open") is None
    open_tab(page, module_app, "runs", run="noted")
    page.wait_for_selector("#run-notes")

    page.click("#run-compare button")
    page.click("#run-compare-with input")
    page.click("li[role=option][aria-label=another]")
    page.wait_for_selector("#run-compared table")
    assert "Learning rate" in page.inner_text("#run-compared")
    page.wait_for_function("(document.querySelector('#run-compare-loss .plot')?.data ?? []).length === 2")

    page.click("#run-script button")
    page.click("#run-script-show")
    page.wait_for_function("document.body.innerText.includes('has not written down what it learns from')")
    assert page.browsing.errors == []
    assert axe(page) == []
