"""One job at a time on each device: the others wait in the order in which they were created.

The worker itself holds the lock, because it is the process that uses the device: a lock held by its parent would be
free again when the parent dies, and the device booked twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from filelock import FileLock, Timeout

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.jobs.observe import job_folders, watch
from workbench.jobs.works import uses_device
from workbench.workspace import Workspace

FIRST_POLL_SECONDS = 0.3
POLL_SECONDS = 1.0


@contextmanager
def device_turn(workspace: Workspace, job: JobFolder) -> Iterator[None]:
    """Wait until it is this job's turn on its device, and hold the device inside the block.

    Raises Stopped if the job is asked to stop while it waits.
    """
    mine = job.job
    device = device_of(mine)
    lock = FileLock(workspace.locks / f"device-{device}.lock")
    note = None
    while not lock.is_locked:
        job.check_stop()
        running, ahead = _others(workspace, job, device, (float(mine["created"]), job.name))
        if not ahead and _take(lock):
            break
        now = _waiting_for(running + ahead)
        if now != note:
            note = now
            job.write_status(note=note)
        time.sleep(POLL_SECONDS if ahead else FIRST_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _take(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def device_of(job: dict[str, Any]) -> str:
    """The name of the device a job computes on, fit for a file name: its spec's `device`, else `default`."""
    wanted = str(job["spec"].get("device") or "default")
    return re.sub(r"[^a-z0-9]+", "-", wanted.lower())[:40]


def _others(workspace: Workspace, job: JobFolder, device: str, place: tuple[float, str]) -> tuple[list[str], list[str]]:
    """The living jobs on the device: those running, and those waiting that were created before this one."""
    running, ahead = [], []
    for folder in (workspace.runs, workspace.jobs):
        for other in job_folders(folder):
            if other.path == job.path or other.status().ended:
                continue
            try:
                described = other.job
                theirs = (float(described["created"]), other.name)
            except (WorkbenchError, TypeError, ValueError):
                continue
            if not uses_device(described["work"], other.spec) or device_of(described) != device or watch(other).ended:
                continue
            if other.status().state != "queued":
                running.append(other.name)
            elif theirs < place:
                ahead.append((theirs, other.name))
    return running, [name for _, name in sorted(ahead)]


def _waiting_for(names: list[str]) -> str:
    if not names:
        return "Waiting for the device."
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"Waiting for {', '.join(names[:2])}{more}."
