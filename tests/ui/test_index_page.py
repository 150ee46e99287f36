"""The part Index of the Search tab, without a browser: what it says of an index, and what its buttons start."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.index.build import build_index
from workbench.index.export import run_export_index
from workbench.index.life import update_index
from workbench.index.registry import get_index, list_indexes, publish
from workbench.index.verify import verify
from workbench.job_folder import JobFolder, create_job_folder
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.search import index_page_views as views
from workbench.ui.search.tab import SearchTab
from workbench.workspace import Workspace, write_json

PLACE = Place(tab="search", index="words", part="index")
Drawn = Callable[[], str]
Started = list[tuple[str, dict[str, Any]]]


class Pressed:
    """What a button of our HTML sends."""

    def __init__(self, **data: str) -> None:
        self._data = data


@pytest.fixture
def toy() -> ToyEmbedder:
    return ToyEmbedder()


@pytest.fixture
def tab(workspace: Workspace, toy: ToyEmbedder) -> SearchTab:
    """The tab over an index of 12 texts."""
    make_collection(workspace, "words", texts(12))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("search") as opened:
            return SearchTab(page, opened)


@pytest.fixture
def drawn(tab: SearchTab) -> Drawn:
    """The HTML of the part."""
    part = tab.index
    return lambda: "".join(str(tab.refresh(PLACE)[one]) for one in (part.top, part.efforts, *part.views))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> Started:
    """The jobs that were started, which do nothing."""
    found: Started = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        found.append((work, spec))
        job = create_job_folder(workspace.job(name), work, spec, {})
        job.write_status(state="finished")
        return job

    monkeypatch.setattr(jobs, "start", start)
    monkeypatch.setattr(jobs, "watch", lambda job: job.status())
    return found


def done(workspace: Workspace, work: str, result: dict[str, Any]) -> JobFolder:
    job = create_job_folder(workspace.job(work), work, {"index": "words", "collection": "words"}, {})
    write_json(job.path / "result.json", result)
    job.write_status(state="finished")
    return job


def change_collection(workspace: Workspace) -> None:
    shutil.rmtree(workspace.collection("words"))
    make_collection(workspace, "words", [*texts(10), *texts(4, "fresh")])


def test_it_says_what_the_index_is(tab: SearchTab, workspace: Workspace, drawn: Drawn) -> None:
    said = re.sub(r"<[^>]+>", " ", drawn())
    for words in ("Items  12", "32 × float32", "Recall@10  exact", "12 texts", "just now", "Pieces  1",
                  str(workspace.index), "It holds what its collection holds."):  # fmt: skip
        assert words in said, words
    assert "The state before" not in said and tab.refresh(PLACE)[tab.index.measured].visible is False


def test_the_recall_curve_is_shown_where_it_was_measured(tab: SearchTab, workspace: Workspace) -> None:
    found = [(20, 10, 0.91, 2.0), (50, 10, 0.96, 4.0), (100, 50, 0.99, 14.0)]
    efforts = [dict(zip(("probes", "refine", "recall", "milliseconds"), one, strict=True)) for one in found]
    chosen = {"kind": "IVF_RQ", "probes": 50, "refine": 10, "recall": 0.96, "wished": 0.95}
    publish(workspace, replace(get_index(workspace, "words"), efforts=efforts, **chosen))
    shown = tab.refresh(PLACE)
    assert shown[tab.index.measured].visible
    curve = shown[tab.index.curve]["lines"]
    assert curve[0]["x"] == [2.0, 4.0, 14.0] and curve[0]["y"] == [0.91, 0.96, 0.99] and curve[1]["y"] == [0.95, 0.95]
    assert re.findall(r'<tr class="marked"><td[^>]*>(\d+)', shown[tab.index.efforts]) == ["50"]


def test_a_changed_collection_is_told_and_update_starts_the_work(
    tab: SearchTab, workspace: Workspace, toy: ToyEmbedder, drawn: Drawn, started: Started
) -> None:
    change_collection(workspace)
    assert "The collection has changed since: 4 more, 2 fewer." in drawn()
    assert re.search(r'class="button primary"[^>]*data-act="update"[^>]*data-name="words"', drawn())
    tab.use_view(PLACE, Pressed(act="update", name="words"))  # type: ignore[arg-type]
    assert started == [
        ("index", {"action": "update", "name": "words", "collection": "words", "model": "toy"})
    ]  # fmt: skip
    update_index(workspace, "words", embedder=toy)
    assert "It holds what its collection holds." in drawn() and "The state before" in drawn()


def test_going_back_is_done_at_once_and_can_be_undone(
    tab: SearchTab, workspace: Workspace, toy: ToyEmbedder, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.search.index_page.tell", lambda _: None)
    change_collection(workspace)
    update_index(workspace, "words", embedder=toy)
    for rows in (12, 14):
        tab.use_view(PLACE, Pressed(act="rollback", name="words"))  # type: ignore[arg-type]
        assert get_index(workspace, "words").rows == rows


def test_another_model_is_started_beside_it_and_one_behind_an_address_is_not(
    tab: SearchTab, workspace: Workspace, started: Started
) -> None:
    tab.read_again(PLACE, "starter")
    assert started == [("index", {"action": "reembed", "name": "words", "collection": "words", "model": "starter"})]
    with pytest.raises(WorkbenchError, match="“remote:x” cannot be used on the page"):
        tab.read_again(PLACE, "remote:x")
    publish(workspace, replace(get_index(workspace, "words"), model="remote:x"))
    with pytest.raises(WorkbenchError, match="terminal: python -m workbench index update words"):
        tab.use_view(PLACE, Pressed(act="update", name="words"))  # type: ignore[arg-type]
    assert len(started) == 1


def test_one_work_at_a_time(tab: SearchTab, workspace: Workspace, started: Started) -> None:
    busy = create_job_folder(workspace.job("x"), "index", {"action": "compact", "name": "words"}, {})
    busy.write_status(state="running")
    for act in ("update", "compact", "verify-index", "export-index"):
        with pytest.raises(WorkbenchError, match="“words” is being worked on just now"):
            tab.use_view(PLACE, Pressed(act=act, name="words"))  # type: ignore[arg-type]
    assert started == []


def test_what_was_found_is_listed_and_an_older_look_is_said_to_be_old(
    tab: SearchTab, workspace: Workspace, toy: ToyEmbedder, drawn: Drawn, started: Started
) -> None:
    change_collection(workspace)
    seen = tab.refresh(PLACE)[tab.seen]
    done(workspace, "verify-index", verify(workspace, "words", load_embedder=lambda *_, **__: toy))
    changed = tab.watch_index(PLACE, seen)
    assert changed is not None and tab.index.away in changed, "it is drawn when the look is done"
    assert "4 documents of “words” are not in the index yet" in drawn() and ">note</span>" in drawn()
    assert "has changed since." not in re.sub("The collection has changed since[^<]*", "", drawn())
    update_index(workspace, "words", embedder=toy)
    assert "The index has changed since." in drawn()
    tab.use_view(PLACE, Pressed(act="verify-index", name="words"))  # type: ignore[arg-type]
    assert [(work, spec["index"]) for work, spec in started] == [("verify-index", "words")]
    assert len(jobs.list_jobs(workspace, "verify-index")) == 1, "the earlier look is put away"


def test_what_was_written_can_be_downloaded(tab: SearchTab, workspace: Workspace, drawn: Drawn) -> None:
    job = create_job_folder(workspace.job("w"), "export-index", {"index": "words", "collection": "words"}, {})
    write_json(job.path / "result.json", run_export_index(workspace, job))
    job.write_status(state="finished")
    assert re.findall(r"download>([\w.]+)</a>", drawn()) == ["README.md", "index.json", "vectors.parquet"]
    address = re.search(r'href="([^"]+)" download>index.json', drawn())
    client = TestClient(Starlette(routes=[tab.page.downloads.route()]))
    assert address and client.get(address[1].replace("&amp;", "&")).json()["rows"] == 12
    assert ">Write it again<" in drawn()
    assert run_export_index(workspace, job)["rows"] == 12, "in the place of the earlier one"


def test_removing_names_the_index_that_was_shown(tab: SearchTab, workspace: Workspace, toy: ToyEmbedder) -> None:
    """Not the one that is newest by then."""
    button = tab.refresh(PLACE)[tab.index.foot]
    assert "deletes the index “words” of 12 items" in button and 'data-name="words"' in button
    build_index(workspace, "newer", "words", "toy", embedder=toy)
    moved = tab.use_view(replace(PLACE, index=""), Pressed(act="remove", name="words"))  # type: ignore[arg-type]
    assert [card.name for card in list_indexes(workspace)] == ["newer"]
    assert moved[tab.page.place].part == ""


def test_files_that_are_gone_are_told(tab: SearchTab, workspace: Workspace, drawn: Drawn) -> None:
    change_collection(workspace)
    shutil.rmtree(workspace.index / f"{get_index(workspace, 'words').table}.lance")
    assert "The files of this index are not at" in drawn() and "Remove this index" in drawn()


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (3 * 86400, "3 days ago")]
)
def test_ages(seconds: float, words: str) -> None:
    assert views.age(time.time() - seconds) == words
