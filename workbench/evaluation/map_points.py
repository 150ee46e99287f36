"""The points of a map: which items of an evaluation, and their vectors, read from what the evaluation kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import Direction, HeldOut
from workbench.evaluation.projection import unit
from workbench.evaluation.results import vector_cache
from workbench.evaluation.vectors import Vectors, cached, vectors_folder
from workbench.workspace import Workspace

MOST_ITEMS, MOST_POINTS = 5_000, 20_000
MOST_OF_A_KIND = 10_000
MOST_PAIRS = 10_000
SEED = 0
SIDE_WORDS = ("query", "document")
PLACES = ("source", "target")


@dataclass(frozen=True)
class Chosen:
    """The items of a map: places among the sources and the targets of a direction, the former first."""

    direction: Direction
    sources: np.ndarray
    targets: np.ndarray

    @property
    def sides(self) -> list[tuple[str, np.ndarray]]:
        """The sides of the collection, and the rows there, in the order of the points."""
        rows = self.direction.source_rows[self.sources], self.direction.target_rows[self.targets]
        return [(self.direction.source_side, rows[0]), (self.direction.target_side, rows[1])]


def choose(direction: Direction, models: int) -> Chosen:
    """A seeded sample of at most 5,000 items, and 20,000 points of all models: half of it queries where there are so
    many, then what answers them, then other documents."""
    most = min(MOST_ITEMS, MOST_POINTS // max(1, models))
    random = np.random.default_rng(SEED)
    queries, documents = len(direction.source_rows), len(direction.target_rows)
    sources = np.sort(random.permutation(queries)[: max(most // 2, most - documents)])
    answers = np.unique([place for source in sources.tolist() for place in direction.relevant[source]])
    others = np.setdiff1d(np.arange(documents), answers, assume_unique=True)
    wanted = np.concatenate([random.permutation(answers), random.permutation(others)])
    return Chosen(direction, sources, np.sort(wanted[: most - len(sources)]))


def kept_vectors(workspace: Workspace, evaluation: dict[str, Any], held: HeldOut) -> dict[str, Vectors]:
    """What an evaluation encoded, by model, without those models of which it is gone.

    Raises WorkbenchError if it is gone of all of them.
    """
    found = {}
    for model in evaluation["models"]:
        folder = vectors_folder(vector_cache(workspace), model["fingerprint"], evaluation["collection_fingerprint"])
        kept = cached(folder, held, int(model["dimension"]))
        if kept is not None:
            found[model["reference"]] = kept
    if not found:
        raise WorkbenchError(
            f"The vectors that the evaluation “{evaluation['evaluation']}” was made from are gone. Evaluate the same "
            "models again, then open the map."
        )
    return found


def vectors_of(vectors: Vectors, chosen: Chosen) -> np.ndarray:
    """The vectors of the points (points, dimension), in their order."""
    parts = zip(chosen.sides, PLACES, strict=True)
    return np.concatenate([_read(vectors, side, place, rows) for (side, rows), place in parts])


def by_kind(collection: Collection, direction: Direction, vectors: Vectors) -> dict[str, np.ndarray]:
    """The vectors of each modality, or of the two sides where all is of one; a seeded sample of at most 10,000 each."""
    sides = (direction.source_side, direction.source_rows), (direction.target_side, direction.target_rows)
    kinds = [modalities(collection, side)[rows] for side, rows in sides]
    names = sorted({*kinds[0], *kinds[1]})
    if len(names) == 1:
        kinds = [np.full(len(rows), word, dtype=object) for word, (_, rows) in zip(SIDE_WORDS, sides, strict=True)]
        names = list(SIDE_WORDS)
    groups = {}
    for name in names:
        parts = [np.flatnonzero(of == name) for of in kinds]
        drawn = np.random.default_rng(SEED).permutation(sum(map(len, parts)))[:MOST_OF_A_KIND]
        first, second = np.sort(drawn[drawn < len(parts[0])]), np.sort(drawn[drawn >= len(parts[0])]) - len(parts[0])
        chosen = Chosen(direction, parts[0][first], parts[1][second])
        groups[name] = vectors_of(vectors, chosen)
    return groups


def pairs_of(chosen: Chosen) -> np.ndarray:
    """The queries and what answers them, as points (pairs, 2); of very many the first 10,000."""
    point = {place: len(chosen.sources) + number for number, place in enumerate(chosen.targets.tolist())}
    pairs = [
        (number, point[place])
        for number, source in enumerate(chosen.sources.tolist())
        for place in chosen.direction.relevant[source]
        if place in point
    ]
    return np.array(pairs[:MOST_PAIRS], dtype=np.int64).reshape(-1, 2)


def cosines(vectors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The cosine of each pair of rows, float32 (pairs,)."""
    lengths = unit(vectors)
    found: np.ndarray = np.einsum("ij,ij->i", lengths[pairs[:, 0]], lengths[pairs[:, 1]])
    return found


def modalities(collection: Collection, side: str) -> np.ndarray:
    """The modality of each row of a side."""
    return collection.query_modalities if side == "queries" else collection.document_modalities


def _read(vectors: Vectors, side: str, place: str, rows: np.ndarray) -> np.ndarray:
    table, places = vectors.lookup(side, place, rows)
    return np.asarray(table[places], dtype=np.float32)
