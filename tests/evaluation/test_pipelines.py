from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.enrich.bad_endpoint import bad_endpoint
from tests.evaluation.conftest import ToyEmbedder, make_collection, scenes
from tests.evaluation.test_reranking import Judge
from tests.models.fake_remote import answers
from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation import pipeline_stages
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.held_out import held_out
from workbench.evaluation.measures import measure
from workbench.evaluation.pipeline_stages import TOPS, Stage, by_embedder, by_full_text, by_reranker, fused, tops_for
from workbench.evaluation.pipeline_words import pipeline_words
from workbench.evaluation.pipelines import (
    keep_pipeline,
    measure_pipeline,
    pipeline_spec,
    run_pipeline,
    stopping_point,
)
from workbench.evaluation.remote_cost import preview_second_stage
from workbench.evaluation.results import load_evaluation, remove_evaluation
from workbench.evaluation.scoring import score_embedder
from workbench.evaluation.statistics import compare, correct_for_many
from workbench.job_folder import create_job_folder
from workbench.models.remote import add_remote

COUNT, HELD = 160, 130


class Mixed(Judge):
    """Knows the answers; what is no answer it orders at random. Notes how much it is given at once."""

    reference = "judge"

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def score(self, query, documents):
        self.sizes.append(len(documents))
        noise = np.random.default_rng(len(self.sizes)).random(len(documents))
        return super().score(query, documents) + 0.5 * noise


@pytest.fixture
def texts(workspace):
    questions = [Item(text=f"who is w{n}", id=f"q{n:03}") for n in range(COUNT)]
    passages = [Item(text=f"here: w{n}", id=f"d{n:03}") for n in range(COUNT)]
    split = ["eval" if n >= COUNT - HELD else "train" for n in range(COUNT)]
    return make_collection(
        workspace, "texts", questions, passages, [(f"q{n:03}", f"d{n:03}", 1.0, split[n]) for n in range(COUNT)]
    )


def loaded(noise=2.5, reranker=None):
    return {
        "load_first": lambda *_: ToyEmbedder(noise=noise),
        "load_second": lambda *_: Mixed() if reranker is None else reranker,
    }


def row(pipeline, stage, top=0):
    return next(one for one in pipeline["rows"] if (one["stage"], one["top"]) == (stage, top))


def test_a_pipeline_is_scored_end_to_end_stage_by_stage(workspace, texts):
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", fuse=True, queries=80, **loaded())
    assert [(one["stage"], one["top"]) for one in found["rows"]] == [
        ("embedder", 0), ("full_text", 0), ("fused", 0), *(("reranked", top) for top in TOPS)
    ]  # fmt: skip
    assert (found["queries"], found["documents"], found["dimension"]) == (80, HELD, 32)
    alone, reranked = row(found, "embedder"), row(found, "reranked", 100)
    assert alone["gain"] is None and reranked["gain"]["verdict"] == "better"
    gained = reranked["metrics"]["ndcg@10"] - alone["metrics"]["ndcg@10"]
    assert reranked["gain"]["difference"] == pytest.approx(gained)
    assert set(reranked["milliseconds"]) == {"encode", "search", "full_text", "rerank", "total"}
    assert set(alone["milliseconds"]) == {"encode", "search", "total"}
    parts = [value for part, value in reranked["milliseconds"].items() if part != "total"]
    assert reranked["milliseconds"]["total"] == pytest.approx(sum(parts), abs=0.01)


def test_the_embedder_alone_scores_what_an_evaluation_says(workspace, texts):
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", queries=1000, **loaded())
    alone = score_embedder(ToyEmbedder(noise=2.5), texts)
    assert row(found, "embedder")["metrics"] == pytest.approx(alone.metrics())


def test_the_first_stage_compares_at_the_size_it_is_told(workspace, texts):
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", queries=1000, dimension=2, **loaded())
    alone = score_embedder(ToyEmbedder(noise=2.5), texts, [2])
    assert found["dimension"] == 2
    assert row(found, "embedder")["metrics"] == pytest.approx(alone.metrics())
    assert alone.metrics() != pytest.approx(score_embedder(ToyEmbedder(noise=2.5), texts).metrics())


def test_no_relevant_document_is_slipped_in(workspace, texts):
    """A reranker that knows everything can put first only what the first stage has among its first N."""
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", queries=1000, **loaded(noise=4.0))
    alone = score_embedder(ToyEmbedder(noise=4.0), texts, measures=[f"recall@{top}" for top in TOPS]).metrics()
    for top in TOPS:
        assert row(found, "reranked", top)["metrics"]["recall@1"] == pytest.approx(alone[f"recall@{top}"])
    assert 0.05 < alone["recall@10"] < alone["recall@100"] < 1


