"""Data as people bring them, all the way: a messy ZIP, the doctor, its fixes, mining, a review, a run, feedback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import App, axe, open_tab
from tests.ui.messy import PLANTED, REFUSED, messy_zip
from workbench.collection.store import open_collection

PATIENCE = 120_000
NAME = "messy"
DECISIONS = "NNMNNSNNMNNNNMNNSNNN"


@pytest.mark.slow
def test_a_messy_upload_is_mended_mined_reviewed_trained_on_and_judged(
    module_app: App, new_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = new_page()
    page.set_default_timeout(PATIENCE)
    bring(module_app, page, messy_zip(tmp_path / f"{NAME}.zip"))
    see_the_doctor(page)
    mend_everything(module_app, page)
    mine(page)
    review_twenty(module_app, page)
    train(page)
    judge_a_search(module_app, page)
    assert page.browsing.errors == []
    assert page.browsing.dialogs == []


def bring(app: App, page: Any, archive: Path) -> None:
    open_tab(page, app, "data")
    page.set_input_files("#data-upload input[type=file]", archive)
    page.wait_for_selector("#map-import")
    assert page.input_value("#map-query") == "caption"
    assert page.input_value("#map-document") == "photo"
    page.click("#map-import")
    page.wait_for_selector("#data-train")
    assert f"{REFUSED} rows left out" in page.inner_text("#tab-data")


def see_the_doctor(page: Any) -> None:
    page.click("#part-check")
    page.click("#check-start")
    page.wait_for_selector(".finding")
    kinds = set(page.eval_on_selector_all(".finding", "(found) => found.map((one) => one.dataset.kind)"))
    assert kinds >= PLANTED, PLANTED - kinds
    assert page.inner_text("#part-check .badge") != ""
    for picture in page.locator(".finding img").all():
        picture.scroll_into_view_if_needed()  # what lies far below is fetched when it is come to
    page.wait_for_function("[...document.querySelectorAll('.finding img')].every((one) => one.naturalWidth > 0)")
    assert axe(page) == []


def mend_everything(app: App, page: Any) -> None:
    """Press every Fix, take the last back and press it again; a second check then finds none of the faults."""
    fixes = page.locator(".finding button[data-act=fix]")
    while left := fixes.count():
        fixes.first.click()
        page.wait_for_function(f"document.querySelectorAll('.finding button[data-act=fix]').length < {left}")
    assert page.locator(".finding").count() == 0 or fixes.count() == 0
    before = open_collection(app.workspace, NAME).fingerprint
    page.click("#check-undo")
    page.wait_for_selector(".finding button[data-act=fix]")
    assert open_collection(app.workspace, NAME).fingerprint != before
    fixes.first.click()
    page.wait_for_function("document.querySelectorAll('.finding button[data-act=fix]').length === 0")
    page.click("#check-start")
    page.wait_for_function("!document.querySelector('.mended') && !document.querySelector('#check-job .bar')")
    kinds = set(page.eval_on_selector_all(".finding", "(found) => found.map((one) => one.dataset.kind)"))
    assert not kinds & PLANTED, kinds
    texts = " ".join(open_collection(app.workspace, NAME).queries["text"][:])
    assert "jane.doe" not in texts


def mine(page: Any) -> None:
    page.click("#part-negatives")
    page.click("#negatives-start")
    page.click("#negatives-review")
    page.wait_for_selector("[data-pair][aria-current]")


def review_twenty(app: App, page: Any) -> None:
    for key in DECISIONS:
        page.keyboard.press(key)
    wanted = sum(key != "S" for key in DECISIONS)
    sources = wait_for_source(app, "reviewed", wanted)
    assert sources.count("mined") > wanted


def train(page: Any) -> None:
    page.click("#go-train")
    page.wait_for_selector("#train-start")
    page.click("#train-advanced button.label-wrap")
    page.fill("#setting-max_steps input", "8")
    page.fill("#train-name input, #train-name textarea", "messy-1")
    page.click("#train-start")
    page.wait_for_selector(".verdict .chip, #runs-top .notice.bad")
    assert page.locator("#runs-top .notice.bad").count() == 0, page.inner_text("#runs-top")


def judge_a_search(app: App, page: Any) -> None:
    page.click("#run-search")
    page.wait_for_selector("#search-go")
    page.fill("#search-text input, #search-text textarea", "a thing that is red")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit .thumb")
    page.locator(".hit >> nth=1").locator("[data-verdict=first]").click()
    page.wait_for_selector(".thumb[data-verdict=first][aria-pressed=true]")
    wait_for_source(app, "feedback", 1)
    kept = open_collection(app.workspace, NAME)
    given = [row for row in kept.judgements if row["source"] == "feedback"]
    assert kept.item("queries", kept.query_rows[given[0]["query"]]).text == "a thing that is red"


def wait_for_source(app: App, source: str, count: int) -> list[str]:
    """The sources of all judgements on disk, once so many have this one."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        sources = open_collection(app.workspace, NAME).judgements["source"][:]
        if sources.count(source) == count:
            return list(sources)
        time.sleep(0.2)
    raise AssertionError(f"{sources.count(source)} judgements are {source}, not {count}")
