"""Other programs that draw a run's curves: TensorBoard, trackio, wandb. What they write lies in the run's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER_VARIABLES = {"tensorboard": "TENSORBOARD_LOGGING_DIR", "trackio": "TRACKIO_DIR", "wandb": "WANDB_DIR"}
PROJECT = "workbench"


def tracker_arguments(tracker: str, folder: Path) -> dict[str, Any]:
    """The training arguments that report to a tracker, and its place: `folder`/tracker.

    A process trains one run, so the place can be told by the environment, which is the way all three take.
    """
    if tracker == "none":
        return {"report_to": "none"}
    place = folder / "tracker"
    place.mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER_VARIABLES[tracker]] = str(place)
    os.environ.setdefault("WANDB_PROJECT", PROJECT)
    os.environ.setdefault("WANDB_LOG_MODEL", "false")
    return {"report_to": [tracker], "run_name": folder.name, "project": PROJECT}
