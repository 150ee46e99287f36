"""Evaluate any number of models on a collection, side by side, and keep the result."""

from __future__ import annotations

import gc
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.review import settle
from workbench.collection.store import SIDES, Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.floors import BM25, floors
from workbench.evaluation.held_out import ALL, HeldOut, held_out
from workbench.evaluation.measures import MEASURES, check_measures
from workbench.evaluation.precision import check_precisions
from workbench.evaluation.queries import Scored, gathered, load_scored, save_scored
from workbench.evaluation.results import (
    EvaluationCard,
    free_evaluation_name,
    list_evaluations,
    load_evaluation,
    remove_evaluation,
    save_evaluation,
    vector_cache,
)
from workbench.evaluation.scoring import Scores, score_embedder
from workbench.evaluation.slices import slices
from workbench.evaluation.speed import speeds
from workbench.evaluation.statistics import compare, correct_for_many
from workbench.evaluation.vectors import EmbedderLike, Progress
from workbench.job_folder import JobFolder
from workbench.models.checkpoint import RUN, model_folder, run_name
from workbench.workspace import Workspace, check_name, disk_full_in_words, read_json

__all__ = [
    "EvaluationCard",
    "evaluate",
    "list_evaluations",
    "load_evaluation",
    "remove_evaluation",
    "run_evaluation",
]

EVERY_PAIR_UP_TO = 4
Load = Callable[[Workspace, str], EmbedderLike]


def evaluate(
    workspace: Workspace,
    collection: str,
    models: Sequence[str],
    *,
    dimensions: Sequence[int] | None = None,
    precisions: Sequence[str] = ("float32",),
    measures: Sequence[str] = MEASURES,
    name: str | None = None,
    progress: Progress | None = None,
    each: Callable[[str, Scores], None] | None = None,
    load: Load | None = None,
    finished: Path | None = None,
) -> dict[str, Any]:
    """Score models on the held-out part of a collection; return and save the evaluation.

    models: references, the first being the one that the others are compared with (and each with each, up to four).
    dimensions: else those that each model names. measures: as of `check_measures`, NDCG@10 always among them. name:
    else made from the collection's; an evaluation of that name is replaced. progress(done, total, note) may raise
    Stopped: the vectors made so far are kept, and the next call goes on from there. each(reference, scores) is called
    after each model. load: else `models.load_embedder`. finished: a folder in which each finished model's numbers are
    kept, so that a call after a kill goes on with the next model.

    Returns {"collection", "evaluation", "results", "comparisons", …} as `evaluate --json` prints it.
    Raises WorkbenchError if a model cannot be loaded or cannot take a modality of the collection.
    """
    started = time.time()
    references = list(dict.fromkeys(models))
    if not references:
        raise WorkbenchError("Choose at least one model to evaluate.")
    asked: dict[str, Any] = {
        "dimensions": list(dimensions or []),
        "precisions": list(check_precisions(precisions)),
        "measures": list(check_measures(measures)),
    }
    settle(workspace, collection)
    opened = open_collection(workspace, collection)
    chosen_name = check_name(name, "evaluation") if name else free_evaluation_name(workspace, collection)
    held = held_out(opened)
    load = load or partial(_load_embedder, trusted=_trusted_bases(workspace, references))
    with _folder(finished) as folder:
        scored = [
            _score_or_read(
                workspace, opened, held, reference, asked, folder, load, each,
                _labelled(progress, reference, number, len(references)),
            )
            for number, reference in enumerate(references)
        ]  # fmt: skip
        result = {
            "collection": collection,
            "evaluation": chosen_name,
            "results": [row for one in scored for row in one.rows],
            "comparisons": comparisons(scored, list(held.directions)),
            "floors": _floors(opened, held, asked["measures"], scored, progress),
            "slices": slices(opened, held.directions[ALL], {one.reference: one.full_size(ALL) for one in scored}),
            "speeds": speeds([(row["dimension"], row["precision"]) for one in scored for row in one.rows]),
            "models": [one.described for one in scored],
            "directions": _directions(held),
            "settings": {"models": references, **asked},
            "collection_fingerprint": opened.fingerprint,
            "created": started,
            "seconds": round(time.time() - started, 2),
        }
        ids = {side: np.array(opened.side(side)["id"][:]) for side in SIDES}
        save_evaluation(workspace, result, gathered(scored, held, ids))
    return result


