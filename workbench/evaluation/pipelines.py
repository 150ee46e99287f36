"""Is a second stage worth it: an embedder alone, with full text beside it, and a reranker behind it, end to end.

Scored against all judgements of a sample of the held-out queries, against what a query takes in milliseconds, and
where putting more documents in order helps no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.collection.review import settle
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import check_embedders
from workbench.evaluation.floors import has_words
from workbench.evaluation.held_out import ALL, Direction, HeldOut, held_out
from workbench.evaluation.measures import MEASURES, Measured, measure
from workbench.evaluation.pipeline_stages import Stage, by_embedder, by_full_text, by_reranker, fused, measured_stage
from workbench.evaluation.pipeline_words import pipeline_words
from workbench.evaluation.reranking import RerankerLike, sampled
from workbench.evaluation.results import change_evaluation, load_evaluation, vector_cache
from workbench.evaluation.scoring import check_supports, chosen_dimensions
from workbench.evaluation.statistics import compare, correct_for_many, mean_interval
from workbench.evaluation.vectors import EmbedderLike, Progress
from workbench.job_folder import JobFolder
from workbench.models.catalogue import describe_base
from workbench.models.embedder import in_words
from workbench.workspace import Workspace

QUERIES = 200
FEWEST, MOST = 10, 10_000
SAME = ("model", "dimension", "reranker", "fused", "direction", "queries")
Load = Callable[[Workspace, str], Any]


def pipeline_spec(
    workspace: Workspace,
    *,
    collection: str,
    model: str,
    reranker: str | None = None,
    fuse: bool = False,
    direction: str = ALL,
    queries: int = QUERIES,
    evaluation: str | None = None,
    dimension: int | None = None,
) -> dict[str, Any]:
    """The spec of a `pipeline` job, checked as far as can be known at once.

    dimension: the size at which the first stage compares, else the model's own.
    Raises WorkbenchError for what cannot be measured, or an evaluation that is not there or of another collection.
    """
    if not reranker and not fuse:
        raise WorkbenchError("Choose a reranker, or full text, or both: without them there is no second stage.")
    if not FEWEST <= queries <= MOST:
        raise WorkbenchError(f"Ask {FEWEST} to {MOST:,} queries, not {queries}.")
    check_embedders(workspace, [model])
    if evaluation:
        found = load_evaluation(workspace, evaluation)
        if found["collection"] != collection:
            raise WorkbenchError(
                f"The evaluation “{evaluation}” is of the collection “{found['collection']}”, not “{collection}”."
            )
    opened = open_collection(workspace, collection)
    _, asked = _asked(opened, direction, queries, fuse)
    for reference in (model, reranker) if reranker else (model,):
        _check_reads(workspace, reference, opened, asked, direction)
    return {
        "collection": collection, "model": model, "reranker": reranker or None, "fuse": bool(fuse),
        "direction": direction, "queries": int(queries), "dimension": dimension, "evaluation": evaluation or None,
    }  # fmt: skip


def run_pipeline(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a `pipeline` job: spec as of `pipeline_spec`. What it finds is kept in its evaluation, if any."""
    spec = dict(job.spec)
    evaluation = spec.pop("evaluation")
    pipeline = measure_pipeline(workspace, **spec, progress=job.progress)
    kept = evaluation is not None and keep_pipeline(workspace, evaluation, pipeline)
    if evaluation is not None and not kept:
        job.say(f"The evaluation “{evaluation}” has gone meanwhile, so this is kept in the job alone.")
    return {**pipeline, "evaluation": evaluation if kept else None}


def measure_pipeline(
    workspace: Workspace,
    collection: str,
    model: str,
    *,
    reranker: str | None = None,
    fuse: bool = False,
    direction: str = ALL,
    queries: int = QUERIES,
    dimension: int | None = None,
    progress: Progress | None = None,
    load_first: Load | None = None,
    load_second: Load | None = None,
) -> dict[str, Any]:
    """Score an embedder alone, fused with full text if wanted, and its first results in the order of a reranker.

    queries: at most so many, the same ones every time. dimension: the size at which the first stage compares, else its
    own. load_first, load_second: else `models.load_embedder` and
    `models.load_reranker`. progress(done, total, note) may raise Stopped.

    Returns {"collection", "model", "reranker", "fused", "direction", "dimension", "queries", "documents", "device",
    "rows", "words_alone", "stop", "words", "collection_fingerprint", "created", "seconds"}.
    A row: {"stage": "embedder" | "full_text" | "fused" | "reranked", "top", "metrics", "interval", "milliseconds":
    {part: median, "total"}, "gain"}, `gain` being the comparison with the embedder alone (None for itself).
    words_alone: full text alone against both fused (None where it was left out). stop: see `stopping_point`. words: all
    of it in a few sentences.
    Raises WorkbenchError if a model cannot read what it would be given, or full text has no words to go by.
    """
    started = time.time()
    report = progress or (lambda done, total, note: None)
    settle(workspace, collection)
    opened = open_collection(workspace, collection)
    held, asked = _asked(opened, direction, queries, fuse)
    report(0, 1, "Loading the models")
    embedder, second = _load(workspace, model, reranker, load_first, load_second)
    size = chosen_dimensions(embedder, [dimension])[0][0] if dimension else embedder.dimension
    for one in (embedder, second):
        check_supports(one, opened, HeldOut({direction: asked}), [direction])
    first = by_embedder(embedder, opened, held, direction, asked, vector_cache(workspace), progress, dimension)
    stages = {("embedder", 0): first}
    if fuse:
        stages["full_text", 0] = by_full_text(opened, asked, progress)
        first = stages["fused", 0] = fused(first, stages["full_text", 0])
    if second is not None:
        stages |= {("reranked", top): one for top, one in by_reranker(second, opened, asked, first, progress).items()}
    measured = {key: measure(stage.found, asked.relevant) for key, stage in stages.items()}
    scores = {top: one.values[MEASURES[0]] for (stage, top), one in measured.items() if stage == "reranked"}
    before = measured["fused" if fuse else "embedder", 0].values[MEASURES[0]]
    words_alone = compare(before, measured["full_text", 0].values[MEASURES[0]]) if fuse else None
    pipeline = {
        "collection": collection,
        "model": model,
        "reranker": reranker or None,
        "fused": bool(fuse),
        "direction": direction,
        "dimension": size,
        "queries": len(asked.source_rows),
        "documents": len(asked.target_rows),
        "device": str(getattr(embedder, "device", "")),
        "rows": _rows(stages, measured),
        "words_alone": words_alone,
        "stop": stopping_point({0: before, **scores}) if scores else None,
        "collection_fingerprint": opened.fingerprint,
        "created": started,
        "seconds": round(time.time() - started, 2),
    }
    return {**pipeline, "words": pipeline_words(pipeline)}


