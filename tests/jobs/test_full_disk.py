"""A disk that is really full: a small one in memory, where the system lets us mount it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import nothing_left, until_counting

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, open_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield open_workspace(disk / "workspace")
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_job_on_a_full_disk_fails_in_words_and_goes_on_when_there_is_room_again(workspace, begin):
    job = begin("count", "full", to=20)
    until_counting(job)
    filler = workspace.root / "filler"
    fill(filler)
    status = jobs.wait(job, timeout=120)
    assert status.state == "failed" and "is full. Free some space" in status.reason
    assert (job.path / "exit.json").exists() and nothing_left(job)

    fill(workspace.root / "rest")  # what the job held back for its last words
    with pytest.raises(WorkbenchError, match="is full"):
        begin("count", "another", to=1)
    assert not workspace.job("another").exists()

    filler.unlink()
    jobs.resume(workspace, "full", works_module="toy_works")
    assert jobs.wait(job, timeout=120).state == "finished"
