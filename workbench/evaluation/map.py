"""A map of the items of an evaluation, as each of its models sees them, kept in `evaluations/maps/NAME.npz`.

Made of the vectors that the evaluation kept, so no model is loaded: of a seeded sample of at most 5,000 items, and
20,000 points of all models, the queries and what answers them first. `projection` says how models are laid out
together.

The file stands for itself: it goes with its evaluation, and is read after the models and the vectors are gone.

    about          JSON: evaluation, created (the evaluation's), models, variance, agreement, gaps, colourings, …
    sides, rows    where in the collection each point is: 0 = queries, 1 = corpus; and the row
    pca, umap      places (models, items, 2); umap only once it was asked for
    colour-N       the group of each point in the colouring of that number: (models or 1, items)
    pairs          (pairs, 2) points: a query and what answers it
    similarities   (models, pairs) their cosine
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.collection.store import SIDES, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.gap import gaps
from workbench.evaluation.held_out import ALL, held_out
from workbench.evaluation.map_colours import Colouring, colourings
from workbench.evaluation.map_points import by_kind, choose, cosines, kept_vectors, pairs_of, vectors_of
from workbench.evaluation.projection import Together, has_umap, pca, together, umap
from workbench.evaluation.queries import write_arrays
from workbench.evaluation.results import load_evaluation, map_file, open_queries
from workbench.evaluation.vectors import Progress
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, disk_full_in_words

ARRAYS = ("sides", "rows", "pca", "pairs", "similarities")
NEEDS_UMAP = (
    "UMAP needs the package umap-learn, which is not installed. Install it with “pip install umap-learn”, or stay with "
    "the map by PCA."
)


@dataclass(frozen=True)
class Map:
    """A map as it is kept; see above. about: what the numbers are of. umap: None until it was asked for."""

    about: dict[str, Any]
    sides: np.ndarray
    rows: np.ndarray
    pca: np.ndarray
    umap: np.ndarray | None
    colourings: list[Colouring]
    pairs: np.ndarray
    similarities: np.ndarray

    def item(self, point: int) -> tuple[str, int]:
        """The side and the row of a point. Raises WorkbenchError if there is no such point."""
        if not 0 <= point < len(self.rows):
            raise WorkbenchError("The map has no such point. Reload the page.")
        return SIDES[int(self.sides[point])], int(self.rows[point])


def load_map(workspace: Workspace, evaluation: dict[str, Any]) -> Map | None:
    """The map of a loaded evaluation, or None if none was made, or it is of an older one of that name."""
    try:
        with np.load(map_file(workspace, evaluation["evaluation"]), allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(arrays.pop("about").tobytes())
        titles = about.pop("colourings")
        found = Map(
            about=about,
            colourings=[
                Colouring(title, labels, arrays.pop(f"colour-{number}"))
                for number, (title, labels) in enumerate(titles)
            ],
            umap=arrays.pop("umap", None),
            **arrays,
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    return found if found.about["created"] == evaluation["created"] else None


def make_map(workspace: Workspace, name: str, *, with_umap: bool = False, progress: Progress | None = None) -> Map:
    """The map of an evaluation: the one that is kept, or a new one. Takes a second or two; with UMAP up to a minute.

    progress(done, total, note) may raise Stopped.
    Raises WorkbenchError if there is no such evaluation, its collection or all of its vectors are gone, or UMAP is
    asked for and not installed.
    """
    evaluation = load_evaluation(workspace, name)
    known = load_map(workspace, evaluation)
    if known is not None and (known.umap is not None or not with_umap):
        return known
    if with_umap and not has_umap():
        raise WorkbenchError(NEEDS_UMAP)
    step = progress or (lambda done, total, note: None)
    step(0, 0, "Reading the vectors")
    made, found = _measure(workspace, evaluation)
    if with_umap:
        step(0, 0, "Looking for neighbours")
        laid = umap(found, made.pca, lambda done, total: step(done, total, "Laying out with UMAP"))
        made = replace(made, umap=laid)
    _save(workspace, made)
    return made


def _measure(workspace: Workspace, evaluation: dict[str, Any]) -> tuple[Map, Together]:
    """The map by PCA, and the points that it is of."""
    collection = open_collection(workspace, evaluation["collection"], evaluation["collection_fingerprint"])
    held = held_out(collection)
    direction, vectors = held.directions[ALL], kept_vectors(workspace, evaluation, held)
    chosen = choose(direction, len(vectors))
    models = {model: vectors_of(one, chosen) for model, one in vectors.items()}
    found, pairs = together(list(models.values())), pairs_of(chosen)
    places, shares = pca(found)
    about = {
        **{key: evaluation[key] for key in ("evaluation", "created", "collection", "collection_fingerprint")},
        "models": list(models),
        "missing": [one["reference"] for one in evaluation["models"] if one["reference"] not in models],
        "items": [len(direction.source_rows), len(direction.target_rows)],
        "variance": shares,
        "agreement": found.agreement,
        "gaps": {model: gaps(by_kind(collection, direction, one)) for model, one in vectors.items()},
    }
    counts = [len(rows) for _, rows in chosen.sides]
    told_apart = colourings(collection, chosen, open_queries(workspace, evaluation), _cells(evaluation, list(models)))
    made = Map(
        about=about,
        sides=np.repeat([SIDES.index(side) for side, _ in chosen.sides], counts).astype(np.uint8),
        rows=np.concatenate([rows for _, rows in chosen.sides]),
        pca=places,
        umap=None,
        colourings=told_apart,
        pairs=pairs,
        similarities=np.stack([cosines(one, pairs) for one in models.values()]),
    )
    return made, found


def run_map(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a `map` job: spec {"evaluation", "umap"}."""
    spec = job.spec
    made = make_map(workspace, spec["evaluation"], with_umap=bool(spec.get("umap")), progress=job.progress)
    return told(workspace, made)


