"""The pictures that the README shows, taken only when they are asked for.

WORKBENCH_SCREENSHOTS names a workspace whose newest index was made with a tuned model, and which has an evaluation of
it; a finished late-interaction run there is used to rerank. The parts of the Data tab are taken of the newest
collection that has been checked and mined.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import ROOT, App, choose, open_tab, start_app
from workbench.collection.store import list_collections
from workbench.doctor.check import read_check
from workbench.index.registry import list_indexes
from workbench.ui.choices import finished_runs
from workbench.workspace import open_workspace

WORKSPACE = os.environ.get("WORKBENCH_SCREENSHOTS", "")
PICTURES = ROOT / "docs" / "screenshots"
ASKED = "hearts"

pytestmark = pytest.mark.skipif(not WORKSPACE, reason="WORKBENCH_SCREENSHOTS names no workspace to take pictures of")


@pytest.fixture(scope="module")
def finished() -> Iterator[App]:
    app = start_app(open_workspace(Path(WORKSPACE)))
    yield app
    app.stop()


def keep(page: Any, name: str) -> None:
    page.wait_for_timeout(900)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def search(page: Any, app: App) -> None:
    second = next((run.name for run in finished_runs(app.workspace, "late-interaction")), "starter-reranker")
    choose(page, "search-reranker", second)
    page.fill("#search-text input, #search-text textarea", ASKED)
    for _ in range(2):  # the first time loads the models, which is not what the milliseconds are about
        page.keyboard.press("Enter")
        page.wait_for_selector(".hit .moved", timeout=60_000)
        page.wait_for_timeout(1500)
    page.evaluate("document.activeElement.blur()")


def test_pictures_for_the_readme(finished: App, new_page: Callable[..., Any]) -> None:
    index = max(list_indexes(finished.workspace), key=lambda card: card.created)
    place = {"collection": index.collection, "run": index.model.removeprefix("run:"), "index": index.name}
    light, dark, narrow = new_page(), new_page(dark=True), new_page(width=390, height=844)
    for tab in ("train", "runs", "evaluate"):
        open_tab(light, finished, tab, **place)
        keep(light, tab)
    open_tab(dark, finished, "evaluate", **place)
    keep(dark, "evaluate-dark")
    for page, name in ((light, "search"), (dark, "search-dark"), (narrow, "search-narrow")):
        open_tab(page, finished, "search", **place)
        search(page, finished)
        keep(page, name)


def test_pictures_of_the_data_tab(finished: App, new_page: Callable[..., Any]) -> None:
    cards = list_collections(finished.workspace)
    card = next(card for card in cards if read_check(finished.workspace, card.name) is not None)
    page = new_page()
    for part, shown in {"": "#data-collection img", "check": ".finding", "review": "[data-pair][aria-current]"}.items():
        open_tab(page, finished, "data", collection=card.name, part=part)
        page.wait_for_selector(shown)
        keep(page, part or "data")