def _floors(
    collection: Collection,
    held: HeldOut,
    measures: Sequence[str],
    scored: Sequence[Scored],
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """The rows of the floors; those of full text with each model against it: "comparisons" [{"model", …}]."""
    found = floors(collection, held, measures, progress)
    rows = []
    for row in found.rows:
        if row["model"] == BM25:
            floor = found.ndcg[BM25, row["direction"]]
            told = [{"model": one.reference, **compare(floor, one.full_size(row["direction"]))} for one in scored]
            row = {**row, "comparisons": told}
        rows.append(row)
    return rows


def _score_or_read(
    workspace: Workspace,
    collection: Collection,
    held: HeldOut,
    reference: str,
    asked: dict[str, Any],
    folder: Path,
    load: Load,
    each: Callable[[str, Scores], None] | None,
    report: Progress | None,
) -> Scored:
    """What one model scores, or scored before a kill: then it is not even loaded."""
    asked = {
        **asked,
        "model": reference,
        "made": _made(workspace, reference),
        "collection": collection.fingerprint,
    }
    path = folder / f"{hashlib.sha256(reference.encode()).hexdigest()[:16]}.npz"
    known = load_scored(path, asked)
    if known is not None:
        return known
    if report is not None:
        report(0, 1, "Loading the model")
    embedder = load(workspace, reference)
    scores = score_embedder(
        embedder,
        collection,
        asked["dimensions"],
        precisions=asked["precisions"],
        measures=asked["measures"],
        cache=vector_cache(workspace),
        progress=report,
        held=held,
    )
    scores = replace(scores, rows=[{**row, "model": reference} for row in scores.rows])
    with disk_full_in_words(folder):
        scored = save_scored(path, scores, _described(reference, embedder, scores), asked)
    if each is not None:
        each(reference, scores)
    del embedder
    _free_memory()
    return scored


@contextmanager
def _folder(finished: Path | None) -> Iterator[Path]:
    """The folder of the finished models: the one that is kept, and emptied at the end, or one for now."""
    if finished is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    yield finished
    shutil.rmtree(finished, ignore_errors=True)


def _made(workspace: Workspace, reference: str) -> float:
    """When the model of a run was written, as its name alone may mean another one tomorrow; 0 for all others."""
    if not reference.startswith(RUN):
        return 0.0
    try:
        return (model_folder(workspace, reference) / "modules.json").stat().st_mtime
    except (OSError, WorkbenchError):
        return 0.0  # loading it will say what is wrong


def check_embedders(workspace: Workspace, references: Sequence[str]) -> None:
    """Raise WorkbenchError for a reference of which it is known at once that it is no embedder, or nothing at all.

    For whoever starts an evaluation: better told then than after the models before it have been encoded.
    """
    from workbench.models.catalogue import describe

    for reference in references:
        kind = describe(workspace, reference)["kind"]
        if kind != "embedder":
            raise WorkbenchError(
                f"“{reference}” is a {kind} model, which makes no vectors to score. Choose an embedder; a reranker is "
                "scored at the end of its run."
            )


def run_evaluation(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an `evaluate` job: spec {"collection", "models", "dimensions", "precisions", "measures", "name"}."""
    spec = job.spec

    def each(reference: str, scores: Scores) -> None:
        job.emit("evaluation", model=reference, metrics=scores.metrics(precision=scores.rows[0]["precision"]))

    return evaluate(
        workspace,
        spec["collection"],
        spec["models"],
        dimensions=spec.get("dimensions"),
        precisions=spec.get("precisions") or ("float32",),
        measures=spec.get("measures") or MEASURES,
        name=spec.get("name") or job.name,
        progress=job.progress,
        each=each,
        finished=job.path / "finished",
    )


def comparisons(scored: Sequence[Scored], directions: Sequence[str]) -> list[dict[str, Any]]:
    """Every later model against the first, and each pair of up to four, by NDCG@10 in every direction.

    Each model stands at its full size and the first precision. The pairs of one direction are one family: with more
    than one, verdicts follow the p that is corrected for that.
    """
    pairs = [(scored[0], other) for other in scored[1:]]
    if len(scored) <= EVERY_PAIR_UP_TO:
        pairs = list(combinations(scored, 2))
    if not pairs:
        return []
    result: list[dict[str, Any]] = []
    for direction in directions:
        values = {one.reference: one.full_size(direction) for one in scored}
        family = [
            {
                "a": a.reference,
                "b": b.reference,
                "direction": direction,
                "metric": MEASURES[0],
                **compare(values[a.reference], values[b.reference]),
            }
            for a, b in pairs
        ]
        result += correct_for_many(family)
    order = {(a.reference, b.reference): place for place, (a, b) in enumerate(pairs)}
    return sorted(result, key=lambda one: order[one["a"], one["b"]])


def _described(reference: str, embedder: EmbedderLike, scores: Scores) -> dict[str, Any]:
    return {
        "reference": reference,
        "fingerprint": embedder.fingerprint,
        "dimension": embedder.dimension,
        "notes": scores.notes,
    }


def _directions(held: HeldOut) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "source_side": direction.source_side,
            "target_side": direction.target_side,
            "queries": len(direction.source_rows),
            "documents": len(direction.target_rows),
            "left_out": direction.left_out,
            "unasked": direction.unasked,
        }
        for name, direction in held.directions.items()
    }


def _labelled(progress: Progress | None, reference: str, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    which = f" ({number + 1} of {count})" if count > 1 else ""
    return lambda done, total, note: progress(done, total, f"{note}: {reference}{which}")


def _load_embedder(workspace: Workspace, reference: str, trusted: frozenset[str] = frozenset()) -> EmbedderLike:
    from workbench.models import load_embedder

    return load_embedder(workspace, reference, trust_remote_code=reference in trusted)


def _trusted_bases(workspace: Workspace, references: Sequence[str]) -> frozenset[str]:
    """The models that these runs started from with leave to run their own code: a run is compared with its base."""
    jobs = [read_json(workspace.run(run_name(one)) / "job.json") for one in references if one.startswith(RUN)]
    specs = [(job or {}).get("spec") or {} for job in jobs]
    return frozenset(str(spec["model"]) for spec in specs if spec.get("trust_remote_code"))


def _free_memory() -> None:
    """Give a model's memory back before the next is loaded."""
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
