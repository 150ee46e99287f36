"""An evaluation as mteb keeps results, and in the card of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.collection.store import Item, save_card
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.model_card import with_results
from workbench.evaluation.report_file import write_report
from workbench.evaluation.results import load_evaluation
from workbench.workspace import open_workspace

from .conftest import ToyEmbedder, make_collection, scenes

HELD = 20
NANO = {
    "task": "NanoToyRetrieval",
    "subset": "default",
    "split": "train",
    "dataset": "mteb/NanoToy",
    "revision": "63ac",
    "version": "2.26.24",
    "languages": ["eng-Latn"],
    "notes": [],
}


def load(_, name):
    return ToyEmbedder(name, noise=3.0 if name == "starter" else 0.6)


def texts(workspace, name, source=None):
    """A collection of texts, as if imported from a source."""
    queries, documents = ([Item(text=f"{name} {side} {n}", id=f"{side}{n:03}") for n in range(HELD)] for side in "qd")
    judged = [(f"q{n:03}", f"d{n:03}", 1.0, "eval") for n in range(HELD)]
    collection = make_collection(workspace, name, queries, documents, judged)
    if source:
        collection.card.source.update(source)
        save_card(collection.path, collection.card)
    return collection


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    opened = open_workspace(tmp_path_factory.mktemp("published"))
    scenes(opened)
    texts(opened, "nano", {"mteb": NANO})
    models = ["starter", "run:tuned"]
    evaluate(opened, "scenes", models, measures=["map@100", "success@5"], load=load, name="own")
    evaluate(opened, "nano", models, load=load, name="standard")
    return opened


def card_of(workspace, text=None):
    folder = workspace.run("tuned") / "model"
    folder.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"


def test_a_standard_set_is_written_as_the_task_it_is(workspace, tmp_path):
    paths = write_report(workspace, "standard", "mteb", tmp_path)
    fingerprints = [one["fingerprint"] for one in load_evaluation(workspace, "standard")["models"]]
    names = ["starter", "tuned"]
    assert paths == [
        tmp_path / name / fingerprint / "NanoToyRetrieval.json"
        for name, fingerprint in zip(names, fingerprints, strict=True)
    ]
    result = json.loads(paths[1].read_text())
    told = [result[key] for key in ("task_name", "dataset_revision", "mteb_version")]
    assert told == ["NanoToyRetrieval", "63ac", "2.26.24"]
    [scores] = result["scores"]["train"]
    assert (scores["hf_subset"], scores["languages"]) == ("default", ["eng-Latn"])
    rows = load_evaluation(workspace, "standard")["results"]
    best = next(r for r in rows if r["model"] == "run:tuned" and r["dimension"] == 32 and r["direction"] == "all")
    assert scores["main_score"] == scores["ndcg_at_10"] == best["metrics"]["ndcg@10"]
    assert scores["mrr_at_10"] == best["metrics"]["mrr@10"] and scores["workbench"]["interval"] == best["interval"]


def test_an_own_collection_is_a_task_of_its_name_with_a_subset_for_each_direction(workspace, tmp_path):
    result = json.loads(write_report(workspace, "own", "mteb", tmp_path)[0].read_text())
    evaluation = load_evaluation(workspace, "own")
    assert (result["task_name"], result["dataset_revision"]) == ("scenes", evaluation["collection_fingerprint"])
    scores = {one["hf_subset"]: one for one in result["scores"]["test"]}
    assert next(iter(scores)) == "default" and set(scores) - {"default"} == set(evaluation["directions"]) - {"all"}
    assert {"ndcg_at_10", "map_at_100", "hit_rate_at_5", "main_score"} <= set(scores["text->image"])


def test_mteb_itself_reads_what_is_written(workspace, tmp_path):
    mteb = pytest.importorskip("mteb", reason="mteb is not installed: pip install mteb")
    for name in ("own", "standard"):
        for path in write_report(workspace, name, "mteb", tmp_path / "results"):
            result = mteb.TaskResult.from_disk(path, load_historic_data=False)
            kept = [one["main_score"] for rows in json.loads(path.read_text())["scores"].values() for one in rows]
            assert result.get_score() == pytest.approx(np.mean(kept))
            assert result.task_name in ("scenes", "NanoToyRetrieval")
    found = mteb.ResultCache(tmp_path).get_cache_paths(require_model_meta=False)
    assert len(found) == 4, "two models, two tasks"


def test_a_card_keeps_what_it_holds_and_gets_the_results_once(workspace):
    before = "---\nlicense: mit\ntags:\n- birds\n---\n\n# My model\n\nIt is *mine*.\n"
    path = card_of(workspace, before)
    assert write_report(workspace, "own", "card") == [path]
    once = path.read_text(encoding="utf-8")
    write_report(workspace, "own", "card")
    assert path.read_text(encoding="utf-8") == once
    assert once.startswith("---\nlicense: mit\ntags:\n- birds\n") and "# My model\n\nIt is *mine*.\n" in once
    assert once.count("evaluation on scenes: begin") == once.count("evaluation on scenes: end") == 1
    assert "| text → picture | 32 | float32 |" in once and "95 % interval" in once
    assert "- Against starter, text → picture: Better by" in once


def test_two_collections_keep_their_parts_side_by_side(workspace):
    from huggingface_hub import ModelCard

    path = card_of(workspace, "")
    for name in ("own", "standard", "own"):
        write_report(workspace, name, "card")
    card = ModelCard(path.read_text(encoding="utf-8"))
    assert "## Evaluation on scenes" in card.text and "## Evaluation on nano" in card.text
    results = card.data.eval_results
    named = {(one.dataset_type, one.dataset_name) for one in results}
    assert named == {("scenes", "scenes"), ("mteb/NanoToy", "NanoToyRetrieval")}
    nano = [one for one in results if one.dataset_type == "mteb/NanoToy"]
    measures = [one.metric_type for one in nano]
    assert measures == ["ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"]
    where = {(one.dataset_split, one.dataset_config, one.dataset_revision) for one in nano}
    assert where == {("train", "default", "63ac")} and card.data.model_name == "tuned"
    distinct = {(one.dataset_type, one.dataset_config, one.metric_type) for one in results}
    assert len(results) == len(distinct)


def test_results_of_others_in_a_card_stay(workspace):
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    named = {"task_type": "retrieval", "dataset_type": "mteb/arguana", "dataset_name": "ArguAna"}
    theirs = EvalResult(**named, metric_type="ndcg_at_10", metric_value=0.5)
    data = ModelCardData(model_name="Old name", eval_results=[theirs])
    made = with_results(f"---\n{data.to_yaml()}\n---\nHello\n", load_evaluation(workspace, "own"), "run:tuned", {})
    kept = ModelCard(made).data
    assert theirs in kept.eval_results and kept.model_name == "Old name" and len(kept.eval_results) > 1


def test_names_of_models_mean_nothing_to_markdown(workspace):
    evaluation = load_evaluation(workspace, "own")
    evaluation["comparisons"] = [one | {"a": "a|b<script>`*"} for one in evaluation["comparisons"]]
    made = with_results("", evaluation, "run:tuned", {})
    assert "<script>" not in made and r"Against a\|b&lt;script&gt;\`\*" in made


def test_cards_of_all_models_go_into_a_folder_and_of_one_into_a_file(workspace, tmp_path):
    assert write_report(workspace, "own", "card", tmp_path) == [tmp_path / "starter.md", tmp_path / "tuned.md"]
    assert "# starter" in (tmp_path / "starter.md").read_text(encoding="utf-8")
    assert write_report(workspace, "own", "card", tmp_path / "sub" / "x.md") == [tmp_path / "sub" / "x.md"]
    assert "# tuned" in (tmp_path / "sub" / "x.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("head", ["---\n: : [\n---\n", "---\n- a list\n---\n", "---\nmodel-index: 3\n---\n"])
def test_a_card_that_cannot_be_read_is_left_as_it_is(workspace, head):
    path = card_of(workspace, head)
    with pytest.raises(WorkbenchError, match="head of the card of “tuned” cannot be read"):
        write_report(workspace, "own", "card")
    assert path.read_text(encoding="utf-8") == head


def test_without_a_run_that_is_still_there_it_says_so(workspace, tmp_path):
    opened = open_workspace(tmp_path / "w")
    texts(opened, "texts")
    evaluate(opened, "texts", ["starter", "run:gone"], load=load, name="e")
    with pytest.raises(WorkbenchError, match=r"so no card to write into\. Give a folder with --to"):
        write_report(opened, "e", "card")
