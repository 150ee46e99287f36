"""The checkpoints of a run as models: `run:NAME@STEP`, as the run's own model is `run:NAME`.

runs/NAME/checkpoints/checkpoint-STEP/complete    written last and removed first: a folder without it is half of one
"""

from __future__ import annotations

from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, read_json

RUN = "run:"
FOLDER, COMPLETE = "checkpoints", "complete"
LEARNT_FILE = "learnt.safetensors"
"""What is trained of a model with adapters; the rest of it is in the model that the run started from."""


def run_name(reference: str) -> str:
    """The run's name in `run:NAME` or `run:NAME@STEP`."""
    return reference.removeprefix(RUN).partition("@")[0]


def step_named(reference: str) -> int | None:
    """The step in `run:NAME@STEP`, None where there is none. Raises WorkbenchError where it is no number."""
    name, at, step = reference.partition("@")
    if not at:
        return None
    if not (step.isascii() and step.isdigit()):
        raise WorkbenchError(f"“{reference[:100]}” names no checkpoint. Write {name}@ and the number of a step.")
    return int(step)


def steps_kept(run: Path) -> list[int]:
    """The steps of a run's whole checkpoints that are models in themselves, ascending."""
    return sorted(
        int(path.parent.name.rsplit("-", 1)[1])
        for path in (run / FOLDER).glob(f"checkpoint-*/{COMPLETE}")
        if not (path.parent / LEARNT_FILE).exists()
    )


def model_folder(workspace: Workspace, reference: str) -> Path:
    """The folder of a run's model, or of its checkpoint. Raises WorkbenchError if there is no such run or model."""
    name, step = run_name(reference), step_named(reference)
    run = workspace.run(name)
    if not (run / "job.json").exists():
        raise WorkbenchError(f"There is no run named “{name}”.")
    if step is not None:
        return _checkpoint(run, step)
    folder = run / "model"
    if not folder.is_dir():
        state = (read_json(run / "status.json") or {}).get("state", "unknown")
        raise WorkbenchError(
            f"The run “{name}” has no model yet: it is {state}. Wait until it has finished, or resume it."
        )
    return folder


def _checkpoint(run: Path, step: int) -> Path:
    folder = run / FOLDER / f"checkpoint-{step}"
    if (folder / LEARNT_FILE).exists():
        raise WorkbenchError(
            f"The checkpoint {step} of “{run.name}” holds the adapters alone, which are no model in themselves. The "
            "run's own model has them merged in, once it has finished."
        )
    if not (folder / COMPLETE).exists():
        kept = ", ".join(map(str, steps_kept(run))) or "none"
        raise WorkbenchError(
            f"The run “{run.name}” has no checkpoint at step {step}. There are: {kept}. A finished run keeps as many "
            "as its setting “Checkpoints kept” says."
        )
    return folder
