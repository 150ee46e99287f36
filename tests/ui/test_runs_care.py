"""What can be done with a run on the page: notes, a clone, a comparison, its script, its disk; without a browser."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import pytest

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.training.record import RECIPE_FILE, ROWS_FILE
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.runs import RunsTab
from workbench.workspace import Workspace, write_json

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def tab(workspace: Workspace) -> RunsTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("runs") as opened:
            return RunsTab(page, opened)


def finished(workspace: Workspace, name: str, **settings: Any) -> JobFolder:
    spec = {"kind": "embedder", "model": "starter", "collection": "demo", "preset": "quick", "settings": settings}
    job = create_job_folder(workspace.run(name), "train", spec, {})
    compared = {"difference": 0.1, "interval": [0.05, 0.15], "p": 0.0123, "verdict": "better", "queries": 8}
    row = {"direction": "text->image", "before": 0.4, "after": 0.5, **compared}
    scores = {"baseline": {"ndcg@10": 0.4}, "metrics": {"ndcg@10": 0.5}, "comparison": compared, "queries": 8}
    second = {"collection": "old", **scores, "comparison": compared | {"verdict": "worse"}}
    directions = [row | {"direction": "all"}, row]
    write_json(job.path / "summary.json", scores | {"steps": 2, "directions": directions, "second": second})
    for step in (1, 2):
        job.emit("metrics", step=step, loss=1.0 / step)
    job.write_status(state="finished", step=2, total=2)
    return job


def test_the_verdict_is_shown_in_every_direction_and_on_the_second_collection(
    tab: RunsTab, workspace: Workspace
) -> None:
    finished(workspace, "one")
    top = str(tab.open_tab(Place(tab="runs", run="one"))[tab.top])
    assert "text → picture" in top and "0.012" in top
    assert "old (not trained on)" in top and "Worse" in top


def test_notes_are_kept_and_shown_as_text_alone(tab: RunsTab, workspace: Workspace) -> None:
    job, place = finished(workspace, "one"), Place(tab="runs", run="one")
    finished(workspace, "two")
    assert "paper" in str(tab.save_notes(place, EVIL, f"paper, {EVIL}, paper")[tab.below])
    assert jobs.read_notes(job) == {"text": EVIL, "tags": ["paper", EVIL]}
    drawn = tab.open_tab(place)
    assert drawn[tab.care.text] == EVIL
    assert EVIL not in str(drawn[tab.below]) and "&lt;script&gt;" in str(drawn[tab.below])


def test_what_is_being_typed_is_not_drawn_again_by_the_clock(tab: RunsTab, workspace: Workspace) -> None:
    finished(workspace, "one")
    ticked = tab.watch_run(Place(tab="runs", run="one"), "other")
    assert ticked is not None and not set(ticked) & set(tab.care.widgets)


def test_a_clone_is_started_with_its_changes_and_shown(
    tab: RunsTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(workspace, "one")
    begun: list[Any] = []

    def clone(workspace: Workspace, name: str, new: str, changes: dict[str, Any]) -> JobFolder:
        begun.append((name, new, changes))
        return JobFolder(workspace.run(new))

    monkeypatch.setattr(jobs, "clone", clone)
    place = Place(tab="runs", run="one")
    moved = tab.care.start_clone(place, "learning_rate=1e-4\n\n epochs=2 ", "two")[tab.page.place]
    assert begun == [("one", "two", {"learning_rate": "1e-4", "epochs": "2"})] and moved.run == "two"
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        tab.care.start_clone(place, "", "../two")
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        tab.care.start_clone(place, "guide_model=/etc", "three")


def test_a_clone_of_a_model_with_code_needs_the_owner(tab: RunsTab, workspace: Workspace) -> None:
    spec = {"kind": "embedder", "model": "a/b", "collection": "demo", "settings": {}, "trust_remote_code": True}
    create_job_folder(workspace.run("own"), "train", spec, {})
    with pytest.raises(WorkbenchError, match="own code"):
        tab.care.start_clone(Place(tab="runs", run="own"), "", "copy")


def test_runs_are_compared_in_one_plot_and_by_what_differs(tab: RunsTab, workspace: Workspace) -> None:
    finished(workspace, "one", learning_rate=1e-3)
    finished(workspace, "two", learning_rate=1e-4)
    drawn = tab.care.compare(Place(tab="runs", run="one"), ["two"])
    assert [line["name"] for line in drawn[tab.care.loss]["lines"]] == ["one", "two"]
    assert "Learning rate" in drawn[tab.care.compared] and "0.0001" in drawn[tab.care.compared]
    assert tab.care.compare(Place(tab="runs", run="one"), [])[tab.care.compared] == ""


def test_the_checkpoints_of_an_ended_run_can_be_freed(tab: RunsTab, workspace: Workspace) -> None:
    job, place = finished(workspace, "one"), Place(tab="runs", run="one")
    (job.path / "checkpoints").mkdir()
    (job.path / "checkpoints" / "weights").write_bytes(b"x" * 5000)
    assert "Free 5 kB" in str(tab.open_tab(place)[tab.below])
    pressed = gr.EventData(None, {"act": "clean", "name": "one"})
    assert "Free" not in str(tab.use_view(place, pressed)[tab.below])
    assert not (job.path / "checkpoints").exists()


def test_the_script_on_an_open_page_names_no_folder_of_this_computer(
    tab: RunsTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, place = finished(workspace, "one"), Place(tab="runs", run="one")
    with pytest.raises(WorkbenchError, match="has not written down"):
        tab.care.write_script(place)
    folder = "/home/somebody/model"
    recipe = {
        "class": "SentenceTransformer", "loss": "None", "imports": [], "arguments": {}, "missing": [],
        "start": {"reference": folder, "folder": folder, "revision": "", "trusted": False},
        "columns": [{"name": "", "columns": {"query": "queries"}}],
        "modalities": ["text"], "form": {"messages": False, "markers": [], "sampling_rate": 16000},
    }  # fmt: skip
    recipe["missing"] = [f"where it starts: {folder}"]
    spec = job.spec | {"model": folder, "collection_fingerprint": "", "settings": {"guide_model": folder}}
    write_json(job.path / "job.json", {"work": "train", "name": "one", "created": 0.0, "spec": spec, "versions": {}})
    write_json(job.path / RECIPE_FILE, recipe)
    np.savez(job.path / ROWS_FILE, a=np.zeros(1))
    collection = type("Collection", (), {"path": workspace.collection("demo")})
    monkeypatch.setattr("workbench.training.script.open_collection", lambda *_: collection)
    written = tab.care.write_script(place)[tab.care.script].value
    assert "START = 'model'" in written and "/home" not in written and str(workspace.root) not in written
    tab.page.may_run_code = True
    assert folder in tab.care.write_script(place)[tab.care.script].value
