"""Reviewing by keyboard in a real browser: what is pressed is what lies on disk, and nothing is pressed by typing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest

from tests.conftest import png_bytes, wav_bytes
from tests.ui.conftest import App, axe, open_tab, start_app
from tests.ui.small import NASTY
from workbench.collection import review_sent
from workbench.collection.editing import edit_collection
from workbench.collection.review_sent import Found
from workbench.collection.store import Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.media import thumbnail
from workbench.ui.page import Page
from workbench.ui.part_review import ReviewPart
from workbench.ui.place import Place
from workbench.workspace import Workspace, new_folder, open_workspace

QUERIES = 12
CANDIDATES = 3
COUNT = ".review-count"


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over collections with mined negatives, with generated queries, and with documents alone."""
    workspace = open_workspace(tmp_path_factory.mktemp("review") / "workspace")
    for name in ("pictures", "others"):
        make_mined(workspace, name)
    make_unlabelled(workspace, "scans")
    make_generated(workspace, "written")
    make_plain(workspace, "plain")
    app = start_app(workspace)
    yield app
    app.stop()


def picture(number: int) -> Item:
    data = png_bytes((20 * number % 255, 255 - 17 * number % 255, 60), (48, 48))
    return Item(image=data, thumbnail=thumbnail("image", data), file=f"{number}.png")


def sound(number: int) -> Item:
    data = wav_bytes(200.0 + 30 * number)
    return Item(audio=data, thumbnail=thumbnail("audio", data), file=f"{number}.wav")


def make_plain(workspace: Workspace, name: str) -> None:
    """Captions and pictures, each caption with its own; one caption is a script."""
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number in range(QUERIES + 3):
            query = writer.add("queries", Item(text=NASTY if number == 0 else f"caption {number}"))
            document = picture(number) if number % 4 else sound(number)
            writer.judge(query, writer.add("corpus", document))
        writer.finish(name, labels={"query": "caption", "document": "picture"}, source={})


def make_mined(workspace: Workspace, name: str) -> None:
    """Captions and pictures, with three mined negatives for each of twelve captions."""
    make_plain(workspace, name)
    collection = open_collection(workspace, name)
    queries, documents = collection.queries["id"][:], collection.corpus["id"][:]
    splits = {row["query"]: row["split"] for row in collection.judgements.with_format(None)}
    with edit_collection(workspace, name, "Mined") as edit:
        for number in range(QUERIES):
            for rank in range(1, CANDIDATES + 1):
                meta = {
                    "model": "toy",
                    "similarity": round(0.9 - number / 50 - rank / 500, 4),
                    "rank": rank,
                    "positive_similarity": 0.9,
                }
                document = documents[(number + rank) % len(documents)]
                edit.judge(queries[number], document, 0.0, splits[queries[number]], "mined", meta)


def make_unlabelled(workspace: Workspace, name: str) -> None:
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number in range(10):
            writer.add("corpus", picture(number))
        writer.finish(name, labels={"query": "query", "document": "scan"}, source={})


def make_generated(workspace: Workspace, name: str) -> None:
    make_plain(workspace, name)
    document = open_collection(workspace, name).corpus["id"][1]
    with edit_collection(workspace, name, "Generated") as edit:
        for number in range(3):
            query = edit.add("queries", Item(text=f"written by a model {number}"))
            edit.judge(query, document, 1.0, "train", "generated", {"model": "toy", "when": 1.0})


