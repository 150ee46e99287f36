"""The Negatives part: what it asks of the background job, what it shows of what was mined, and dropping it again."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from tests.index.toys import texts
from workbench import jobs
from workbench.collection.editing import edit_collection
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.ui.page import Page
from workbench.ui.part_negatives import NegativesPart, read_limit
from workbench.ui.part_negatives_views import mined_now
from workbench.ui.place import Place
from workbench.workspace import Workspace, new_folder

PLACE = Place(collection="words", part="negatives")


@pytest.fixture
def part(workspace: Workspace) -> NegativesPart:
    with new_folder(workspace.collection("words")) as folder, CollectionWriter(folder) as writer:
        for number, document in enumerate(texts(20)):
            writer.judge(writer.add("queries", Item(text=f"<i>query {number}</i>")), writer.add("corpus", document))
        writer.finish("words", labels={"query": "question", "document": "answer"}, source={})
    with gr.Blocks():
        return NegativesPart(Page(workspace))


def mine(workspace: Workspace, count: int) -> None:
    collection = open_collection(workspace, "words")
    queries, documents = collection.queries["id"][:], collection.corpus["id"][:]
    with edit_collection(workspace, "words", "Mined") as edit:
        for number in range(count):
            meta = {"model": "run:first", "similarity": 0.5, "rank": 1, "positive_similarity": 0.6}
            edit.judge(queries[number], documents[number + 1], 0.0, "train", "mined", meta)


def drawn(part: NegativesPart, workspace: Workspace) -> tuple[Collection, str]:
    collection = open_collection(workspace, "words")
    return collection, str(part.draw(PLACE, collection)[part.top])


def test_the_job_gets_the_settings_of_the_form(
    part: NegativesPart, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(jobs, "start", lambda *given: started.append(given))
    part.start_mining(PLACE, "starter", "", 3, "", 2, 50, " ", "0,1", 0.0)
    _, work, name, spec = started[0]
    assert (work, name) == ("mine", "mine-words")
    assert spec["model"] == "starter" and spec["reranker"] is None
    assert (spec["per_query"], spec["first_rank"], spec["last_rank"]) == (3, 2, 50)
    assert spec["margin"] is None and spec["absolute_margin"] == 0.1


def test_what_is_no_number_or_no_model_is_told_in_words(part: NegativesPart) -> None:
    with pytest.raises(WorkbenchError, match="“much” is no number"):
        part.start_mining(PLACE, "starter", "", 3, "", 1, 50, "much", "", 0.0)
    with pytest.raises(WorkbenchError, match="Choose the model"):
        part.start_mining(PLACE, "", "", 3, "", 1, 50, "", "", 0.0)
    assert read_limit("margin", "0.9") == 0.9
    assert read_limit("margin", None) is None


def test_what_was_mined_is_counted_shown_and_dropped(
    part: NegativesPart, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "look right" in drawn(part, workspace)[1], "before the first mining it says what it is for"
    mine(workspace, 12)
    collection, shown = drawn(part, workspace)
    found = mined_now(collection)
    assert (found.count, found.queries, found.models) == (12, 12, ["run:first"])
    assert len(found.samples) == 3
    assert "12 hard negatives for 12 questions, found by first" in shown
    assert shown.count("Mined as wrong · similarity 0.50") == 3
    assert "<i>query" not in shown
    monkeypatch.setattr(gr, "Info", lambda *_, **__: None)

    class Pressed:
        _data = (("act", "drop"),)

    part.use_view(PLACE, Pressed())  # type: ignore[arg-type]
    assert mined_now(open_collection(workspace, "words")).count == 0


def test_its_clock_stands_still_elsewhere(part: NegativesPart) -> None:
    for place in (Place(tab="train", part="negatives"), Place(collection="words", part="review")):
        changed = part.watch_mining(place, "")
        assert changed is not None and changed[part.timer].active is False
