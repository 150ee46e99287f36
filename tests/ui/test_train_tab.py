"""The Train tab without a browser: what stays of its form, and what a page that was loaded anew shows."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.job_folder import create_job_folder
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.train import TrainTab
from workbench.workspace import Workspace, new_folder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def tab(workspace: Workspace) -> TrainTab:
    for name in ("words", "others"):
        with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
            for number in range(12):
                query = writer.add("queries", Item(text=f"{name} {number}"))
                writer.judge(query, writer.add("corpus", Item(text=f"answer {number}")))
            writer.finish(name, labels={"query": "question", "document": "answer"}, source={})
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("train") as opened:
            return TrainTab(page, opened)


def opened(tab: TrainTab, collection: str, form: tuple[Any, ...] = (None, None, "embedder", "quick", "", False)) -> Any:
    values = form if len(form) > 6 else (*form, *[None] * len(tab.settings))
    return tab.refresh(Place(tab="train", collection=collection), *values)


def test_a_filled_form_stays_while_the_collection_does(tab: TrainTab, workspace: Workspace) -> None:
    first = opened(tab, "words")
    assert first[tab.model].value == "starter" and first[tab.name] == "words-quick"
    settings = {name: first[widget] for name, widget in tab.settings.items()} | {"epochs": 3.5}
    form = ("words", MINILM, "embedder", "quick", "mine", False, *settings.values())
    again = opened(tab, "words", form)
    assert again[tab.model].value == MINILM
    assert not {tab.name, *tab.settings.values()} & set(again), "what was filled in is not drawn anew"
    assert "starter" in opened(tab, "others", form)[tab.model].value
    create_job_folder(workspace.run("mine"), "train", {"collection": "words"}, {})
    assert opened(tab, "words", form)[tab.name] == "words-quick", "the run that was begun has the name"


def test_a_model_that_is_gone_is_not_kept(tab: TrainTab) -> None:
    form = ("words", "run:gone", "embedder", "quick", "mine", False)
    assert opened(tab, "words", form)[tab.model].value == "starter"


@pytest.mark.parametrize(
    ("work", "state"), [("add-model", "running"), ("add-model", "failed"), ("join-models", "failed")]
)
def test_a_check_at_work_or_failed_is_shown_again(tab: TrainTab, workspace: Workspace, work: str, state: str) -> None:
    one = tab.adding if work == "add-model" else tab.joining
    assert one.found not in opened(tab, "words")
    job = create_job_folder(workspace.job("adding"), work, {"reference": "someone/small", "name": "small"}, {})
    job.write_status(state=state, reason="There is no such model.")
    drawn = opened(tab, "words")
    assert "small" in drawn[one.found] and drawn[one.fold].open
    assert drawn[one.timer].active == (state == "running")
    job.write_status(state="finished")
    assert one.found not in opened(tab, "words")
