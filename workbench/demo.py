"""The whole journey on the built-in demo: data, training, evaluation, index, search, a second stage.

`python -m workbench demo` runs it in the terminal. Each step is the job that the page and the other commands start,
so what works here works there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workbench import jobs
from workbench.collection.demo import make_demo
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.evaluation.results import load_evaluation
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, read_json

COLLECTION = "demo"
SECOND_STAGE = "late-interaction"


def run_demo(workspace: Workspace, progress: Callable[[int, int, str], None] | None = None) -> dict[str, Any]:
    """Do the journey and return the object of `demo`.

    {"seconds", "results": rows as in `evaluate` for the untouched and the tuned starter, "comparisons",
    "reranker": {"first_stage", "reranked", "interval", "kind", "dimension"}, "searchable_seconds", "runs"}.
    Raises WorkbenchError if a step fails.
    """
    started = time.time()
    if not workspace.collection(COLLECTION).exists():
        make_demo(workspace, COLLECTION, progress=progress)
    tuned = do(
        workspace,
        "train",
        jobs.free_name(workspace, "demo-1"),
        train_spec(workspace, collection=COLLECTION, model="starter", preset="quick"),
        progress,
    )
    index = jobs.free_name(workspace, "demo-index")
    do(workspace, "index", index, {"name": index, "collection": COLLECTION, "model": f"run:{tuned}"}, progress)
    searched = try_a_search(workspace, index)
    searchable_seconds = time.time() - started
    evaluation = jobs.free_name(workspace, "demo-evaluation")
    do(
        workspace,
        "evaluate",
        evaluation,
        {"collection": COLLECTION, "models": ["starter", f"run:{tuned}"], "name": evaluation},
        progress,
    )
    scored = load_evaluation(workspace, evaluation)
    smallest = min(row["dimension"] for row in scored["results"])
    second = do(
        workspace,
        "train",
        jobs.free_name(workspace, "demo-2"),
        train_spec(
            workspace,
            collection=COLLECTION,
            model=f"run:{tuned}",
            kind=SECOND_STAGE,
            preset="quick",
            first_stage=f"run:{tuned}",
            first_stage_dimension=smallest,
        ),
        progress,
    )
    summary = read_json(workspace.run(second) / "summary.json")
    return {
        "seconds": round(time.time() - started, 1),
        "searchable_seconds": round(searchable_seconds, 1),
        "results": scored["results"],
        "comparisons": scored["comparisons"],
        "search": searched,
        "reranker": {
            "kind": SECOND_STAGE,
            "dimension": smallest,
            "first_stage": summary["baseline"]["ndcg@10"],
            "reranked": summary["metrics"]["ndcg@10"],
            "difference": summary["comparison"]["difference"],
            "interval": summary["comparison"]["interval"],
        },
        "runs": [tuned, second],
    }


def do(
    workspace: Workspace,
    work: str,
    name: str,
    spec: dict[str, Any],
    progress: Callable[[int, int, str], None] | None,
) -> str:
    """Start a job, wait for it, and return its name. Raises WorkbenchError with its reason if it did not finish."""

    def tell(status: Any) -> None:
        if progress is not None:
            progress(status.step, status.total, f"{name}: {status.note or status.state}")

    job = jobs.start(workspace, work, name, spec)
    try:
        status = jobs.wait(job, on_progress=tell)
    except KeyboardInterrupt:  # the job would go on without us
        jobs.stop(job)
        raise
    if status.state != "finished":
        raise WorkbenchError(f"The demo's step “{name}” ended as {status.state}. {status.reason}".strip())
    return name


def try_a_search(workspace: Workspace, index: str) -> dict[str, Any]:
    """Search the new index with a sentence of a scene, to show that the model can be searched with."""
    from workbench.index.search import Searcher

    query = Item(text="a large red star left of a blue ring on white")
    return dict(Searcher(workspace).search(index, query, top=5).as_json())
