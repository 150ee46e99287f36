"""Hard negatives among vectors: the rules, one by one, against the plainest way of writing them down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.enrich import hard_negatives as module
from workbench.enrich.hard_negatives import Known, Mined, MiningSettings, hard_negatives, mining_settings
from workbench.errors import Stopped, WorkbenchError


def unit(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def close(count: int, spread: float = 0.7, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Queries and documents of which the nth are alike."""
    documents = unit(count, seed=seed)
    queries = documents + spread * unit(count, seed=seed + 1)
    return queries / np.linalg.norm(queries, axis=1, keepdims=True), documents


def same(count: int) -> Known:
    return Known(np.arange(count), np.arange(count))


def found(mined: Mined) -> dict[int, list[int]]:
    by_query: dict[int, list[int]] = {}
    for query, document in zip(mined.queries.tolist(), mined.documents.tolist(), strict=True):
        by_query.setdefault(query, []).append(document)
    return by_query


def plainly(queries: np.ndarray, documents: np.ndarray, right: Known, settings: MiningSettings) -> dict[int, list[int]]:
    """The rules as the docstring tells them, for one query after another."""
    by_query: dict[int, list[int]] = {}
    for query in range(len(queries)):
        scores = documents @ queries[query]
        answers = set(right.documents[right.queries == query].tolist())
        least = min((scores[answer] for answer in answers), default=np.nan)
        ranked = [one for one in np.lexsort((np.arange(len(scores)), -scores)).tolist() if one not in answers]
        ranked = ranked[: settings.last_rank]
        if answers and settings.margin is not None:
            ranked = [one for one in ranked if scores[one] <= least - abs(least) * (1 - settings.margin)]
        if answers and settings.absolute_margin is not None:
            ranked = [one for one in ranked if scores[one] <= least - settings.absolute_margin]
        kept = ranked[settings.first_rank - 1 :][: settings.per_query]
        if kept:
            by_query[query] = kept
    return by_query


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"margin": None},
        {"margin": 0.7, "per_query": 2},
        {"absolute_margin": 0.2, "margin": None},
        {"absolute_margin": 0.1, "margin": 0.8, "first_rank": 3},
        {"first_rank": 5, "last_rank": 12, "per_query": 3, "margin": None},
        {"last_rank": 200, "per_query": 100},
    ],
)
def test_the_negatives_are_those_of_the_rules_one_query_at_a_time(
    wanted: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 7)
    queries, documents = close(60)
    generator = np.random.default_rng(5)
    more = Known(generator.integers(0, 50, 80), generator.integers(0, 60, 80))
    right = Known(np.concatenate([np.arange(55), more.queries]), np.concatenate([np.arange(55), more.documents]))
    settings = MiningSettings(**wanted)
    mined = hard_negatives(queries, documents, right, settings)
    assert found(mined) == plainly(queries, documents, right, settings)
    assert len(mined) > 20


def test_each_negative_carries_its_similarity_its_rank_and_that_of_the_least_similar_positive() -> None:
    queries, documents = close(30)
    right = Known(np.array([0, 0, 1]), np.array([0, 9, 1]))
    mined = hard_negatives(queries[:2], documents, right, MiningSettings(margin=None, per_query=3))
    scores = queries[:2] @ documents.T
    assert np.allclose(mined.similarities, scores[mined.queries, mined.documents], atol=1e-6)
    assert np.allclose(mined.positives[mined.queries == 0], min(scores[0, 0], scores[0, 9]), atol=1e-6)
    assert mined.ranks.tolist() == [1, 2, 3, 1, 2, 3]


def test_a_positive_below_zero_still_keeps_its_margin() -> None:
    documents = np.array([[-0.5, 0.75**0.5], [-0.51, 0.7399**0.5], [-0.6, 0.8]], np.float32)
    query = np.array([[1.0, 0.0]], np.float32)
    mined = hard_negatives(query, documents, Known(np.array([0]), np.array([0])), MiningSettings(margin=0.9))
    assert found(mined) == {0: [2]}  # -0.51 is within a tenth of -0.5


def test_equal_similarities_come_in_the_order_of_the_documents_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Components of ±1/4 in 16 dimensions: products are exact in floats, so that equal is equal in any block.
    signs = np.random.default_rng(3).choice([-0.25, 0.25], (14, 16)).astype(np.float32)
    documents, queries = np.repeat(signs[:5], 400, axis=0), signs[5:]
    settings = MiningSettings(per_query=10, margin=None)
    once = hard_negatives(queries, documents, Known(np.arange(9), np.arange(9)), settings)
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 2)
    again = hard_negatives(queries, documents, Known(np.arange(9), np.arange(9)), settings)
    for row in found(once).values():
        assert row == sorted(row)
    assert found(once) == found(again)


def test_a_query_with_thousands_of_positives_makes_the_others_look_no_deeper(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    plain = module.top_documents

    def watched(queries, documents, dimension, top):
        asked.append((len(queries), top))
        return plain(queries, documents, dimension, top=top)

    monkeypatch.setattr(module, "top_documents", watched)
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 8)
    queries, documents = close(2000)
    right = Known(
        np.concatenate([np.zeros(1500, int), np.arange(1, 100)]), np.concatenate([np.arange(1500), np.arange(1, 100)])
    )
    mined = hard_negatives(queries[:100], documents, right, MiningSettings(per_query=2, margin=None))
    assert set(found(mined)) == set(range(100))
    assert min(top for _, top in asked) == 101
    assert sum(count for count, top in asked if top > 101) <= 8


