"""One job at a time on each device: the others wait in the order of the line, or as long as the queue is paused.

The worker itself holds the lock, because it is the process that uses the device: a lock held by its parent would be
free again when the parent dies, and the device booked twice. All that wait look at the same files and come to the same
plan; the locks make sure of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from workbench.job_folder import JobFolder
from workbench.jobs.devices import Device, check_wanted, find_devices, first_choice, fitting, wanted_device
from workbench.jobs.line import InLine, Line
from workbench.jobs.rules import hold_now
from workbench.workspace import Workspace

FIRST_POLL_SECONDS = 0.3
POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 5.0


@contextmanager
def device_turn(workspace: Workspace, job: JobFolder) -> Iterator[Device]:
    """Wait until it is this job's turn on a device, hold it inside the block, and let this process see it alone.

    Raises Stopped if the job is asked to stop while it waits, and WorkbenchError if it names a device that is not here.
    """
    devices = find_devices()
    check_wanted(devices, wanted_device(job.spec))
    device, lock = Turn(workspace, job, devices).wait()
    try:
        device.bind()
        yield device
    finally:
        lock.release()


class Turn:
    """The waiting of one job."""

    def __init__(self, workspace: Workspace, job: JobFolder, devices: Sequence[Device]) -> None:
        self.workspace = workspace
        self.job = job
        self.devices = devices
        self.line = Line(workspace)
        self.note = ""

    def wait(self) -> tuple[Device, FileLock]:
        """The device, and its lock, which is held. Looks less often the more jobs are ahead."""
        while True:
            self.job.check_stop()
            if hold := hold_now(self.workspace):
                self._tell(hold.words)
                self._rest(POLL_SECONDS)
                continue
            computing, waiting = self.line.look()
            if taken := self._take(computing, waiting):
                return taken
            ahead = [one.name for one in waiting[: _place(waiting, self.job)]]
            self._tell(_waiting_for([one.name for one in computing] + ahead))
            self._rest(min(LONGEST_POLL_SECONDS, POLL_SECONDS * len(ahead)) or FIRST_POLL_SECONDS)

    def _take(self, computing: list[InLine], waiting: list[InLine]) -> tuple[Device, FileLock] | None:
        """A device that is this job's by the plan, where nobody else holds it after all."""
        tried: set[str] = set()
        while device := plan(self.devices, computing, waiting, self.job, tried):
            lock = FileLock(self.workspace.locks / device.lock)
            try:
                lock.acquire(timeout=0)
                return device, lock
            except Timeout:
                tried.add(device.lock)
        return None

    def _tell(self, note: str) -> None:
        if note != self.note:
            self.note = note
            self.job.write_status(note=note)

    def _rest(self, seconds: float) -> None:
        """Wait so long, but not when the job is asked to stop, or the rules of the queue have changed."""
        end, rules = time.monotonic() + seconds, _when(self.workspace.queue)
        while (left := end - time.monotonic()) > 0 and _when(self.workspace.queue) == rules:
            self.job.check_stop()
            time.sleep(min(left, POLL_SECONDS / 2))


def plan(
    devices: Sequence[Device],
    computing: Sequence[InLine],
    waiting: Sequence[InLine],
    job: JobFolder,
    taken: Collection[str] = (),
) -> Device | None:
    """The device that is `job`'s now, if those that wait take the free ones in their order.

    taken: the locks that somebody else was found to hold. A job that names a device waits for it alone, and holds up
    nobody who can take another one.
    """
    booked = {_lock_of(one, devices) for one in computing if one.job.path != job.path and one.lives()} | set(taken)
    free = [device for device in devices if device.lock not in booked]
    named = {one.wanted for one in waiting if one.job.path != job.path}
    for one in waiting:
        device = first_choice(fitting(free, one.wanted), named)
        if one.job.path == job.path:
            return device
        if device is not None and one.lives():
            free.remove(device)
        if not free:
            return None
    return None


def _lock_of(one: InLine, devices: Sequence[Device]) -> str:
    """The lock of the device on which a job computes, whatever it is called where that job was started."""
    return Device(one.status.device or devices[0].name).lock


def _place(waiting: Sequence[InLine], job: JobFolder) -> int:
    return next((place for place, one in enumerate(waiting) if one.job.path == job.path), len(waiting))


def _when(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _waiting_for(names: list[str]) -> str:
    if not names:
        return "Waiting for the device."
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"Waiting for {', '.join(names[:2])}{more}."
