"""Waiting for background jobs to get somewhere, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from workbench import jobs
from workbench.job_folder import JobFolder, Status
from workbench.jobs import processes


def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    """Wait until `condition` is true, and return what it gave; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"still not so after {seconds:.0f} s")


def until_state(job: JobFolder, *states: str, seconds: float = 90.0) -> Status:
    def reached() -> Status | None:
        status = jobs.watch(job)
        assert status.state in states or not status.ended, f"{job.name} is {status.state}: {status.reason}"
        return status if status.state in states else None

    return until(reached, seconds)


def until_counting(job: JobFolder) -> Status:
    """Wait until a `count` work has made its first step."""
    return until(lambda: (status := jobs.watch(job)).state == "running" and status.total and status)


def part(job: JobFolder, module: str) -> psutil.Process:
    """The job's process that runs `workbench.jobs.MODULE`."""
    return until(
        lambda: next((p for p in processes.tagged(job.path) if f"workbench.jobs.{module}" in p.cmdline()), None)
    )


def nothing_left(job: JobFolder, seconds: float = 30.0) -> bool:
    return bool(until(lambda: not processes.tagged(job.path), seconds))
