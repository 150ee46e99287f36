"""The first minutes: five clicks on a Space, `--demo` with a password, Stop, Resume and Remove pressed in the page."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.ui.conftest import App, open_tab
from workbench.collection.store import list_collections
from workbench.ui.demo import FIRST_RUN, SCENES_VARIABLE

PATIENCE = 120_000
POINTS = "(document.querySelector('#runs-loss .plot')?.data?.[0]?.x ?? []).length"
COUNT_CLICKS = """
window.clicks = 0;
addEventListener('click', (event) => { if (event.isTrusted && event.detail) clicks += 1; }, true);
"""


def answer(address: str, **headers: str) -> int:
    """The status of a GET without a login."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_fresh_space_is_searched_with_a_fine_tuned_model_in_five_clicks(start: Callable[..., App], page: Any) -> None:
    app = start(on_space=True, **{SCENES_VARIABLE: "16"})
    assert answer(app.url, Host="me-workbench.hf.space") == 200
    assert answer(app.url, Host="evil.example") == 400
    page.set_default_timeout(PATIENCE)
    open_tab(page, app, "data")
    assert any("no storage attached" in notice for notice in page.locator(".standing").all_inner_texts())
    page.evaluate(COUNT_CLICKS)
    page.click("#data-demo")
    page.click("#data-train")
    page.click("#train-start")
    page.click("#run-search")
    page.wait_for_selector("#search-go")
    page.fill("#search-text input, #search-text textarea", "a red circle")
    page.click("#search-go")
    page.wait_for_selector(".hit")
    assert page.evaluate("clicks") == 5
    assert "read by demo-quick" in page.inner_text("#tab-search .heading")
    assert page.browsing.errors == []


@pytest.mark.slow
def test_the_demo_behind_a_password_is_stopped_resumed_and_removed_in_the_page(
    start: Callable[..., App], page: Any
) -> None:
    app = start("--demo", "--auth", "me:secret", **{SCENES_VARIABLE: "60"})
    page.set_default_timeout(PATIENCE)
    for path in ("config", "gradio_api/info", "gradio_api/file=app.py"):
        assert answer(app.url + path) in (401, 403), path
    assert answer(app.url + "media/demo/corpus/0/thumb/-") == 403
    page.goto(app.url)
    page.fill("input[autocomplete=username], label:has-text('username') input", "me")
    page.fill("input[type=password]", "secret")
    page.keyboard.press("Enter")
    page.wait_for_selector("#data-train")
    assert page.inner_text("#tab-data h1") == "demo"
    page.wait_for_function("document.querySelector('#data-collection img').naturalWidth > 0")
    page.wait_for_selector("#go-runs .turning")
    open_tab(page, app, "runs")
    assert page.inner_text("#tab-runs h1") == FIRST_RUN
    page.wait_for_function(f"{POINTS} > 1")
    page.click("#run-stop")
    page.click("#run-resume")
    reached = page.evaluate("document.querySelector('#runs-loss .plot').data[0].x.at(-1)")
    assert list((app.workspace.run(FIRST_RUN) / "checkpoints").glob("checkpoint-*"))
    page.wait_for_function(f"document.querySelector('#runs-loss .plot').data[0].x.at(-1) > {reached}")
    page.click("#run-stop")
    page.wait_for_selector("#run-resume")
    page.click("#runs-below details.remove:has(#run-remove) summary")
    page.click("#run-remove")
    page.wait_for_selector("#tab-runs .empty")
    assert not app.workspace.run(FIRST_RUN).exists()
    assert [card.name for card in list_collections(app.workspace)] == ["demo"]
    assert workers_of(app) == []


def workers_of(app: App) -> list[str]:
    """The command lines of processes that work in this workspace beside the page itself."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(app.workspace.root) in line and process.pid != app.process.pid:
            found.append(line)
    return found


@pytest.mark.parametrize("words", ["me", "me:"])
def test_a_login_that_is_none_is_refused_before_anything_opens(words: str) -> None:
    import app as entry

    assert entry.main(["--auth", words]) == 1
