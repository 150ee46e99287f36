"""The page as Gradio holds it: nothing that opens a permanent connection, handlers that tell their errors."""

from __future__ import annotations

import gradio as gr
import pytest

from workbench.errors import WorkbenchError
from workbench.ui.page import Page, build_page
from workbench.ui.place import Place
from workbench.ui.theme import make_theme
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    from workbench.workspace import open_workspace

    return build_page(open_workspace(tmp_path_factory.mktemp("page")))[0]


def test_the_page_keeps_no_state_and_draws_no_gradio_plot(blocks: gr.Blocks) -> None:
    kinds = {type(block).__name__ for block in blocks.blocks.values()}
    assert not kinds & {"State", "BrowserState", "Plot"}
    assert blocks.get_config_file()["connect_heartbeat"] is False


def test_an_idle_page_looks_into_its_queue_fifty_times_a_second(blocks: gr.Blocks) -> None:
    looks: list[float] = []

    async def look(seconds: float) -> None:
        looks.append(seconds)
        blocks._queue.stopped = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradio.queueing.asyncio.sleep", look)
        with pytest.raises(StopIteration):
            blocks._queue.start_processing().send(None)
    assert looks == [0.02]


def test_nothing_but_the_endpoints_for_programs_is_offered_as_an_api(blocks: gr.Blocks) -> None:
    info = blocks.get_api_info()
    assert sorted(info["named_endpoints"]) == [
        "/evaluate", "/list_collections", "/list_indexes", "/more_like_this", "/run_state", "/search_picture",
        "/search_sound", "/search_text", "/start_training", "/update_index",
    ]  # fmt: skip
    assert info["unnamed_endpoints"] == {}
    assert all(len(told["description"]) > 40 for told in info["named_endpoints"].values())


def test_every_button_and_field_has_a_name_for_tests_and_styles(blocks: gr.Blocks) -> None:
    for block in blocks.blocks.values():
        if isinstance(block, (gr.Button, gr.Dropdown, gr.Radio, gr.File)) and block.visible is True:
            assert block.elem_id, f"{type(block).__name__} {getattr(block, 'label', '')!r} has no elem_id"


def test_the_theme_takes_its_colours_from_the_tokens() -> None:
    css = make_theme()._get_theme_css()
    assert "--body-background-fill: var(--paper)" in css
    assert "fonts.googleapis" not in css


def tell(workspace: Workspace, handler: object) -> dict[str, object]:
    with gr.Blocks():
        page = Page(workspace)
    answer = page._told(handler)("tab=data")  # type: ignore[arg-type]
    names = {page.message: "message", page.rail: "rail", page.pulse: "pulse", page.place: "place", page.tabs: "tabs"}
    return {names[key]: value for key, value in answer.items()}


def test_an_error_in_words_stays_on_the_page_with_all_its_problems(workspace: Workspace) -> None:
    def refuse(place: Place) -> None:
        raise WorkbenchError("Two rows are wrong.", ["Row 1: <b>.", "Row 2: empty."])

    told = str(tell(workspace, refuse)["message"])
    assert "Two rows are wrong." in told
    assert "Row 1: &lt;b&gt;." in told
    assert "Row 2: empty." in told


def test_an_unforeseen_error_shows_a_plain_sentence_and_goes_to_the_log(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    def open_drawer(place: Place) -> None:
        raise RuntimeError("secret detail")

    told = str(tell(workspace, open_drawer)["message"])
    assert "Something went wrong" in told
    assert "secret detail" not in told
    assert "could not open drawer" in caplog.text
    assert "secret detail" in caplog.text


def test_a_handler_that_moves_the_page_changes_the_address_and_the_tab(workspace: Workspace) -> None:
    with gr.Blocks():
        page = Page(workspace)

    def leave(place: Place) -> dict[object, object]:
        return {page.place: place.at(tab="runs", run="one")}

    answer = page._told(leave)("tab=data")
    assert answer[page.place] == "tab=runs&run=one"
    assert answer[page.tabs].selected == "runs"
    assert answer[page.message] == ""


def test_a_tick_leaves_the_message_where_it_is(workspace: Workspace) -> None:
    with gr.Blocks():
        page = Page(workspace)
    skipped = gr.skip()

    def look(place: Place) -> dict[object, object]:
        return {page.tabs: gr.Tabs()}

    assert page._told(look)("tab=data")[page.message] == ""
    assert page._told(look, keeps=True)("tab=data")[page.message] == skipped


def test_every_clock_leaves_the_message_where_it_is(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    wired: list[tuple[list[str], bool]] = []
    told = Page.on

    def on(page: Page, triggers: list[gr.events.EventListener], *given: object, **options: object) -> object:
        wired.append(([trigger.event_name for trigger in triggers], bool(options.get("keeps"))))  # type: ignore[attr-defined]
        return told(page, triggers, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Page, "on", on)
    build_page(workspace)
    clocks = [keeps for events, keeps in wired if "tick" in events]
    assert len(clocks) >= 6 and all(clocks)


def test_the_rail_is_drawn_once_when_it_changed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with gr.Blocks():
        page = Page(workspace)
    drawn: list[str] = []
    monkeypatch.setattr("workbench.ui.page.draw_rail", lambda *_: (drawn.append("rail"), ("new", False))[1])
    answer = page._told(page.refresh_rail, keeps=True)("tab=data", "old")
    assert answer[page.rail] == "new" and len(drawn) == 1
    assert page._told(page.refresh_rail, keeps=True)("tab=data", "new") == gr.skip()
