"""The part Index in a real browser: looked through, written, taken away, removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.index.toys import ToyEmbedder, make_collection, texts
from tests.ui.conftest import App, axe, open_tab
from workbench.index.build import build_index
from workbench.index.registry import list_indexes


@pytest.mark.slow
def test_an_index_is_looked_through_written_and_removed(module_app: App, new_page: Callable[..., Any]) -> None:
    workspace = module_app.workspace
    make_collection(workspace, "words", texts(40))
    build_index(workspace, "words", "words", "toy", embedder=ToyEmbedder())  # type: ignore[arg-type]
    page = new_page()
    open_tab(page, module_app, "search", index="words", part="index")
    page.click("#index-verify")
    page.wait_for_selector("#index-away .found >> text=The model “toy” cannot be loaded")
    page.click("#index-export")
    with page.expect_download() as begun:
        page.click("#index-away >> text=index.json")
    assert '"rows": 40' in begun.value.path().read_text()
    assert axe(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#index-foot summary")
    page.click("#index-remove")
    page.wait_for_selector("#search-top >> text=A model reads every item of a collection once")
    assert list_indexes(workspace) == [] and page.browsing.errors == []
