"""The Write queries part: nothing is sent before it was previewed; what comes back is looked at, or taken back."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from tests.enrich.bad_endpoint import bad_endpoint, writes_queries
from tests.ui.conftest import App, axe, open_tab
from workbench import jobs
from workbench.collection.editing import edit_collection
from workbench.collection.store import Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.enrich.choosing import GenerationSettings
from workbench.enrich.endpoint import HOST_VARIABLE, KEY_VARIABLE, OPENAI_KEY_VARIABLE
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.ui import part_generate_views as views
from workbench.ui.page import Page
from workbench.ui.part_generate import GeneratePart, read_price
from workbench.ui.place import Place
from workbench.workspace import Workspace, new_folder

PLACE = Place(collection="library", part="generate")
NASTY = "<img src=x onerror=alert(1)>"


def library(workspace: Workspace, documents: int = 5) -> None:
    with new_folder(workspace.collection("library")) as folder, CollectionWriter(folder) as writer:
        writer.judge(writer.add("queries", Item(text="Tell of 100")), writer.add("corpus", Item(text="Story 100")))
        for number in range(documents):
            writer.add("corpus", Item(text=f"{NASTY} About the number {number}"))
        writer.finish("library", labels={"query": "question", "document": "text"}, source={})


@pytest.fixture
def part(workspace: Workspace) -> GeneratePart:
    library(workspace)
    with gr.Blocks():
        page = Page(workspace)
        page.may_run_code = True
        return GeneratePart(page)


def given(part: GeneratePart, prices: tuple[str, str] = ("", ""), **settings: Any) -> list[Any]:
    """What the form sends: the prices, then every setting, each as it is at first unless named."""
    usual = {name: GenerationSettings.model_fields[name].default for name in part.settings}
    return [*prices, *{**usual, "endpoint": "http://localhost:1/v1", "endpoint_model": "toy", **settings}.values()]


class Pressed:
    def __init__(self, **data: str) -> None:
        self._data = data


def seen(drawn: Any) -> str:
    return str(drawn).partition('data-seen="')[2].partition('"')[0]


def test_queries_are_previewed_written_looked_at_and_taken_back(app: App, page: Any) -> None:
    library(app.workspace)
    with bad_endpoint(writes_queries) as server:
        open_tab(page, app, "data", collection="library", part="generate")
        page.wait_for_selector("#generate-count:has-text('5 of 6 texts have no query')")
        page.fill("#generate-endpoint input, #generate-endpoint textarea", server.address)
        page.fill("#generate-endpoint_model input, #generate-endpoint_model textarea", "toy-writer")
        page.click("#generate-look")
        page.wait_for_selector("#generate-write")
        assert page.locator("#generate-preview .sample").count() == 3
        assert f"{NASTY} About the number 0" in page.inner_text("#generate-preview pre >> nth=0")
        assert server.asked == [], "nothing is sent before Write is pressed"
        assert axe(page) == []
        page.click("#generate-write")
        page.wait_for_selector("#generate-review", timeout=60_000)
        assert "Kept 10 of 10 queries that “toy-writer” wrote for 5 documents." in page.inner_text("#generate-result")
        assert len(server.asked) == 5
    page.wait_for_selector("#tab-data .heading:has-text('11 questions')")
    assert axe(page) == []
    page.click("#generate-undo")
    page.wait_for_selector("#tab-data .heading:has-text('1 question,')")
    assert page.locator("#generate-undo, #generate-review, #generate-dismiss").count() == 0
    assert page.browsing.dialogs == [] and page.browsing.errors == []


def test_only_what_was_previewed_is_sent(
    part: GeneratePart, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(jobs, "start", lambda *words: started.append(words))
    drawn = part.show_preview(PLACE, *given(part, ("1", "2,5")))[part.preview]
    assert "Cost, about" in drawn and "without a key" in drawn
    changed = part.write(PLACE, Pressed(seen=seen(drawn)), *given(part, per_document=7))  # type: ignore[arg-type]
    assert "nothing has been sent" in changed[part.page.message] and started == []
    again = changed[part.preview]
    with edit_collection(workspace, "library", "One more") as edit:
        edit.add("corpus", Item(text="Another"))
    part.write(PLACE, Pressed(seen=seen(again)), *given(part, per_document=7))  # type: ignore[arg-type]
    assert started == [], "the collection has changed since"
    drawn = part.show_preview(PLACE, *given(part, per_document=7))[part.preview]
    part.write(PLACE, Pressed(seen=seen(drawn)), *given(part, per_document=7))  # type: ignore[arg-type]
    _, work, name, spec = started[0]
    assert (work, name, spec["per_document"], spec["dry_run"]) == ("generate", "generate-library", 7, False)


def test_a_page_that_is_open_to_others_asks_no_address(part: GeneratePart, workspace: Workspace) -> None:
    part.page.may_run_code = False
    drawn = part.draw(PLACE, open_collection(workspace, "library"))
    assert drawn[part.form].visible is False
    assert "open to others" in drawn[part.top] and KEY_VARIABLE not in drawn[part.top]
    with pytest.raises(WorkbenchError, match="open to others"):
        part.show_preview(PLACE, *given(part))
    with pytest.raises(WorkbenchError, match="open to others"):
        part.write(PLACE, Pressed(seen=""), *given(part))  # type: ignore[arg-type]
    create_job_folder(workspace.job("writes"), "generate", {"collection": "library"}, {}).write_status(state="stopped")
    with pytest.raises(WorkbenchError, match="open to others"):
        part.use_view(PLACE, Pressed(act="resume", name="writes"))  # type: ignore[arg-type]


def test_what_cannot_be_used_is_told_in_words(part: GeneratePart) -> None:
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        part.show_preview(PLACE, *given(part, round_trip="/etc"))
    with pytest.raises(WorkbenchError, match="no password, key"):
        part.show_preview(PLACE, *given(part, endpoint="http://me:secret@localhost/v1"))
    drawn = part.show_preview(PLACE, *given(part, endpoint="", per_document=None))[part.preview]
    assert "Write the address of an endpoint" in drawn and "generate-write" not in drawn


def test_the_key_is_told_of_and_never_shown() -> None:
    assert "none is set" in views.key_words({})
    assert "one is set" in views.key_words({KEY_VARIABLE: "sk-1"})
    assert "“gpu.lan” alone" in views.key_words({KEY_VARIABLE: "sk-1", HOST_VARIABLE: "gpu.lan"})
    assert "api.openai.com alone" in views.key_words({OPENAI_KEY_VARIABLE: "sk-1"})
    assert "sk-1" not in views.key_words({KEY_VARIABLE: "sk-1", OPENAI_KEY_VARIABLE: "sk-1"})


def test_what_came_of_it_is_told_in_words() -> None:
    found = {
        "kept": 3, "generated": 9, "model": NASTY, "requested": 4, "failed": 1, "unasked": 2,
        "dropped": {"duplicate": 4, "round-trip": 2, "unusable": 0},
        "skipped": [{"reason": "a sound", "count": 1}], "problems": ["Document 1: The model gave an empty answer."],
    }  # fmt: skip
    told = views.result(found, "generate-library", 3, None)
    assert "Kept 3 of 9 queries" in told and "4 dropped: there already." in told and "2 dropped: did not find" in told
    assert "1 document got no answer" in told and "2 documents not reached" in told and "empty answer" in told
    assert "unusable" not in told and NASTY not in told and "generate-undo" not in told


def test_guesses_and_prices_are_read_and_written_as_people_do() -> None:
    assert [views.rounded(number) for number in (0, 7, 12_345, 1_299_000)] == ["0", "7", "12,000", "1,300,000"]
    assert [views.cost_words(cost) for cost in (0.0, 0.0123, 12.5)] == ["0.00", "0.0123", "12.50"]
    assert read_price(" 0,15 ") == 0.15 and read_price("") is None
    with pytest.raises(WorkbenchError, match="no price"):
        read_price("-1")