def judgements(app: App, name: str, source: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What lies on disk, by pair."""
    table = open_collection(app.workspace, name).judgements.with_format(None)
    return {(row["query"], row["document"]): row for row in table if row["source"] == source}


def press(page: Any, key: str) -> tuple[str, str]:
    """Press a key for the pair in hand; returns that pair."""
    pair = page.locator("[data-pair][aria-current]")
    ids = (pair.get_attribute("data-query"), pair.get_attribute("data-document"))
    page.keyboard.press(key)
    return ids


def settled(app: App, name: str, source: str, count: int) -> dict[tuple[str, str], dict[str, Any]]:
    """The judgements of a source once there are so many."""
    end = time.monotonic() + 90
    while len(found := judgements(app, name, source)) != count and time.monotonic() < end:
        time.sleep(0.1)
    assert len(found) == count
    return found


def test_steps_that_are_sent_again_are_done_once(workspace: Workspace) -> None:
    make_unlabelled(workspace, "scans")
    with gr.Blocks():
        page = Page(workspace)
        part = ReviewPart(page)
    place = Place(collection="scans", part="review")
    documents = open_collection(workspace, "scans").corpus["id"][:3]

    def label(number: int) -> dict[str, Any]:
        told = {"mode": "unlabelled", "collection": "scans", "verdict": "label", "document": documents[number - 1]}
        return {**told, "page": "one", "number": number, "text": f"scan {number}"}

    def send(*steps: dict[str, Any]) -> dict[str, Any]:
        changed = part._take(place, "unlabelled", {"steps": json.dumps(steps)})
        assert page.message not in changed
        return dict(changed[part.answer])

    undo = {"mode": "unlabelled", "collection": "scans", "verdict": "undo", "page": "one", "number": 4}
    assert send(*map(label, (1, 2, 3)))["reviewed"] == 3
    first = send(undo)
    assert (first["reviewed"], first["done"]) == (2, 4) and first["undone"][1] == documents[2]
    again = send(undo)
    assert (again["reviewed"], again["done"], again["undone"]) == (2, 4, [])
    assert send({**undo, "page": "another", "number": 1})["reviewed"] == 1


def test_what_was_sent_comes_first_and_two_pages_decide_it_together(workspace: Workspace) -> None:
    make_mined(workspace, "pictures")
    with gr.Blocks():
        page = Page(workspace)
        part = ReviewPart(page)
    place = Place(collection="pictures", part="review")
    collection = open_collection(workspace, "pictures")
    query, documents = collection.queries["id"][0], collection.corpus["id"][8:11]
    review_sent.send(workspace, "pictures", [Found(query, document, {"toy": 1}) for document in documents])
    drawn = part.draw(place, open_collection(workspace, "pictures"))[part.view]
    assert 'data-mode="sent"' in drawn and drawn.count('class="card item candidate"') == 3
    assert "Sent from Evaluate" in drawn and "Hard negatives" in drawn and "Found at 1 by toy." in drawn

    def send(page_name: str, number: int, verdict: str, document: str = "") -> dict[str, Any]:
        step = {"mode": "sent", "collection": "pictures", "verdict": verdict, "query": query, "document": document}
        steps = json.dumps([{**step, "page": page_name, "number": number}])
        changed = part._take(place, "sent", {"steps": steps, "draw": "true"})
        assert page.message not in changed
        return dict(changed)

    send("one", 1, "match", documents[0])
    send("two", 1, "not-a-match", documents[1])
    assert send("one", 1, "match", documents[0])[part.answer]["reviewed"] == 2, "sent twice, done once"
    drawn = send("one", 2, "skip", documents[2])[part.view]
    assert "2 of 3 looked at" in drawn and "Show the 1 skipped again" in drawn
    assert send("two", 2, "undo")[part.answer]["undone"] == [query, documents[2]]
    assert send("two", 3, "undo")[part.answer]["reviewed"] == 1
    assert review_sent.waiting_pairs(open_collection(workspace, "pictures")) == [(query, one) for one in documents[1:]]


def open_review(page: Any, app: App, name: str) -> None:
    open_tab(page, app, "data", collection=name, part="review")
    page.wait_for_selector("[data-pair][aria-current]")


def test_twenty_by_keyboard_are_on_disk_as_they_were_pressed(reviewed: App, page: Any) -> None:
    open_review(page, reviewed, "pictures")
    assert page.inner_text(COUNT) == "0 of 36 looked at"
    keys = "NNMNSNNNMNNNSNNNMNNN"
    pressed = [(press(page, key), key) for key in keys]
    assert len({pair for pair, _ in pressed}) == len(keys), "each press is about another pair"
    assert page.inner_text(COUNT) == "18 of 36 looked at", "it is told at once, before the server has answered"
    found = settled(reviewed, "pictures", "reviewed", 18)
    for pair, key in pressed:
        if key == "S":
            assert pair not in found
        else:
            assert found[pair]["score"] == (1.0 if key == "M" else 0.0)
            assert json.loads(found[pair]["meta"])["was"] == "mined"
    splits = {query: row["split"] for (query, _), row in judgements(reviewed, "pictures", "upload").items()}
    assert all(found[pair]["split"] == splits[pair[0]] for pair, key in pressed if key == "M")
    page.reload()
    page.wait_for_selector("[data-pair][aria-current]")
    assert page.inner_text(COUNT) == "18 of 36 looked at"
    assert page.browsing.dialogs == []


def test_undo_takes_back_the_last_press_and_shows_it_again(reviewed: App, page: Any) -> None:
    open_review(page, reviewed, "others")
    first, second = press(page, "m"), press(page, "n")
    settled(reviewed, "others", "reviewed", 2)
    assert press(page, "u") != second
    page.wait_for_function(
        "(id) => document.querySelector('[data-pair][aria-current]').dataset.document === id", arg=second[1]
    )
    assert set(settled(reviewed, "others", "reviewed", 1)) == {first}
    page.reload()
    page.wait_for_selector("[data-pair][aria-current]")
    page.click(".review-bar button:has-text('Undo')")
    settled(reviewed, "others", "reviewed", 0)
    page.wait_for_function(
        "(id) => document.querySelector('[data-pair][aria-current]').dataset.document === id", arg=first[1]
    )
    assert page.inner_text(COUNT) == "0 of 36 looked at"
    assert len(judgements(reviewed, "others", "mined")) == 36
    assert page.browsing.errors == []


def test_the_arrows_choose_the_keys_wait_while_typing_and_a_picture_can_be_enlarged(reviewed: App, page: Any) -> None:
    open_review(page, reviewed, "others")
    places = page.locator(".case:not([hidden]) .candidate")
    page.keyboard.press("ArrowRight")
    assert places.nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert places.nth(2).get_attribute("aria-current") == "true"
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input id=elsewhere aria-label=elsewhere>')")
    page.focus("#elsewhere")
    page.keyboard.type("mnsu")
    assert page.input_value("#elsewhere") == "mnsu"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+s")
    page.locator(".case:not([hidden]) [data-zoom]").first.click()
    page.wait_for_selector("dialog.zoomed img")
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.zoomed", state="detached")
    assert page.inner_text(COUNT) == "0 of 36 looked at"
    assert judgements(reviewed, "others", "reviewed") == {}


def test_documents_are_labelled_one_line_each(reviewed: App, page: Any) -> None:
    open_review(page, reviewed, "scans")
    assert page.inner_text(COUNT) == "0 of 10 looked at"
    said = ["a red scan", "sunset, mostly", "numbers M N S U"]
    documents = []
    for text in said:
        documents.append(page.locator("[data-pair][aria-current]").get_attribute("data-document"))
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # nothing was typed: nothing happens
    page.keyboard.press("Escape")  # skipped
    found = settled(reviewed, "scans", "reviewed", 3)
    collection = open_collection(reviewed.workspace, "scans")
    texts = {collection.item("queries", collection.query_rows[q]).text: d for q, d in found}
    assert texts == dict(zip(said, documents, strict=True))
    assert page.inner_text(COUNT) == "3 of 10 looked at"
    page.keyboard.press("Control+z")  # the skip
    page.keyboard.press("Control+z")  # the third line
    settled(reviewed, "scans", "reviewed", 2)
    page.wait_for_function(
        "(id) => document.querySelector('[data-pair][aria-current]').dataset.document === id", arg=documents[2]
    )


def test_generated_queries_are_kept_or_dropped(reviewed: App, page: Any) -> None:
    open_review(page, reviewed, "written")
    kept, dropped = press(page, "k"), press(page, "d")
    found = settled(reviewed, "written", "reviewed", 1)
    assert set(found) == {kept}
    end = time.monotonic() + 90
    while dropped[0] in open_collection(reviewed.workspace, "written").query_rows and time.monotonic() < end:
        time.sleep(0.1)
    assert dropped[0] not in open_collection(reviewed.workspace, "written").query_rows


def test_with_nothing_mined_it_says_to_mine_first_and_leads_there(reviewed: App, page: Any) -> None:
    open_tab(page, reviewed, "data", collection="plain", part="review")
    page.click("#review-mine")
    page.wait_for_selector("#negatives-start")
    assert "part=negatives" in page.url


@pytest.mark.slow
def test_the_review_is_fit_for_screen_readers_and_phones(reviewed: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    for name in ("others", "scans"):
        open_review(page, reviewed, name)
        assert axe(page) == []
    narrow = new_page(width=390, height=844)
    open_review(narrow, reviewed, "others")
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
    box = narrow.locator(".review-bar button:has-text('Not a match')").bounding_box()
    assert box["y"] + box["height"] <= 844, "the buttons are in view without scrolling"
