from __future__ import annotations

import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.report import changes, directions, recommend, series, table, verdict_words
from workbench.evaluation.results import load_evaluation, open_queries
from workbench.workspace import open_workspace

from .conftest import ToyEmbedder, scenes


@pytest.fixture(scope="module")
def module_workspace(tmp_path_factory):
    return open_workspace(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def collection(module_workspace):
    return scenes(module_workspace)


@pytest.fixture(scope="module")
def evaluation(module_workspace, collection):
    def load(_, name):
        return ToyEmbedder(name, noise=3.0 if name == "base" else 0.4)

    evaluate(
        module_workspace, "scenes", ["base", "tuned"], precisions=["float32", "int8", "binary"], load=load, name="e"
    )
    return load_evaluation(module_workspace, "e")


@pytest.fixture(scope="module")
def queries(module_workspace, evaluation):
    return open_queries(module_workspace, evaluation)


def test_a_line_for_each_model_and_precision_rises_with_the_dimension(evaluation):
    lines = series(evaluation)
    assert [(line.model, line.precision) for line in lines][:4] == [
        ("base", "float32"), ("base", "int8"), ("base", "binary"), ("tuned", "float32"),
    ]  # fmt: skip
    assert all(line.dimensions == [8, 16, 32] for line in lines)
    assert all(
        low <= value <= high for line in lines for low, value, high in zip(line.low, line.ndcg, line.high, strict=True)
    )
    for model in ("base", "tuned"):
        assert max(part for line in lines if line.model == model for part in line.kept) == 1.0
    assert len(series(evaluation, precision="float32")) == 2


def test_the_table_says_bytes_measures_and_what_is_kept(evaluation):
    rows = table(evaluation, "text->image")
    assert len(rows) == 2 * 3 * 3
    assert {(row["dimension"], row["precision"]): row["bytes"] for row in rows}[16, "binary"] == 2
    assert all(0 <= row["kept"] <= 1 and "recall@100" in row for row in rows)


def test_directions_are_listed_with_all_first_and_an_unknown_one_is_answered(evaluation):
    assert directions(evaluation)[0] == "all" and len(directions(evaluation)) == 7
    with pytest.raises(WorkbenchError, match="text->image"):
        series(evaluation, "text->video")


def test_the_smallest_cell_within_the_tolerance_is_recommended(evaluation, queries):
    rows = {(row["model"], row["dimension"], row["precision"]): row for row in table(evaluation)}
    best = max(row["ndcg@10"] for row in rows.values())
    for tolerance in (0.0, 0.01, 0.1, 0.5):
        chosen = recommend(evaluation, queries, tolerance=tolerance)
        near = [row["bytes"] for row in rows.values() if row["ndcg@10"] >= best * (1 - tolerance) - 1e-12]
        assert chosen.bytes == min(near)
        assert chosen.ndcg == rows[chosen.model, chosen.dimension, chosen.precision]["ndcg@10"]
        assert chosen.loss["difference"] == pytest.approx(chosen.ndcg - chosen.best_ndcg, abs=1e-4)
        assert chosen.loss["interval"][0] <= chosen.loss["difference"] <= chosen.loss["interval"][1]
    assert (
        recommend(evaluation, queries, tolerance=0.5).bytes < recommend(evaluation, queries, tolerance=0.0).best_bytes
    )


def test_a_recommendation_can_keep_to_one_model(evaluation, queries):
    chosen = recommend(evaluation, queries, models=["base"])
    assert chosen.model == chosen.best_model == "base"


def test_a_recommendation_says_when_it_is_not_sure(evaluation, queries):
    assert recommend(evaluation, queries, tolerance=0.0).sure
    doubtful = recommend(evaluation, queries, tolerance=0.1)
    assert doubtful.sure == (doubtful.loss["interval"][0] >= -0.1 * doubtful.best_ndcg)
    assert ("more held-out queries" in doubtful.words) == (not doubtful.sure)


def test_gained_and_lost_queries_show_their_text_and_both_ranks(evaluation, queries, collection):
    gained, lost = changes(
        evaluation, queries, ("base", 32, "float32"), ("tuned", 32, "float32"), "text->image", collection
    )
    assert gained[0].difference == max(change.difference for change in gained) > 0
    assert gained[0].text == f"scene {int(gained[0].id[1:])}"
    assert gained[0].modality == "text"
    assert gained[0].rank_after < (gained[0].rank_before or 101)
    assert all(change.difference < 0 for change in lost)
    backwards = changes(
        evaluation, queries, ("tuned", 32, "float32"), ("base", 32, "float32"), "text->image", collection
    )
    assert {change.id for change in backwards[0]} <= {change.id for change in lost}


def test_without_the_collection_the_changes_still_have_their_ids(evaluation, queries):
    gained, _ = changes(evaluation, queries, ("base", 32, "float32"), ("tuned", 32, "float32"), "image->text", count=3)
    assert len(gained) == 3
    assert all(change.id.startswith("p") and change.side == "corpus" and change.text == "" for change in gained)


def test_a_verdict_is_said_with_its_interval():
    words = {
        "better": "Better by 0.059 [0.041, 0.078]",
        "worse": "Worse by 0.059 [0.041, 0.078]",
        "no real change": "No real change: +0.003 [-0.004, +0.010]",
    }
    cases = {
        "better": (0.059, 0.041, 0.078),
        "worse": (-0.059, -0.078, -0.041),
        "no real change": (0.003, -0.004, 0.01),
    }
    for verdict, (difference, low, high) in cases.items():
        assert verdict_words({"difference": difference, "interval": [low, high], "verdict": verdict}) == words[verdict]
