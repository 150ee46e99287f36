"""“Will it fit?”: the estimate, the button that measures, and what it found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from workbench import jobs
from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.job_folder import create_job_folder
from workbench.training.measurements import Measurement, keep
from workbench.training.spec import train_spec
from workbench.ui.fit_card import FitCard
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.workspace import Workspace, new_folder

PLACE = Place(collection="words")


def spec_of(workspace: Workspace, **overrides: Any) -> dict[str, Any]:
    return train_spec(workspace, collection="words", model="starter", overrides=overrides)


@pytest.fixture
def card(workspace: Workspace) -> FitCard:
    with new_folder(workspace.collection("words")) as folder, CollectionWriter(folder) as writer:
        for number in range(12):
            query = writer.add("queries", Item(text=f"query {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}")))
        writer.finish("words", labels={"query": "question", "document": "answer"}, source={})
    with gr.Blocks():
        made = FitCard(Page(workspace))
        timer, batch = gr.Timer(), gr.Number()
        made.wire("train", timer, [batch], lambda size: spec_of(workspace, batch_size=size))
    return made


def shown(card: FitCard, **overrides: Any) -> str:
    return str(card.draw(spec_of(card.page.workspace, **overrides))[card.view])


def test_before_it_is_measured_there_is_a_range_and_a_button(card: FitCard) -> None:
    box = shown(card)
    assert "estimated" in box and "fit-measure" in box and "Measure" in box


def test_settings_that_make_no_run_are_told_beside_the_form(card: FitCard) -> None:
    box = card.estimate(PLACE, 1)[card.view]
    assert "batch_size" in box and "fit-measure" not in box


def test_measure_starts_one_dry_run_and_shows_it(card: FitCard, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> None:
        started.append((work, name))
        create_job_folder(workspace.job(name), work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    event: Any = SimpleNamespace(_data={"act": "measure"})
    changed = card.use(PLACE, event, 4)
    card.use(PLACE, event, 4)
    assert started == [("fit", "fit-words")]
    assert "Measuring" in changed[card.view] and "fit-measure" not in changed[card.view]
    assert changed[card.timer].active
    assert "estimated" in shown(card, batch_size=6), "other settings are not being measured"


def test_what_was_measured_is_shown_with_its_time(card: FitCard) -> None:
    measured = Measurement(2_000_000_000, 0.5, 4, 3.0, 1.0, [[2, 5]], "<i>a GPU", 8_000_000_000, 1.0)
    keep(card.page.workspace, spec_of(card.page.workspace, batch_size=4), measured)
    box = shown(card, batch_size=4)
    assert "It fits" in box and "2 GB of 8 GB" in box and "steps and the scoring" in box
    assert "<i>a" not in box


def test_a_measurement_that_failed_says_why_and_can_be_made_again(card: FitCard) -> None:
    workspace = card.page.workspace
    spec = spec_of(workspace, batch_size=4)
    job = create_job_folder(workspace.job("fit-words"), "fit", {"collection": "words", "run": spec}, {})
    job.write_status(state="failed", reason="Not even one pair at once fits.")
    box = shown(card, batch_size=4)
    assert "Not even one pair" in box and "Measure again" in box
    event: Any = SimpleNamespace(_data={"act": "dismiss", "name": "fit-words"})
    assert "estimated" in card.use(PLACE, event, 4)[card.view]
