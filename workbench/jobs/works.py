"""Which function does which work. A job.json names a work, never a function, so it can never name code to run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace

Work = Callable[[Workspace, JobFolder], dict[str, Any]]

WORKS = {
    "train": "workbench.training.run:run_training",
    "fit": "workbench.training.fit:run_fit",
    "evaluate": "workbench.evaluation.evaluate:run_evaluation",
    "map": "workbench.evaluation.map:run_map",
    "pipeline": "workbench.evaluation.pipelines:run_pipeline",
    "index": "workbench.index.build:run_index",
    "verify-index": "workbench.index.verify:run_verify",
    "export-index": "workbench.index.export:run_export_index",
    "import": "workbench.collection.import_job:run_import",
    "export": "workbench.collection.exporting:run_export",
    "push": "workbench.collection.pushing:run_push",
    "check": "workbench.doctor.check:run_check",
    "mine": "workbench.enrich.mining:run_mining",
    "generate": "workbench.enrich.generating:run_generation",
    "add-model": "workbench.models.examine:run_add",
    "join-models": "workbench.models.join:run_join",
}
# These never compute on a device, so they start at once beside a running job.
WORKS_WITHOUT_DEVICE = frozenset({"import", "export", "push", "map", "verify-index", "export-index"})
# What is done so far is kept when one of these is stopped; any other would begin anew.
WORKS_THAT_GO_ON = frozenset({"train", "evaluate", "index", "generate"})


def check_work(work: str, works_module: str | None = None) -> str:
    """Return `work` if it is known, else raise WorkbenchError naming those that are."""
    known = _works(works_module)
    if work not in known:
        raise WorkbenchError(f"There is no work called “{str(work)[:80]}”. Known: {', '.join(known)}.")
    return work


def uses_device(work: str, spec: Mapping[str, Any]) -> bool:
    """Whether this work waits for the device, so that two of its kind never compute at the same time.

    A check computes on it only where it is asked to look with a model.
    """
    return work not in WORKS_WITHOUT_DEVICE and (work != "check" or bool(spec.get("model")))


def load_work(work: str, works_module: str | None = None) -> Work:
    """Import the function that does `work`. Raises WorkbenchError if the work is unknown.

    `works_module` names a module with a WORKS of its own, for tests. It arrives from the starting process's
    arguments alone and is stored nowhere, so no file in the workspace can set it.
    """
    check_work(work, works_module)
    module, _, function = _works(works_module)[work].partition(":")
    found: Work = getattr(importlib.import_module(module), function)
    return found


def _works(works_module: str | None) -> dict[str, str]:
    if works_module is None:
        return WORKS
    return {**WORKS, **importlib.import_module(works_module).WORKS}
