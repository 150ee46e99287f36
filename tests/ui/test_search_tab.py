"""The Search tab without a browser: what a tick draws, which sizes are offered, what is shown of what has left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from tests.conftest import png_bytes
from workbench.errors import WorkbenchError
from workbench.index.registry import IndexCard
from workbench.index.results import Hit, SearchResult
from workbench.job_folder import JobFolder, create_job_folder
from workbench.media import thumbnail
from workbench.models import source
from workbench.ui.media_route import MediaRoute
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.search import in_hand, views
from workbench.ui.search import tab as frame
from workbench.ui.search.tab import SearchTab
from workbench.workspace import Workspace

CARD = IndexCard(
    name="words", table="t", collection="words", collection_fingerprint="", model="starter", fingerprint="", rows=3,
    dimension=300, model_dimension=300, precision="float32", kind="exact", recall=1.0, bytes=1, seconds=1.0,
    created=1.0, modalities={"text": 3},
)  # fmt: skip
PLACE = Place(tab="search", index="words")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[IndexCard]:
    cards = [CARD]
    for module in (in_hand, frame):
        monkeypatch.setattr(module, "list_indexes", lambda _: cards)
    return cards


@pytest.fixture
def tab(workspace: Workspace, listed: list[IndexCard]) -> SearchTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("search") as opened:
            return SearchTab(page, opened)


@pytest.fixture
def job(workspace: Workspace) -> JobFolder:
    job = create_job_folder(workspace.job("index-more"), "index", {"name": "more", "collection": "words"}, {})
    job.write_status(state="running")
    return job


def test_what_is_chosen_stays_while_an_index_is_made_and_is_drawn_again_when_it_is_there(
    tab: SearchTab, job: JobFolder, listed: list[IndexCard]
) -> None:
    choices = {
        tab.ask.options.modality,
        tab.ask.options.dimension,
        tab.ask.options.reranker,
        tab.ask.options.filters,
        tab.collection,
        tab.model,
        tab.form,
    }
    seen = tab.refresh(PLACE)[tab.seen]
    assert tab.watch_index(PLACE, seen) is None
    job.write_status(step=1, total=3)
    changed = tab.watch_index(PLACE, seen)
    assert changed is not None and tab.job in changed
    assert not choices & changed.keys()
    seen = changed[tab.seen]
    job.write_status(state="finished")
    listed.append(replace(CARD, name="more", created=2.0))
    changed = tab.watch_index(PLACE, seen)
    assert changed is not None and choices <= changed.keys()


def test_another_index_that_comes_into_view_brings_its_choices(tab: SearchTab, job: JobFolder) -> None:
    """Its own is being made, so none is shown; when that is put away, the newest is."""
    place = replace(PLACE, index="more")
    seen = tab.refresh(place)[tab.seen]
    job.write_status(state="finished")
    changed = tab.watch_index(place, seen)
    assert changed is not None and tab.ask.options.dimension in changed


def test_the_sizes_offered_are_whole_halves(tab: SearchTab) -> None:
    assert [value for _, value in tab.refresh(PLACE)[tab.ask.options.dimension].choices] == ["300", "150", "75"]


def test_a_picture_that_has_left_its_collection_is_shown_as_the_index_kept_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    hit = Hit(
        rank=1, id="a", score=0.5, modality="image", text="", file="cat.png", row=-1, collection="gone", first_rank=1,
        first_score=0.5, thumbnail=thumbnail("image", png_bytes((9, 9, 9), (32, 32))),
    )  # fmt: skip
    found = SearchResult("words", "starter", [hit], {}, 300)
    shown = views.results(found, workspace, MediaRoute(workspace))
    assert '<img src="data:image/webp;base64,' in shown and "cat.png" in shown
    found = SearchResult("words", "starter", [replace(hit, thumbnail=None)], {}, 300)
    assert "<img" not in views.results(found, workspace, MediaRoute(workspace))


def test_no_reranker_is_fetched_by_a_search(tab: SearchTab, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ["cross-encoder/ms-marco-MiniLM-L6-v2"]
    monkeypatch.setattr(source, "weights_here", lambda reference: reference in here)
    offered = [value for _, value in tab.refresh(PLACE)[tab.ask.options.reranker].choices]
    assert "starter-reranker" in offered and [one for one in offered if "/" in one] == here
    rest = (1, 10, None, "")
    with pytest.raises(WorkbenchError, match=r"is not on this computer yet\. Fetch it with “Add a model”"):
        tab.ask.search(PLACE, "text", "tea", None, None, None, 0.0, None, "", "", "BAAI/bge-reranker-v2-m3", *rest)
