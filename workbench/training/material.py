"""What an objective learns from: the data sets and batches that its loss takes, made of a collection's judgements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.models.items import InputForm
from workbench.settings import TrainSettings
from workbench.settings.taken import DISTILLED
from workbench.training.batches import ConflictFreeBatches, InOrder, Shuffled
from workbench.training.lessons import Lessons
from workbench.training.pairs import Pairs, by_modality, pair_dataset, too_few_pairs, with_negatives
from workbench.training.shape import OF_MODELS
from workbench.training.teacher import Teacher

MINED_COPIES = 4
MOST_REPEATED = 8
SCORED = ("similarity", "binary")
COPIED = ("margin", "distillation")


def in_batch_datasets(collection: Collection, pairs: list[Pairs], form: InputForm) -> Any:
    """One dataset a modality pair: a batch holds one modality on each side."""
    return {
        one.name: pair_dataset(
            collection, one.columns(), form, **({} if one.labels is None else {"label": one.labels.tolist()})
        )
        for one in pairs
    }


def balanced(pairs: list[Pairs]) -> list[Pairs]:
    """The pairs, those of a small modality pair several times, so that the largest does not starve them.

    The library draws batches in proportion to the rows; in turn instead, the largest would be cut to the length of the
    smallest. Here shares go by the square root of the rows, as multilingual models draw their languages; pairs that are
    less than four times apart stay as they are. A pair with a twentieth of the rows came to NDCG@10 0.60 so, to 0.50
    drawn in proportion, in as many passes (chance 0.16, best possible 0.64).
    """
    largest = max((len(one) for one in pairs), default=0)
    return [_repeated(one, min(MOST_REPEATED, int((largest / len(one)) ** 0.5))) for one in pairs if len(one)]


def _repeated(pairs: Pairs, times: int) -> Pairs:
    if times <= 1:
        return pairs
    rows = np.tile(np.arange(len(pairs)), times)
    negatives, labels = (None if part is None else part[rows] for part in (pairs.negatives, pairs.labels))
    return Pairs(pairs.name, pairs.queries[rows], pairs.documents[rows], negatives, labels)


def conflict_free(pairs: list[Pairs], settings: TrainSettings, batch_size: int = 0) -> Callable[..., Any]:
    """The function by which the trainer asks for the batches of one of its datasets, in the order of `pairs`."""
    waiting = iter(pairs)

    def sampler(dataset: Any, **_: Any) -> ConflictFreeBatches:
        return ConflictFreeBatches(next(waiting), batch_size or settings.batch_size, settings.seed)

    return sampler


def shuffled(settings: TrainSettings) -> Callable[..., Any]:
    """The function by which the trainer asks for batches of rows that are no wrong answers to each other."""

    def sampler(dataset: Any, **_: Any) -> Shuffled:
        return Shuffled(len(dataset), settings.batch_size, settings.seed)

    return sampler


def in_order(batch_size: int) -> Callable[..., Any]:
    """The function by which the trainer asks for lessons in the order they were made, so many rows at once."""

    def sampler(dataset: Any, **_: Any) -> InOrder:
        return InOrder(len(dataset), batch_size)

    return sampler


def copies(settings: TrainSettings) -> int:
    """How often the data holds each pair, every time with other wrong documents."""
    return max(1, min(MINED_COPIES, round(settings.epochs)))


def scored_pairs(collection: Collection, name: str) -> list[Pairs]:
    """The judged pairs with their scores as labels, for the objectives in SCORED.

    similarity: what people scored; a mined document of score 0 was never put on their scale. binary: 1 for right
    and 0 for wrong.
    Raises WorkbenchError if fewer than two are of one kind.
    """
    judged = collection.judged("train")
    queries, documents, scores = judged.queries, judged.documents, judged.scores.astype(np.float64)
    if name == "similarity":
        told = ~np.isin(judged.sources.astype(str), OF_MODELS)
        queries, documents, scores = queries[told], documents[told], scores[told]
    else:
        scores = (scores > 0).astype(np.float64)
    found = by_modality(collection, queries, documents, scores)
    if not found:
        raise too_few_pairs(collection.name, len(queries))
    return found


def graded_pairs(collection: Collection, pairs: list[Pairs], seed: int, times: int) -> list[Pairs]:
    """The pairs, `times` over, each beside a document of a lower grade for the same query, or a stranger if none is.

    So a query is told apart from strangers by all its right documents, and the better ones from the worse. CoSENT over
    the grades, strangers as 0, learnt far less on planted grades: NDCG@10 0.42 where this came to 0.73.
    """
    judged = collection.judged("train")
    grades: dict[int, dict[int, float]] = {}
    for query, document, score in zip(
        judged.queries.tolist(), judged.documents.tolist(), judged.scores.tolist(), strict=True
    ):
        grades.setdefault(query, {})[document] = score
    kinds, generator = collection.document_modalities, np.random.default_rng([seed, 17])
    found = []
    for one in pairs:
        shown = with_negatives(collection, one, {}, seed, times)
        assert shown.negatives is not None
        for place, (query, document) in enumerate(zip(shown.queries.tolist(), shown.documents.tolist(), strict=True)):
            own = grades[query]
            worse = [row for row, grade in own.items() if grade < own[document] and kinds[row] == kinds[document]]
            if worse:
                shown.negatives[place] = generator.choice(worse)
        found.append(shown)
    return found


def taught_pairs(
    collection: Collection,
    pairs: list[Pairs],
    wrong: dict[int, np.ndarray],
    teacher: Teacher,
    settings: TrainSettings,
) -> list[Pairs]:
    """The pairs with wrong documents beside them and the teacher's score of each document as labels.

    Raises WorkbenchError where no document is wrong for any query.
    """
    count = settings.mined_negatives or DISTILLED
    shown = [with_negatives(collection, one, wrong, settings.seed, count=count) for one in pairs]
    if not any(map(len, shown)):
        raise WorkbenchError(
            "There is nothing to tell apart: every document is right for every query. Import rows with more different "
            "queries, or choose other columns."
        )
    return labelled(collection, [one for one in shown if len(one)], teacher)


def labelled(collection: Collection, pairs: list[Pairs], teacher: Teacher) -> list[Pairs]:
    """The pairs with the teacher's score of each document they show; all are asked of it at once."""
    widest = max(one.shown.shape[1] for one in pairs)
    queries = np.concatenate([np.repeat(one.queries, one.shown.shape[1]) for one in pairs])
    flat = np.concatenate([one.shown.reshape(-1) for one in pairs])
    scores = teacher.scores(collection, queries, flat[:, None]).reshape(-1, widest)
    starts = np.cumsum([len(one) for one in pairs])[:-1]
    return [replace(one, labels=part) for one, part in zip(pairs, np.split(scores, starts), strict=True)]


def list_dataset(collection: Collection, found: Lessons, form: InputForm) -> Any:
    """A query and the documents of one list a row, with the list of their labels."""
    lists = found.split()
    columns = {
        "query": ("queries", found.queries[[rows[0] for rows in lists]]),
        "documents": ("corpus", [found.documents[rows].tolist() for rows in lists]),
    }
    return pair_dataset(collection, columns, form, label=[found.labels[rows].tolist() for rows in lists])


def margin_dataset(collection: Collection, found: Lessons, teacher: Teacher, form: InputForm) -> Any:
    """Lists as rows of a right document and its wrong ones, with the teacher's scores; shorter lists are left out."""
    lists = found.split()
    length = max(len(rows) for rows in lists)
    # The right document comes first: a sort that keeps the order of the others.
    kept = [rows[np.argsort(-found.labels[rows], kind="stable")] for rows in lists if len(rows) == length]
    rows = np.stack(kept)
    pairs = Pairs("lists", found.queries[rows[:, 0]], found.documents[rows[:, 0]], found.documents[rows[:, 1:]])
    (taught,) = labelled(collection, [pairs], teacher)
    assert taught.labels is not None
    return pair_dataset(collection, taught.columns(), form, label=taught.labels.tolist())
