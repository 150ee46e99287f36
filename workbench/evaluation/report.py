"""What a plot, a table and a sentence need of a loaded evaluation. Nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import ALL
from workbench.evaluation.precision import vector_bytes
from workbench.evaluation.queries import Queries
from workbench.evaluation.statistics import compare

TOLERANCE = 0.01
Cell = tuple[str, int, str]
"""model, dimension, precision"""


@dataclass(frozen=True)
class Series:
    """One line of the plot of NDCG@10 against dimension, smallest dimension first. `low` and `high` bound the 95 %
    interval of each point; `kept` is each point's part of the model's own peak, 1 at the peak."""

    model: str
    precision: str
    dimensions: list[int]
    ndcg: list[float]
    low: list[float]
    high: list[float]
    kept: list[float]


@dataclass(frozen=True)
class Recommendation:
    """The smallest vector that loses no more than the tolerance against the best one.

    loss: the paired comparison of this cell against the best, as of `statistics.compare`. sure: whether the whole
    interval of the loss lies within the tolerance, too. words: the same as a sentence.
    """

    model: str
    dimension: int
    precision: str
    bytes: int
    ndcg: float
    best_model: str
    best_dimension: int
    best_precision: str
    best_bytes: int
    best_ndcg: float
    loss: dict[str, Any]
    sure: bool
    words: str


@dataclass(frozen=True)
class Change:
    """A query that gained or lost. Ranks are of its first relevant document, None where not among the first 100."""

    side: str
    id: str
    text: str
    modality: str
    ndcg_before: float
    ndcg_after: float
    rank_before: int | None
    rank_after: int | None

    @property
    def difference(self) -> float:
        return self.ndcg_after - self.ndcg_before


def rows_of(evaluation: dict[str, Any], direction: str = ALL) -> list[dict[str, Any]]:
    """The result rows of one direction. Raises WorkbenchError if the evaluation has no such direction."""
    rows = [row for row in evaluation["results"] if row["direction"] == direction]
    if not rows:
        raise WorkbenchError(
            f"The evaluation has no direction “{direction}”. It has {', '.join(directions(evaluation))}."
        )
    return rows


def directions(evaluation: dict[str, Any]) -> list[str]:
    """The names of the directions, `all` first."""
    return list(dict.fromkeys(row["direction"] for row in evaluation["results"]))


def told_apart(evaluation: dict[str, Any]) -> list[str]:
    """The directions to show: the uploaded one is left out where one of the others is just the same."""
    names = directions(evaluation)
    scored = {
        name: [(row["model"], row["queries"], row["documents"], row["metrics"]) for row in rows]
        for name in names
        if (rows := rows_of(evaluation, name))
    }
    again = any(scored[name] == scored.get(ALL) for name in scored if name != ALL)
    return [name for name in names if not (again and name == ALL)]


def series(evaluation: dict[str, Any], direction: str = ALL, precision: str | None = None) -> list[Series]:
    """A line for each model (and precision, unless one is given), in the order of the evaluation."""
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows_of(evaluation, direction):
        if precision is None or row["precision"] == precision:
            lines.setdefault((row["model"], row["precision"]), []).append(row)
    peaks = {
        model: max(_ndcg(row) for rows in lines.values() for row in rows if row["model"] == model) for model, _ in lines
    }
    result = []
    for (model, kind), rows in lines.items():
        rows = sorted(rows, key=lambda row: row["dimension"])
        result.append(
            Series(
                model=model,
                precision=kind,
                dimensions=[row["dimension"] for row in rows],
                ndcg=[_ndcg(row) for row in rows],
                low=[row["interval"][0] for row in rows],
                high=[row["interval"][1] for row in rows],
                kept=[_ndcg(row) / peaks[model] if peaks[model] else 0.0 for row in rows],
            )
        )
    return result


def table(evaluation: dict[str, Any], direction: str = ALL) -> list[dict[str, Any]]:
    """Flat rows: model, dimension, precision, bytes a vector, each measure, interval, part of the model's peak kept."""
    kept = {
        (line.model, dimension, line.precision): part
        for line in series(evaluation, direction)
        for dimension, part in zip(line.dimensions, line.kept, strict=True)
    }
    return [
        {
            "model": row["model"],
            "dimension": row["dimension"],
            "precision": row["precision"],
            "bytes": vector_bytes(row["dimension"], row["precision"]),
            **row["metrics"],
            "interval": row["interval"],
            "kept": kept[row["model"], row["dimension"], row["precision"]],
        }
        for row in rows_of(evaluation, direction)
    ]


