"""A run followed live in a real browser: curves grow, a zoom stays, idle ticks send nothing, two tabs see the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.ui.conftest import App, open_tab
from workbench.job_folder import JobFolder, create_job_folder
from workbench.workspace import Workspace

POINTS = "(document.querySelector('#runs-loss .plot')?.data?.[0]?.x ?? []).length"


def begin_run(workspace: Workspace, name: str) -> JobFolder:
    """A run that says it is at work; nothing runs. A job just started needs no process for half a minute."""
    spec = {
        "kind": "embedder",
        "model": "starter",
        "collection": "photos",
        "preset": "quick",
        "settings": {"batch_size": 8},
    }
    run = create_job_folder(workspace.run(name), "train", spec, {})
    run.write_status(state="running", total=50, step=0, note="Training")
    run.emit("evaluation", step=0, untouched=True, metrics={"ndcg@10": 0.062})
    run.emit("started", step=0, steps=50)
    (run.path / "log.txt").write_text("<b>reading</b> weights\n 10%|█    | 1/10\r100%|████| 10/10\nready\n")
    add_steps(run, 1, 6)
    return run


def add_steps(run: JobFolder, first: int, last: int) -> None:
    for step in range(first, last + 1):
        run.emit("metrics", step=step, loss=4.0 / step, process_bytes=1_400_000_000)
    run.write_status(step=last)


def test_curves_grow_while_a_zoom_stays(module_app: App, page: Any) -> None:
    run = begin_run(module_app.workspace, "curves")
    open_tab(page, module_app, "runs", run="curves")
    page.wait_for_function(f"{POINTS} === 6")
    page.evaluate("Plotly.relayout(document.querySelector('#runs-loss .plot'), {'xaxis.range': [2, 4]})")
    page.evaluate("document.querySelector('#runs-loss .plot').marked = true")
    add_steps(run, 7, 12)
    page.wait_for_function(f"{POINTS} === 12")
    assert page.evaluate("document.querySelector('#runs-loss .plot').layout.xaxis.range") == [2, 4]
    assert page.evaluate("document.querySelector('#runs-loss .plot').marked") is True
    base = page.evaluate("document.querySelector('#runs-ndcg .plot').data[0]")
    assert base["line"]["dash"] == "dash"
    assert base["y"] == [0.062, 0.062]
    assert page.browsing.errors == []


def test_the_log_is_text_and_leaves_progress_bars_out(module_app: App, page: Any) -> None:
    begin_run(module_app.workspace, "logged")
    open_tab(page, module_app, "runs", run="logged")
    page.wait_for_selector("#runs-below .log")
    shown = page.inner_text("#runs-below .log")
    assert "<b>reading</b> weights" in shown
    assert "ready" in shown
    assert "%|" not in shown


def test_an_idle_tick_sends_nothing_to_draw(module_app: App, page: Any) -> None:
    """The clock of the open tab and the pulse of the rail both tick, and none sends more than “the same as before”."""
    begin_run(module_app.workspace, "idle")
    open_tab(page, module_app, "runs", run="idle")
    page.wait_for_function(f"{POINTS} === 6")
    page.wait_for_timeout(1_500)  # what opening the tab asked for has come
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if "/run/predict" in answer.url else None)
    page.wait_for_timeout(5_000)
    assert len(sizes) >= 3, "the clock does not tick"
    assert max(sizes) < 1_500, sizes


def test_a_refresh_and_a_second_tab_show_the_same_run(module_app: App, new_page: Callable[..., Any]) -> None:
    run = begin_run(module_app.workspace, "older")
    time.sleep(0.05)
    begin_run(module_app.workspace, "newer")
    first, second = new_page(), new_page()
    open_tab(first, module_app, "runs")
    assert first.inner_text("#tab-runs h1") == "newer"
    first.select_option("#run-choose", "older")
    first.wait_for_function("document.querySelector('#tab-runs h1').innerText === 'older'")
    first.wait_for_function("location.search.includes('run=older')")
    first.reload()
    first.wait_for_selector("#tab-runs h1")
    assert first.inner_text("#tab-runs h1") == "older"
    open_tab(second, module_app, "runs", run="older")
    add_steps(run, 7, 9)
    for page in (first, second):
        page.wait_for_function(f"{POINTS} === 9")


def test_the_same_button_leads_to_its_tab_every_time(module_app: App, page: Any) -> None:
    run = begin_run(module_app.workspace, "done")
    run.write_status(state="finished")
    open_tab(page, module_app, "runs", run="done")
    for _ in range(2):
        page.click("#run-evaluate")
        page.wait_for_selector("#go-evaluate[aria-current=page]")
        page.wait_for_selector("#tab-evaluate h1")
        assert "run=done" in page.url
        page.click("#go-runs")
        page.wait_for_selector("#run-evaluate")


def test_a_run_that_failed_says_why_and_what_to_press(module_app: App, page: Any) -> None:
    run = begin_run(module_app.workspace, "failed")
    run.write_status(state="failed", reason="The GPU ran out of memory.\nTry a mini-batch of 16.")
    open_tab(page, module_app, "runs", run="failed")
    page.wait_for_selector("#run-resume")
    shown = page.inner_text("#runs-top")
    assert "The GPU ran out of memory." in shown
    assert "Try a mini-batch of 16." in shown
    page.click("#runs-below details.remove:has(#run-remove) summary")
    assert "its model, checkpoints and log" in page.inner_text("#runs-below details.remove:has(#run-remove)")
    page.click("#run-remove")
    page.wait_for_function("document.querySelector('#tab-runs h1').innerText !== 'failed'")
    assert not run.path.exists()
