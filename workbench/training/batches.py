"""Batches in which no pair is a wrong answer to another: told by ids, without opening any media.

In-batch learning takes every other document of a batch as wrong for a query. A batch must therefore not hold the same
query or the same right document twice, nor a document, shown as right or as wrong, that is a right answer to another
query of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sentence_transformers.base.sampler import DefaultBatchSampler

from workbench.training.pairs import Pairs


def batches_of_an_epoch(pairs: Pairs, batch_size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Positions of `pairs` in batches of at most `batch_size`, each position once, conflicts kept apart.

    A batch is smaller only where no pair without a conflict is left; batches of one pair are dropped, as they teach
    nothing.
    """
    relevant: dict[int, set[int]] = {}
    for query, document in zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True):
        relevant.setdefault(query, set()).add(document)
    documents_of = pairs.shown.tolist()
    waiting = generator.permutation(len(pairs)).tolist()
    batches = []
    while waiting:
        batch: list[int] = []
        queries: set[int] = set()
        documents: set[int] = set()
        forbidden: set[int] = set()
        left: list[int] = []
        for number, position in enumerate(waiting):
            query = int(pairs.queries[position])
            shown = set(documents_of[position])
            if query in queries or not shown.isdisjoint(forbidden) or not relevant[query].isdisjoint(documents):
                left.append(position)
                continue
            batch.append(position)
            queries.add(query)
            documents |= shown
            forbidden |= relevant[query]
            if len(batch) == batch_size:
                left.extend(waiting[number + 1 :])
                break
        waiting = left
        if len(batch) > 1:
            batches.append(np.array(batch))
    return batches


class ConflictFreeBatches(DefaultBatchSampler):
    """A batch sampler of the library's kind over `batches_of_an_epoch`; every epoch has the same number of batches."""

    def __init__(self, pairs: Pairs, batch_size: int, seed: int) -> None:
        self.pairs = pairs
        self.batch_size = batch_size
        self.drop_last = False
        self.seed = seed
        self.epoch = 0
        self._count = len(self._batches(0))

    def _batches(self, epoch: int) -> list[np.ndarray]:
        return batches_of_an_epoch(self.pairs, self.batch_size, np.random.default_rng([self.seed, epoch]))

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches(self.epoch)
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
