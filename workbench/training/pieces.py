"""Batches of a cross-encoder read in pieces whose gradients are averaged: less memory, the same result.

For losses that are a mean over the rows of their batch, each row on its own, and that have no mini-batches themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from sentence_transformers.base.sampler import DefaultBatchSampler

from workbench.settings import TrainSettings
from workbench.training.out_of_memory import piece_of, reads


def pieces_a_batch(kind: str, objective: str, settings: TrainSettings) -> int:
    """Into how many pieces each batch is cut; 1 where it is read whole, or where its loss cuts it itself."""
    if reads(kind, objective) != "pieces" or not settings.mini_batch_size:
        return 1
    return settings.batch_size // piece_of(settings.batch_size, settings.mini_batch_size)


class Pieces(DefaultBatchSampler):
    """The batches of another sampler, each cut into `count` pieces of equal size, in the same order.

    The last batch may be smaller; its pieces are as equal as can be, because all of them count alike.
    """

    def __init__(self, batches: Any, count: int) -> None:
        self.batches, self.count = batches, count
        self.batch_size = max(1, batches.batch_size // count)
        self.drop_last = False

    def set_epoch(self, epoch: int) -> None:
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield from self._equal(batch)

    def _equal(self, batch: list[int]) -> Iterator[list[int]]:
        fewest = -(-len(batch) // self.batch_size)
        count = next((count for count in range(fewest, self.count + 1) if len(batch) % count == 0), fewest)
        starts = [len(batch) * number // count for number in range(count + 1)]
        for start, end in pairwise(starts):
            yield batch[start:end]


def in_pieces(sampler: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A function that makes the trainer's batches, making pieces of them."""

    def cut(dataset: Any, **wanted: Any) -> Any:
        return Pieces(sampler(dataset, **wanted), count)

    return cut if count > 1 else sampler
