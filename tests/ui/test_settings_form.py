"""The settings of a run as a form: grouped, told beside their field when they cannot work, refused at the start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import App, axe, open_tab, start_app
from workbench.collection.demo import make_demo
from workbench.settings import GROUPS, TrainSettings
from workbench.workspace import open_workspace

PICTURES = os.environ.get("WORKBENCH_PICTURES_OF_SETTINGS", "")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    workspace = open_workspace(tmp_path_factory.mktemp("settings") / "workspace")
    make_demo(workspace, scenes=30)
    app = start_app(workspace)
    yield app
    app.stop()


def open_form(page: Any, app: App) -> None:
    open_tab(page, app, "train", collection="demo")
    page.wait_for_selector("#train-start")
    page.click("#train-advanced > button.label-wrap")


def open_group(page: Any, group: str) -> None:
    page.click(f"#settings-{group} > button.label-wrap")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_setting_is_in_its_group_with_its_line(filled: App, new_page: Callable[..., Any], width: int) -> None:
    page = new_page(width=width)
    open_form(page, filled)
    for group in GROUPS[1:]:
        open_group(page, group.lower().replace(" ", "-"))
    for name, field in TrainSettings.model_fields.items():
        shown = page.wait_for_selector(f"#setting-{name}", state="visible")
        assert str(field.title) in shown.inner_text() and str(field.description)[:30] in shown.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"settings-{width}.png", full_page=True)


def test_what_cannot_work_is_told_under_its_group_and_not_started(filled: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    open_form(page, filled)
    open_group(page, "what-is-learnt")
    page.check("#setting-lora_dora input")
    page.wait_for_selector("#settings-what-is-learnt-note .notice")
    assert "DoRA: This belongs to LoRA" in page.inner_text("#settings-what-is-learnt-note")
    assert "DoRA: This belongs to LoRA" in page.inner_text("#train-conflicts")
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "settings-conflict.png")
    page.click("#train-start")
    page.wait_for_selector("#message .notice.bad")
    assert "DoRA (lora_dora): This belongs to LoRA" in page.inner_text("#message")
    assert list(filled.workspace.runs.iterdir()) == []
    page.fill("#setting-lora_rank input", "4")
    page.wait_for_selector("#train-conflicts .notice", state="detached")
    assert page.inner_text("#settings-what-is-learnt-note").strip() == ""


def test_the_lesson_follows_the_settings(filled: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    open_form(page, filled)
    assert "128, 64, 32 and 16 dimensions" in page.inner_text("#train-lesson")
    open_group(page, "objective")
    page.uncheck("#setting-matryoshka input")
    page.wait_for_function("!document.querySelector('#train-lesson').innerText.includes('dimensions')")
    page.fill("#setting-max_steps input", "7")
    page.wait_for_function("document.querySelector('#train-summary').innerText.includes('7')")
