"""The demo from the page: its collection is drawn by a background job; ``--demo`` then starts its first run."""

from __future__ import annotations

import logging
import os
import threading

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

LOG = logging.getLogger(__name__)
COLLECTION = "demo"
IMPORT = "import-demo"
FIRST_RUN = "demo-quick"
# How many scenes are drawn; without it the demo's own number. A small machine, or a test, may want few.
SCENES_VARIABLE = "WORKBENCH_DEMO_SCENES"
_ONE_AT_A_TIME = threading.Lock()


def draw_collection(workspace: Workspace) -> None:
    """Start drawing the demo collection, unless it is there or being drawn."""
    with _ONE_AT_A_TIME:
        if workspace.collection(COLLECTION).exists():
            return
        if (workspace.job(IMPORT) / "job.json").exists():
            if not jobs.watch(jobs.find(workspace, IMPORT)).ended:
                return
            jobs.remove(workspace, IMPORT)
        scenes = os.environ.get(SCENES_VARIABLE, "")
        spec = {"name": COLLECTION, "demo": True, **({"scenes": int(scenes)} if scenes.isdigit() else {})}
        jobs.start(workspace, "import", IMPORT, spec)


def start(workspace: Workspace) -> threading.Thread:
    """See to the demo and its first run beside the page, which opens at once."""
    thread = threading.Thread(target=_draw_and_train, args=(workspace,), name="demo", daemon=True)
    thread.start()
    return thread


def _draw_and_train(workspace: Workspace) -> None:
    try:
        draw_collection(workspace)
        if not workspace.collection(COLLECTION).exists():
            jobs.wait(jobs.find(workspace, IMPORT))
        if not workspace.run(FIRST_RUN).exists():
            spec = train_spec(workspace, collection=COLLECTION, model="starter", kind="embedder", preset="quick")
            jobs.start(workspace, "train", FIRST_RUN, spec)
    except WorkbenchError as error:
        LOG.error("The demo could not be started: %s", error)
