"""A real run that the queue sets aside at once: it saves a checkpoint, waits, and ends as if nothing had been."""

from __future__ import annotations

import time

import pytest

from workbench import jobs
from workbench.job_folder import JobFolder
from workbench.training.report import curves
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

pytestmark = pytest.mark.slow
WANTED = {"max_steps": 14, "epochs": 50, "batch_size": 16, "evaluations": 2, "evaluation_queries": 10}


def until_paused(run: JobFolder) -> None:
    deadline = time.monotonic() + 90
    while not run.status().note.startswith(jobs.HELD):
        assert not jobs.watch(run).ended and time.monotonic() < deadline, run.status()
        time.sleep(0.05)


def test_a_run_that_was_set_aside_has_the_undisturbed_curve(demo_workspace: Workspace) -> None:
    spec = train_spec(demo_workspace, collection="demo", model="starter", overrides=WANTED)
    undisturbed = jobs.start(demo_workspace, "train", "undisturbed", spec)
    assert jobs.wait(undisturbed, timeout=200).state == "finished"

    run = jobs.start(demo_workspace, "train", "set-aside", spec)
    while not jobs.watch(run).ended and run.status().step < 3:
        time.sleep(0.02)
    jobs.pause(demo_workspace, at_once=True)
    until_paused(run)
    assert run.status().step < WANTED["max_steps"], "the run was done before it could be set aside"
    assert run.last_event("checkpoint") is not None and run.last_event("stopped")["paused"] is True  # type: ignore[index]
    jobs.go_on(demo_workspace)
    assert jobs.wait(run, timeout=200).state == "finished"
    assert run.last_event("started")["resumed"] is True  # type: ignore[index]
    assert curves(list(run.events())) == curves(list(undisturbed.events()))