def test_each_pair_is_scored_once_and_every_n_follows_from_those_scores(texts):
    held = held_out(texts)
    asked = held.directions["all"]
    first = by_embedder(ToyEmbedder(noise=2.5), texts, held, "all", asked)
    judge = Mixed()
    stages = by_reranker(judge, texts, asked, first)
    assert sum(judge.sizes) == 100 * HELD, "no pair twice"
    assert len({(query, document) for query, seen in enumerate(judge.seen) for document in seen}) == 100 * HELD
    assert set(judge.sizes[:7]) == {10, 90, 20, 80, 50, 100}, "each N is timed in a call of its own"
    for top, stage in stages.items():
        assert np.array_equal(stage.found[:, top:], first.found[:, top:]), "what is behind stays"
        assert np.array_equal(np.sort(stage.found[:, :top]), np.sort(first.found[:, :top]))
        assert set(stage.milliseconds) == {"encode", "search", "rerank"}
    scored = {top: measure(stage.found, asked.relevant).values["ndcg@10"].mean() for top, stage in stages.items()}
    assert scored[10] < scored[50] < scored[100]


def test_a_small_corpus_has_no_larger_n_than_it_needs(workspace):
    assert [tops_for(count) for count in (5, 10, 11, 60, 100, 5000)] == [
        [10], [10], [10, 20], [10, 20, 50, 100], [10, 20, 50, 100], [10, 20, 50, 100]
    ]  # fmt: skip
    scenes(workspace, count=20, held=15)
    found = measure_pipeline(
        workspace, "scenes", "toy", reranker="judge", direction="text->image", queries=1000, **loaded()
    )
    assert [one["top"] for one in found["rows"]] == [0, 10, 20]
    assert row(found, "reranked", 20)["metrics"]["recall@1"] == 1, "all fifteen pictures are put in order"


def test_lists_are_fused_by_reciprocal_rank_and_ties_go_by_position():
    first = Stage(np.full((2, 100), -1), {"encode": 1.0})
    second = replace(first, found=first.found.copy(), milliseconds={"full_text": 2.0})
    first.found[0, :3] = [7, 5, 9]
    second.found[0, :2] = [9, 4]
    first.found[1, :2] = [3, 1]
    both = fused(first, second)
    # 9: 1/63 + 1/61; 7: 1/61; 4 and 5 are both second in one list.
    assert both.found[0, :6].tolist() == [9, 7, 4, 5, -1, -1]
    assert both.found[1, :3].tolist() == [3, 1, -1]
    assert both.milliseconds == {"encode": 1.0, "full_text": 2.0}


def test_full_text_beside_a_blurred_embedder_helps_and_what_it_found_is_reranked(workspace, texts):
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", fuse=True, queries=1000, **loaded(noise=6.0))
    assert row(found, "fused")["gain"]["verdict"] == "better"
    assert row(found, "reranked", 10)["metrics"]["ndcg@10"] > 0.9, "full text has the answer among the first"
    assert found["words"].startswith("Full text beside it helps: +")
    assert row(found, "full_text")["metrics"]["ndcg@10"] == 1
    assert set(row(found, "full_text")["milliseconds"]) == {"full_text", "total"}
    assert found["words_alone"]["verdict"] == "better"
    assert "Full text alone is better still: +" in found["words"]


def test_a_list_that_full_text_left_short_is_reranked_as_far_as_it_goes(texts):
    asked = held_out(texts).directions["all"]
    few = replace(asked, source_rows=asked.source_rows[:8], relevant=asked.relevant[:8])
    judge = Mixed()
    stages = by_reranker(judge, texts, few, by_full_text(texts, few))
    assert judge.sizes == [1] * 8, "one text has a word in common with each query"
    assert all((stage.found[:, 1:] == -1).all() for stage in stages.values())


def test_too_few_queries_leave_a_time_open_and_break_nothing(workspace, texts):
    found = measure_pipeline(workspace, "texts", "toy", reranker="judge", queries=2, **loaded())
    assert row(found, "reranked", 100)["milliseconds"]["rerank"] is None
    assert row(found, "reranked", 100)["milliseconds"]["total"] is None
    assert row(found, "reranked", 20)["milliseconds"]["total"] is not None
    assert found["words"] and found["words_alone"] is None


def spread(mean, seed, count=200):
    return np.clip(mean + np.random.default_rng(seed).normal(0, 0.1, count), 0, 1)


