"""What the points of a map can be coloured by: modality, side, split, metadata, and whether each model found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import ALL, OF_MODELS
from workbench.evaluation.map_points import SIDE_WORDS, Chosen, modalities
from workbench.evaluation.queries import Queries
from workbench.evaluation.slices import columns

MOST_GROUPS = 6
MOST_COLUMNS = 12
OTHERS, NOTHING = "other", "none"
FIRST, AMONG_TEN, MISSED = "query, right answer first", "query, right answer in the first 10", "query, missed"
FOUND, NOT_FOUND, NOT_ASKED = "document, found in the first 10", "document, not found", "document, nobody asks for it"
CORRECTNESS = [FIRST, AMONG_TEN, MISSED, FOUND, NOT_FOUND, NOT_ASKED]


@dataclass(frozen=True)
class Colouring:
    """title: what it tells; labels: the groups; codes: the group of each point, int16 (models or 1, items)."""

    title: str
    labels: list[str]
    codes: np.ndarray


def colourings(
    collection: Collection, chosen: Chosen, queries: Queries, cells: Sequence[tuple[str, int, str]]
) -> list[Colouring]:
    """Everything that tells some of the points from others. cells: (model, its full size, precision) of each model."""
    found = [
        _coloured("modality", np.concatenate([modalities(collection, side)[rows] for side, rows in chosen.sides])),
        _coloured("side", np.repeat(SIDE_WORDS, [len(chosen.sources), len(chosen.targets)])),
        Colouring("correctness", CORRECTNESS, np.stack([_correct(collection, chosen, queries, one) for one in cells])),
        _coloured("split", _seen(collection, chosen)),
        *_metadata(collection, chosen),
    ]
    return [one for one in found if len(np.unique(one.codes)) > 1]


def _coloured(title: str, values: np.ndarray) -> Colouring:
    """Groups by value, the largest first; what is beyond the sixth is one group."""
    counts = Counter(str(value) or NOTHING for value in values.tolist())
    labels = [value for value, _ in counts.most_common(MOST_GROUPS if len(counts) <= MOST_GROUPS else MOST_GROUPS - 1)]
    code = {label: number for number, label in enumerate(labels)}
    if len(labels) < len(counts):
        labels.append(OTHERS)
    codes = [code.get(str(value) or NOTHING, len(labels) - 1) for value in values.tolist()]
    return Colouring(title, labels, np.array([codes], dtype=np.int16))


def _seen(collection: Collection, chosen: Chosen) -> np.ndarray:
    """Whether a point is held out, or a document that was seen in training, or that no judgement of people names."""
    documents = np.full(len(collection.corpus), "not judged", dtype=object)
    for split, said in (("eval", "held out"), ("train", "seen in training")):
        judged = collection.judged(split)
        documents[judged.documents[~np.isin(judged.sources.astype(str), OF_MODELS)]] = said
    asked = np.full(len(chosen.sources), "held out", dtype=object)
    return np.concatenate([asked, documents[chosen.sides[1][1]]])


def _correct(collection: Collection, chosen: Chosen, queries: Queries, cell: tuple[str, int, str]) -> np.ndarray:
    """Each query by the rank of its first right answer, each document by whether any query it answers found it."""
    _, ranks = queries.cell(*cell, ALL)
    rank = ranks[chosen.sources]
    asked = np.select([rank == 1, (rank > 1) & (rank <= 10)], [0, 1], default=2)
    ids = np.array(collection.corpus["id"][:], dtype=object)[chosen.direction.target_rows]
    found = np.full(len(ids), CORRECTNESS.index(NOT_ASKED), dtype=np.int16)
    for first, relevant in zip(queries.found(cell[0], ALL), chosen.direction.relevant, strict=True):
        shown = set(first)
        for place in relevant:
            if ids[place] in shown:
                found[place] = CORRECTNESS.index(FOUND)
            elif found[place] != CORRECTNESS.index(FOUND):
                found[place] = CORRECTNESS.index(NOT_FOUND)
    return np.concatenate([asked.astype(np.int16), found[chosen.targets]])


def _metadata(collection: Collection, chosen: Chosen) -> Iterator[Colouring]:
    """A colouring for each column of metadata of few values, or of numbers; of either side, or of both."""
    tables: dict[str, dict[int, Any]] = {}
    for number, (side, rows) in enumerate(chosen.sides):
        meta = collection.side(side).select_columns(["meta"])[rows.tolist()]["meta"]
        for column, labels in columns(meta):
            tables.setdefault(column, {})[number] = labels
    for title, parts in list(tables.items())[:MOST_COLUMNS]:
        empty = [np.full(len(rows), "", dtype=object) for _, rows in chosen.sides]
        yield _coloured(title, np.concatenate([parts.get(number, empty[number]) for number in range(2)]))
