"""A run whose loss is no number any more ends in words: whatever it learnt after that would be nothing."""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings

ABOUT = "loss is not a number"


def finite_trainer(base: type, job: JobFolder, settings: TrainSettings) -> type:
    """A trainer of the library that raises WorkbenchError at the first loss that is infinite or not a number.

    It takes the place of the library's own look at each loss, which puts an average of the earlier ones there.
    """
    import torch

    class FiniteTrainer(base):  # type: ignore[misc, valid-type]
        """See `finite_trainer`."""

        def training_step(self, *given: Any, **named: Any) -> Any:
            self.args.logging_nan_inf_filter = False
            loss = super().training_step(*given, **named)
            if not torch.isfinite(loss).all():
                raise not_a_number(job, settings, self.state.global_step + 1)
            return loss

    return FiniteTrainer


def not_a_number(job: JobFolder, settings: TrainSettings, step: int) -> WorkbenchError:
    """The error that ends the run, after the advice is in its folder: a calmer learning rate, or a wider format."""
    rate, calmer = settings.learning_rate, settings.learning_rate / 10
    changes: dict[str, Any] = {"learning_rate": calmer}
    wider = ""
    if settings.precision == "fp16":
        changes["precision"] = "fp32"
        wider = " and the number format fp32"
    words = (
        f"The loss at step {step:,} is not a number: the weights have run away. Start it again with a learning rate of "
        f"{calmer:g} in place of {rate:g}{wider}."
    )
    job.emit("advice", step=step, about=ABOUT, setting="learning_rate", value=calmer, was=rate, changes=changes)
    return WorkbenchError(words)
