"""Looking at jobs from outside: what is each doing, and does its process still live."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, Status
from workbench.jobs import processes
from workbench.jobs.failures import what_next
from workbench.workspace import Workspace, check_name

START_PATIENCE_SECONDS = 30.0
EXIT_PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.2


def owner_lock(job: JobFolder, timeout: float = 0.0) -> FileLock:
    """The lock that a job's babysitter holds as long as it lives; whoever changes the folder's state takes it too.

    Entering it raises filelock.Timeout after `timeout` seconds. Raises FileNotFoundError if the folder is gone, which
    the lock would otherwise make again.
    """
    if not job.path.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(job.path))
    return FileLock(job.path / ".owner.lock", timeout=timeout)


def watch(job: JobFolder) -> Status:
    """The job's state now, looking also whether its process lives. Cheap enough for a timer.

    A job whose processes are gone without a word is `crashed`: what they left running is ended, and the state is
    written down. A job that was asked to stop is `stopping` until it has. Look here before `JobFolder.etag`.
    """
    status = job.status()
    if status.ended:
        return status
    if lives(job, status):
        return replace(status, state="stopping") if job.stop_requested() else status
    return _settle(job)


def lives(job: JobFolder, status: Status) -> bool:
    """Whether the process named in `status` runs, or is about to: a job just started has no pid yet."""
    if status.pid is None:
        return time.time() - status.updated < START_PATIENCE_SECONDS
    return processes.is_alive(status.pid, status.create_time, job.path)


def is_complete(job: JobFolder) -> bool:
    """Whether the folder holds a job at all, and not what a broken deletion left."""
    return (job.path / "job.json").exists()


def wait(job: JobFolder, on_progress: Callable[[Status], None] | None = None, timeout: float | None = None) -> Status:
    """Wait until the job has ended and its processes are gone, or `timeout` seconds have passed; its last state.

    `on_progress` is called with every state that differs from the one before.
    """
    began, ended_at, last = time.monotonic(), None, None
    while True:
        status = watch(job)
        if status != last and on_progress is not None:
            on_progress(status)
        last, now = status, time.monotonic()
        if status.ended:
            ended_at = ended_at or now
            if _is_left(job) or now - ended_at > EXIT_PATIENCE_SECONDS:
                return status
        if timeout is not None and now - began > timeout:
            return status
        time.sleep(POLL_SECONDS)


def list_runs(workspace: Workspace) -> list[JobFolder]:
    """All runs, the newest first. A folder without a readable job.json is not one."""
    return _newest_first(workspace.runs)


def list_jobs(workspace: Workspace, *works: str, collection: str = "") -> list[JobFolder]:
    """The jobs of every other work, the newest first; where works or a collection are named, only theirs."""
    return _newest_first(workspace.jobs, works, collection)


def find(workspace: Workspace, name: str) -> JobFolder:
    """The run, or else the job, of this name. Raises WorkbenchError if there is neither."""
    check_name(name, "run")
    for folder in (workspace.run(name), workspace.job(name)):
        if is_complete(job := JobFolder(folder)):
            return job
    known = ", ".join(f"“{job.name}”" for job in list_runs(workspace)[:5])
    raise WorkbenchError(f"There is no run or job named “{name}”." + (f" The newest runs: {known}." if known else ""))


def job_folders(folder: Path) -> Iterator[JobFolder]:
    """The job folders inside `folder`, in no order, without looking into them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir():
                yield JobFolder(Path(entry.path))


def _newest_first(folder: Path, works: Collection[str] = (), collection: str = "") -> list[JobFolder]:
    found = []
    for job in job_folders(folder):
        try:
            told = job.job
            if (works and told["work"] not in works) or (collection and told["spec"].get("collection") != collection):
                continue
            found.append((float(told["created"]), job.name, job))
        except (WorkbenchError, AttributeError, TypeError, ValueError):
            continue
    return [job for _, _, job in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def _settle(job: JobFolder) -> Status:
    """Write down that a job crashed whose processes are gone, unless somebody owns it after all."""
    try:
        with owner_lock(job):
            status = job.status()
            if status.ended or lives(job, status):
                return status
            processes.kill_tagged(job.path, but=os.getpid())
            return job.write_status(state="crashed", reason=_lost(job), eta_seconds=None, note="")
    except Timeout:
        return job.status()
    except OSError:  # a disk that is full or read-only, or a folder removed meanwhile: say it without writing it
        return replace(job.status(), state="crashed", reason=_lost(job), eta_seconds=None, note="")


def _lost(job: JobFolder) -> str:
    if job.status().state == "queued":
        return (
            "It waited in the queue when its background process went: it was killed, or the computer was restarted. "
            "Resume puts it into the queue again."
        )
    return f"Its background process is gone: it was killed, or the computer was restarted. {what_next(job)}"


def _is_left(job: JobFolder) -> bool:
    """Whether nobody owns the job any more."""
    try:
        with owner_lock(job):
            return True
    except Timeout:
        return False
    except OSError:
        return True