def keep_pipeline(workspace: Workspace, evaluation: str, pipeline: dict[str, Any]) -> bool:
    """Add a pipeline to an evaluation, in place of an older one of the same kind; False if it is there no more.

    Two that finish at once are both kept: each is added to what the other has written.
    """

    def add(found: dict[str, Any]) -> dict[str, Any]:
        others = [one for one in found.get("pipelines") or [] if any(one[key] != pipeline[key] for key in SAME)]
        return {**found, "pipelines": [*others, pipeline]}

    return change_evaluation(workspace, evaluation, pipeline["collection"], add)


def stopping_point(scores: dict[int, np.ndarray]) -> dict[str, Any]:
    """From how many documents on putting more of them in order helps no more.

    scores: NDCG@10 (queries,) by how many of the first are put in order, 0 being the first stage. Returns {"top",
    "gain", "beyond"}: the smallest number that beats the first stage and that no larger one beats, 0 if none beats it;
    what it gains over the first stage (None for 0); and what the best of the larger ones would change further, with
    its "top" (None if there is none). The gains over the first stage are corrected for how many were tried. Whether a
    larger number beats a smaller one is not: there a correction would stop too early, and what is said of it would
    contradict its interval.
    """
    tops = sorted(scores)

    def beyond(top: int) -> list[dict[str, Any]]:
        return [{"top": one, **compare(scores[top], scores[one])} for one in tops if one > top]

    gains = {one["top"]: one for one in correct_for_many(beyond(0))}
    better = [top for top, gain in gains.items() if gain["verdict"] == "better"]
    chosen = next((top for top in better if not _any_better(beyond(top))), better[-1] if better else 0)
    further = max(beyond(chosen) if chosen else gains.values(), key=lambda one: one["difference"], default=None)
    return {"top": chosen, "gain": gains.get(chosen), "beyond": further}


def _any_better(comparisons: list[dict[str, Any]]) -> bool:
    return any(one["verdict"] == "better" for one in comparisons)


def _asked(collection: Collection, direction: str, queries: int, fuse: bool) -> tuple[HeldOut, Direction]:
    held = held_out(collection)
    if direction not in held.directions:
        raise WorkbenchError(
            f"The collection “{collection.name}” has no direction “{direction}”. It has {', '.join(held.directions)}."
        )
    if fuse and not has_words(collection, held.directions[direction]):
        raise WorkbenchError(
            f"Full text needs words on both sides, which “{collection.name}” has not in the direction {direction}. "
            "Leave it out, or choose a direction from text to text."
        )
    return held, sampled(held.directions[direction], queries)


def _check_reads(workspace: Workspace, reference: str, collection: Collection, asked: Direction, name: str) -> None:
    """Raise WorkbenchError for a model of which it is known at once that it cannot read what it would be given."""
    known = describe_base(workspace, reference).get("modalities") or []
    kinds = {"queries": collection.query_modalities, "corpus": collection.document_modalities}
    sides = ((asked.source_side, asked.source_rows), (asked.target_side, asked.target_rows))
    needed = sorted({kind for side, rows in sides for kind in kinds[side][rows].tolist()})
    unread = [kind for kind in needed if known and kind not in known]
    if unread:
        raise WorkbenchError(
            f"“{reference}” cannot read {in_words(unread)}, which it would have to in the direction {name}. Choose "
            "another direction, or another model."
        )


def _load(
    workspace: Workspace, model: str, reranker: str | None, first: Load | None, second: Load | None
) -> tuple[EmbedderLike, RerankerLike | None]:
    from workbench.models import load_embedder, load_reranker

    embedder: EmbedderLike = (first or load_embedder)(workspace, model)
    return embedder, (second or load_reranker)(workspace, reranker) if reranker else None


def _rows(stages: dict[tuple[str, int], Stage], measured: dict[tuple[str, int], Measured]) -> list[dict[str, Any]]:
    alone = measured["embedder", 0].values[MEASURES[0]]
    others = [key for key in stages if key != ("embedder", 0)]
    compared = correct_for_many([compare(alone, measured[key].values[MEASURES[0]]) for key in others])
    gains: dict[tuple[str, int], dict[str, Any]] = dict(zip(others, compared, strict=True))
    return [
        {
            "stage": stage,
            "top": top,
            "metrics": measured[stage, top].means(),
            "interval": list(mean_interval(measured[stage, top].values[MEASURES[0]])),
            "milliseconds": measured_stage(stages[stage, top]),
            "gain": gains.get((stage, top)),
        }
        for stage, top in stages
    ]
