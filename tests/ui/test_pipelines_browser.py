"""In a real browser: a second stage is measured from the button to the sentence, on the starters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.test_remote_jobs import texts as texts  # a fixture
from tests.ui.conftest import App, axe, open_tab, watch
from workbench import jobs
from workbench.collection.store import Collection
from workbench.evaluation.evaluate import evaluate


@pytest.mark.slow
def test_a_second_stage_is_measured_while_the_page_shows_how_far_it_is(app: App, page: Any, texts: Collection) -> None:
    browsing = watch(page)
    evaluate(app.workspace, "texts", ["starter"], name="e")
    open_tab(page, app, "evaluate", evaluation="e", part="pipelines")
    page.wait_for_selector("#pipelines-told :text('A reranker looks at the query')")
    assert not page.is_visible("#pipelines-plot")
    page.fill("#pipelines-queries input", "10")
    page.check("#pipelines-fuse input")
    page.click("#pipelines-start")
    page.wait_for_selector("#pipelines-job :text('Measuring starter + full text + starter-reranker')")
    assert page.is_disabled("#pipelines-start")
    page.wait_for_selector("#pipelines-told td:text('Reranked, the first 20')", timeout=120_000)
    assert jobs.list_jobs(app.workspace, "pipeline")[0].status().state == "finished"
    page.wait_for_selector("#pipelines-plot .scatterlayer .point")
    told = page.inner_text("#pipelines-told")
    assert "Full text" in told and "Reranking" in told and "10 queries against 20 documents" in told
    assert page.is_enabled("#pipelines-start") and page.input_value("#pipelines-queries input") == "10"
    assert not axe(page) and not browsing.errors
    page.reload()
    page.wait_for_selector("#pipelines-told td:text('Both together')")
