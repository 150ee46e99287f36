"""Optimizer steps as a run takes them, with nothing else around them: no scoring, no checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.turns import measured


def take_steps(
    workspace: Any, spec: dict[str, Any], steps: int, *, deadline: float | None = None, **changes: Any
) -> dict[str, Any]:
    """Train a run's spec for so many steps, its settings changed, from the untouched weights.

    {"losses": of each step, "times": when each step ended (seconds since the first began), "mini_batch_size", and what
    `measured` tells}. deadline: of `time.monotonic`, after which no further step is begun.
    """
    from workbench.collection.store import open_collection
    from workbench.job_folder import JobFolder
    from workbench.settings import check_settings
    from workbench.training.assembling import make_trainer
    from workbench.training.dry_run import without_saving
    from workbench.training.kinds import RECIPES
    from workbench.training.out_of_memory import held_at_once
    from workbench.training.preparing import prepare
    from workbench.training.run import seed_everything

    settings = check_settings(spec["settings"]).model_copy(update=changes)
    seed_everything(settings.seed)
    collection = open_collection(workspace, spec["collection"], spec["collection_fingerprint"])
    recipe: Any = RECIPES[spec["kind"]](workspace, collection, spec, settings)
    prepare(recipe.model, settings)
    clock = step_clock(deadline)
    place = JobFolder(Path(workspace.root) / "steps")
    trainer = make_trainer(place, spec, recipe, settings, recipe.datasets(), steps, evaluator=[], callbacks=[clock])
    without_saving(trainer.args)
    losses = watched(trainer)
    with measured() as figures:
        trainer.train()
    held = held_at_once(recipe, spec["kind"], settings)
    return figures | {"losses": losses, "times": clock.times, "mini_batch_size": held}


def watched(trainer: Any) -> list[float]:
    """A list that gets each step's loss as it is, before the trainer rounds it."""
    losses: list[float] = []
    taken = trainer.training_step

    def training_step(*given: Any, **named: Any) -> Any:
        loss = taken(*given, **named)
        losses.append(float(loss))
        return loss

    trainer.training_step = training_step
    return losses


def step_clock(deadline: float | None) -> Any:
    """A callback of the trainer whose `times` are the ends of the steps, in seconds since the first began."""
    import torch
    from transformers import TrainerCallback

    class StepClock(TrainerCallback):
        """See `step_clock`."""

        def __init__(self) -> None:
            self.began: float | None = None
            self.times: list[float] = []

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began = self.began or time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.monotonic() - (self.began or 0.0))
            if deadline is not None and time.monotonic() > deadline:
                control.should_training_stop = True

    return StepClock()
