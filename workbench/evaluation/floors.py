"""What a model must beat: full text by BM25 where both sides have words, and guessing everywhere.

BM25 finds what shares rare words with the query, and knows nothing of meaning; an embedder below it is not worth its
vectors. Guessing is the bottom of the scale: with few documents even that finds something, so 0.1 may be nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import Direction, HeldOut
from workbench.evaluation.measures import MEASURES, check_measures, measure
from workbench.evaluation.ranking import TOP, blocks
from workbench.evaluation.reranking import sampled
from workbench.evaluation.statistics import mean_interval
from workbench.evaluation.vectors import Progress
from workbench.index.full_text import NOT_FOUND, full_text

BM25, RANDOM = "bm25", "random"
DRAWS = 20
MOST_ASKED = 1_000
TEXTS_AT_ONCE = 10_000
NOTE = "Scoring full text, the floor"
Values = dict[str, np.ndarray]
"""Each measure's array (queries,)."""


@dataclass(frozen=True)
class Floors:
    """What the floors score.

    rows: {"model": "bm25" | "random", "direction", "queries", "documents", "metrics", "interval"}, `interval` being the
    95 % interval of the NDCG@10. ndcg: NDCG@10 (queries,) by model and direction, in the order of its sources; not a
    number for a query that was not asked, which `statistics.compare` leaves out.
    """

    rows: list[dict[str, Any]]
    ndcg: dict[tuple[str, str], np.ndarray]


def floors(
    collection: Collection, held: HeldOut, measures: Sequence[str] = MEASURES, progress: Progress | None = None
) -> Floors:
    """Both floors in every direction: BM25 where something on either side has words, guessing in all of them.

    measures: NDCG@10 is always among them. progress(done, total, note) counts the queries of full text; it may raise
    Stopped.
    """
    wanted = check_measures([MEASURES[0], *measures])
    same = {name: _identity(one) for name, one in held.directions.items()}  # `all` is often just one of the others
    asked = {same[name]: one for name, one in held.directions.items() if has_words(collection, one)}
    total = sum(min(MOST_ASKED, len(one.source_rows)) for one in asked.values())
    known: dict[tuple[Any, ...], dict[str, Values]] = {}
    rows, ndcg, done = [], {}, 0
    for name, direction in held.directions.items():
        if same[name] not in known:
            known[same[name]] = found = {RANDOM: by_chance(direction, wanted)}
            if same[name] in asked:
                found[BM25] = by_words(collection, direction, wanted, _counted(progress, done, total))
                done += min(MOST_ASKED, len(direction.source_rows))
        for model, values in sorted(known[same[name]].items()):
            rows.append(_row(model, name, direction, values))
            ndcg[model, name] = values[MEASURES[0]]
    return Floors(rows, ndcg)


def by_words(
    collection: Collection, direction: Direction, measures: Sequence[str], progress: Progress | None = None
) -> Values:
    """What BM25 scores. A query without words finds nothing; a document without words is never found.

    Of more than MOST_ASKED queries a seeded sample is asked, and the others are not a number: a long text takes a third
    of a second against 100,000 others, and a floor need not be known to the third digit.
    """
    asked = sampled(direction, MOST_ASKED)
    queries = list(texts_of(collection, asked.source_side, asked.source_rows))
    found = np.empty((len(queries), TOP), np.int64)
    with full_text(texts_of(collection, asked.target_side, asked.target_rows)) as words:
        for number, query in enumerate(queries):
            found[number] = words.rank(query, TOP)
            if progress is not None:
                progress(number + 1, len(queries), NOTE)
    places = np.searchsorted(direction.source_rows, asked.source_rows)
    values = {name: np.full(len(direction.source_rows), np.nan) for name in measures}
    for name, numbers in measure(found, asked.relevant, measures).values.items():
        values[name][places] = numbers
    return values


def has_words(collection: Collection, direction: Direction) -> bool:
    """Whether full text can find anything: some source has a text, and some target has."""
    kinds = {"queries": collection.query_modalities, "corpus": collection.document_modalities}
    sides = ((direction.source_side, direction.source_rows), (direction.target_side, direction.target_rows))
    return all(any("text" in kind.split("+") for kind in set(kinds[side][rows].tolist())) for side, rows in sides)


def texts_of(collection: Collection, side: str, rows: np.ndarray) -> Iterator[str]:
    """The texts of some rows of a side in turn, empty where an item has none. Reads no media, and a block at a time."""
    import pyarrow as pa

    column = collection.side(side).data.table["text"]
    for start, stop in blocks(len(rows), TEXTS_AT_ONCE):
        yield from (text or "" for text in column.take(pa.array(rows[start:stop])).to_pylist())


def by_chance(direction: Direction, measures: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Values:
    """What guessing scores: the mean of each query over shuffled corpora.

    One shuffle would leave the row to luck: of 50 documents it puts the right one first once in a while. The mean of
    many is what a query scores by chance, and so every query has a number that others can be compared with in pairs.
    Only the places of the relevant documents are drawn, as nothing else is measured.
    """
    random, count = np.random.default_rng(seed), len(direction.target_rows)
    sums: Values = {}
    for _ in range(draws):
        shuffled = np.full((len(direction.relevant), TOP), NOT_FOUND)
        for row, gains in enumerate(direction.relevant):
            ranks = random.choice(count, len(gains), replace=False)
            near = ranks < TOP
            shuffled[row, ranks[near]] = np.fromiter(gains, np.int64, len(gains))[near]
        for name, values in measure(shuffled, direction.relevant, measures).values.items():
            sums[name] = sums.get(name, 0.0) + values
    return {name: values / draws for name, values in sums.items()}


def _row(model: str, name: str, direction: Direction, values: Values) -> dict[str, Any]:
    return {
        "model": model,
        "direction": name,
        "queries": int(np.isfinite(values[MEASURES[0]]).sum()),
        "documents": len(direction.target_rows),
        "metrics": {name: float(np.nanmean(numbers)) for name, numbers in values.items()},
        "interval": list(mean_interval(values[MEASURES[0]])),
    }


def _identity(direction: Direction) -> tuple[Any, ...]:
    return (
        direction.source_side, direction.source_rows.tobytes(), direction.target_side, direction.target_rows.tobytes(),
    )  # fmt: skip


def _counted(progress: Progress | None, done: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, _, note: progress(done + step, total, note)
