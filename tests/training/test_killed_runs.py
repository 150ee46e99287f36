"""A real run in the background, killed in the middle: it shows as crashed, goes on and ends like any other."""

from __future__ import annotations

import errno
import time
from typing import Any

import psutil
import pytest

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import processes
from workbench.training.checkpoints import last_checkpoint
from workbench.training.report import run_summary
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace

STEPS = 12
WANTED = {"max_steps": STEPS, "epochs": 50, "batch_size": 16, "evaluations": 3, "evaluation_queries": 10}


def until(condition: Any, seconds: float = 90.0) -> None:
    """Wait until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_run_killed_in_the_middle_ends_within_a_hundredth_of_an_undisturbed_one(demo_workspace: Workspace) -> None:
    spec = train_spec(demo_workspace, collection="demo", model="starter", overrides={**WANTED, "loader_workers": 1})
    undisturbed = jobs.start(demo_workspace, "train", "undisturbed", spec)
    assert jobs.wait(undisturbed, timeout=120).state == "finished"

    killed = jobs.start(demo_workspace, "train", "killed", spec)
    until(lambda: any(event["step"] >= 4 for event in killed.events("checkpoint")))
    psutil.Process(killed.status().pid).kill()
    started = time.monotonic()
    until(lambda: jobs.watch(killed).state == "crashed", 5)
    assert time.monotonic() - started < 5
    until(lambda: not processes.tagged(killed.path), 5)

    jobs.resume(demo_workspace, "killed")
    assert jobs.wait(killed, timeout=120).state == "finished"
    assert any(event["resumed"] and event["step"] >= 4 for event in killed.events("started"))
    scores = [run_summary(demo_workspace, name)["metrics"]["ndcg@10"] for name in ("undisturbed", "killed")]
    assert abs(scores[0] - scores[1]) < 0.01
    until(lambda: not processes.tagged(killed.path), 5)


@pytest.mark.slow
def test_a_full_disk_at_a_checkpoint_is_told_and_the_run_goes_on_from_the_one_before(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = train_spec(
        demo_workspace, collection="demo", model="starter", overrides={**WANTED, "max_steps": 6, "evaluations": 3}
    )
    job = create_job_folder(demo_workspace.run("full-disk"), "train", spec, {})
    import torch

    save = torch.save

    def full_from_step_four(thing: Any, place: Any, *more: Any, **named: Any) -> None:
        if "checkpoint-4" in str(place):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(thing, place, *more, **named)

    monkeypatch.setattr(torch, "save", full_from_step_four)
    with pytest.raises(WorkbenchError, match="is full, so this was not saved"):
        run_training(demo_workspace, job)
    assert last_checkpoint(job.path / "checkpoints") == job.path / "checkpoints" / "checkpoint-2"
    monkeypatch.undo()
    assert run_training(demo_workspace, job)["steps"] == 6
    assert [event["step"] for event in job.events("started")] == [0, 2]


def test_a_stop_is_answered_with_a_checkpoint(demo_workspace: Workspace) -> None:
    class Told:
        should_save = should_training_stop = False

    class State:
        global_step = 3

    job = JobFolder(demo_workspace.run("asked"))
    job.path.mkdir()
    (job.path / "STOP").touch()
    control = RunCallback(job, 10).on_step_end(None, State(), Told())
    assert control.should_save and control.should_training_stop
