from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.reranking import score_reranking
from workbench.evaluation.scoring import score_embedder


class Judge:
    """Knows the answers: the document whose number is the query's."""

    reference = "judge"

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def score(self, query, documents):
        self.seen.append([document.id for document in documents])
        return np.array([float(document.id[1:] == query.id[1:]) for document in documents], np.float32)


class Indifferent(Judge):
    def score(self, query, documents):
        return np.zeros(len(documents), np.float32)


def test_a_reranker_that_knows_better_raises_the_first_stage_beyond_its_interval(collection, toy):
    result = score_reranking(toy(noise=1.5), Judge(), collection, direction="text->image")
    assert result.comparison["verdict"] == "better"
    first, reranked = (row["metrics"]["ndcg@10"] for row in result.rows)
    assert reranked > first + 0.1
    assert result.comparison["difference"] == pytest.approx(reranked - first)
    assert result.rows[1]["reranker"] == "judge"


def test_the_first_stage_is_what_it_scores_alone(collection, toy):
    alone = score_embedder(toy(noise=1.5), collection).per_query[8, "float32", "all"]["ndcg@10"]
    result = score_reranking(toy(noise=1.5), Judge(), collection, dimension=8)
    assert np.array_equal(result.first, alone)


def test_a_relevant_document_that_the_first_stage_missed_stays_missed(collection, toy):
    judge = Judge()
    result = score_reranking(toy(noise=6.0), judge, collection, top=3, direction="text->image")
    assert all(len(seen) == 3 for seen in judge.seen)
    ids = [query for query in collection.queries["id"]][15:]
    found = [any(document[1:] == query[1:] for document in seen) for query, seen in zip(ids, judge.seen, strict=True)]
    assert result.rows[1]["metrics"]["recall@1"] == pytest.approx(np.mean(found))
    assert 0 < np.mean(found) < 1


def test_equal_scores_leave_the_order_alone(collection, toy):
    result = score_reranking(toy(noise=1.5), Indifferent(), collection)
    assert np.array_equal(result.first, result.reranked)
    assert result.comparison["verdict"] == "no real change"


def test_a_limit_asks_the_same_queries_every_time_and_keeps_the_corpus(collection, toy):
    first, second = Judge(), Judge()
    result = score_reranking(toy(noise=1.0), first, collection, limit=7)
    score_reranking(toy(noise=1.0), second, collection, limit=7)
    assert len(first.seen) == 7 and first.seen == second.seen
    assert (result.rows[0]["queries"], result.rows[0]["documents"]) == (7, 50)


def test_cached_vectors_of_an_evaluation_are_used(collection, toy, tmp_path):
    score_embedder(toy(), collection, cache=tmp_path)
    embedder = toy()
    score_reranking(embedder, Judge(), collection, limit=5, cache=tmp_path)
    assert embedder.encoded == []


def test_what_the_first_stage_found_once_is_not_looked_for_again(collection, toy):
    known: dict[int, np.ndarray] = {}
    score_reranking(toy(noise=1.5), Judge(), collection, limit=7, first_order=known)
    embedder = toy(noise=1.5)
    again = score_reranking(embedder, Judge(), collection, limit=5, first_order=known)
    assert embedder.encoded == [] and len(known) == 7
    anew = score_reranking(toy(noise=1.5), Judge(), collection, limit=5)
    assert np.array_equal(again.first, anew.first) and np.array_equal(again.reranked, anew.reranked)


def test_scores_that_are_not_numbers_are_refused(collection, toy):
    class Broken(Judge):
        def score(self, query, documents):
            return np.full(len(documents), np.nan)

    with pytest.raises(WorkbenchError, match="not numbers"):
        score_reranking(toy(), Broken(), collection)