def recommend(
    evaluation: dict[str, Any],
    queries: Queries,
    direction: str = ALL,
    tolerance: float = TOLERANCE,
    models: Sequence[str] | None = None,
) -> Recommendation:
    """The cell of fewest bytes a vector whose NDCG@10 is within `tolerance` (a part of it) of the best cell's.

    queries: what each query of the evaluation scored. models: only among these.
    """
    rows = [row for row in table(evaluation, direction) if models is None or row["model"] in models]
    best = max(rows, key=lambda row: (row["ndcg@10"], -row["bytes"]))
    allowed = tolerance * best["ndcg@10"]
    near = [row for row in rows if best["ndcg@10"] - row["ndcg@10"] <= allowed + 1e-12]
    chosen = min(near, key=lambda row: (row["bytes"], -row["ndcg@10"]))
    loss = compare(queries.cell(*_cell(best), direction)[0], queries.cell(*_cell(chosen), direction)[0])
    sure = chosen is best or loss["interval"][0] >= -allowed
    return Recommendation(
        *_cell(chosen),
        chosen["bytes"],
        chosen["ndcg@10"],
        *_cell(best),
        best["bytes"],
        best["ndcg@10"],
        loss,
        sure,
        _recommendation_words(chosen, best, loss, sure),
    )


def _recommendation_words(chosen: dict[str, Any], best: dict[str, Any], loss: dict[str, Any], sure: bool) -> str:
    size = f"“{chosen['model']}” at {chosen['dimension']} dimensions ({chosen['precision']}, {chosen['bytes']:,} bytes)"
    if chosen is best:
        return f"{size} is the best, and nothing smaller comes close enough."
    kept = 100 * chosen["ndcg@10"] / best["ndcg@10"] if best["ndcg@10"] else 100.0
    low, high = loss["interval"]
    smaller = best["bytes"] / chosen["bytes"]
    same = "" if chosen["model"] == best["model"] else f" of “{best['model']}”"
    words = (
        f"{size} keeps {kept:.1f} % of the best NDCG@10{same} with vectors {smaller:.3g} times smaller: "
        f"{loss['difference']:+.3f} [{low:+.3f}, {high:+.3f}]."
    )
    return words if sure else f"{words} That interval reaches beyond the tolerance: more held-out queries would tell."


def verdict_words(comparison: dict[str, Any]) -> str:
    """A comparison as people say it: “Better by 0.059 [0.041, 0.078]”."""
    difference, (low, high) = comparison["difference"], comparison["interval"]
    if comparison["verdict"] == "better":
        return f"Better by {difference:.3f} [{low:.3f}, {high:.3f}]"
    if comparison["verdict"] == "worse":
        return f"Worse by {-difference:.3f} [{-high:.3f}, {-low:.3f}]"
    return f"No real change: {difference:+.3f} [{low:+.3f}, {high:+.3f}]"


def changes(
    evaluation: dict[str, Any],
    queries: Queries,
    before: Cell,
    after: Cell,
    direction: str = ALL,
    collection: Collection | None = None,
    count: int = 20,
) -> tuple[list[Change], list[Change]]:
    """The queries that gained most and those that lost most, at most `count` of each, the largest change first.

    before, after: (model, dimension, precision). Without the collection the texts are empty.
    """
    values_before, ranks_before = queries.cell(*before, direction)
    values_after, ranks_after = queries.cell(*after, direction)
    ids = queries.ids(direction)
    side = evaluation["directions"][direction]["source_side"]
    differences = values_after - values_before
    order = np.argsort(-differences, kind="stable")
    gained = [place for place in order.tolist() if differences[place] > 0][:count]
    lost = [place for place in order[::-1].tolist() if differences[place] < 0][:count]

    def change(place: int) -> Change:
        text, modality = _shown(collection, side, ids[place])
        return Change(
            side=side,
            id=ids[place],
            text=text,
            modality=modality,
            ndcg_before=float(values_before[place]),
            ndcg_after=float(values_after[place]),
            rank_before=int(ranks_before[place]) or None,
            rank_after=int(ranks_after[place]) or None,
        )

    return [change(place) for place in gained], [change(place) for place in lost]


def _shown(collection: Collection | None, side: str, identifier: str) -> tuple[str, str]:
    """The text of an item, or the name of its file, and its modality; empty if it is not there."""
    if collection is None:
        return "", ""
    row = (collection.query_rows if side == "queries" else collection.document_rows).get(identifier)
    if row is None:
        return "", ""
    item = collection.item(side, row)
    return item.text or item.file, item.modality


def _ndcg(row: dict[str, Any]) -> float:
    return float(row["metrics"]["ndcg@10"])


def _cell(row: dict[str, Any]) -> Cell:
    return row["model"], row["dimension"], row["precision"]
