"""The Search tab in a real browser, from the first word to a shared address, over the demo read by the starter."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import App, axe, choose, open_tab, start_app, watch
from workbench.collection.demo import make_demo
from workbench.collection.store import open_collection
from workbench.index.build import build_index
from workbench.index.preference import preferences
from workbench.models import load_embedder
from workbench.workspace import open_workspace

pytestmark = pytest.mark.slow
WORDS = "#search-text :is(input, textarea)"
SIDE_WORDS = "#side-text :is(input, textarea)"
FIRST = "document.querySelector('.hit [data-act=open]')?.dataset.asked"


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over the demo in two sizes."""
    workspace = open_workspace(tmp_path_factory.mktemp("searchable") / "workspace")
    make_demo(workspace, "demo", 16)
    starter = load_embedder(workspace, "starter", device="cpu")
    build_index(workspace, "small", "demo", "starter", embedder=starter, dimension=16)
    build_index(workspace, "demo", "demo", "starter", embedder=starter)
    app = start_app(workspace)
    yield app
    app.stop()


def asked_anew(page: Any, act: Callable[[], None]) -> None:
    """Do something, and wait until other results have come."""
    before = page.evaluate(FIRST)
    act()
    page.wait_for_function(f"(before) => {FIRST} && {FIRST} !== before", arg=before)


def test_from_a_word_to_a_shared_address(
    searchable: App, page: Any, browser: Any, tmp_path: Path, new_page: Callable[..., Any]
) -> None:
    collection = open_collection(searchable.workspace, "demo")
    open_tab(page, searchable, "search", index="demo")
    page.wait_for_timeout(500)  # the tab is drawn again when it has opened
    type_words(page)
    open_a_result(page)
    give_a_thumb(page, searchable)
    only_sounds(page)
    rerank(page)
    ask_with_a_picture(page, collection, tmp_path)
    more_and_less(page)
    keep(page)
    share(page, browser)
    side_by_side(page, searchable)
    page.wait_for_selector(".toast-body", state="detached", timeout=15_000)
    assert axe(page) == []
    assert page.browsing.errors == [] and page.browsing.dialogs == []
    on_a_phone(new_page(width=390, height=844), searchable)


def type_words(page: Any) -> None:
    page.fill(WORDS, "a red circle")
    asked_anew(page, lambda: page.keyboard.press("Enter"))
    assert page.locator(".hit").count() == 10
    # Quick enough, so what is typed on is searched for by itself; the field keeps the focus.
    page.evaluate("document.querySelector('.stages').dataset.took = 5")
    asked_anew(page, lambda: page.type(WORDS, " and a star"))
    page.wait_for_function("location.search.includes('q=a+red+circle+and+a+star')")
    assert page.evaluate("document.activeElement.closest('#search-text') !== null")


def open_a_result(page: Any) -> None:
    """By the keyboard, and back to where one was."""
    opener = page.locator(".hit:has(.media:not(.sound)) [data-act=open]").first
    opener.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".looked")
    assert page.evaluate("document.activeElement.id") == "item-title"
    assert opener.get_attribute("aria-expanded") == "true"
    assert page.locator(".looked .judgements li").count() >= 1 and page.locator(".near li").count() >= 3
    page.wait_for_function("[...document.querySelectorAll('.looked img')].every((one) => one.naturalWidth > 0)")
    page.click("#item-explain")
    page.wait_for_selector(".why .heat .box", state="attached")
    assert "approximation" in page.inner_text(".why").lower()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.wait_for_selector(".looked", state="detached")
    assert page.evaluate("document.activeElement.dataset.act") == "open"


def give_a_thumb(page: Any, app: App) -> None:
    page.locator(".hit [data-verdict=up]").first.click()
    page.wait_for_selector(".hit [data-verdict=up][aria-pressed=true]")
    page.wait_for_function("document.querySelector('#search-again').innerText.includes('1 thumb.')")
    told = [row for row in open_collection(app.workspace, "demo").judgements if row["source"] == "feedback"]
    assert len(told) == 1 and told[0]["score"] == 1.0


def only_sounds(page: Any) -> None:
    choose(page, "search-modality", "sounds")
    asked_anew(page, lambda: page.click("#search-go"))
    assert page.locator(".hit:has(.sound)").count() == page.locator(".hit").count() == 10
    page.locator(".hit .play").first.click()
    page.wait_for_selector(".hit .play[aria-pressed=true]")
    page.wait_for_function("document.querySelector('.hit audio').currentTime > 0")
    asked_anew(page, lambda: page.click("#search-next"))
    assert "Results 11 to 16" in page.inner_text(".stages")
    assert page.evaluate("document.activeElement.classList.contains('stages')")
    asked_anew(page, lambda: page.click("#search-previous"))
    choose(page, "search-modality", "pictures")


