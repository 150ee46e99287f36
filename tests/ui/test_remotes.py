"""A remote endpoint on the Evaluate tab: described, tried, previewed, evaluated; its key leaves nothing behind."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from tests.enrich.bad_endpoint import bad_endpoint
from tests.models.fake_remote import answers
from tests.models.test_remote_jobs import HELD, KEY, holders_of
from tests.models.test_remote_jobs import texts as texts  # a fixture
from tests.ui.conftest import App, axe, open_tab, watch
from workbench import jobs
from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import list_evaluations
from workbench.job_folder import create_job_folder
from workbench.models.remote import add_remote, remotes
from workbench.models.remote_keys import HANDED
from workbench.ui.choices import base_choices
from workbench.ui.job_views import check_may_begin
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.remotes import RemoteModels
from workbench.workspace import Workspace


def fold(workspace: Workspace, allowed: bool = True) -> RemoteModels:
    with gr.Blocks():
        page = Page(workspace)
        page.may_run_code = allowed
        return RemoteModels(page, gr.Dropdown(multiselect=True, allow_custom_value=True), gr.Dropdown())


def test_a_model_is_described_chosen_and_said_to_get_what(workspace: Workspace, texts: Collection) -> None:
    with bad_endpoint(answers("openai")) as server:
        made = fold(workspace)
        changed = made.add_remote_model(Place(), ["starter"], " toy ", "openai", server.address, "m", "0.5")
        assert changed[made.models].value == ["starter", "remote:toy"]
        assert "Added as remote:toy" in changed[made.found]
        told = made.show_sends(Place(), ["starter", "remote:toy"], "texts")[made.sends]
        assert f"127.0.0.1 gets at most {2 * HELD} texts (remote:toy)" in told and not server.asked
        assert "answers: vectors of 8 numbers" in made.try_remote_model(Place(), "remote:toy", KEY)[made.found]
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert made.show_sends(Place(), ["starter", "someone/else"], "texts")[made.sends] == ""
    assert ("toy (at 127.0.0.1)", "remote:toy") in made.choices()
    assert "remote:toy" not in [reference for _, reference in base_choices(workspace, "embedder")]


def test_a_key_goes_into_the_environment_of_a_job_that_needs_it_alone(workspace: Workspace) -> None:
    add_remote(workspace, {"name": "toy", "shape": "openai", "address": "http://localhost:1/v1", "model": "m"})
    made = fold(workspace)
    assert KEY in made.environment(["starter", "remote:toy"], "remote:toy", KEY)[HANDED]
    assert made.environment(["starter"], "remote:toy", KEY) == {}
    assert made.environment(["remote:toy"], "remote:toy", " ") == {}
    assert made.environment(["remote:toy"], None, KEY) == {}
    assert made.draw()[made.key] == ""


def test_a_page_that_is_open_to_others_asks_no_address_of_theirs(workspace: Workspace) -> None:
    add_remote(workspace, {"name": "toy", "shape": "openai", "address": "http://localhost:1/v1", "model": "m"})
    made = fold(workspace, allowed=False)
    attempts: list[Any] = [
        lambda: made.add_remote_model(Place(), [], "mine", "openai", "http://localhost:2/v1", "m", ""),
        lambda: made.try_remote_model(Place(), "remote:toy", ""),
        lambda: made.environment(["remote:toy"], None, ""),
    ]
    for attempt in attempts:
        with pytest.raises(WorkbenchError, match="This page is open to others"):
            attempt()
    assert [one.name for one in remotes(workspace)] == ["toy"]
    assert "remote:toy" not in [reference for _, reference in made.choices()]


def test_nobody_else_resumes_what_asks_a_model_that_the_owner_pays_for(workspace: Workspace) -> None:
    job = create_job_folder(workspace.job("e"), "evaluate", {"collection": "texts", "models": ["remote:toy"]}, {})
    other = create_job_folder(workspace.job("f"), "evaluate", {"collection": "texts", "models": ["starter"]}, {})
    with gr.Blocks():
        page = Page(workspace)
        check_may_begin(page, other)
        with pytest.raises(WorkbenchError, match="in its owner's name"):
            check_may_begin(page, job)
        page.may_run_code = True
        check_may_begin(page, job)


@pytest.mark.slow
def test_in_a_browser_from_the_address_to_the_result(app: App, page: Any, texts: Collection) -> None:
    browsing = watch(page)
    with bad_endpoint(answers("openai", last_word=True)) as server:
        open_tab(page, app, "evaluate")
        page.click("#remote button.label-wrap")
        page.fill("#remote-name input, #remote-name textarea", "toy")
        page.fill("#remote-address input, #remote-address textarea", server.address)
        page.fill("#remote-model input, #remote-model textarea", "m")
        page.click("#remote-add")
        page.wait_for_selector("#remote-found :text('Added as remote:toy')")
        page.wait_for_selector("#evaluate-sends :text('127.0.0.1 gets at most')")
        assert not server.asked and not axe(page)
        page.fill("#remote-key input", KEY)
        page.locator("#evaluate-models .token-remove").first.click()
        page.click("#evaluate-start")
        end = 90_000
        page.wait_for_function("() => document.querySelector('#evaluate-top').innerText.includes('texts')", timeout=end)
        job = jobs.list_jobs(app.workspace, "evaluate")[0]
        assert jobs.wait(job).state == "finished", job.status().reason
        assert server.headers[-1]["Authorization"] == f"Bearer {KEY}"
        assert page.input_value("#remote-key input") == ""
    assert list_evaluations(app.workspace)
    assert holders_of(KEY, app.workspace.root) == [] and KEY not in app.log.read_text(errors="replace")
    assert not browsing.errors and not any(KEY in url for url in browsing.requests)
