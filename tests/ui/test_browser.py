"""The page in a real browser: first screens, an upload, awkward texts, another tab, nothing from outside."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.ui.conftest import App, axe, open_tab, start_app
from tests.ui.small import NASTY, TEMPLATE, write_zip
from workbench.collection.importing import import_collection
from workbench.collection.store import list_collections
from workbench.ui.place import TABS
from workbench.workspace import Workspace, open_workspace


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over a workspace that holds one small collection; the tests that share it change nothing."""
    folder = tmp_path_factory.mktemp("filled")
    workspace = open_workspace(folder / "workspace")
    source = write_zip(folder / "photos.zip", missing=2)
    import_collection(workspace, "photos", source, {"query": "caption", "document": "photo"})
    app = start_app(workspace)
    yield app
    app.stop()


def test_every_empty_tab_says_what_to_do_next_and_has_the_button(module_app: App, page: Any) -> None:
    for tab in TABS:
        open_tab(page, module_app, tab)
        assert page.locator(f"#tab-{tab} h1:visible").count() == 1
        button = page.locator(f"#tab-{tab} button:visible").first
        button.wait_for()
    page.click("#tab-search button.primary")
    page.wait_for_selector("#data-demo")
    assert page.browsing.errors == []


def test_a_bad_name_and_a_bad_file_are_told_in_words(module_app: App, page: Any, tmp_path: Path) -> None:
    open_tab(page, module_app, "data")
    page.set_input_files("#data-upload input[type=file]", {"name": "one.csv", "mimeType": "text/csv", "buffer": b""})
    page.wait_for_selector("#message .notice.bad")
    assert page.inner_text("#message .notice p")
    open_tab(page, module_app, "data")
    page.set_input_files("#data-upload input[type=file]", write_zip(tmp_path / "a.zip"))
    page.wait_for_selector("#map-import")
    page.fill("#map-name", "../up")
    page.click("#map-import")
    page.wait_for_selector("#message .notice.bad")
    assert "cannot be the name" in page.inner_text("#message .notice")
    page.click("#message .close")
    assert page.locator("#message .notice:visible").count() == 0
    assert list_collections(module_app.workspace) == []


def test_an_upload_is_mapped_turned_round_and_imported(module_app: App, page: Any, tmp_path: Path) -> None:
    open_tab(page, module_app, "data")
    page.set_input_files("#data-upload input[type=file]", write_zip(tmp_path / "My Photos.zip", missing=3))
    page.wait_for_selector("#map-import")
    assert page.input_value("#map-query") == "caption"
    assert page.input_value("#map-document") == "photo"
    assert page.locator("#data-mapper td img").count() >= 3
    page.click("#map-turn")
    page.wait_for_function("document.querySelector('#map-query').value === 'photo'")
    page.click("#map-turn")
    page.wait_for_function("document.querySelector('#map-query').value === 'caption'")
    assert page.input_value("#map-name") == "my-photos"
    page.click("#map-import")
    page.wait_for_selector("#data-train", timeout=60_000)
    assert page.inner_text("#tab-data h1") == "my-photos"
    assert "3 rows left out" in page.inner_text("#data-collection")
    assert page.locator("#data-collection .skipped tbody tr").count() == 3
    assert list_collections(module_app.workspace)[0].counts["queries"] == 21
    page.reload()
    page.wait_for_selector("#data-train")
    assert page.inner_text("#tab-data h1") == "my-photos"
    assert page.browsing.dialogs == []


def test_scripts_and_templates_in_captions_are_shown_as_text(filled: App, page: Any) -> None:
    open_tab(page, filled, "data", collection="photos")
    page.wait_for_selector("#data-collection .item")
    shown = page.inner_text("#data-collection")
    assert NASTY in shown
    assert TEMPLATE in shown
    page.wait_for_timeout(300)
    assert page.browsing.dialogs == []
    assert page.browsing.errors == []


def test_pictures_come_from_our_own_route_and_only_with_their_signature(filled: App, page: Any) -> None:
    open_tab(page, filled, "data", collection="photos")
    page.wait_for_selector("#data-collection img")
    address = page.get_attribute("#data-collection img", "src")
    assert address.startswith("/media/photos/")
    page.wait_for_function("document.querySelector('#data-collection img').naturalWidth > 0")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(filled.url.rstrip("/") + address.split("?")[0])


def test_a_foreign_host_header_and_a_foreign_origin_are_refused(filled: App) -> None:
    for headers, method, status in (
        ({"Host": "evil.example"}, "GET", 400),
        ({"Origin": "https://evil.example"}, "POST", 403),
    ):
        request = urllib.request.Request(filled.url + "gradio_api/upload", headers=headers, method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == status


def test_two_tabs_each_keep_their_own_place(filled: App, new_page: Callable[..., Any]) -> None:
    first, second = new_page(), new_page()
    open_tab(first, filled, "train")
    open_tab(second, filled, "evaluate")
    first.click("#go-search")
    first.wait_for_selector("#go-search[aria-current=page]")
    first.reload()
    first.wait_for_selector("#tab-search h1")
    assert "tab=search" in first.url
    assert second.locator("#go-evaluate[aria-current=page]").count() == 1


def test_the_rail_works_by_keyboard(filled: App, page: Any) -> None:
    open_tab(page, filled, "data")
    page.focus("#go-train")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tab-train h1")
    assert page.evaluate("document.activeElement.id") == "go-train"


def test_the_rail_and_the_theme_work_where_the_browser_refuses_storage(filled: App, page: Any) -> None:
    refused = "(key) => { if (key.startsWith('workbench')) throw new DOMException('refused', 'SecurityError'); }"
    page.add_init_script(f"Storage.prototype.getItem = Storage.prototype.setItem = {refused}")
    open_tab(page, filled, "data")
    page.click("#go-train")
    page.wait_for_selector("#tab-train h1")
    was = page.evaluate("wb.dark()")
    page.click("[data-theme-toggle]")
    assert page.evaluate("wb.dark()") is not was
    assert page.browsing.errors == []


@pytest.mark.slow
def test_every_tab_is_clean_before_there_is_a_model(filled: App, page: Any) -> None:
    """Nothing serious for axe, light and dark; no wider than a phone; nothing asked of another machine."""
    found = []
    for tab in TABS:
        open_tab(page, filled, tab)
        page.wait_for_timeout(300)
        found += [f"{tab}: {one}" for one in axe(page)]
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        page.set_viewport_size({"width": 1280, "height": 860})
    assert found == []
    hosts = {urlsplit(address).netloc for address in page.browsing.requests if address.startswith("http")}
    assert hosts == {urlsplit(filled.url).netloc}
    assert page.browsing.errors == []


def test_a_setting_that_cannot_be_is_told_before_anything_starts(filled: App, page: Any, workspace: Workspace) -> None:
    open_tab(page, filled, "train", collection="photos")
    page.wait_for_selector("#train-start")
    page.click("#train-advanced button.label-wrap")
    page.click("#settings-objective button.label-wrap")
    page.fill("#setting-matryoshka_dimensions textarea, #setting-matryoshka_dimensions input", "sixty")
    page.click("#train-start")
    page.wait_for_selector("#message .notice.bad")
    assert "matryoshka_dimensions" in page.inner_text("#message .notice")
    assert list(filled.workspace.runs.iterdir()) == []
