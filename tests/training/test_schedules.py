"""Each schedule of the learning rate is another one, and falls as its words say."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from workbench.settings import TrainSettings
from workbench.training.schedules import CYCLES, schedule_arguments

STEPS = 200
SCHEDULES = get_args(TrainSettings.model_fields["schedule"].annotation)


def rates(schedule: str, warmup_ratio: float = 0.1) -> list[float]:
    import torch
    from transformers import get_scheduler

    told = schedule_arguments(TrainSettings(schedule=schedule, warmup_ratio=warmup_ratio), STEPS)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    more = told.get("lr_scheduler_kwargs")
    scheduler = get_scheduler(told["lr_scheduler_type"], optimizer, told["warmup_steps"], STEPS, more)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_no_two_schedules_are_the_same() -> None:
    every = {name: tuple(rates(name, 0.0 if name == "constant" else 0.1)) for name in SCHEDULES}
    assert len(set(every.values())) == len(SCHEDULES)


def test_restarts_rise_again_and_a_polynomial_falls_sooner_than_a_line() -> None:
    restarts = rates("cosine_with_restarts", 0.0)
    assert sum(later > before + 0.5 for before, later in pairwise(restarts)) == CYCLES - 1
    assert rates("polynomial")[STEPS // 2] < 0.7 * rates("linear")[STEPS // 2]


@pytest.mark.parametrize("warmup_ratio", [0.0, 0.1])
def test_the_inverse_root_falls_with_and_without_a_warm_up(warmup_ratio: float) -> None:
    assert 0.1 < rates("inverse_sqrt", warmup_ratio)[-1] < 0.4
