"""A run once more, with other settings."""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.jobs.control import start
from workbench.jobs.observe import find
from workbench.workspace import Workspace


def clone(workspace: Workspace, name: str, new_name: str, changes: dict[str, Any] | None = None) -> JobFolder:
    """Start a run with the settings of another but for `changes`, on the collection as it is now.

    Raises WorkbenchError if there is no such run, the new name is taken, or a setting cannot be used.
    """
    spec = clone_spec(workspace, find(workspace, name), changes or {})
    return start(workspace, "train", new_name, spec)


def clone_spec(workspace: Workspace, job: JobFolder, changes: dict[str, Any]) -> dict[str, Any]:
    """The spec of a clone, checked like that of any new run. Settings that no longer exist are left out."""
    from workbench.settings import TrainSettings
    from workbench.training.spec import train_spec

    if job.work != "train":
        raise WorkbenchError(f"“{job.name}” is not a run, so it cannot be cloned.")
    spec = job.spec
    settings = {key: value for key, value in spec["settings"].items() if key in TrainSettings.model_fields}
    cloned = train_spec(
        workspace,
        collection=str(spec["collection"]),
        model=str(spec["model"]),
        kind=str(spec["kind"]),
        preset=str(spec["preset"]),
        overrides=settings | changes,
        first_stage=spec.get("first_stage"),
        first_stage_dimension=spec.get("first_stage_dimension"),
        second_collection=str(spec.get("second_collection") or ""),
        trust_remote_code=bool(spec.get("trust_remote_code")),
    )
    return cloned | {"cloned_from": job.name}
