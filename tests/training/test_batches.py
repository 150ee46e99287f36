"""Batches hold no pair that is a wrong answer to another."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.training.batches import ConflictFreeBatches, InOrder, batches_of_an_epoch
from workbench.training.pairs import Pairs


def pairs_of(queries: list[int], documents: list[int]) -> Pairs:
    return Pairs("text->image", np.array(queries), np.array(documents))


@pytest.mark.parametrize("seed", range(5))
def test_no_batch_holds_a_right_answer_as_a_wrong_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    pairs = pairs_of(generator.integers(30, size=200).tolist(), generator.integers(60, size=200).tolist())
    right = set(zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True))
    for batch in batches_of_an_epoch(pairs, 16, generator):
        queries, documents = pairs.queries[batch].tolist(), pairs.documents[batch].tolist()
        assert len(batch) <= 16
        assert len(set(queries)) == len(batch) == len(set(documents))
        for number, query in enumerate(queries):
            for other, document in enumerate(documents):
                assert number == other or (query, document) not in right


def test_every_pair_is_seen_once_where_there_are_no_conflicts() -> None:
    pairs = pairs_of(list(range(50)), list(range(50)))
    batches = batches_of_an_epoch(pairs, 8, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(50))
    assert [len(batch) for batch in batches] == [8] * 6 + [2]


def test_twelve_recordings_of_one_sentence_never_meet() -> None:
    pairs = pairs_of([number // 12 for number in range(120)], list(range(120)))
    for batch in batches_of_an_epoch(pairs, 64, np.random.default_rng(0)):
        assert len(batch) <= 10


def test_epochs_differ_and_repeat_by_seed_with_the_same_count() -> None:
    generator = np.random.default_rng(1)
    pairs = pairs_of(generator.integers(20, size=100).tolist(), generator.integers(40, size=100).tolist())
    sampler, again = ConflictFreeBatches(pairs, 8, seed=3), ConflictFreeBatches(pairs, 8, seed=3)
    seen = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        again.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert batches == list(again)
        seen.append(batches)
    assert seen[0] != seen[1]


def test_lessons_keep_their_order() -> None:
    assert list(InOrder(5, 2)) == [[0, 1], [2, 3], [4]]
    assert len(InOrder(5, 2)) == 3
