"""Evaluations on disk: `evaluations/NAME.json`, and the vectors that they share beside them.

An evaluation stands for itself: it can be read after its models are gone. Beside the object that the command line
prints it keeps the NDCG@10 and the rank of the first relevant document of every query, each list as one line of
numbers with a space between, so that cells can be compared later, in pairs.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluation.scoring import Scores
from workbench.evaluation.vectors import vectors_folder
from workbench.workspace import Workspace, disk_full_in_words, read_json, write_json

SCHEMA = 1
PER_QUERY_DIGITS = 5


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


def save_evaluation(workspace: Workspace, evaluation: dict[str, Any]) -> Path:
    """Write an evaluation under its name, in place of an older one. Raises WorkbenchError if the disk is full."""
    path = workspace.evaluation(evaluation["evaluation"])
    with disk_full_in_words(path.parent):
        write_json(path, {"schema": SCHEMA, **evaluation})
    return path


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
    path.unlink()
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


def per_query_lines(reference: str, scores: Scores) -> list[dict[str, Any]]:
    """What each query scored, a line for each cell of a model, to be kept in the evaluation."""
    return [
        {
            "model": reference,
            "dimension": dimension,
            "precision": precision,
            "direction": direction,
            "ndcg@10": " ".join(f"{value:.{PER_QUERY_DIGITS}g}" for value in values["ndcg@10"]),
            "first_rank": " ".join(map(str, scores.first_ranks[dimension, precision, direction].tolist())),
        }
        for (dimension, precision, direction), values in scores.per_query.items()
    ]


def per_query(
    evaluation: dict[str, Any], model: str, dimension: int, precision: str = "float32", direction: str = "all"
) -> tuple[np.ndarray, np.ndarray]:
    """NDCG@10 (queries,) and rank of the first relevant document (queries,), 0 where it is not among the first 100.

    Raises WorkbenchError if the evaluation has no such cell.
    """
    wanted = (model, dimension, precision, direction)
    for line in evaluation["per_query"]:
        if (line["model"], line["dimension"], line["precision"], line["direction"]) == wanted:
            values = np.array(line["ndcg@10"].split(), dtype=np.float64)
            return values, np.array(line["first_rank"].split(), dtype=np.int64)
    raise WorkbenchError(f"The evaluation has no “{model}” at {dimension} dimensions, {precision}, {direction}.")