def test_what_is_judged_wrong_already_is_not_offered_and_takes_no_place() -> None:
    queries, documents = close(40)
    settings = MiningSettings(per_query=2, margin=None)
    first = found(hard_negatives(queries, documents, same(40), settings))
    known = Known(np.arange(40), np.array([first[query][0] for query in range(40)]))
    second = found(hard_negatives(queries, documents, same(40), settings, judged=known))
    assert all(second[query][0] == first[query][1] and len(second[query]) == 2 for query in range(40))


def test_no_documents_and_no_queries_give_nothing() -> None:
    none = Known(np.zeros(0, int), np.zeros(0, int))
    assert len(hard_negatives(unit(0), unit(3), none, MiningSettings())) == 0
    assert len(hard_negatives(unit(3), unit(0), none, MiningSettings())) == 0
    assert len(hard_negatives(unit(3), unit(3), none, MiningSettings(per_query=1))) == 3


def test_a_stop_ends_the_search_between_two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 10)
    seen: list[int] = []

    def stop(done: int, total: int, note: str) -> None:
        seen.append(done)
        if done >= 20:
            raise Stopped

    queries, documents = close(50)
    with pytest.raises(Stopped):
        hard_negatives(queries, documents, same(50), MiningSettings(), progress=stop)
    assert seen == [0, 10, 20]


def test_settings_that_cannot_be_used_are_all_named() -> None:
    with pytest.raises(WorkbenchError) as raised:
        mining_settings({"margin": 1.5, "per_query": 0})
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["Negatives per query", "Relative margin"]
    with pytest.raises(WorkbenchError) as raised:
        mining_settings({"first_rank": 99, "last_rank": 100, "per_query": 4})
    assert raised.value.problems == [
        "Ranks 99 to 100 hold fewer than 4 documents. Look further down, or ask for fewer per query."
    ]


class Spoken:
    """As much of a SentenceTransformer as its mining asks for: a text names a vector."""

    device = "cpu"

    def __init__(self, queries: np.ndarray, documents: np.ndarray) -> None:
        self.vectors = {"q": queries, "d": documents}

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        return np.stack([self.vectors[text[0]][int(text[1:])] for text in texts])

    encode_document = encode_query

    def similarity(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import cos_sim

        return cos_sim(one, other)

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import pairwise_cos_sim

        return pairwise_cos_sim(one, other)


def theirs(queries: np.ndarray, documents: np.ndarray, right: Known, settings: MiningSettings) -> dict[int, list[int]]:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    pairs = {
        "query": [f"q{query}" for query in right.queries.tolist()],
        "answer": [f"d{document}" for document in right.documents.tolist()],
    }
    model: Any = Spoken(queries, documents)
    table = mine_hard_negatives(
        Dataset.from_dict(pairs),
        model,
        corpus=[f"d{number}" for number in range(len(documents))],
        range_min=settings.first_rank - 1,
        range_max=settings.last_rank,
        relative_margin=None if settings.margin is None else 1 - settings.margin,
        absolute_margin=settings.absolute_margin,
        num_negatives=settings.per_query,
        output_format="labeled-pair",
        verbose=False,
    )
    by_query: dict[int, list[int]] = {}
    for row in table:
        if row["label"] == 0:
            by_query.setdefault(int(row["query"][1:]), []).append(int(row["answer"][1:]))
    return by_query


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"margin": None, "per_query": 3},
        {"margin": 0.8},
        {"margin": None, "absolute_margin": 0.15},
        {"margin": 0.9, "absolute_margin": 0.1, "first_rank": 4, "last_rank": 30},
        {"margin": None, "first_rank": 11, "last_rank": 50, "per_query": 5},
    ],
)
def test_the_same_settings_find_what_sentence_transformers_finds(wanted: dict[str, Any]) -> None:
    queries, documents = close(300)
    settings = MiningSettings(**wanted)
    mined = found(hard_negatives(queries, documents, same(300), settings))
    assert mined == theirs(queries, documents, same(300), settings)
    assert len(mined) > 100


def test_the_one_difference_is_how_far_down_a_query_with_fewer_positives_looks() -> None:
    queries, documents = close(200)
    right = Known(np.append(np.arange(200), [0, 0, 0]), np.append(np.arange(200), [50, 60, 70]))
    settings = MiningSettings(per_query=10, last_rank=10, margin=0.6)
    ours = found(hard_negatives(queries, documents, right, settings))
    other = theirs(queries, documents, right, settings)
    further = 0
    for query in other:
        mine = ours.get(query, [])
        assert other[query][: len(mine)] == mine
        further += len(other[query]) - len(mine)
    assert further > 0
    assert ours.get(0) == other.get(0)  # it has the most positives of all
    reach = found(hard_negatives(queries, documents, right, MiningSettings(per_query=10, last_rank=13, margin=0.6)))
    assert {query: reach[query] for query in range(1, 200) if query in reach} == {
        query: other[query] for query in range(1, 200) if query in other
    }
