from __future__ import annotations

import json

import pytest

from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation import evaluate as evaluate_module
from workbench.evaluation.evaluate import check_embedders, evaluate, load_evaluation, run_evaluation
from workbench.evaluation.results import open_queries
from workbench.job_folder import create_job_folder


@pytest.fixture
def loaded(toy, monkeypatch):
    """Models by reference `toy:NOISE`, and a list of those that were loaded."""
    made = []

    def load(workspace, reference, trusted):
        if reference == "none":
            raise WorkbenchError("There is no model “none”.")
        made.append(toy(reference, noise=float(reference.split(":")[1])))
        return made[-1]

    monkeypatch.setattr(evaluate_module, "_load_embedder", load)
    return made


def test_the_result_is_the_object_that_the_design_names(workspace, collection, loaded):
    result = evaluate(workspace, "scenes", ["toy:3", "toy:0.5"], name="first")
    assert (result["collection"], result["evaluation"]) == ("scenes", "first")
    assert len(result["results"]) == 2 * 3 * 7
    row = result["results"][0]
    assert set(row) == {
        "model", "dimension", "precision", "direction", "queries", "documents", "metrics", "interval",
    }  # fmt: skip
    comparison = result["comparisons"][0]
    assert set(comparison) >= {"a", "b", "direction", "metric", "difference", "interval", "p", "verdict"}
    assert (comparison["a"], comparison["b"], comparison["direction"]) == ("toy:3", "toy:0.5", "all")
    assert comparison["verdict"] == "better"
    assert "per_query" not in result
    json.dumps(result, allow_nan=False)


def test_what_is_saved_holds_everything_that_is_returned(workspace, collection, loaded):
    asked = {"dimensions": [16], "precisions": ["int8"], "measures": ["map@20", "success@2"]}
    result = evaluate(workspace, "scenes", ["toy:1"], name="kept", **asked)
    saved = load_evaluation(workspace, "kept")
    assert {key: saved[key] for key in result} == result
    assert saved["settings"] == {"models": ["toy:1"], **asked}
    assert all(list(row["metrics"]) == ["ndcg@10", "map@20", "success@2"] for row in saved["results"])
    assert saved["models"][0]["fingerprint"] == loaded[0].fingerprint
    assert saved["collection_fingerprint"] == collection.fingerprint
    assert saved["directions"]["image->text"]["left_out"] == 0


@pytest.mark.parametrize(("count", "pairs"), [(1, 0), (2, 1), (4, 6), (5, 4)])
def test_each_pair_is_compared_up_to_four_models_and_then_each_with_the_first(
    workspace, collection, loaded, count, pairs
):
    result = evaluate(workspace, "scenes", [f"toy:{noise}" for noise in range(count)], dimensions=[32])
    compared = {(one["a"], one["b"]) for one in result["comparisons"]}
    assert len(compared) == pairs
    assert count != 5 or {a for a, _ in compared} == {"toy:0"}


def test_a_second_evaluation_of_the_same_encodes_nothing(workspace, collection, loaded):
    evaluate(workspace, "scenes", ["toy:1"])
    evaluate(workspace, "scenes", ["toy:1"], precisions=["float32", "binary"])
    assert [len(embedder.encoded) for embedder in loaded] == [75, 0]


def test_a_name_is_made_from_the_collection_and_never_taken_twice(workspace, collection, loaded):
    names = [evaluate(workspace, "scenes", ["toy:1"], dimensions=[8])["evaluation"] for _ in range(2)]
    assert names == ["scenes", "scenes-2"]


def test_the_same_model_twice_is_one_model(workspace, collection, loaded):
    assert len(evaluate(workspace, "scenes", ["toy:1", "toy:1"])["models"]) == 1


def test_a_job_says_how_far_it_is_and_goes_on_after_a_stop(workspace, collection, loaded):
    spec = {"collection": "scenes", "models": ["toy:2", "toy:1"], "dimensions": None, "precisions": None, "name": None}
    job = create_job_folder(workspace.job("compare"), "evaluate", spec, {})

    class Stops(type(job)):
        def progress(self, step, total, note=""):
            super().progress(step, total, note)
            if "toy:1" in note and step >= 60:
                raise Stopped

    with pytest.raises(Stopped):
        run_evaluation(workspace, Stops(job.path))
    assert not workspace.evaluation("compare").exists()
    result = run_evaluation(workspace, job)
    assert result["evaluation"] == "compare"
    assert [(embedder.reference, len(embedder.encoded)) for embedder in loaded[2:]] == [("toy:1", 75 - 50)], (
        "the model that was finished is not even loaded again"
    )
    assert [event["model"] for event in job.events("evaluation")] == ["toy:2", "toy:1"]
    whole = evaluate(workspace, "scenes", ["toy:2", "toy:1"], name="whole")
    assert [whole[key] for key in ("results", "comparisons", "slices")] == [
        result[key] for key in ("results", "comparisons", "slices")
    ]
    assert not (job.path / "finished").exists()
    assert "toy:1 (2 of 2)" in job.status().note


