"""The map of an evaluation: made of the vectors it kept, kept beside it, read when the models are gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.evaluation.conftest import ToyEmbedder, scenes
from workbench import cli
from workbench.collection.store import Collection, Item
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation import map as maps
from workbench.evaluation import map_points
from workbench.evaluation.evaluate import evaluate, remove_evaluation
from workbench.evaluation.held_out import ALL, held_out
from workbench.evaluation.map import Map, answers_of, farthest, load_map, make_map, run_map, told
from workbench.evaluation.results import load_evaluation, map_file, vector_cache
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace, open_workspace

MODELS = {"good": {"noise": 0.2}, "poor": {"noise": 3.0, "dimension": 24}}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with an evaluation of two toys of different dimensions, the poor one first."""
    workspace = open_workspace(tmp_path_factory.mktemp("evaluated") / "workspace")
    collection = scenes(workspace)

    def load(_: Workspace, reference: str) -> ToyEmbedder:
        return ToyEmbedder(reference, **MODELS[reference])

    evaluate(workspace, collection.name, ["poor", "good"], name="e", load=load)
    return workspace


@pytest.fixture
def taken(workspace: Workspace, evaluated: Workspace) -> dict[str, Any]:
    """That evaluation, in the test's own workspace."""
    shutil.copytree(evaluated.root, workspace.root, dirs_exist_ok=True)
    return load_evaluation(workspace, "e")


def colouring(found: Map, title: str) -> list[list[str]]:
    one = next(one for one in found.colourings if one.title == title)
    return [[one.labels[code] for code in codes] for codes in one.codes.tolist()]


def test_every_held_out_item_has_a_place_by_every_model(workspace: Workspace, taken: dict[str, Any]) -> None:
    found = make_map(workspace, "e")
    assert found.about["models"] == ["poor", "good"]
    assert found.pca.shape == (2, 75, 2), "25 sentences, 25 pictures, 25 tunes"
    assert [found.item(point)[0] for point in (0, 24, 25, 74)] == ["queries", "queries", "corpus", "corpus"]
    assert found.umap is None
    with pytest.raises(WorkbenchError, match="no such point"):
        found.item(75)


def test_the_map_is_kept_and_read_after_models_and_vectors_are_gone(
    workspace: Workspace, taken: dict[str, Any]
) -> None:
    first = make_map(workspace, "e")
    shutil.rmtree(vector_cache(workspace))
    again = make_map(workspace, "e")
    assert np.array_equal(first.pca, again.pca)
    assert again.colourings[0].labels == first.colourings[0].labels
    remove_evaluation(workspace, "e")
    assert not map_file(workspace, "e").exists()


def test_without_its_vectors_it_says_so_and_what_to_do(workspace: Workspace, taken: dict[str, Any]) -> None:
    shutil.rmtree(vector_cache(workspace))
    with pytest.raises(WorkbenchError, match="Evaluate the same models again"):
        make_map(workspace, "e")


def test_a_model_whose_vectors_are_gone_is_left_out_and_named(workspace: Workspace, taken: dict[str, Any]) -> None:
    fingerprint = next(one["fingerprint"] for one in taken["models"] if one["reference"] == "poor")
    for folder in vector_cache(workspace).glob(f"{fingerprint}-*"):
        shutil.rmtree(folder)
    found = make_map(workspace, "e")
    assert (found.about["models"], found.about["missing"]) == (["good"], ["poor"])


def test_a_map_of_an_older_evaluation_of_that_name_is_made_anew(workspace: Workspace, taken: dict[str, Any]) -> None:
    make_map(workspace, "e")
    assert load_map(workspace, taken) is not None
    assert load_map(workspace, {**taken, "created": taken["created"] + 1}) is None
    map_file(workspace, "e").write_bytes(b"no archive")
    assert load_map(workspace, taken) is None
    assert len(make_map(workspace, "e").rows) == 75


def test_points_are_coloured_by_modality_side_and_what_each_model_found(
    workspace: Workspace, taken: dict[str, Any]
) -> None:
    found = make_map(workspace, "e")
    (modality,) = colouring(found, "modality")
    assert modality == ["text"] * 25 + ["image"] * 25 + ["audio"] * 25 or set(modality[25:]) == {"image", "audio"}
    (side,) = colouring(found, "side")
    assert side == ["query"] * 25 + ["document"] * 50
    poor, good = colouring(found, "correctness")
    assert set(good) == {"query, right answer first", "document, found in the first 10"}
    assert "query, missed" in poor and "document, not found" in poor
    assert "split" not in [one.title for one in found.colourings], "all is held out: nothing to tell apart"


