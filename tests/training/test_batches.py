"""Batches hold no pair that is a wrong answer to another."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.training import batches
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


def first_that_fit(pairs: Pairs, batch_size: int, generator: np.random.Generator) -> list[list[int]]:
    """What `batches_of_an_epoch` promises, told by looking at every waiting pair for every batch."""
    right = set(zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True))
    queries, shown = pairs.queries.tolist(), pairs.shown.tolist()

    def meet(one: int, other: int) -> bool:
        wrong = [(queries[a], document) for a, b in ((one, other), (other, one)) for document in shown[b]]
        return queries[one] != queries[other] and not any(pair in right for pair in wrong)

    waiting, batches = generator.permutation(len(pairs)).tolist(), []
    while waiting:
        batch: list[int] = []
        for position in waiting:
            if len(batch) < batch_size and all(meet(position, other) for other in batch):
                batch.append(position)
        waiting = [position for position in waiting if position not in batch]
        batches += [batch] if len(batch) > 1 else []
    return batches


@pytest.mark.parametrize("seed", range(30))
def test_each_batch_takes_the_first_pairs_that_fit(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count, queries, documents = (int(number) for number in generator.integers(2, 50, size=3))
    negatives = [None, generator.integers(documents, size=count), generator.integers(documents, size=(count, 2))]
    pairs = Pairs(
        "text->text",
        generator.integers(queries, size=count),
        generator.integers(documents, size=count),
        negatives[seed % 3],
    )
    size = int(generator.integers(2, 12))
    found = batches_of_an_epoch(pairs, size, np.random.default_rng(seed))
    assert [batch.tolist() for batch in found] == first_that_fit(pairs, size, np.random.default_rng(seed))


@pytest.mark.parametrize("shared", ["queries", "documents"])
def test_few_queries_or_few_documents_do_not_make_every_batch_look_at_every_pair(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    pop = batches._Waiting.pop

    def counted(waiting: batches._Waiting) -> int | None:
        looks.append(1)
        return pop(waiting)

    monkeypatch.setattr(batches._Waiting, "pop", counted)
    few, many = (np.arange(3000) % 20).tolist(), list(range(3000))
    pairs = pairs_of(few, many) if shared == "queries" else pairs_of(many, few)
    found = batches_of_an_epoch(pairs, 64, np.random.default_rng(0))
    assert sum(map(len, found)) > 2900
    assert len(looks) < 3 * len(pairs)
