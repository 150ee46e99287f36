"""Evaluations on disk: `evaluations/NAME.json`, what each query scored, and the vectors that they share, beside it.

An evaluation stands for itself: it can be read after its models are gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from workbench.errors import WorkbenchError
from workbench.evaluation.queries import Arrays, Queries, write_arrays
from workbench.evaluation.vectors import vectors_folder
from workbench.workspace import Workspace, check_name, disk_full_in_words, propose_name, read_json, write_json

SCHEMA = 2


@dataclass(frozen=True)
class EvaluationCard:
    """One line of the list of evaluations. `best` is the highest NDCG@10 of direction `all`, by model reference."""

    name: str
    collection: str
    models: list[str]
    created: float
    seconds: float
    best: dict[str, float]


def vector_cache(workspace: Workspace) -> Path:
    """The folder under which vectors are kept between evaluations."""
    return workspace.evaluations / "vectors"


def save_evaluation(workspace: Workspace, evaluation: dict[str, Any], arrays: Arrays) -> Path:
    """Write an evaluation under its name, in place of an older one. Raises WorkbenchError if the disk is full.

    arrays: what each query scored and found, as of `evaluation.queries`.
    """
    path = workspace.evaluation(evaluation["evaluation"])
    folder = queries_folder(workspace, evaluation["evaluation"])
    numbers = folder / f"{uuid4().hex[:12]}.npz"
    with disk_full_in_words(path.parent):
        write_arrays(numbers, arrays)
        with _writing(workspace, evaluation["evaluation"]):
            write_json(path, {"schema": SCHEMA, **evaluation, "queries": numbers.name})
    for older in set(folder.iterdir()) - {numbers}:
        older.unlink(missing_ok=True)
    return path


def change_evaluation(
    workspace: Workspace, name: str, collection: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> bool:
    """Write `change` of an evaluation in its place; False if it has gone, or is of another collection by now.

    For what is measured afterwards. Of several who do so at once each is given what the one before has written.
    """
    path = workspace.evaluation(name)
    with _writing(workspace, name):
        if not path.exists():
            return False
        found = load_evaluation(workspace, name)
        if found["collection"] != collection:
            return False
        with disk_full_in_words(path.parent):
            write_json(path, change(found))
    return True


def _writing(workspace: Workspace, name: str) -> FileLock:
    return FileLock(workspace.locks / f"evaluation-{name}.lock")


def queries_folder(workspace: Workspace, name: str) -> Path:
    """The folder of what each query of an evaluation scored."""
    return workspace.evaluations / "queries" / check_name(name, "evaluation")


def map_file(workspace: Workspace, name: str) -> Path:
    """The file of an evaluation's map."""
    return workspace.evaluations / "maps" / f"{check_name(name, 'evaluation')}.npz"


def open_queries(workspace: Workspace, evaluation: dict[str, Any]) -> Queries:
    """What each query of a loaded evaluation scored and found."""
    path = queries_folder(workspace, evaluation["evaluation"]) / Path(evaluation["queries"]).name
    return Queries(path, [model["reference"] for model in evaluation["models"]])


def load_evaluation(workspace: Workspace, name: str) -> dict[str, Any]:
    """The evaluation as it was saved. Raises WorkbenchError if there is none, or it cannot be read."""
    path = workspace.evaluation(name)
    try:
        evaluation = read_json(path)
    except ValueError:
        raise WorkbenchError(f"The evaluation “{name}” cannot be read. Remove it, then evaluate again.") from None
    if evaluation is None:
        raise WorkbenchError(f"There is no evaluation named “{name}”.")
    if evaluation.get("schema") != SCHEMA:
        raise WorkbenchError(f"The evaluation “{name}” was made by another version. Evaluate again.")
    return dict(evaluation)


def free_evaluation_name(workspace: Workspace, collection: str) -> str:
    """A name for a new evaluation of a collection that no file has, also none that another version made."""
    return propose_name(collection, {path.stem for path in workspace.evaluations.glob("*.json")})


def list_evaluations(workspace: Workspace, collection: str | None = None) -> list[EvaluationCard]:
    """All evaluations, or those of one collection, the newest first. What cannot be read is not listed."""
    cards = []
    for path in workspace.evaluations.glob("*.json"):
        try:
            evaluation = load_evaluation(workspace, path.stem)
        except WorkbenchError:
            continue
        best: dict[str, float] = {}
        for row in evaluation["results"]:
            if row["direction"] == "all":
                best[row["model"]] = max(best.get(row["model"], 0.0), row["metrics"]["ndcg@10"])
        cards.append(
            EvaluationCard(
                name=evaluation["evaluation"],
                collection=evaluation["collection"],
                models=[model["reference"] for model in evaluation["models"]],
                created=evaluation["created"],
                seconds=evaluation["seconds"],
                best=best,
            )
        )
    chosen = [card for card in cards if collection is None or card.collection == collection]
    return sorted(chosen, key=lambda card: -card.created)


def remove_evaluation(workspace: Workspace, name: str) -> None:
    """Delete an evaluation, and the cached vectors that no other evaluation was made from."""
    path = workspace.evaluation(name)
    if not path.exists():
        raise WorkbenchError(f"There is no evaluation named “{name}”.")
    folders = _vector_folders(workspace, path)
    with _writing(workspace, name):
        path.unlink(missing_ok=True)
    shutil.rmtree(queries_folder(workspace, name), ignore_errors=True)
    map_file(workspace, name).unlink(missing_ok=True)
    for other in workspace.evaluations.glob("*.json"):
        folders -= _vector_folders(workspace, other)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _vector_folders(workspace: Workspace, path: Path) -> set[Path]:
    try:
        evaluation = read_json(path) or {}
    except ValueError:
        return set()
    fingerprint = evaluation.get("collection_fingerprint", "")
    return {
        vectors_folder(vector_cache(workspace), model["fingerprint"], fingerprint)
        for model in evaluation.get("models", [])
    }
