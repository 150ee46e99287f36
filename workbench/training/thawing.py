"""Projections first, then everything: how a model that was joined of trained parts learns.

A new projection says nothing at first, and what it sends back into trained towers would spoil them. So the towers are
held still until it points the right way. Which weights move depends on the step alone, so a resumed run does the same.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings
from workbench.training.freezing import PROJECTIONS, lies_within, prefixes_of


class Thawing(TrainerCallback):
    """Holds all weights still but the projections until a step is reached.

    Make it when what is frozen for good is frozen already, and before the optimizer is made: that one must know every
    weight that will ever learn.
    """

    def __init__(self, job: JobFolder, model: Any, until: int) -> None:
        prefixes = prefixes_of(model, PROJECTIONS)
        learning = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
        self.held = [value for name, value in learning if not lies_within(name, prefixes)]
        self.job, self.until = job, until
        if len(self.held) == len(learning):
            raise WorkbenchError(
                "The projections are frozen, so nothing would learn before the thaw. Set Thaw after to 0."
            )

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before each step: a weight that asks for no gradient gets none, and the optimizer passes it over."""
        thawed = state.global_step >= self.until
        if thawed and self.held and not self.held[0].requires_grad:
            self.job.say(f"from step {state.global_step + 1:,} on everything learns, not the projections alone")
        for value in self.held:
            value.requires_grad_(thawed)


def thawing(job: JobFolder, model: Any, settings: TrainSettings, total_steps: int) -> list[TrainerCallback]:
    """What holds the towers still at first, as `thaw_after` says; nothing at 0.

    Raises WorkbenchError if the model has no projections, or they are frozen.
    """
    until = round(settings.thaw_after * total_steps)
    return [Thawing(job, model, until)] if until else []
