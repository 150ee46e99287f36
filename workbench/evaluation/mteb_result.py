"""An evaluation as mteb keeps results: one JSON for each model, in the shape of its `TaskResult`.

The files lie as in the `results` folder of mteb's own cache, MODEL/REVISION/TASK.json, the slashes of a model's name
as two underscores.
A collection that was imported from a task of mteb is written as that task, with its split, subset and revision; any
other as a task of the collection's name, in which `default` is the uploaded direction and each other one a subset of
its name. Measures are those that were taken, at the full size and the first precision; what mteb has besides (ranks
beyond 100, nAUC) is not made up.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.held_out import ALL
from workbench.evaluation.report_content import full_size
from workbench.evaluation.results import load_evaluation
from workbench.workspace import Workspace, write_json

MAIN = "ndcg_at_10"
FAMILIES = {"success": "hit_rate"}
VERSION = "2.0.0"
"""The version of mteb whose shape is written where the set did not come from mteb."""
UNKNOWN_LANGUAGE = "und-Zzzz"


def write_results(workspace: Workspace, name: str, folder: Path) -> list[Path]:
    """Write the result of each model of an evaluation below `folder`; returns the files."""
    evaluation = load_evaluation(workspace, name)
    origin = standard_set(workspace, evaluation)
    written = []
    for described in evaluation["models"]:
        result = task_result(evaluation, described["reference"], origin)
        path = folder / model_folder(described["reference"]) / described["fingerprint"] / f"{result['task_name']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, result)
        written.append(path)
    return written


def standard_set(workspace: Workspace, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Which task of mteb the collection is; empty where it is none, or has been removed since."""
    try:
        source = open_collection(workspace, evaluation["collection"]).card.source
    except WorkbenchError:
        return {}
    return dict(source.get("mteb") or {})


def task_result(evaluation: dict[str, Any], model: str, origin: dict[str, Any]) -> dict[str, Any]:
    """The `TaskResult` of one model. origin: of `standard_set`."""
    if origin:
        scores = [_scores(full_size(evaluation, model), origin["subset"], origin["languages"])]
    else:
        whole = full_size(evaluation, model)
        rows = {name: full_size(evaluation, model, name) for name in report.told_apart(evaluation) if name != ALL}
        others = {name: row for name, row in rows.items() if row["metrics"] != whole["metrics"]}
        scores = [_scores(row, subset, []) for subset, row in {"default": whole, **others}.items()]
    return {
        "dataset_revision": origin.get("revision") or evaluation["collection_fingerprint"],
        "task_name": origin.get("task") or evaluation["collection"],
        "mteb_version": origin.get("version") or VERSION,
        "scores": {origin.get("split") or "test": scores},
        "evaluation_time": evaluation["seconds"],
        "kg_co2_emissions": None,
        "date": evaluation["created"],
    }


def model_folder(model: str) -> str:
    """The name of a model's folder: “sentence-transformers/x” → “sentence-transformers__x”; a run by its name."""
    plain = model.removeprefix("run:").replace("/", "__")
    return re.sub(r"[^\w.-]+", "-", plain, flags=re.ASCII).strip(".-") or "model"


def _scores(row: dict[str, Any], subset: str, languages: list[str]) -> dict[str, Any]:
    measures = {mteb_measure(name): value for name, value in row["metrics"].items()}
    return {
        **measures,
        "main_score": measures[MAIN],
        "hf_subset": subset,
        "languages": languages or [UNKNOWN_LANGUAGE],
        "workbench": {
            "version": __version__,
            "dimension": row["dimension"],
            "precision": row["precision"],
            "queries": row["queries"],
            "documents": row["documents"],
            "interval": row["interval"],
        },
    }


def mteb_measure(name: str) -> str:
    """ndcg@10 → ndcg_at_10."""
    family, _, rank = name.partition("@")
    return f"{FAMILIES.get(family, family)}_at_{rank}"
