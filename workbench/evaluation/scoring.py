"""Score one embedder on held-out judgements: every dimension, precision and direction from one encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import ALL, Direction, HeldOut, held_out
from workbench.evaluation.measures import MEASURES, Measured, check_measures, measure
from workbench.evaluation.precision import check_precisions
from workbench.evaluation.ranking import top_of_rows
from workbench.evaluation.statistics import mean_interval
from workbench.evaluation.vectors import EmbedderLike, Progress, Vectors, encode_held_out
from workbench.models.vectors import truncate

FOUND = 10
Cell = tuple[int, str, str]
"""dimension, precision, direction"""


@dataclass(frozen=True)
class Scores:
    """What one model scored.

    rows: flat rows {"model", "dimension", "precision", "direction", "queries", "documents", "metrics", "interval"},
    `interval` being the 95 % interval of the NDCG@10. per_query: each measure's array (queries,) by (dimension,
    precision, direction); first_ranks: likewise the rank of the first relevant document, 0 where it is not among the
    first 100. found: by direction, the places of the first 10 documents of each query (queries, 10), at the full size
    and the first precision.
    notes: sentences for the user, about sizes that the model lacks for instance.
    """

    rows: list[dict[str, Any]]
    per_query: dict[Cell, dict[str, np.ndarray]]
    first_ranks: dict[Cell, np.ndarray]
    held_out: HeldOut
    found: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)

    def metrics(
        self, dimension: int | None = None, precision: str = "float32", direction: str = ALL
    ) -> dict[str, float]:
        """The mean measures of one cell, of the largest dimension if none is given."""
        size = max(cell[0] for cell in self.per_query) if dimension is None else dimension
        return {name: float(values.mean()) for name, values in self.per_query[size, precision, direction].items()}


def score_embedder(
    embedder: EmbedderLike,
    collection: Collection,
    dimensions: Sequence[int] | None = None,
    *,
    precisions: Sequence[str] = ("float32",),
    measures: Sequence[str] = MEASURES,
    cache: Path | None = None,
    progress: Progress | None = None,
    directions: Sequence[str] | None = None,
    held: HeldOut | None = None,
    intervals: bool = True,
) -> Scores:
    """Rank the held-out part of a collection with one embedder, encoding each item once.

    dimensions: Matryoshka dimensions, else those that the model names. measures: NDCG@10 is always among them. cache:
    the folder under which vectors are kept between calls (`evaluations/vectors`). directions: only these (`all`,
    `text->image`, …). held: `held_out(collection)` where the caller has it already. intervals: False leaves them out,
    for scoring many times in a training.
    progress(done, total, note) may raise Stopped.
    Raises WorkbenchError if the model cannot take a modality of the collection.
    """
    held = held or held_out(collection)
    names = list(held.directions) if directions is None else list(directions)
    if missing := [name for name in names if name not in held.directions]:
        raise WorkbenchError(
            f"The collection “{collection.name}” has no direction “{missing[0]}”. It has {', '.join(held.directions)}."
        )
    check_supports(embedder, collection, held, names)
    sizes, notes = chosen_dimensions(embedder, dimensions)
    kinds, wanted = check_precisions(precisions), check_measures([MEASURES[0], *measures])
    vectors = encode_held_out(embedder, collection, held, names=names, cache=cache, progress=progress)
    cells = [(size, kind, name) for name in names for size in sizes for kind in kinds]
    measured: dict[Cell, Measured] = {}
    found: dict[str, np.ndarray] = {}
    for number, cell in enumerate(cells):
        if progress is not None:
            progress(number, len(cells), "Ranking")
        same = (cell[0], cell[1], ALL)
        if same in measured and _alike(held.directions[ALL], held.directions[cell[2]]):
            measured[cell], places = measured[same], found[ALL]
        else:
            direction = held.directions[cell[2]]
            places = rankings(vectors, direction, *cell[:2])[0]
            measured[cell] = measure(places, direction.relevant, wanted)
        if cell[:2] == (sizes[0], kinds[0]):
            found[cell[2]] = places[:, :FOUND]
    rows = [_row(embedder.reference, cell, held.directions[cell[2]], measured[cell], intervals) for cell in cells]
    return Scores(
        rows,
        {cell: one.values for cell, one in measured.items()},
        {cell: one.first_ranks for cell, one in measured.items()},
        held,
        found,
        notes,
    )


def rankings(
    vectors: Vectors, direction: Direction, dimension: int, precision: str = "float32", top: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the direction's targets, and scores, of the `top` targets of each source: two (sources, top)."""
    sources, source_places = vectors.lookup(direction.source_side, "source", direction.source_rows)
    targets, target_places = vectors.lookup(direction.target_side, "target", direction.target_rows)
    return top_of_rows(
        lambda rows: truncate(sources[source_places[rows]], dimension),
        len(source_places),
        lambda rows: truncate(targets[target_places[rows]], dimension),
        len(target_places),
        precision,
        top,
    )


def check_supports(embedder: object, collection: Collection, held: HeldOut, names: Sequence[str]) -> None:
    """Raise WorkbenchError, in the embedder's words, if it cannot take what the directions need."""
    check = getattr(embedder, "check_supports", None)
    if check is None:
        return
    kinds = {"queries": collection.query_modalities, "corpus": collection.document_modalities}
    needed = {kind for (side, _), rows in held.rows(list(names)).items() for kind in kinds[side][rows].tolist()}
    check(sorted(needed))


def chosen_dimensions(embedder: EmbedderLike, dimensions: Sequence[int] | None) -> tuple[list[int], list[str]]:
    """The dimensions to score, largest first, and a sentence about those that the model lacks."""
    if not dimensions:
        return sorted({*embedder.dimensions} or {embedder.dimension}, reverse=True), []
    if bad := [size for size in dimensions if size < 1]:
        raise WorkbenchError(f"A dimension is a whole number above 0, not {bad[0]}.")
    full = embedder.dimension
    larger = sorted({size for size in dimensions if size > full}, reverse=True)
    notes = []
    if larger:
        wanted = ", ".join(map(str, larger))
        notes.append(f"“{embedder.reference}” has {full} dimensions, so its full size stands in for {wanted}.")
    return sorted({min(size, full) for size in dimensions}, reverse=True), notes


def _alike(one: Direction, other: Direction) -> bool:
    return (one.source_side, one.target_side) == (other.source_side, other.target_side) and all(
        np.array_equal(a, b) for a, b in ((one.source_rows, other.source_rows), (one.target_rows, other.target_rows))
    )


def _row(reference: str, cell: Cell, direction: Direction, measured: Measured, intervals: bool) -> dict[str, Any]:
    dimension, precision, name = cell
    row: dict[str, Any] = {
        "model": reference,
        "dimension": dimension,
        "precision": precision,
        "direction": name,
        "queries": len(direction.source_rows),
        "documents": len(direction.target_rows),
        "metrics": measured.means(),
    }
    if intervals:
        row["interval"] = list(mean_interval(measured.values["ndcg@10"]))
    return row
