"""What a cross-encoder learns from: right pairs and wrong ones, in an order from easy to hard.

A cross-encoder that starts with the wrong documents that look right learns nothing at all: its loss stays at the base
rate. So the first half of the lessons has wrong documents drawn at random, and the second half mixes in those that were
mined for the collection, or where none were, those that the first stage ranks high. Wrong answers that people told
(score 0) are in both halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.collection.store import Collection
from workbench.enrich.hard_negatives import MiningSettings
from workbench.enrich.mining import mine
from workbench.models import Embedder
from workbench.settings import TrainSettings
from workbench.training.pairs import Pairs, known_wrong, rows_by_query
from workbench.training.recipe import Progress

NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Lessons:
    """Pairs in the order of learning: rows of the two sides, and 1.0 for right or 0.0 for wrong.

    lists: the number of the list that each pair belongs to, ascending: a right document and the wrong ones beside it.
    """

    queries: np.ndarray
    documents: np.ndarray
    labels: np.ndarray
    lists: np.ndarray

    def split(self) -> list[np.ndarray]:
        """The positions of each list."""
        return np.split(np.arange(len(self.lists)), np.flatnonzero(np.diff(self.lists)) + 1)


def lessons(
    collection: Collection,
    pairs: list[Pairs],
    first_stage: Embedder,
    settings: TrainSettings,
    dimension: int | None = None,
    progress: Progress | None = None,
) -> Lessons:
    """The lessons of a whole run: its passes over the right pairs, each with fresh wrong ones.

    first_stage: the embedder whose confusions are mined, at `dimension` if one is given.
    """
    judged = collection.judged("train")
    right = judged.scores > 0
    queries = np.concatenate([one.queries for one in pairs])
    documents = np.concatenate([one.documents for one in pairs])
    known_right = rows_by_query(judged.queries[right], judged.documents[right])
    told_wrong = known_wrong(collection, mined=False)
    # Only documents of the train split: the held-out ones must stay unseen, as wrong answers too.
    pool = np.unique(judged.documents)
    kinds = collection.document_modalities[pool]
    pools = {kind: pool[kinds == kind] for kind in dict.fromkeys(kinds)}
    mined = hard_wrong(collection, first_stage, dimension, progress=progress) if settings.epochs > 0.5 else {}
    generator = np.random.default_rng([settings.seed, 7])
    passes = max(1, int(np.ceil(settings.epochs)))
    parts = []
    for number in range(passes):
        hard = number >= passes / 2 or passes == 1
        order = generator.permutation(len(queries))
        if number == passes - 1:
            order = order[: max(1, int(len(order) * (settings.epochs - number)))]
        start = 0.5 if passes == 1 else 0.0
        for place, position in enumerate(order.tolist()):
            sources = [told_wrong]
            if hard and place >= start * len(order):
                sources.append(mined)
            query, document = int(queries[position]), int(documents[position])
            same_kind = pools[collection.document_modalities[document]]
            candidates = [known.get(query, NOTHING) for known in sources]
            candidates = [known[np.isin(known, same_kind)] for known in candidates]
            wrong = _wrong_documents(candidates, settings.negatives_per_query, generator)
            wrong += _random_documents(
                same_kind, known_right[query], wrong, settings.negatives_per_query - len(wrong), generator
            )
            rows = [(query, document, 1.0), *((query, other, 0.0) for other in wrong)]
            parts.append(np.array(rows)[generator.permutation(len(rows))])
    every = np.concatenate(parts)
    return Lessons(
        every[:, 0].astype(np.int64),
        every[:, 1].astype(np.int64),
        every[:, 2].astype(np.float32),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
    )


def graded(collection: Collection, found: Lessons, seed: int) -> Lessons:
    """The lessons with the grade of each right document in place of 1, up to the highest grade of the collection.

    Beside a right document stand those of other grades for the same query, in place of wrong ones, of which at least
    one stays: what is to be put in order must be seen together.
    """
    judged = collection.judged("train")
    grades: dict[int, dict[int, float]] = {}
    for query, document, score in zip(
        judged.queries.tolist(), judged.documents.tolist(), judged.scores.tolist(), strict=True
    ):
        grades.setdefault(query, {})[document] = score
    documents, generator = found.documents.copy(), np.random.default_rng([seed, 23])
    for rows in found.split():
        own, right = grades[int(found.queries[rows[0]])], int(found.documents[rows][np.argmax(found.labels[rows])])
        kind = collection.document_modalities[right]
        others = [row for row, grade in own.items() if 0 < grade != own[right]]
        others = [row for row in others if collection.document_modalities[row] == kind]
        wrong = rows[found.labels[rows] == 0]
        if (count := min(len(others), len(wrong) - 1)) > 0:
            places = generator.choice(wrong, size=count, replace=False)
            documents[places] = generator.choice(others, size=count, replace=False)
    pairs = zip(found.queries.tolist(), documents.tolist(), strict=True)
    labels = np.array([max(0.0, grades[query].get(document, 0.0)) for query, document in pairs], np.float32)
    return Lessons(found.queries, documents, labels, found.lists)


def all_wrong(
    collection: Collection,
    embedder: Embedder,
    dimension: int | None = None,
    count: int = 8,
    progress: Progress | None = None,
) -> dict[int, np.ndarray]:
    """What people told to be wrong, then what looks right and is wrong, by query row."""
    wrong = hard_wrong(collection, embedder, dimension, count, progress)
    for query, told in known_wrong(collection, mined=False).items():
        wrong[query] = np.concatenate([told, wrong.get(query, told[:0])])
    return wrong


def hard_wrong(
    collection: Collection,
    embedder: Embedder,
    dimension: int | None = None,
    count: int = 8,
    progress: Progress | None = None,
) -> dict[int, np.ndarray]:
    """Wrong documents that look right, by query row: those mined before, and for other queries `count` mined now.

    What was mined before may have been screened and reviewed, so it is not mixed with what has not been.
    """
    before = known_wrong(collection, mined=True)
    judged = collection.judged("train")
    if set(judged.queries[judged.scores > 0].tolist()) <= before.keys():
        return before
    return {**mined_negatives(collection, embedder, dimension, count, progress), **before}


def mined_negatives(
    collection: Collection,
    embedder: Embedder,
    dimension: int | None = None,
    count: int = 8,
    progress: Progress | None = None,
) -> dict[int, np.ndarray]:
    """Wrong documents that `embedder` ranks high, by query row.

    Mined over the whole corpus, or over the train split's documents where no document is in both splits.
    """
    mined, _ = mine(collection, embedder, MiningSettings(per_query=count), dimension=dimension, progress=progress)
    return rows_by_query(mined.queries, mined.documents)


def _wrong_documents(sources: list[np.ndarray], wanted: int, generator: np.random.Generator) -> list[int]:
    """Wrong documents from the sources, in turn, leaving a place for a random one where more than one is wanted."""
    wrong: list[int] = []
    for source in sources:
        candidates = source[~np.isin(source, wrong)]
        take = min(len(candidates), max(1, wanted - 1) - len(wrong))
        if take > 0:
            wrong.extend(generator.choice(candidates, size=take, replace=False).tolist())
    return wrong


def _random_documents(
    pool: np.ndarray, right: np.ndarray, shown: list[int], wanted: int, generator: np.random.Generator
) -> list[int]:
    """Up to `wanted` documents of the pool that are not known to be right, nor shown already."""
    drawn = generator.choice(pool, size=min(len(pool), wanted + len(right)), replace=False)
    found = [int(document) for document in drawn if document not in right and document not in shown][:wanted]
    left = np.setdiff1d(pool, [*right.tolist(), *shown, *found])
    missing = min(len(left), wanted - len(found))
    if missing > 0:
        found += generator.choice(left, size=missing, replace=False).tolist()
    return found
