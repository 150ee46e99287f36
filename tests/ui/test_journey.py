"""The whole journey through the page on real data: upload, map, train, watch, evaluate, search, rerank."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.ui.conftest import App, axe, choose, open_tab
from workbench.ui.place import TABS

ROWS = 250
STEPS = 24
PATIENCE = 120_000
POINTS = "(document.querySelector('#runs-loss .plot')?.data?.[0]?.x ?? []).length"
ASKED = "red heart"


def test_the_whole_journey_on_real_pictures(
    module_app: App, new_page: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    page = new_page()
    page.set_default_timeout(PATIENCE)
    pairs = write_emoji(shared_data / "emoji", tmp_path / "emoji.zip")
    bring_and_import(module_app, page, tmp_path / "emoji.zip", len(pairs))
    train_and_watch(module_app, page, new_page())
    evaluate(page)
    make_searchable(page)
    search_by_text(page)
    search_by_picture(page, shared_data / "emoji", pairs)
    rerank(page)
    assert page.browsing.errors == []
    assert page.browsing.dialogs == []
    hosts = {urlsplit(address).netloc for address in page.browsing.requests if address.startswith("http")}
    assert hosts == {urlsplit(module_app.url).netloc}
    look_at_every_tab(module_app, page)
    look_on_a_phone(module_app, new_page(width=390, height=844))


def write_emoji(folder: Path, target: Path) -> list[list[str]]:
    """A ZIP of the first pairs and their pictures. Returns the pairs."""
    with open(folder / "pairs.csv", encoding="utf-8", newline="") as file:
        header, *pairs = list(csv.reader(file))[: ROWS + 1]
    table = io.StringIO()
    csv.writer(table).writerows([header, *pairs])
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("pairs.csv", table.getvalue())
        for name in dict.fromkeys(pair[1] for pair in pairs):
            archive.write(folder / name, name)
    return pairs


def bring_and_import(app: App, page: Any, archive: Path, count: int) -> None:
    open_tab(page, app, "data")
    page.set_input_files("#data-upload input[type=file]", archive)
    page.wait_for_selector("#map-import")
    assert page.input_value("#map-query") == "query"
    assert page.input_value("#map-document") == "image"
    for given in ("image", "query"):
        page.click("#map-turn")
        page.wait_for_function(f"document.querySelector('#map-query').value === '{given}'")
    page.click("#map-import")
    page.wait_for_selector("#data-train")
    assert page.inner_text("#tab-data h1") == "emoji"
    assert f"{count:,} pairs" in page.inner_text("#tab-data .heading")
    page.wait_for_function("[...document.querySelectorAll('#data-collection img')].every((one) => one.naturalWidth)")


def train_and_watch(app: App, page: Any, second: Any) -> None:
    page.click("#data-train")
    page.wait_for_selector("#train-start")
    assert "given query, it should find image" in page.inner_text("#tab-train h1 + p")
    page.click("#train-advanced button.label-wrap")
    page.fill("#setting-max_steps input", str(STEPS))
    page.fill("#train-name input, #train-name textarea", "emoji-1")
    page.click("#train-start")
    page.wait_for_function(f"{POINTS} > 3")
    page.reload()
    page.wait_for_function(f"{POINTS} > 3")
    assert page.inner_text("#tab-runs h1") == "emoji-1"
    assert page.locator("#run-stop").count() == 1, "the run ended before the page was loaded again"
    open_tab(second, app, "runs")
    assert second.inner_text("#tab-runs h1") == "emoji-1"
    second.set_default_timeout(PATIENCE)
    for one in (page, second):
        one.wait_for_selector(".verdict .chip, #runs-top .notice.bad")
        assert one.locator("#runs-top .notice.bad").count() == 0, one.inner_text("#runs-top")
    assert page.inner_text(".verdict") == second.inner_text(".verdict")
    assert page.inner_text(".verdict .chip").strip() in ("Better", "No real change", "Worse")
    assert "against the untouched model" in page.inner_text(".verdict")


def evaluate(page: Any) -> None:
    page.click("#run-evaluate")
    page.wait_for_selector("#evaluate-start")
    page.click("#evaluate-start")
    page.wait_for_selector("#evaluate-sizes table, #evaluate-job .notice.bad")
    assert page.locator("#evaluate-job .notice.bad").count() == 0, page.inner_text("#evaluate-job")
    lines = page.evaluate("document.querySelector('#evaluate-plot .plot').data.map((one) => [one.name, one.line.dash])")
    assert lines == [["starter", "dash"], ["emoji-1", "solid"], ["guessing", "dot"]]
    expected = {
        "size": ("Recommendation", "Every size"),
        "verdicts": ("Did it help?", "text → picture", "picture → text"),
        "queries": ("Gained most", "Lost most"),
    }
    for part, said in expected.items():
        page.click(f"#part-{part}")
        page.wait_for_selector(f"#evaluate-{part} .card")
        shown = page.inner_text("#tab-evaluate")
        assert [words for words in said if words not in shown] == [], part


def make_searchable(page: Any) -> None:
    page.click("#go-runs")
    page.click("#run-search")
    page.wait_for_selector("#search-go")
    assert "read by emoji-1" in page.inner_text("#tab-search .heading")


def search_by_text(page: Any) -> None:
    page.fill("#search-text input, #search-text textarea", ASKED)
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    assert page.locator(".hit").count() == 10
    stages = page.inner_text("#search-results .stages")
    assert "encode" in stages
    assert "rerank" not in stages
    assert page.locator(".hit .moved").count() == 0
    page.wait_for_function("[...document.querySelectorAll('.hit img')].every((one) => one.naturalWidth > 0)")


def search_by_picture(page: Any, folder: Path, pairs: list[list[str]]) -> None:
    """A picture of the collection, whose ground is transparent, finds itself."""
    picture = pairs[5][1]
    captions = [caption for caption, name in pairs if name == picture]
    page.locator("#search-mode label").filter(has_text="Picture").click()
    page.set_input_files("#search-image input[type=file]", folder / picture)
    page.wait_for_selector("#search-image img")
    page.click("#search-go")
    page.wait_for_function(
        "(captions) => captions.includes(document.querySelector('.hit .caption')?.innerText)", arg=captions
    )
    assert "1 · 1.00" in page.inner_text(".hit >> nth=0")


def rerank(page: Any) -> None:
    page.locator("#search-mode label").filter(has_text="Text").click()
    page.wait_for_selector("#search-text")
    choose(page, "search-reranker", "starter-reranker")
    page.fill("#search-first input", "20")
    page.click("#search-go")
    page.wait_for_selector(".hit .moved")
    assert "rerank" in page.inner_text("#search-results .stages")
    assert page.locator(".hit .moved").count() == 10
    moved = page.locator(".hit .moved[title^=was]")
    assert moved.count() > 0
    assert ", was " in moved.first.inner_text()


def look_at_every_tab(app: App, page: Any) -> None:
    """With a run, an evaluation and results: nothing serious for axe, light and dark."""
    found = [f"search: {one}" for one in axe(page)]
    for tab in TABS[:-1]:
        page.click(f"#go-{tab}")
        page.wait_for_selector(f"#tab-{tab} h1:visible")
        page.wait_for_timeout(300)
        found += [f"{tab}: {one}" for one in axe(page)]
    assert found == []


def look_on_a_phone(app: App, page: Any) -> None:
    for tab in TABS:
        open_tab(page, app, tab)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    page.fill("#search-text input, #search-text textarea", ASKED)
    page.click("#search-go")
    page.wait_for_selector(".hit")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
