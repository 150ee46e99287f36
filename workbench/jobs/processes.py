"""Finding and ending the processes of one job, however they were started.

The environment of the whole tree carries the job's folder, so that a torchrun child or a loader worker in a session
of its own is found although no parent link leads to it. A process is known by its pid and its create_time, so
that a pid used again after a reboot is not mistaken for it. A zombie is dead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

TAG = "WORKBENCH_JOB"
SET_ASIDE = 75  # the return code of a worker that wants to be started again: a failure for the time being
# create_time is computed from the boot time, which moves a little when the clock is set.
CREATE_TIME_TOLERANCE_SECONDS = 2.0
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError)


def tag_value(folder: Path) -> str:
    """What the environment of a job's processes carries: the real, absolute path of its folder."""
    return os.path.realpath(folder)


def tagged_environment(folder: Path) -> dict[str, str]:
    """This process's environment for a process of the job: tagged, able to import the workbench, unbuffered."""
    project = str(Path(__file__).resolve().parents[2])
    search = [project, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        TAG: tag_value(folder),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(search)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def identity(pid: int | None = None) -> dict[str, float | int]:
    """The pid and create_time by which a process is known in status.json."""
    process = psutil.Process(pid)
    return {"pid": process.pid, "create_time": process.create_time()}


def is_alive(pid: int | None, create_time: float | None, folder: Path) -> bool:
    """Whether the process that had this pid and create_time still runs for the job in `folder`."""
    if pid is None or create_time is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
        if abs(process.create_time() - create_time) <= CREATE_TIME_TOLERANCE_SECONDS:
            return True
    except _GONE:
        return False
    # A clock that was set far shifts every create_time; the tag still tells whose process this is.
    return _is_tagged(process, tag_value(folder))


def tagged(folder: Path, but: int | None = None) -> list[psutil.Process]:
    """All living processes of the job, except the one with pid `but`."""
    return list(_tagged(tag_value(folder), but))


def kill_tagged(folder: Path, but: int | None = None, patience_seconds: float = 5.0) -> int:
    """Kill every process of the job except the one with pid `but`; returns how many were found.

    Looks again until none is left, because a process may start another between the look and the kill.
    """
    killed = 0
    deadline = time.monotonic() + patience_seconds
    while found := tagged(folder, but):
        for process in found:
            try:
                process.kill()
                killed += 1
            except _GONE:
                continue
        psutil.wait_procs(found, timeout=0.5)
        if time.monotonic() > deadline:
            print(f"Still there after {patience_seconds:.0f} s: {[process.pid for process in found]}", file=sys.stderr)
            break
    return killed


def die_with_parent(signal_number: int) -> None:
    """Ask Linux to send this process `signal_number` when its parent dies; elsewhere do nothing."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal_number, 0, 0, 0)


def _tagged(value: str, but: int | None) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        if process.pid != but and _is_tagged(process, value):
            yield process


def _is_tagged(process: psutil.Process, value: str) -> bool:
    try:
        return process.environ().get(TAG) == value and process.status() != psutil.STATUS_ZOMBIE
    except _GONE:
        return False
