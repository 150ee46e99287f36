"""How the learning rate rises and falls over a run, as the library's trainers are told it."""

from __future__ import annotations

from typing import Any

from workbench.settings import TrainSettings

# The library's own figures make some schedules the same as others: one cycle is no restart, and a power of 1 a line.
CYCLES, POWER = 4, 2.0
# Without a warm-up the inverse root begins to fall as after one of this share of the steps.
ROOT_SHARE = 0.1


def schedule_arguments(settings: TrainSettings, total_steps: int) -> dict[str, Any]:
    """The training arguments of the schedule and its warm-up."""
    warm_up = int(settings.warmup_ratio * total_steps)
    own: dict[str, dict[str, Any]] = {
        "cosine_with_restarts": {"num_cycles": CYCLES},
        "polynomial": {"power": POWER, "lr_end": 0.0},
        "inverse_sqrt": {"timescale": warm_up or max(1, int(ROOT_SHARE * total_steps))},
    }
    more = {"lr_scheduler_kwargs": own[settings.schedule]} if settings.schedule in own else {}
    return {"lr_scheduler_type": settings.schedule, "warmup_steps": warm_up, **more}