def told(workspace: Workspace, found: Map) -> dict[str, Any]:
    """What `map --json` prints: what the map is of, the gaps, and the file that holds the places."""
    return {
        **{key: found.about[key] for key in ("evaluation", "collection", "models", "missing", "variance", "agreement")},
        "points": len(found.rows),
        "layouts": ["pca", *(["umap"] if found.umap is not None else [])],
        "colourings": [one.title for one in found.colourings],
        "gaps": [{"model": model, **row} for model, rows in found.about["gaps"].items() for row in rows],
        "file": str(map_file(workspace, found.about["evaluation"])),
    }


def farthest(found: Map, model: int, count: int) -> list[tuple[int, int, list[float]]]:
    """The queries farthest from what answers them, as one model sees it: their points, and the cosine of each model.

    A query with several answers counts by the nearest of them.
    """
    best: dict[int, int] = {}
    for number in np.argsort(-found.similarities[model], kind="stable").tolist():
        best.setdefault(int(found.pairs[number, 0]), number)
    last = sorted(best.values(), key=lambda number: (found.similarities[model, number], number))[:count]
    return [(*map(int, found.pairs[number]), found.similarities[:, number].tolist()) for number in last]


def answers_of(found: Map, point: int) -> list[int]:
    """The points that answer a query, or the queries that a document answers, as far as they are on the map."""
    asked, answering = found.pairs[:, 0], found.pairs[:, 1]
    both = [*answering[asked == point].tolist(), *asked[answering == point].tolist()]
    return list(dict.fromkeys(both))


def _cells(evaluation: dict[str, Any], models: Sequence[str]) -> list[tuple[str, int, str]]:
    """Each model at its full size and the first precision."""
    full: dict[str, dict[str, Any]] = {}
    for row in report.rows_of(evaluation):
        if row["dimension"] > full.get(row["model"], {"dimension": 0})["dimension"]:
            full[row["model"]] = row
    return [(model, full[model]["dimension"], full[model]["precision"]) for model in models]


def _save(workspace: Workspace, made: Map) -> None:
    path = map_file(workspace, made.about["evaluation"])
    load_evaluation(workspace, made.about["evaluation"])  # removed meanwhile, it leaves no map behind
    titles = [[one.title, one.labels] for one in made.colourings]
    arrays = {
        "about": np.frombuffer(json.dumps({**made.about, "colourings": titles}).encode(), np.uint8),
        **{name: getattr(made, name) for name in ARRAYS},
        **({} if made.umap is None else {"umap": made.umap}),
        **{f"colour-{number}": one.codes for number, one in enumerate(made.colourings)},
    }
    with disk_full_in_words(path.parent):
        write_arrays(path, arrays.items())
