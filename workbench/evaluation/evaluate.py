"""Evaluate any number of models on a collection, side by side, and keep the result."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from workbench.collection.review import settle
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import HeldOut, held_out
from workbench.evaluation.measures import MEASURES, check_measures
from workbench.evaluation.precision import check_precisions
from workbench.evaluation.results import (
    EvaluationCard,
    list_evaluations,
    load_evaluation,
    per_query_lines,
    remove_evaluation,
    save_evaluation,
    vector_cache,
)
from workbench.evaluation.scoring import Scores, score_embedder
from workbench.evaluation.statistics import compare, correct_for_many
from workbench.evaluation.vectors import EmbedderLike, Progress
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, check_name, propose_name, read_json

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
) -> dict[str, Any]:
    """Score models on the held-out part of a collection; return and save the evaluation.

    models: references, the first being the one that the others are compared with (and each with each, up to four).
    dimensions: else those that each model names. measures: as of `check_measures`, NDCG@10 always among them. name:
    else made from the collection's; an evaluation of that name is replaced. progress(done, total, note) may raise
    Stopped: the vectors made so far are kept, and the next call goes on from there. each(reference, scores) is called
    after each model. load: else `models.load_embedder`.

    Returns {"collection", "evaluation", "results", "comparisons", …} as `evaluate --json` prints it.
    Raises WorkbenchError if a model cannot be loaded or cannot take a modality of the collection.
    """
    started = time.time()
    references = list(dict.fromkeys(models))
    if not references:
        raise WorkbenchError("Choose at least one model to evaluate.")
    kinds, wanted = check_precisions(precisions), check_measures(measures)
    settle(workspace, collection)
    opened = open_collection(workspace, collection)
    taken = {card.name for card in list_evaluations(workspace)}
    chosen_name = check_name(name, "evaluation") if name else propose_name(collection, taken)
    held = held_out(opened)
    load = load or partial(_load_embedder, trusted=_trusted_bases(workspace, references))
    scored: dict[str, Scores] = {}
    described: list[dict[str, Any]] = []
    for number, reference in enumerate(references):
        report = _labelled(progress, reference, number, len(references))
        if report is not None:
            report(0, 1, "Loading the model")
        embedder = load(workspace, reference)
        scores = score_embedder(
            embedder,
            opened,
            dimensions,
            precisions=kinds,
            measures=wanted,
            cache=vector_cache(workspace),
            progress=report,
            held=held,
        )
        scored[reference] = _called(scores, reference)
        described.append(_described(reference, embedder, scores))
        if each is not None:
            each(reference, scored[reference])
        del embedder
        _free_memory()
    result = {
        "collection": collection,
        "evaluation": chosen_name,
        "results": [row for scores in scored.values() for row in scores.rows],
        "comparisons": comparisons(scored),
        "models": described,
        "directions": _directions(held),
        "settings": {
            "models": references,
            "dimensions": list(dimensions or []),
            "precisions": list(kinds),
            "measures": list(wanted),
        },
        "collection_fingerprint": opened.fingerprint,
        "created": started,
        "seconds": round(time.time() - started, 2),
    }
    lines = [line for reference, scores in scored.items() for line in per_query_lines(reference, scores)]
    save_evaluation(workspace, {**result, "sources": _sources(opened, held), "per_query": lines})
    return result


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
    )


def comparisons(scored: dict[str, Scores]) -> list[dict[str, Any]]:
    """Every later model against the first, and each pair of up to four, by NDCG@10 in every direction.

    Each model stands at its full size and the first precision. The pairs of one direction are one family: with more
    than one, verdicts follow the p that is corrected for that.
    """
    references = list(scored)
    pairs = [(references[0], other) for other in references[1:]]
    if len(references) <= EVERY_PAIR_UP_TO:
        pairs = list(combinations(references, 2))
    if not pairs:
        return []
    result: list[dict[str, Any]] = []
    for direction in scored[references[0]].held_out.directions:
        family = [
            {
                "a": a,
                "b": b,
                "direction": direction,
                "metric": MEASURES[0],
                **compare(*(_full_size(scored[one], direction) for one in (a, b))),
            }
            for a, b in pairs
        ]
        result += correct_for_many(family)
    return sorted(result, key=lambda one: pairs.index((one["a"], one["b"])))


def _full_size(scores: Scores, direction: str) -> Any:
    dimension, precision = scores.rows[0]["dimension"], scores.rows[0]["precision"]
    return scores.per_query[dimension, precision, direction][MEASURES[0]]


def _described(reference: str, embedder: EmbedderLike, scores: Scores) -> dict[str, Any]:
    return {
        "reference": reference,
        "fingerprint": embedder.fingerprint,
        "dimension": embedder.dimension,
        "notes": scores.notes,
    }


def _called(scores: Scores, reference: str) -> Scores:
    """The same scores with the reference that the user gave as the model's name in every row."""
    return Scores(
        [{**row, "model": reference} for row in scores.rows],
        scores.per_query,
        scores.first_ranks,
        scores.held_out,
        scores.notes,
    )


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


def _sources(collection: Collection, held: HeldOut) -> dict[str, str]:
    """The ids of what was asked in each direction, in the order of the per-query numbers, as one line each."""
    ids = {side: collection.side(side)["id"][:] for side in ("queries", "corpus")}
    return {
        name: "\n".join(ids[direction.source_side][row] for row in direction.source_rows.tolist())
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
    jobs = [read_json(workspace.run(one.removeprefix("run:")) / "job.json") for one in references if one[:4] == "run:"]
    specs = [(job or {}).get("spec") or {} for job in jobs]
    return frozenset(str(spec["model"]) for spec in specs if spec.get("trust_remote_code"))


def _free_memory() -> None:
    """Give a model's memory back before the next is loaded."""
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
