"""Every way to ask and every kind of answer in the page: sounds, videos, texts; rerankers that cannot read them."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import media_makers as make
from tests.conftest import png_bytes, wav_bytes
from tests.ui.conftest import App, open_tab, start_app
from workbench.collection.demo import make_demo
from workbench.collection.importing import import_collection
from workbench.index.build import build_index
from workbench.job_folder import create_job_folder
from workbench.models import load_embedder
from workbench.workspace import Workspace, open_workspace

WORDS = "#search-text input, #search-text textarea"


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over three indexes read by the starter: the demo, short videos, and texts."""
    folder = tmp_path_factory.mktemp("searchable")
    workspace = open_workspace(folder / "workspace")
    make_demo(workspace, "demo", 12)
    import_collection(workspace, "clips", write_clips(folder / "clips.zip"))
    import_collection(workspace, "questions", write_questions(folder / "questions.csv"))
    starter = load_embedder(workspace, "starter", device="cpu")
    for name in ("clips", "questions", "demo"):
        build_index(workspace, name, name, "starter", embedder=starter)
    add_second_stage(workspace)
    app = start_app(workspace)
    yield app
    app.stop()


def write_clips(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        lines = ["caption,clip"]
        for row in range(4):
            lines.append(f"clip {row},clips/{row}.webm")
            file.writestr(f"clips/{row}.webm", make.video(greys=[60 * row, 255 - 60 * row], form="webm"))
        file.writestr("pairs.csv", "\n".join(lines))
    return path


def write_questions(path: Path) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = [[f"How is part {row} reset?", f"Hold button {row} down. " + "Then wait. " * 40] for row in range(6)]
        csv.writer(file).writerows([["question", "answer"], *rows])
    return path


def add_second_stage(workspace: Workspace) -> None:
    """A finished late-interaction run, as the choice of rerankers sees it."""
    spec = {"kind": "late-interaction", "model": "starter-reranker", "collection": "demo", "settings": {}}
    run = create_job_folder(workspace.run("mine"), "train", spec, {})
    (run.path / "model").mkdir()
    run.write_status(state="finished")


def ask(page: Any, mode: str) -> None:
    page.locator("#search-mode label").filter(has_text=mode).click()
    page.wait_for_timeout(150)


def found_first(page: Any, caption: str) -> None:
    page.click("#search-go")
    page.wait_for_function(
        "(caption) => document.querySelector('.hit .caption')?.innerText === caption", arg=caption, timeout=60_000
    )
    page.evaluate("document.querySelector('.hit .caption').innerText = ''")


def test_sound_video_and_words_with_a_picture_can_be_asked_with(searchable: App, page: Any, tmp_path: Path) -> None:
    from workbench.collection.store import open_collection

    clips = open_collection(searchable.workspace, "clips")
    (tmp_path / "asked.webm").write_bytes(clips.item("corpus", 2).video or b"")
    (tmp_path / "asked.wav").write_bytes(wav_bytes())
    (tmp_path / "asked.png").write_bytes(png_bytes())
    open_tab(page, searchable, "search", index="clips")
    ask(page, "Video")
    page.set_input_files("#search-video input[type=file]", tmp_path / "asked.webm")
    page.wait_for_selector("#search-video video")
    found_first(page, "clip 2")
    page.click(".hit .play >> nth=0")
    page.wait_for_function(
        "document.querySelector('.hit video').controls && !document.querySelector('.hit video').paused"
    )
    ask(page, "Sound")
    page.set_input_files("#search-audio input[type=file]", tmp_path / "asked.wav")
    page.wait_for_selector("#search-audio .waveform-container, #search-audio audio", state="attached")
    page.evaluate("document.querySelector('.hit .score').innerText = ''")
    page.click("#search-go")
    page.wait_for_function("document.querySelector('.hit .score')?.innerText.includes('1 ·')")
    ask(page, "Mixed")
    page.fill(WORDS, "clip")
    page.click("#search-go")
    page.wait_for_selector("#message .notice.bad")
    assert "needs both" in page.inner_text("#message")
    page.set_input_files("#search-image input[type=file]", tmp_path / "asked.png")
    page.wait_for_selector("#search-image img")
    page.evaluate("document.querySelector('.hit .score').innerText = ''")
    page.click("#search-go")
    page.wait_for_function("document.querySelector('.hit .score')?.innerText.includes('1 ·')")
    assert page.browsing.dialogs == []


def test_a_damaged_picture_is_told_in_words(searchable: App, page: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"nonsense" * 4)
    open_tab(page, searchable, "search", index="demo")
    ask(page, "Picture")
    page.set_input_files("#search-image input[type=file]", tmp_path / "bad.png")
    page.wait_for_selector("#search-image img", state="attached")
    page.click("#search-go")
    page.wait_for_selector("#message .notice.bad")
    assert "damaged" in page.inner_text("#message")


def test_texts_can_be_read_whole_in_their_cards(searchable: App, page: Any) -> None:
    open_tab(page, searchable, "search", index="questions")
    page.fill(WORDS, "reset")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    box = ".hit .media.words"
    assert page.locator(box).first.inner_text().count("Then wait.") == 40
    assert page.locator(box).first.evaluate("(box) => box.scrollHeight > box.clientHeight")
    assert page.locator(box).first.evaluate("(box) => getComputedStyle(box).overflowY") == "auto"


def test_the_rerankers_say_what_they_cannot_read(searchable: App, page: Any, tmp_path: Path) -> None:
    (tmp_path / "asked.wav").write_bytes(wav_bytes())
    open_tab(page, searchable, "search", index="demo")
    page.wait_for_timeout(600)  # the tab is drawn again when it has opened, which closes a list
    page.click("#search-reranker input")
    listed = page.locator("ul[role=listbox] li").all_inner_texts()
    assert any("mine (your run)" in one for one in listed)
    assert any("starter-reranker (offline) · cannot read sounds" in one for one in listed)
    assert not any("bge-reranker" in one for one in listed), "a model that is not on this computer would be fetched"
    page.locator("ul[role=listbox] li").filter(has_text="starter-reranker").click()
    page.fill(WORDS, "a red circle")
    page.click("#search-go")
    page.wait_for_selector(".hit .moved[title^=was]")
    unread = page.locator(".hit:has(.sound) .moved")
    assert unread.count() > 0
    assert {one.get_attribute("title") for one in unread.all()} == {"not moved"}
    ask(page, "Sound")
    page.set_input_files("#search-audio input[type=file]", tmp_path / "asked.wav")
    page.wait_for_selector("#search-audio .waveform-container, #search-audio audio", state="attached")
    page.click("#search-go")
    page.wait_for_selector("#message .notice.bad")
    assert "cannot read sound" in page.inner_text("#message")


def test_a_model_that_cannot_read_the_collection_says_so_and_does_not_start(searchable: App, page: Any) -> None:
    open_tab(page, searchable, "train", collection="demo")
    page.wait_for_timeout(600)
    page.click("#train-model input")
    listed = page.locator("ul[role=listbox] li").all_inner_texts()
    assert listed[0].strip().endswith("starter (offline)")
    assert any("all-MiniLM-L6-v2 · cannot read pictures and sounds" in one for one in listed)
    page.locator("ul[role=listbox] li").filter(has_text="all-MiniLM").first.click()
    page.wait_for_selector("#train-lesson .notice.bad")
    assert "cannot read picture" in page.inner_text("#train-lesson")
    page.click("#train-start")
    page.wait_for_selector("#message .notice.bad")
    assert [run.name for run in searchable.workspace.runs.iterdir()] == ["mine"]
