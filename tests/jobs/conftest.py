"""Fixtures for real background jobs: start them, and be sure that nothing of them outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench import jobs
from workbench.job_folder import JobFolder
from workbench.jobs import processes
from workbench.workspace import Workspace


@pytest.fixture
def begin(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., JobFolder]]:
    """begin(work, name, **spec) starts a toy work; after the test everything it left is ended."""
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", here)
    started: list[JobFolder] = []

    def begin(work: str, name: str, **spec: Any) -> JobFolder:
        started.append(jobs.start(workspace, work, name, spec, works_module="toy_works"))
        return started[-1]

    yield begin
    for job in started:
        processes.kill_tagged(job.path)