def test_a_finished_model_is_scored_again_where_something_else_is_asked_or_it_cannot_be_read(
    workspace, collection, loaded, tmp_path
):
    finished = tmp_path / "finished"

    def stopping(done, total, note):
        if "toy:1" in note:
            raise Stopped

    def begun(**asked):
        with pytest.raises(Stopped):
            evaluate(workspace, "scenes", ["toy:2", "toy:1"], finished=finished, progress=stopping, **asked)
        return [embedder.reference for embedder in loaded]

    assert begun() == ["toy:2"]
    assert begun() == ["toy:2"]
    assert begun(precisions=["binary"]) == ["toy:2"] * 2
    (kept,) = finished.iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    assert begun(precisions=["binary"]) == ["toy:2"] * 3


def test_what_each_model_found_is_kept_by_id(workspace, collection, loaded):
    evaluate(workspace, "scenes", ["toy:2", "toy:0"], name="e")
    queries = open_queries(workspace, load_evaluation(workspace, "e"))
    for direction in ("text->image", "image->text", "all"):
        ids, found = queries.ids(direction), queries.found("toy:0", direction)
        assert len(ids) == len(found) > 0
        assert all(len(row) == 10 and row[0][1:] == one[1:] for one, row in zip(ids, found, strict=True)), direction
        ndcg, first = queries.cell("toy:2", 32, "float32", direction)
        right = [one[1:] == row[0][1:] for one, row in zip(ids, queries.found("toy:2", direction), strict=True)]
        assert ((first == 1) == right).all() and 0 < sum(right) < len(right)
        assert len(ndcg) == len(ids)


def test_the_floors_stand_beside_the_models(workspace, build, toy):
    words = ("alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple")
    queries = [Item(text=f"where grows the {word} {n}", id=f"q{n}") for n, word in enumerate(words)]
    documents = [Item(text=f"a forest of {word} {n}", id=f"d{n}") for n, word in enumerate(words)]
    build(workspace, "trees", queries, documents, [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(8)])
    result = evaluate(workspace, "trees", ["toy"], load=lambda _, name: toy(name, noise=100.0))
    told = {(row["model"], row["direction"]): row for row in result["floors"]}
    bm25, guessed = told["bm25", "text->text"], told["random", "text->text"]
    assert bm25["metrics"]["ndcg@10"] == 1.0 > guessed["metrics"]["ndcg@10"]
    (against,) = bm25["comparisons"]
    assert against["model"] == "toy" and against["verdict"] == "worse", "a model of noise is below full text"
    assert {row["model"] for row in result["results"]} == {"toy"}, "floors have no size to choose"


def test_a_stop_file_stops_the_work(workspace, collection, loaded):
    job = create_job_folder(workspace.job("halt"), "evaluate", {"collection": "scenes", "models": ["toy:2"]}, {})
    (job.path / "STOP").touch()
    with pytest.raises(Stopped):
        run_evaluation(workspace, job)


def test_bad_requests_leave_nothing_behind(workspace, collection, loaded):
    for models, options in ((["none"], {}), ([], {}), (["toy:1"], {"precisions": ["int3"]})):
        with pytest.raises(WorkbenchError):
            evaluate(workspace, "scenes", models, **options)
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        evaluate(workspace, "scenes", ["toy:1"], name="../up")
    with pytest.raises(WorkbenchError, match="no collection"):
        evaluate(workspace, "nothing", ["toy:1"])
    assert not list(workspace.evaluations.glob("*.json"))


def test_the_base_of_a_run_may_run_the_code_that_it_might_run_in_training(workspace, collection, toy, monkeypatch):
    allowed = {}

    def load(workspace, reference, trusted):
        allowed[reference] = reference in trusted
        return toy(reference)

    monkeypatch.setattr(evaluate_module, "_load_embedder", load)
    for name, trust in (("mine", True), ("plain", False)):
        spec = {"model": f"someone/{name}", "trust_remote_code": trust}
        create_job_folder(workspace.run(name), "train", spec, {})
    evaluate(workspace, "scenes", ["someone/mine", "run:mine", "someone/plain", "run:plain"])
    assert allowed == {"someone/mine": True, "run:mine": False, "someone/plain": False, "run:plain": False}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("nonsense", "There is no model “nonsense”"),
        ("run:nobody", "There is no run named “nobody”"),
        ("remote:x", "There is no remote model “x”"),
        ("starter-reranker", "is a reranker model, which makes no vectors to score"),
    ],
)
def test_what_is_no_embedder_is_told_before_any_is_encoded(workspace, second, words):
    check_embedders(workspace, ["starter", "google/siglip2-base-patch16-224"])
    with pytest.raises(WorkbenchError, match=words):
        check_embedders(workspace, ["starter", second])
