"""A loss in a real browser: opened by keyboard, judged and taken back, sent to review and found there, and searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.ui.conftest import App, axe, open_tab, start_app
from tests.ui.evaluated import document_id, make_evaluated, query_id
from workbench.collection.review_sent import judged_now, waiting_pairs
from workbench.collection.store import open_collection
from workbench.workspace import open_workspace

FOCUSED = "document.activeElement.id"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over an evaluation by toys, of a collection of pictures, sounds and texts."""
    workspace = open_workspace(tmp_path_factory.mktemp("evaluated") / "workspace")
    make_evaluated(workspace)
    app = start_app(workspace)
    yield app
    app.stop()


def open_loss(page: Any, app: App, number: int) -> str:
    """Open the query of a line of “Lost most” by keyboard; returns its id."""
    open_tab(page, app, "evaluate", evaluation="made", part="queries")
    line = page.locator(f"#change-lost-{number}")
    identifier = str(line.get_attribute("data-query"))
    line.press("Enter")
    page.wait_for_selector(".panel .rankings")
    page.wait_for_function("document.activeElement.id === 'panel-title'")
    return identifier


def asked(page: Any) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get("asked", [])


def test_a_loss_is_judged_sent_to_review_and_found_there(evaluated: App, page: Any) -> None:
    query = open_loss(page, evaluated, 0)
    things = open_collection(evaluated.workspace, "things")
    right = document_id(next(number for number in range(100) if query_id(number) == query))
    page.locator("#judge-right-0").press("Enter")
    page.wait_for_selector("text=its numbers are from before")
    assert page.evaluate(FOCUSED) == "judge-right-0", "the focus stays where it was pressed"
    assert page.text_content("#evaluate-said") == "Marked as not an answer."
    assert judged_now(open_collection(evaluated.workspace, "things"), queries={query})[query, right].score == 0
    page.keyboard.press("Enter")  # it says “Take back” now
    page.wait_for_selector("#evaluate-again .notice", state="detached")
    assert judged_now(open_collection(evaluated.workspace, "things"), queries={query})[query, right].score == 1

    page.click("#panel-send")
    page.wait_for_selector("#panel-review")
    waiting = waiting_pairs(things)
    assert {one for one, _ in waiting} == {query} and len(waiting) >= 10
    page.reload()
    page.wait_for_selector("#panel-review")  # the address keeps what is open, the disk what was sent
    page.click("#panel-close")
    page.wait_for_selector(".panel", state="detached")
    page.wait_for_function("document.activeElement.id === 'change-lost-0'")
    page.keyboard.press("Enter")
    page.click("#panel-review")
    page.wait_for_selector("[data-pair][aria-current]")
    pair = page.locator("[data-pair][aria-current]")
    assert pair.get_attribute("data-query") == query
    document = str(pair.get_attribute("data-document"))
    assert (query, document) == waiting[0]
    page.keyboard.press("m")
    page.wait_for_function("document.querySelector('.review-count').textContent.startsWith('1 of ')")
    page.wait_for_function(
        "id => document.querySelector('[data-pair][aria-current]').dataset.document !== id", arg=document
    )
    page.reload()
    page.wait_for_selector("[data-pair][aria-current]")
    page.wait_for_function("document.querySelector('.review-count').textContent.startsWith('1 of ')")
    said = judged_now(open_collection(evaluated.workspace, "things"), queries={query})
    assert said[query, document].score == 1
    assert page.browsing.errors == [] and page.browsing.dialogs == []


def test_a_query_is_sent_to_search_and_the_address_asks_it_again(evaluated: App, page: Any) -> None:
    query = open_loss(page, evaluated, 1)
    page.click("#panel-search")
    page.wait_for_selector("#asked-make")
    assert asked(page) == [f"things:queries:{query}"]
    assert "There is no index of “things” yet" in page.inner_text("#search-asked")
    page.reload()
    page.wait_for_selector("#asked-make")
    page.click("#asked-put-away")
    page.wait_for_selector("#asked-make", state="detached")
    assert asked(page) == []
    assert page.browsing.errors == []


@pytest.mark.slow
def test_a_query_sent_to_search_is_asked_at_once(evaluated: App, page: Any) -> None:
    """With an index by a real model, which is made by one press."""
    page.set_default_timeout(240_000)
    query = open_loss(page, evaluated, 2)
    page.click("#panel-search")
    page.click("#asked-make")
    page.wait_for_selector("#search-results .hit")
    text = page.inner_text("#search-asked .item").strip()
    assert page.locator("#search-text :is(input, textarea)").input_value() == text
    page.reload()
    page.wait_for_selector("#search-results .hit")
    assert asked(page) == [f"things:queries:{query}"]
    of = "document.querySelector('#search-results [data-asked]')?.dataset.asked"
    before = page.evaluate(of)
    page.fill("#search-text :is(input, textarea)", "something else")
    page.keyboard.press("Enter")
    page.wait_for_selector("#asked-put-away", state="detached")
    page.wait_for_function(f"(before) => {of} && {of} !== before", arg=before)
    assert asked(page) == []
    open_tab(
        page, evaluated, "search", collection="things", asked="things:corpus:" + document_id(3).replace(" ", "%20")
    )
    page.wait_for_selector("#search-asked img")
    page.wait_for_selector("#search-results .hit")
    assert page.browsing.errors == []


@pytest.mark.slow
def test_open_queries_and_groups_are_fit_for_screen_readers_and_phones(
    evaluated: App, new_page: Callable[..., Any]
) -> None:
    page = new_page()
    open_loss(page, evaluated, 0)
    assert axe(page) == []
    open_tab(page, evaluated, "evaluate", evaluation="made", part="where")
    assert axe(page) == []
    narrow = new_page(width=390, height=844)
    for part in ("where", "queries"):
        open_tab(narrow, evaluated, "evaluate", evaluation="made", part=part)
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
    open_loss(narrow, evaluated, 0)
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
