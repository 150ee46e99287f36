"""Memory that runs out: halved where that helps, told where it does not, and never tried for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from workbench.job_folder import JobFolder, create_job_folder
from workbench.memory import within_memory
from workbench.settings import TrainSettings
from workbench.training.out_of_memory import until_it_fits
from workbench.workspace import Workspace

SETTINGS = TrainSettings(batch_size=16)


@pytest.fixture
def job(workspace: Workspace) -> JobFolder:
    return create_job_folder(workspace.run("small"), "train", {"kind": "embedder", "settings": {}}, {})


def full() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_a_run_that_never_fits_is_tried_with_every_half_once(job: JobFolder) -> None:
    """Without any event of an earlier start to read the mini-batch from."""
    tried: list[int] = []

    def begin(settings: TrainSettings) -> Any:
        assert len(tried) < 9
        return SimpleNamespace(recipe=SimpleNamespace(model=torch.nn.Linear(1, 1), objective="contrastive"))

    def train(job: JobFolder, begun: Any, settings: TrainSettings) -> None:
        tried.append(settings.mini_batch_size)
        raise full()

    with pytest.raises(torch.OutOfMemoryError):
        until_it_fits(job, SETTINGS, begin, train)
    assert tried == [0, 8, 4, 2, 1]


def test_memory_that_runs_out_before_the_steps_is_no_matter_of_the_mini_batch(job: JobFolder) -> None:
    begun: list[TrainSettings] = []

    def begin(settings: TrainSettings) -> Any:
        begun.append(settings)
        raise full()

    with pytest.raises(torch.OutOfMemoryError):
        until_it_fits(job, SETTINGS, begin, lambda *_: None)
    assert len(begun) == 1 and not list(job.events("advice"))


def test_a_batch_is_halved_until_it_fits_and_other_errors_pass() -> None:
    tried: list[int] = []

    def read(size: int) -> str:
        tried.append(size)
        if size > 5:
            raise full()
        return "read"

    assert within_memory(read, 32) == ("read", 4)
    assert tried == [32, 16, 8, 4]
    with pytest.raises(ValueError, match="broken"):
        within_memory(lambda size: (_ for _ in ()).throw(ValueError("broken")), 8)
    with pytest.raises(MemoryError):
        within_memory(lambda size: (_ for _ in ()).throw(MemoryError()), 8)