def test_what_was_seen_in_training_and_what_the_user_said_are_colours(
    workspace: Workspace, build: Callable[..., Collection], toy: Any
) -> None:
    queries = [Item(text=f"scene {n}", id=f"q{n}", meta={"lang": "de" if n % 2 else "fr"}) for n in range(8)]
    documents = [Item(text=f"answer {n}", id=f"d{n}", meta={"page": n}) for n in range(9)]
    judged = [(f"q{n}", f"d{n}", 1.0, "eval" if n < 6 else "train") for n in range(8)]
    build(workspace, "books", queries, documents, judged, method="query")
    evaluate(workspace, "books", ["good"], name="b", load=lambda *_: toy("good"))
    found = make_map(workspace, "b")
    (split,) = colouring(found, "split")
    assert split == ["held out"] * 12 + ["seen in training"] * 2 + ["not judged"]
    (language,) = colouring(found, "lang")
    assert language[:6] == ["fr", "de"] * 3 and set(language[6:]) == {"none"}
    assert {row["between"][0] for row in found.about["gaps"]["good"]} == {"query"}, "one modality: the sides instead"
    (page,) = colouring(found, "page")
    assert "other" in page, "nine values are more than a map has colours for"


def test_the_sample_is_seeded_bounded_and_keeps_queries_with_their_answers(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_points, "MOST_ITEMS", 12)
    direction = held_out(collection).directions[ALL]
    chosen = map_points.choose(direction, 2)
    assert len(chosen.sources) == 6 and len(chosen.targets) == 6
    answers = {place for source in chosen.sources.tolist() for place in direction.relevant[source]}
    assert set(chosen.targets.tolist()) <= answers
    again = map_points.choose(direction, 2)
    assert np.array_equal(chosen.sources, again.sources) and np.array_equal(chosen.targets, again.targets)
    monkeypatch.setattr(map_points, "MOST_POINTS", 20)
    assert len(map_points.choose(direction, 4).sources) == 2, "more models, fewer items"


def test_the_queries_farthest_from_their_answers_are_those_of_the_smallest_cosine(
    workspace: Workspace, taken: dict[str, Any]
) -> None:
    found = make_map(workspace, "e")
    nearest = {}
    for (query, _), cosine in zip(found.pairs.tolist(), found.similarities[0].tolist(), strict=True):
        nearest[query] = max(cosine, nearest.get(query, -1.0))
    shown = farthest(found, 0, 3)
    assert [query for query, _, _ in shown] == sorted(nearest, key=nearest.__getitem__)[:3]
    query, document, cosines = shown[0]
    assert document in answers_of(found, query) and query in answers_of(found, document)
    assert cosines[0] == pytest.approx(nearest[query])


def test_vectors_of_a_model_that_tells_queries_from_documents_are_found(
    workspace: Workspace, collection: Collection, toy: Any
) -> None:
    evaluate(workspace, collection.name, ["a"], name="a", load=lambda *_: toy("a", asymmetric=True))
    assert make_map(workspace, "a").pca.shape == (1, 75, 2)


def test_the_work_tells_how_far_it_is_and_stops_where_asked(
    workspace: Workspace, taken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def umap(found: Any, begin: np.ndarray, step: Callable[[int, int], None]) -> np.ndarray:
        step(1, 2)
        return begin + 1

    monkeypatch.setattr(maps, "has_umap", lambda: True)
    monkeypatch.setattr(maps, "umap", umap)
    job = create_job_folder(workspace.job("m"), "map", {"evaluation": "e", "umap": True}, {})
    (job.path / "STOP").touch()
    with pytest.raises(Stopped):
        run_map(workspace, job)
    assert load_map(workspace, taken) is None
    (job.path / "STOP").unlink()
    result = run_map(workspace, job)
    assert result["layouts"] == ["pca", "umap"]
    kept = load_map(workspace, taken)
    assert kept is not None and kept.umap is not None
    assert np.allclose(kept.umap, kept.pca + 1)


def test_an_evaluation_that_is_removed_meanwhile_leaves_no_map_behind(
    workspace: Workspace, taken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def umap(found: Any, begin: np.ndarray, step: Any) -> np.ndarray:
        remove_evaluation(workspace, "e")
        return begin

    monkeypatch.setattr(maps, "has_umap", lambda: True)
    monkeypatch.setattr(maps, "umap", umap)
    with pytest.raises(WorkbenchError, match="no evaluation named"):
        make_map(workspace, "e", with_umap=True)
    assert not map_file(workspace, "e").exists()


def test_umap_without_its_package_names_it(
    workspace: Workspace, taken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "has_umap", lambda: False)
    with pytest.raises(WorkbenchError, match="umap-learn"):
        make_map(workspace, "e", with_umap=True)


def test_the_command_prints_the_gaps(workspace: Workspace, taken: dict[str, Any]) -> None:
    run = CliRunner().invoke(cli.app, ["map", "e", "--json", "--workspace", str(workspace.root)])
    assert run.exit_code == 0, run.output
    answer = json.loads(run.stdout)
    assert answer == json.loads(json.dumps(told(workspace, make_map(workspace, "e"))))
    assert {tuple(row["between"]) for row in answer["gaps"]} == {
        ("audio", "image"),
        ("audio", "text"),
        ("image", "text"),
    }
    words = CliRunner().invoke(cli.app, ["map", "e", "--workspace", str(workspace.root)])
    assert "by chance" in words.stdout and "75 items" in words.stdout
    missing = CliRunner().invoke(cli.app, ["map", "none", "--workspace", str(workspace.root)])
    assert missing.exit_code == 1 and "no evaluation named “none”" in missing.stderr
