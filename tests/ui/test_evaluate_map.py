"""The Map part, without a browser: what is sent to be drawn, what a press opens, and how UMAP is begun."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from tests.ui.evaluated import HELD, TRAINED, make_evaluated
from tests.ui.small import NASTY
from workbench import jobs
from workbench.collection.store import open_collection, remove_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import map as maps
from workbench.evaluation.map import load_map, make_map
from workbench.evaluation.results import load_evaluation, vector_cache
from workbench.job_folder import create_job_folder
from workbench.ui.evaluate import map as map_part
from workbench.ui.evaluate import map_views
from workbench.ui.evaluate.tab import EvaluateTab
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.workspace import Workspace, open_workspace

POINTS = HELD + HELD + TRAINED
PLACE = Place(tab="evaluate", evaluation="made", part="map")


class Pressed:
    """What a button of our HTML, or a dot of the map, sends."""

    def __init__(self, **data: Any) -> None:
        self._data = data


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("evaluated") / "workspace")
    make_evaluated(workspace)
    make_evaluated(workspace, models=("starter",), name="alone")
    return workspace


@pytest.fixture
def tab(evaluated: Workspace, workspace: Workspace) -> EvaluateTab:
    shutil.copytree(evaluated.root, workspace.root, dirs_exist_ok=True)
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("evaluate") as opened:
            return EvaluateTab(page, opened)


@pytest.fixture
def part(tab: EvaluateTab) -> Any:
    return next(one for one in tab.parts if one.name == "map")


def drawn_map(tab: EvaluateTab, part: Any) -> dict[str, Any]:
    return dict(json.loads(tab.refresh(PLACE)[part.map].value["map"]))


def test_the_map_is_drawn_at_once_with_a_place_a_colour_and_words_for_every_item(tab: EvaluateTab, part: Any) -> None:
    value = drawn_map(tab, part)
    assert (value["panels"], value["shown"], value["points"]) == (["starter", "tuned"], [0, 1], POINTS)
    (laid,) = value["layouts"]
    assert laid["name"] == "PCA" and "orthogonal Procrustes" in laid["note"] and " % of all differences" in laid["note"]
    assert all(len(axis) == POINTS for one in laid["places"] for axis in one)
    colours = {one["title"]: one for one in value["colours"]}
    assert {"modality", "query or document", "found or missed", "colour", "kind"} <= set(colours)
    assert len(colours["modality"]["codes"]) == 1 and len(colours["found or missed"]["codes"]) == 2
    assert len(json.dumps(value)) < 300 * POINTS, "five thousand items must stay a light page"


def test_one_model_has_one_panel_and_nothing_is_said_of_turning(tab: EvaluateTab, part: Any) -> None:
    drawn = tab.refresh(PLACE.at(evaluation="alone"))
    assert json.loads(drawn[part.map].value["map"])["panels"] == ["starter"]
    assert "Procrustes" not in json.loads(drawn[part.map].value["map"])["layouts"][0]["note"]
    assert "change against" not in drawn[part.told]


def test_pictures_have_signed_thumbnails_and_texts_stay_plain_texts(tab: EvaluateTab, part: Any) -> None:
    items = drawn_map(tab, part)["items"]
    assert any(NASTY in text for text in items["texts"]), "as it was written: the page shows it with textContent"
    thumbs = [thumb for thumb in items["thumbs"] if thumb]
    assert thumbs and all(thumb.startswith("/media/things/") and "?sig=" in thumb for thumb in thumbs)
    assert not any(thumb for thumb, kind in zip(items["thumbs"], items["kinds"], strict=True) if kind.endswith("text"))


def test_what_is_html_is_escaped(tab: EvaluateTab, part: Any, workspace: Workspace) -> None:
    tab.refresh(PLACE)
    found = load_map(workspace, load_evaluation(workspace, "made"))
    assert found is not None
    texts = open_collection(workspace, "things").queries["text"]
    point = next(one for one in range(HELD) if NASTY in texts[found.item(one)[1]])
    opened = part.use_map(PLACE, Pressed(act="open", point=point))[part.opened]
    assert "<script" not in opened and "&lt;script&gt;" in opened


def test_the_gap_is_told_in_a_sentence_and_in_a_table_with_what_chance_would_show(
    tab: EvaluateTab, part: Any, workspace: Workspace
) -> None:
    drawn = tab.refresh(PLACE)
    found = make_map(workspace, "made")
    widest = max(found.about["gaps"]["run:tuned"], key=lambda row: row["gap"])
    assert f"tuned puts {' and '.join(map_views.words.modality(name) for name in widest['between'])}" in drawn[part.top]
    assert (
        f"{widest['gap']:.3f} apart" in drawn[part.top]
        and f"{widest['gap']:.3f} apart" in json.loads(drawn[part.map].value["map"])["says"]
    )
    assert "by chance" in drawn[part.told] and "Liang et al. 2022" in drawn[part.told]


def test_a_query_far_from_its_answer_opens_with_it(tab: EvaluateTab, part: Any, workspace: Workspace) -> None:
    told = tab.refresh(PLACE)[part.told]
    point = told.partition('data-point="')[2].partition('"')[0]
    opened = part.use_map(PLACE, Pressed(act="open", point=point))[part.opened]
    assert opened.count('<li class="card item">') == 2
    with pytest.raises(WorkbenchError, match="no such point"):
        part.use_map(PLACE, Pressed(act="open", point="nonsense"))


def test_the_points_stay_when_the_collection_is_gone(tab: EvaluateTab, part: Any, workspace: Workspace) -> None:
    tab.refresh(PLACE)
    remove_collection(workspace, "things")
    value = drawn_map(tab, part)
    assert value["points"] == POINTS and set(value["items"]["texts"]) == {""}
    with pytest.raises(WorkbenchError, match="has been removed"):
        part.use_map(PLACE, Pressed(act="open", point=0))


def test_without_vectors_the_part_says_what_to_do_next(tab: EvaluateTab, part: Any, workspace: Workspace) -> None:
    shutil.rmtree(vector_cache(workspace))
    drawn = tab.refresh(PLACE)
    assert "Evaluate the same models again" in drawn[part.top]
    assert drawn[part.map].visible is False


def test_umap_is_begun_once_and_drawn_when_it_is_done(
    tab: EvaluateTab, part: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Any]] = []

    def start(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> None:
        begun.append(spec)
        create_job_folder(workspace.job(name), work, spec, {})

    monkeypatch.setattr(map_part, "has_umap", lambda: True)
    monkeypatch.setattr(jobs, "start", start)
    monkeypatch.setattr(jobs, "watch", lambda job: job.status())
    assert 'id="evaluate-umap"' in tab.refresh(PLACE)[part.top]
    drawn = part.use_map(PLACE, Pressed(act="umap"))
    assert "UMAP is at work" in drawn[part.top]
    part.use_map(PLACE, Pressed(act="umap"))
    assert begun == [{"evaluation": "made", "umap": True}]
    assert "Laying out the map of made with UMAP" in tab.refresh(PLACE)[tab.job]


def test_a_job_that_goes_on_draws_its_progress_alone_and_a_new_map_draws_all(
    tab: EvaluateTab, part: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "watch", lambda job: job.status())
    job = create_job_folder(workspace.job("map-made"), "map", {"evaluation": "made", "umap": True}, {})
    job.write_status(state="running")
    seen = tab.refresh(PLACE)[tab.seen]
    assert tab.watch_job(PLACE, seen) is None
    job.write_status(state="running", step=3, total=9)
    went_on = tab.watch_job(PLACE, seen)
    assert went_on is not None and part.map not in went_on and "3 of 9" in went_on[tab.job]
    found = make_map(workspace, "made")
    maps._save(workspace, replace(found, umap=np.zeros_like(found.pca)))
    job.write_status(state="finished")
    done = tab.watch_job(PLACE, went_on[tab.seen])
    assert done is not None
    assert [one["name"] for one in json.loads(done[part.map].value["map"])["layouts"]] == ["PCA", "UMAP"]


def test_without_the_package_its_name_stands_where_the_button_would(
    tab: EvaluateTab, part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_part, "has_umap", lambda: False)
    top = tab.refresh(PLACE)[part.top]
    assert "umap-learn" in top and "evaluate-umap" not in top
    with pytest.raises(WorkbenchError, match="umap-learn"):
        part.use_map(PLACE, Pressed(act="umap"))


def test_every_tone_that_a_map_may_send_is_a_token() -> None:
    tokens = (Path(__file__).resolve().parents[2] / "assets" / "tokens.css").read_text(encoding="utf-8")
    for tone in {*map_views.CORRECTNESS_TONES, *map("{}".format, range(1, 7))}:
        assert tokens.count(f"--series-{tone}:") == 2, "in the light and in the dark"
