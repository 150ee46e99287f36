"""Batches in which no pair is a wrong answer to another: told by ids, without opening any media.

In-batch learning takes every other document of a batch as wrong for a query. A batch must therefore not hold the same
query or the same right document twice, nor a document, shown as right or as wrong, that is a right answer to another
query of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import numpy as np
from sentence_transformers.base.sampler import DefaultBatchSampler

from workbench.training.pairs import Pairs


def batches_of_an_epoch(pairs: Pairs, batch_size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Positions of `pairs` in batches of at most `batch_size`, each position once, conflicts kept apart.

    Each batch takes the first pairs of a shuffled order that fit. It is smaller only where no pair without a conflict
    is left; batches of one pair are dropped, as they teach nothing.
    """
    order = generator.permutation(len(pairs))
    right: dict[int, set[int]] = {}
    right_for: dict[int, set[int]] = {}
    for query, document in zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True):
        right.setdefault(query, set()).add(document)
        right_for.setdefault(document, set()).add(query)
    queries = pairs.queries[order]
    waiting = _Waiting(queries, pairs.documents[order])
    asked, shown = queries.tolist(), pairs.shown[order].tolist()
    batches = []
    while waiting.heads:
        batch = _a_batch(waiting, asked, shown, right, right_for, batch_size)
        waiting.end_batch()
        if len(batch) > 1:
            batches.append(order[batch])
    return batches


def _a_batch(
    waiting: _Waiting,
    asked: list[int],
    shown: list[list[int]],
    right: dict[int, set[int]],
    right_for: dict[int, set[int]],
    batch_size: int,
) -> list[int]:
    """The places of the first waiting pairs that fit together, which are then no longer waiting.

    asked, shown: the query and the documents of each place. right: the documents of each query; right_for: the other
    way round.
    """
    batch: list[int] = []
    queries: set[int] = set()
    documents: set[int] = set()
    nobody: set[int] = set()
    while len(batch) < batch_size and (place := waiting.pop()) is not None:
        query = asked[place]
        answered = query in queries or not right[query].isdisjoint(documents)
        answers = [not queries.isdisjoint(right_for.get(document, nobody)) for document in shown[place]]
        if answered or any(answers):
            waiting.pass_over(place, whole_group=answered if waiting.by_query[place] else answers[0])
            continue
        waiting.take(place)
        batch.append(place)
        queries.add(query)
        documents.update(shown[place])
    return batch


class _Waiting:
    """The pairs that are in no batch yet, offered in their order, a group of them passed over at once.

    A group is all pairs of a query, or all of a right document, whichever is larger: two of them never meet in a batch.
    So a batch looks at few pairs beside those it takes, even where a hundred thousand pairs share fifty queries.
    heads: a heap of the first place of each group. by_query: of each place, whether its query makes its group.
    """

    def __init__(self, queries: np.ndarray, documents: np.ndarray) -> None:
        _, query = np.unique(queries, return_inverse=True)
        _, document = np.unique(documents, return_inverse=True)
        by_query = np.bincount(query)[query] >= np.bincount(document)[document]
        group = np.where(by_query, query, document + len(query))
        places = np.argsort(group, kind="stable")
        first = np.append(True, np.diff(group[places]) != 0)
        after = np.full(len(group), -1)
        after[places[:-1]] = np.where(first[1:], -1, places[1:])
        self.by_query: list[bool] = by_query.tolist()
        self.heads: list[int] = np.sort(places[first]).tolist()  # a sorted list is a heap
        self._after: list[int] = after.tolist()
        self._again: list[int] = []
        self._inner: list[int] = []
        self._before: dict[int, int] = {}

    def pop(self) -> int | None:
        """The first place not looked at for this batch; None when there is none."""
        if self._inner and not (self.heads and self.heads[0] < self._inner[0]):
            return heappop(self._inner)
        return heappop(self.heads) if self.heads else None

    def take(self, place: int) -> None:
        """The place that `pop` gave goes into the batch."""
        if place in self._before:
            self._after[self._before[place]] = self._after[place]
        elif self._after[place] >= 0:
            self._again.append(self._after[place])

    def pass_over(self, place: int, *, whole_group: bool) -> None:
        """The place that `pop` gave waits for another batch; whole_group: and so does all that is left of its group."""
        if place not in self._before:
            self._again.append(place)
        if not whole_group and (following := self._after[place]) >= 0:
            self._before[following] = place
            heappush(self._inner, following)

    def end_batch(self) -> None:
        """Offer again what was passed over."""
        for place in self._again:
            heappush(self.heads, place)
        self._again, self._inner, self._before = [], [], {}


class ConflictFreeBatches(DefaultBatchSampler):
    """A batch sampler of the library's kind over `batches_of_an_epoch`; every epoch has the same number of batches."""

    def __init__(self, pairs: Pairs, batch_size: int, seed: int) -> None:
        self.pairs = pairs
        self.batch_size = batch_size
        self.drop_last = False
        self.seed = seed
        self.epoch = 0
        self._made: tuple[int, list[np.ndarray]] | None = None
        self._count = len(self._batches(0))

    def _batches(self, epoch: int) -> list[np.ndarray]:
        if self._made is None or self._made[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._made = epoch, batches_of_an_epoch(self.pairs, self.batch_size, generator)
        return self._made[1]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        batches = list(self._batches(self.epoch))
        extra = 1
        while len(batches) < self._count:
            batches += self._batches(self.epoch + 1_000_003 * extra)
            extra += 1
        yield from (batch.tolist() for batch in batches[: self._count])


class InOrder(DefaultBatchSampler):
    """Batches in the order of the rows, for lessons whose order was chosen."""

    def __init__(self, count: int, batch_size: int, **_: Any) -> None:
        self.count = count
        self.batch_size = batch_size
        self.drop_last = False

    def set_epoch(self, epoch: int) -> None:
        """The order is the same in every epoch."""

    def __len__(self) -> int:
        return (self.count + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, self.count, self.batch_size):
            yield list(range(start, min(self.count, start + self.batch_size)))


class Shuffled(DefaultBatchSampler):
    """Batches of rows that may meet each other freely, in another order each epoch; the last one may be smaller."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count = count
        self.batch_size = batch_size
        self.drop_last = False
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return (self.count + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self.seed, self.epoch, 13]).permutation(self.count)
        for start in range(0, self.count, self.batch_size):
            yield order[start : start + self.batch_size].tolist()