def rerank(page: Any) -> None:
    choose(page, "search-reranker", "starter-reranker")
    asked_anew(page, lambda: page.click("#search-go"))
    assert page.locator(".hit .moved").count() == 10 and "rerank" in page.inner_text(".stages")
    choose(page, "search-reranker", "nothing")


def ask_with_a_picture(page: Any, collection: Any, folder: Path) -> None:
    """A picture of the collection finds itself; it has no address, so nothing can be saved."""
    row = next(row for row in range(len(collection.corpus)) if collection.item("corpus", row).image)
    item = collection.item("corpus", row)
    (folder / "asked.png").write_bytes(item.image)
    page.locator("#search-mode label").filter(has_text="Picture").click()
    page.set_input_files("#search-image input[type=file]", folder / "asked.png")
    page.wait_for_selector("#search-image img")
    asked_anew(page, lambda: page.click("#search-go"))
    assert page.get_attribute(".hit [data-act=open] >> nth=0", "data-document") == item.id
    assert page.locator("#search-save").count() == 0


def more_and_less(page: Any) -> None:
    page.locator(".hit [data-act=open]").nth(1).click()
    page.wait_for_selector(".looked")
    asked_anew(page, lambda: page.click("#item-more"))
    page.wait_for_selector("#search-asked img")
    page.locator(".hit [data-act=open]").nth(2).click()
    page.wait_for_selector(".looked")
    asked_anew(page, lambda: page.click("#item-less"))
    page.wait_for_function("location.search.includes('asked=demo') && location.search.includes('unlike')")
    asked_anew(page, lambda: page.click("#search-liked"))
    page.wait_for_function("!location.search.includes('unlike')")


def keep(page: Any) -> None:
    """The results as a file, and the search under its name."""
    with page.expect_download() as download:
        page.click("#search-csv")
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = page.locator(".hit [data-act=open]").evaluate_all("(all) => all.map((one) => one.dataset.document)")
    assert [row["id"] for row in rows] == shown
    page.click("#search-save")
    page.wait_for_selector("#search-saved summary")
    page.locator("#search-mode label").filter(has_text="Text").click()
    page.fill(WORDS, "something else")
    asked_anew(page, lambda: page.keyboard.press("Enter"))
    page.wait_for_function("location.search.includes('q=something+else')")
    page.click("#search-saved summary")
    asked_anew(page, lambda: page.click("#saved-0"))
    page.wait_for_function("location.search.includes('asked=demo')")
    assert page.locator(".hit [data-act=open]").first.get_attribute("data-document") == shown[0]


def share(page: Any, browser: Any) -> None:
    """Another browser opens the address and finds the same."""
    ids = "[...document.querySelectorAll('.hit [data-act=open]')].map((one) => one.dataset.document)"
    context = browser.new_context(reduced_motion="reduce")
    other = context.new_page()
    other.browsing = watch(other)
    other.set_default_timeout(90_000)
    other.goto(page.url)
    other.wait_for_selector(".hit")
    assert other.evaluate(ids) == page.evaluate(ids)
    assert other.browsing.errors == []
    context.close()


def side_by_side(page: Any, app: App) -> None:
    page.click("#part-side")
    page.wait_for_selector(SIDE_WORDS)
    page.fill(SIDE_WORDS, "a green square")
    page.click("#side-go")
    page.wait_for_function("document.querySelector('#side-results .answers')?.innerText && "
                           "document.querySelector('#side-left').innerText.includes('16 dimensions')")  # fmt: skip
    assert page.locator("#side-results .answer").count() == 20
    page.check("#side-blind input")
    page.click("#side-go")
    page.click("#side-pick-left")
    page.wait_for_selector("#side-picked")
    (told,) = preferences(app.workspace)
    assert told["a picked"] + told["b picked"] == 1
    assert "No difference shown yet" in page.inner_text("#side-score")


def on_a_phone(page: Any, app: App) -> None:
    open_tab(page, app, "search", index="demo", q="a+red+circle")
    page.wait_for_selector(".hit")
    page.locator(".hit [data-act=open]").first.click()
    page.wait_for_selector(".looked")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    open_tab(page, app, "search", index="demo", q="a+red+circle", part="side")
    page.wait_for_selector("#side-results .answer")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
