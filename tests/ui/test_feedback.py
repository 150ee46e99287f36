"""Search in a real browser: thumbs become judgements where the user wants them, and limits on metadata hold."""

from __future__ import annotations

import csv
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import png_bytes
from tests.ui.conftest import App, axe, choose, open_tab, start_app
from workbench.collection.importing import import_collection
from workbench.collection.store import list_collections, open_collection
from workbench.index.build import build_index
from workbench.models import load_embedder
from workbench.workspace import open_workspace

WORDS = "#search-text input, #search-text textarea"
ROWS = 16
KINDS = ['it\'s "red"', "<b>blue</b>"]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over pictures with two metadata columns, read by the starter."""
    folder = tmp_path_factory.mktemp("feedback")
    workspace = open_workspace(folder / "workspace")
    with zipfile.ZipFile(folder / "photos.zip", "w") as file, open(folder / "pairs.csv", "w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["caption", "photo", "kind", "year"])
        for row in range(ROWS):
            writer.writerow([f"picture number {row}", f"{row}.png", KINDS[row % 2], 1990 + row])
            file.writestr(f"{row}.png", png_bytes((15 * row, 255 - 15 * row, 90), (32, 32)))
        table.close()
        file.write(folder / "pairs.csv", "pairs.csv")
    import_collection(workspace, "photos", folder / "photos.zip", {"query": "caption", "document": "photo"})
    build_index(workspace, "photos", "photos", "starter", embedder=load_embedder(workspace, "starter", device="cpu"))
    app = start_app(workspace)
    yield app
    app.stop()


def ask(page: Any, app: App, words: str) -> None:
    open_tab(page, app, "search", index="photos")
    page.wait_for_timeout(500)  # the tab is drawn again when it has opened
    page.fill(WORDS, words)
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit .thumb")


def thumb(page: Any, rank: int, verdict: str) -> Any:
    return page.locator(f".hit >> nth={rank - 1}").locator(f"[data-verdict={verdict}]")


def press(page: Any, rank: int, verdict: str, pressed: bool = True) -> str:
    """Press a thumb and wait until it is shown as pressed, or as not; returns the id of the document."""
    button = thumb(page, rank, verdict)
    button.click()
    document = button.get_attribute("data-document")
    wanted = f".thumb[data-verdict={verdict}][data-document='{document}'][aria-pressed={str(pressed).lower()}]"
    page.wait_for_selector(wanted)
    return str(document)


def feedback(app: App, name: str) -> dict[str, Row]:
    """What lies on disk, by document; each pair once."""
    rows = [row for row in open_collection(app.workspace, name).judgements if row["source"] == "feedback"]
    assert len({(row["query"], row["document"]) for row in rows}) == len(rows)
    return {row["document"]: row for row in rows}


def test_thumbs_become_feedback_in_the_collection_searched(searchable: App, page: Any) -> None:
    ask(page, searchable, "something greenish")
    before = time.time()
    good, bad, best = press(page, 1, "up"), press(page, 2, "down"), press(page, 5, "first")
    page.wait_for_selector(".toast-body:has-text('this should have been first')")
    found = feedback(searchable, "photos")
    assert {document: row["score"] for document, row in found.items()} == {good: 1.0, bad: 0.0, best: 2.0}
    told = json.loads(found[good]["meta"])
    assert (told["by"], told["model"], told["text"]) == ("local", "starter", "something greenish")
    assert before - 5 < told["when"] < time.time() + 5
    collection = open_collection(searchable.workspace, "photos")
    assert collection.item("queries", collection.query_rows[found[good]["query"]]).text == "something greenish"
    assert press(page, 1, "down") == good
    assert feedback(searchable, "photos")[good]["score"] == 0.0, "another verdict takes the place of the first"
    assert thumb(page, 1, "up").get_attribute("aria-pressed") == "false"
    ask(page, searchable, "something greenish")
    pressed = page.locator(".thumb[aria-pressed=true]")
    assert {one.get_attribute("data-document") for one in pressed.all()} == {good, bad, best}
    for rank, verdict in ((1, "down"), (2, "down"), (5, "first")):
        press(page, rank, verdict, pressed=False)
    assert feedback(searchable, "photos") == {}
    page.wait_for_function("[...document.querySelectorAll('.hit img')].every((one) => one.naturalWidth > 0)")
    assert page.browsing.errors == []


def test_a_new_name_begins_a_collection_with_the_picture_in_it(searchable: App, page: Any) -> None:
    ask(page, searchable, "a find")
    page.fill("#search-feedback-collection input", "my-finds")
    page.keyboard.press("Enter")
    document = press(page, 3, "up")
    press(page, 4, "down")
    assert {card.name for card in list_collections(searchable.workspace)} == {"photos", "my-finds"}
    kept = open_collection(searchable.workspace, "my-finds")
    assert set(feedback(searchable, "my-finds")) == set(kept.document_rows)
    assert kept.item("corpus", kept.document_rows[document]).image is not None
    assert feedback(searchable, "photos") == {}
    choose(page, "search-feedback-collection", "photos")
    page.wait_for_function("document.querySelectorAll('.thumb[aria-pressed=true]').length === 0")
    choose(page, "search-feedback-collection", "my-finds")
    page.wait_for_function("document.querySelectorAll('.thumb[aria-pressed=true]').length === 2")
    page.fill("#search-feedback-collection input", "../up")
    page.keyboard.press("Enter")
    thumb(page, 1, "up").click()
    page.wait_for_selector("#message .notice.bad")
    assert "cannot be the name" in page.inner_text("#message")


def test_feedback_for_a_picture_keeps_the_picture_as_the_query(searchable: App, page: Any, tmp_path: Path) -> None:
    asked = png_bytes((9, 9, 200), (40, 40))
    (tmp_path / "asked.png").write_bytes(asked)
    open_tab(page, searchable, "search", index="photos")
    page.wait_for_timeout(500)
    page.locator("#search-mode label").filter(has_text="Picture").click()
    page.set_input_files("#search-image input[type=file]", tmp_path / "asked.png")
    page.wait_for_selector("#search-image img")
    page.click("#search-go")
    page.wait_for_selector(".hit .thumb")
    page.locator("#search-mode label").filter(has_text="Text").click()  # what is asked with now does not matter
    document = press(page, 2, "up")
    query = feedback(searchable, "photos")[document]["query"]
    collection = open_collection(searchable.workspace, "photos")
    assert collection.item("queries", collection.query_rows[query]).image == asked
    press(page, 2, "up", pressed=False)


def test_results_are_limited_to_documents_with_the_metadata(searchable: App, page: Any) -> None:
    open_tab(page, searchable, "search", index="photos")
    page.wait_for_selector("#search-filters select")
    page.wait_for_timeout(500)
    page.select_option("#search-filters select", KINDS[1])
    page.fill("#search-filters [data-end=low]", "2000")
    page.fill(WORDS, "anything")
    page.click("#search-go")
    page.wait_for_selector(".hit")
    assert "3 results among 3 of 16 documents" in page.inner_text(".stages")
    captions = {one.inner_text() for one in page.locator(".hit .caption").all()}
    assert captions == {"picture number 11", "picture number 13", "picture number 15"}
    page.select_option("#search-filters select", "")
    page.fill("#search-filters [data-end=high]", "2001")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.hit').length === 2")
    page.fill("#search-filters [data-end=low]", "2005")
    page.keyboard.press("Enter")
    page.wait_for_selector("#message .notice.bad")
    assert "turn the two round" in page.inner_text("#message")
    assert page.browsing.dialogs == []


@pytest.mark.slow
def test_thumbs_and_limits_are_fit_for_screen_readers_and_phones(searchable: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    ask(page, searchable, "a picture")
    press(page, 1, "up")
    press(page, 2, "down")
    page.wait_for_selector(".toast-body", state="detached", timeout=15_000)
    assert axe(page) == []
    narrow = new_page(width=390, height=844)
    ask(narrow, searchable, "a picture")
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
