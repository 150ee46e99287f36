"""What a finished run has to say for itself: its scores before and after, query by query, in every direction.

Also what it forgot: the same model before and after on a second collection of the user's choice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.statistics import compare
from workbench.job_folder import JobFolder
from workbench.training.noting import noting
from workbench.training.similarity import correlations_compared
from workbench.workspace import Workspace, read_json, write_json

METRIC = "ndcg@10"
SECOND_FILE = "second_baseline.json"
RERANKED = 20


def summarise(
    job: JobFolder, baseline: dict[str, Any], scored: Any, began: float, second: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What the page and `runs show` say of a finished run: scores before and after, and the verdict.

    A reranker is held against its first stage, which is what its user would have without it. began: when this part of
    the run began, seconds since 1970; the parts before a stop or a kill are added. second: of `second_verdict`.
    """
    before = np.array(baseline.get("first_stage") or baseline["per_query"])
    started = job.last_event("started") or {}
    parts = [event for event in job.events() if float(event.get("time") or 0.0) < began]
    summary = {
        "baseline": {METRIC: float(np.nanmean(before))},
        "metrics": {METRIC: scored.ndcg, **scored.more},
        "untouched": {METRIC: baseline[METRIC]},
        "against": "first stage" if "first_stage" in baseline else "untouched model",
        "comparison": compare(before, scored.per_query),
        "directions": directions_compared(baseline.get("by_direction") or {}, scored.by_direction),
        "queries": len(before),
        "baseline_rows": baseline["rows"],
        "rows": scored.rows,
        "steps": started.get("steps", 0),
        "seconds": time.time() - began + worked_seconds(parts),
    }
    if scored.followed is not None and "cosines" in baseline:
        summary["correlation"] = correlations_compared(np.array(baseline["cosines"]), scored.followed)
    return summary | ({"second": second} if second else {})


def directions_compared(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each direction scored both times: its NDCG@10 before and after, and the verdict on it.

    before, after: NDCG@10 of each query (queries,) by direction. The directions are looked at one by one: with many of
    them, one in twenty would seem to have changed by chance alone.
    """
    rows = []
    for direction, values in after.items():
        if direction in before and len(before[direction]) == len(values):
            old = np.asarray(before[direction], np.float64)
            compared = compare(old, np.asarray(values))
            means = {"before": float(np.nanmean(old)), "after": float(np.nanmean(values))}
            rows.append({"direction": direction, **means, **compared})
    return rows


def worked_seconds(events: Iterable[dict[str, Any]]) -> float:
    """How long a run was at work, by its events: from one to the next, without the time between its parts.

    A part begins with the worker's own event, or where there is none with a `started` that goes on.
    """
    total, last = 0.0, None
    for event in events:
        if "time" not in event:
            continue
        begins = event.get("event") == "progress" and "work" in event
        goes_on = event.get("event") == "started" and event.get("resumed") and not (last and "work" in last)
        if last is not None and not begins and not goes_on:
            total += max(0.0, float(event["time"]) - float(last["time"]))
        last = event
    return total


def score_second(workspace: Workspace, job: JobFolder, recipe: Any) -> dict[str, Any] | None:
    """The untouched model on the run's second collection, kept so that a resumed run does not take it again.

    None where the run has no second collection.
    """
    name = job.spec.get("second_collection")
    if not name:
        return None
    if known := read_json(job.path / SECOND_FILE):
        return dict(known)
    words = f"Scoring the untouched model on {name}"
    job.progress(0, 0, words)
    collection = open_collection(workspace, str(name), str(job.spec.get("second_fingerprint", "")))
    scored = {key: values.tolist() for key, values in _scores_on(collection, job, recipe, words).items()}
    write_json(job.path / SECOND_FILE, scored)
    return scored


def second_verdict(workspace: Workspace, job: JobFolder, recipe: Any) -> dict[str, Any] | None:
    """What the training did to the model on another collection: {"collection", "baseline", "metrics", "comparison",
    "directions", "queries"}; None where the run has no second collection.

    The recipe's model is the tuned one by now; `score_second` was called before the training.
    """
    before = score_second(workspace, job, recipe)
    if before is None:
        return None
    name = str(job.spec["second_collection"])
    try:
        collection = open_collection(workspace, name, str(job.spec.get("second_fingerprint", "")))
    except WorkbenchError as error:  # deleted or changed since: no reason to lose the run
        job.say(f"nothing can be said of what was forgotten: {error}")
        return None
    after = _scores_on(collection, job, recipe, f"Scoring the tuned model on {name}")
    comparison = compare(np.array(before["all"]), after["all"])
    return {
        "collection": name,
        "baseline": {METRIC: float(np.nanmean(before["all"]))},
        "metrics": {METRIC: float(np.nanmean(after["all"]))},
        "comparison": comparison,
        "directions": directions_compared(before, after),
        "queries": comparison["queries"],
    }


def _scores_on(collection: Collection, job: JobFolder, recipe: Any, words: str) -> dict[str, np.ndarray]:
    """NDCG@10 of each query of another collection, by direction, with the recipe's model as it is now.

    words: what the run says meanwhile.
    """
    from workbench.evaluation.held_out import ALL
    from workbench.evaluation.reranking import score_reranking
    from workbench.evaluation.scoring import score_embedder
    from workbench.models import Embedder, Reranker

    recipe.model.eval()
    reference, progress = str(job.spec["model"]), noting(job, words)
    if job.spec["kind"] == "embedder":
        embedder = Embedder(recipe.model, reference, "in training")
        size = embedder.dimension
        scores = score_embedder(embedder, collection, [size], progress=progress, intervals=False)
        return {direction: values[METRIC] for (_, _, direction), values in scores.per_query.items()}
    result = score_reranking(
        recipe.first_stage,
        Reranker(recipe.model, reference, "in training"),
        collection,
        recipe.first_dimension,
        RERANKED,
        recipe.settings.evaluation_queries,
        progress=progress,
    )
    return {ALL: result.reranked}