def test_it_stops_where_no_larger_number_shows_a_gain():
    base = spread(0.4, 0)
    better = np.clip(base + 0.2, 0, 1)
    more = np.clip(better + np.random.default_rng(1).normal(0, 0.05, 200), 0, 1)
    assert stopping_point({0: base, 10: better, 20: more, 50: more})["top"] == 10
    assert stopping_point({0: base, 10: base + 0.1, 20: better, 50: better})["top"] == 20
    last = stopping_point({0: base, 10: base + 0.1, 20: better})
    assert last["top"] == 20 and last["beyond"] is None and last["gain"]["verdict"] == "better"
    none = stopping_point({0: base, 10: base + np.random.default_rng(2).normal(0, 0.05, 200), 20: base - 0.1})
    assert none["top"] == 0 and none["gain"] is None and none["beyond"]["top"] == 10


def test_a_gain_that_shows_in_its_interval_is_never_said_to_be_none():
    """Of two larger numbers that gain a little each, a correction for both would hide what both intervals show."""
    base = spread(0.4, 0)
    better = np.clip(base + 0.2, 0, 1)
    little = better + np.random.default_rng(3).normal(0.011, 0.1, 200)
    compared = [compare(better, one) for one in (little, little)]
    assert all(one["verdict"] == "better" for one in compared)
    assert all(one["verdict"] != "better" for one in correct_for_many(compared)), "else this tells nothing"
    assert stopping_point({0: base, 10: better, 20: little, 50: little})["top"] == 20


def told(scores, fused_gain=None):
    """The sentence of a made-up pipeline whose times are ten milliseconds a document."""
    stop = stopping_point(scores)
    rows = [{"stage": "embedder", "top": 0, "milliseconds": {"total": 5.0}, "gain": None}]
    rows += [{"stage": "reranked", "top": top, "milliseconds": {"total": 5.0 + 10 * top}} for top in scores if top]
    return pipeline_words({"fused": False, "rows": rows, "stop": stop})


def test_the_sentence_says_where_more_does_not_help():
    base = spread(0.4, 0)
    better = base + 0.2
    same = base + np.random.default_rng(1).normal(0, 0.05, 200)
    words = told({0: base, 10: base + 0.1, 20: better, 100: better})
    assert words.startswith("Reranking the first 20 helps: +0.200 [") and "for 200 ms a query more." in words
    assert "More does not help: the first 100 give +0.000 [" in words and words.endswith("for 800 ms a query more.")
    assert "The more, the better: 20 are the most that were tried." in told({0: base, 10: base + 0.1, 20: better})
    assert told({0: base, 10: same}).startswith("Reranking does not help here: at best, with the first 10,")
    assert told({0: base, 10: base - 0.1}).startswith("Reranking does harm here: at best, with the first 10, −0.100")


def test_what_cannot_be_measured_is_said_before_anything_starts(workspace, texts, collection):
    spec = partial(pipeline_spec, workspace, collection="texts", model="starter")
    for asked, words in [
        ({}, "Choose a reranker, or full text"),
        ({"reranker": "starter-reranker", "queries": 3}, "Ask 10 to 10,000 queries"),
        ({"reranker": "starter-reranker", "direction": "text->image"}, "has no direction"),
        ({"fuse": True, "collection": "scenes"}, "Full text needs words on both sides"),
        ({"fuse": True, "evaluation": "none"}, "no evaluation named"),
        ({"fuse": True, "model": "starter-reranker"}, "makes no vectors"),
        ({"reranker": "starter-reranker", "collection": "scenes", "direction": "text->audio"}, "cannot read sound"),
    ]:
        with pytest.raises(WorkbenchError, match=words):
            spec(**asked)
    evaluate(workspace, "scenes", ["toy"], name="other", load=lambda *_: ToyEmbedder())
    with pytest.raises(WorkbenchError, match="is of the collection “scenes”"):
        spec(fuse=True, evaluation="other")
    made = spec(reranker="starter-reranker", fuse=True)
    assert made["queries"] == 200 and made["direction"] == "all" and made["evaluation"] is None


def test_it_can_be_stopped_while_it_reranks(workspace, texts):
    def stop(done, total, note):
        if note == "Reranking" and done == 2:
            raise Stopped

    judge = Mixed()
    with pytest.raises(Stopped):
        measure_pipeline(workspace, "texts", "toy", reranker="judge", progress=stop, **loaded(reranker=judge))
    assert 0 < len(judge.sizes) <= 4


def made(model="toy", reranker="judge", created=1.0):
    return {
        "collection": "texts", "model": model, "reranker": reranker, "fused": False, "direction": "all", "queries": 80,
        "dimension": 16, "created": created,
    }  # fmt: skip


