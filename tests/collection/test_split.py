"""Nothing that is scored has been seen in training."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.collection.split import held_out_count, split_judgements


def many_to_many(queries: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Judgements in small clusters: each query has one to three documents of its own or its neighbour's."""
    generator = np.random.default_rng(seed)
    pairs = {(q, int(d)) for q in range(queries) for d in generator.integers(q // 3 * 3, q // 3 * 3 + 3, size=3)}
    rows = np.array(sorted(pairs))
    return rows[:, 0], rows[:, 1]


def test_no_query_and_no_document_is_on_both_sides():
    queries, documents = many_to_many(900)
    split = split_judgements(queries, documents, seed=3)
    is_eval = split.labels == "eval"
    assert split.method == "component"
    assert not set(queries[is_eval]) & set(queries[~is_eval])
    assert not set(documents[is_eval]) & set(documents[~is_eval])
    held_out = len(set(queries[is_eval]))
    assert 130 <= held_out <= 135
    assert split.sentence == (
        f"{held_out} queries and their {len(set(documents[is_eval]))} documents are held out for the score; "
        "none of them is seen in training."
    )
    assert split.fraction == round(held_out / 900, 4)


def test_an_item_that_is_a_query_and_a_document_is_on_one_side_only():
    # Query n and document n + 1 are the same text: a chain in pairs.
    queries, documents = np.arange(200), np.arange(200)
    same = [(row, row + 1) for row in range(0, 200, 2)]
    labels = split_judgements(queries, documents, seed=0, same_items=same).labels
    assert set(labels) == {"train", "eval"}
    assert all(labels[query] == labels[document] for query, document in same)


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_rows():
    queries, documents = many_to_many(300)
    ids = [f"id-{row * 7919 % 1000}" for row in range(300)]
    split = split_judgements(queries, documents, seed=1, query_ids=ids)
    held_out = {ids[row] for row in queries[split.labels == "eval"]}
    shuffle = np.random.default_rng(5).permutation(300)
    place = np.argsort(shuffle)
    moved = split_judgements(place[queries][::-1], documents[::-1], seed=1, query_ids=[ids[row] for row in shuffle])
    assert {ids[shuffle[row]] for row in place[queries][::-1][moved.labels == "eval"]} == held_out
    other = split_judgements(queries, documents, seed=2, query_ids=ids)
    assert {ids[row] for row in queries[other.labels == "eval"]} != held_out


def test_a_giant_component_is_split_by_query_and_says_that_documents_are_shared():
    queries, documents = np.repeat(np.arange(100), 2), np.array([d for q in range(100) for d in (0, q + 1)])
    split = split_judgements(queries, documents)
    is_eval = split.labels == "eval"
    assert split.method == "query"
    assert len(set(queries[is_eval])) == 30
    assert not set(queries[is_eval]) & set(queries[~is_eval])
    assert split.sentence == (
        "30 queries are held out for the score; the documents are shared, so some of theirs are seen in training."
    )


def test_components_too_large_for_the_fraction_are_split_by_query():
    queries, documents = np.arange(80), np.arange(80) // 40
    assert split_judgements(queries, documents).method == "query"


def test_large_components_are_not_favoured():
    # Ten queries share each of the first 50 documents; the other 500 documents have one query each.
    queries = np.arange(1000)
    documents = np.concatenate([np.repeat(np.arange(50), 10), np.arange(50, 550)])
    shares = []
    for seed in range(20):
        is_eval = split_judgements(queries, documents, seed=seed).labels == "eval"
        shares.append(is_eval[:500].sum() / is_eval.sum())
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("queries", "fraction", "count"),
    [
        (1, None, 0),
        (2, None, 1),
        (10, None, 3),
        (60, None, 18),
        (200, None, 50),
        (2412, None, 362),
        (100_000, None, 2000),
        (100, 0.5, 50),
        (100, 0.0, 0),
        (10, 1.0, 9),
    ],
)
def test_how_many_queries_are_held_out(queries, fraction, count):
    assert held_out_count(queries, fraction) == count


def test_one_query_alone_is_not_held_out():
    split = split_judgements([0, 0], [0, 1])
    assert list(split.labels) == ["train", "train"]
    assert split.sentence == "There is only one query, so nothing is held out and no score can be measured."


def test_rows_may_be_sparse_and_out_of_order():
    queries, documents = [70, 3, 3, 900, 41], [5, 11, 12, 2, 8]
    split = split_judgements(queries, documents, seed=0, fraction=0.25)
    assert split.method == "component"
    assert len({query for query, label in zip(queries, split.labels, strict=True) if label == "eval"}) == 1


@pytest.mark.parametrize("seed", range(3))
def test_stray_queries_alone_are_no_score(seed):
    # Five documents with 60 queries each, and one with a query of its own.
    queries = np.arange(301)
    split = split_judgements(queries, queries // 60, seed=seed)
    assert (split.method, sum(split.labels == "eval")) == ("component", 61)


@pytest.mark.parametrize("fraction", [0.0, 0.001])
def test_a_fraction_of_less_than_one_query_is_told_as_it_is(fraction):
    split = split_judgements(np.arange(60), np.arange(60), fraction=fraction)
    assert split.sentence.startswith("The fraction that was asked for is less than one query, so nothing is held out")