def test_pipelines_that_finish_at_once_are_all_kept_and_one_of_the_same_kind_replaces_the_older(workspace, texts):
    evaluate(workspace, "texts", ["toy"], name="e", load=lambda *_: ToyEmbedder())
    before = load_evaluation(workspace, "e")
    threads = [
        threading.Thread(target=keep_pipeline, args=(workspace, "e", made(reranker=f"r{number}")))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keep_pipeline(workspace, "e", made(reranker="r3", created=2.0))
    after = load_evaluation(workspace, "e")
    assert sorted(one["reranker"] for one in after["pipelines"]) == sorted(f"r{number}" for number in range(16))
    assert [one["created"] for one in after["pipelines"] if one["reranker"] == "r3"] == [2.0]
    assert {key: value for key, value in after.items() if key != "pipelines"} == {
        key: value for key, value in before.items() if key != "pipelines"
    }


def test_nothing_is_kept_in_an_evaluation_that_has_gone_or_is_of_another_collection(workspace, texts, collection):
    evaluate(workspace, "scenes", ["toy"], name="e", load=lambda *_: ToyEmbedder())
    assert not keep_pipeline(workspace, "e", made())
    remove_evaluation(workspace, "e")
    assert not keep_pipeline(workspace, "e", made())
    assert not workspace.evaluation("e").exists()


def test_the_job_measures_and_keeps(workspace, texts, monkeypatch):
    from workbench import models

    monkeypatch.setattr(models, "load_embedder", lambda *_, **__: ToyEmbedder(noise=2.5))
    monkeypatch.setattr(models, "load_reranker", lambda *_, **__: Mixed())
    evaluate(workspace, "texts", ["toy"], name="e", load=lambda *_: ToyEmbedder(noise=2.5))
    spec = {
        "collection": "texts", "model": "toy", "reranker": "judge", "fuse": False, "direction": "all", "queries": 40,
        "evaluation": "e",
    }  # fmt: skip
    job = create_job_folder(workspace.job("p"), "pipeline", spec, {})
    result = run_pipeline(workspace, job)
    assert result["evaluation"] == "e"
    kept = load_evaluation(workspace, "e")["pipelines"]
    assert [one["words"] for one in kept] == [result["words"]]
    remove_evaluation(workspace, "e")
    assert run_pipeline(workspace, job)["evaluation"] is None


def test_what_is_sent_to_a_remote_reranker_is_counted_before(workspace, texts):
    for name, shape in (("judge", "tei-rerank"), ("far", "openai")):
        add_remote(
            workspace, {"name": name, "shape": shape, "address": "http://localhost:1/v1", "model": "m", "price": 1.0}
        )
    spec = {
        "collection": "texts", "model": "starter", "reranker": "remote:judge", "fuse": False, "direction": "all",
        "queries": 40,
    }  # fmt: skip
    (told,) = preview_second_stage(workspace, spec)
    assert told["texts"] == 40 * 100 and told["cost"] > 0
    both = preview_second_stage(workspace, {**spec, "model": "remote:far", "queries": 1000})
    assert [one["reference"] for one in both] == ["remote:far", "remote:judge"]
    assert both[1]["texts"] == HELD * 100
    assert preview_second_stage(workspace, {**spec, "reranker": None}) == []


def test_a_remote_reranker_gets_no_more_than_was_told(workspace, texts):
    with bad_endpoint(answers("tei-rerank")) as server:
        address = server.address.removesuffix("/v1")
        add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": address, "batch_size": 32})
        spec = {"collection": "texts", "model": "toy", "reranker": "remote:judge", "direction": "all", "queries": 12}
        (told,) = preview_second_stage(workspace, {**spec, "fuse": False})
        assert not server.asked
        found = measure_pipeline(workspace, **spec, load_first=lambda *_: ToyEmbedder(noise=2.5))
        assert sum(len(body["texts"]) for body in server.asked) == told["texts"] == 12 * 100
        assert len(server.asked) <= told["requests"]
    assert found["reranker"] == "remote:judge" and row(found, "reranked", 100)["milliseconds"]["rerank"] > 0


def test_the_search_of_a_large_corpus_is_timed_on_a_part(texts, monkeypatch):
    asked, timed = held_out(texts).directions["all"], []

    def speeds(cells, documents):
        timed.append(documents)
        return [{"dimension": 32, "precision": "float32", "documents": documents, "milliseconds": 2.0}]

    monkeypatch.setattr(pipeline_stages, "speeds", speeds)
    monkeypatch.setattr(pipeline_stages, "DOCUMENTS", 13)
    stage = by_embedder(ToyEmbedder(), texts, held_out(texts), "all", asked)
    assert timed == [13] and stage.milliseconds["search"] == pytest.approx(2.0 * HELD / 13)
