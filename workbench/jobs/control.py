"""Starting, stopping, resuming and removing jobs, from whichever process the user has in hand."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import Timeout

from workbench import __version__
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import processes
from workbench.jobs.observe import find, is_complete, lives, owner_lock, watch
from workbench.jobs.works import check_work
from workbench.workspace import Workspace, check_name, disk_full_in_words, propose_name, write_json

GRACE_SECONDS = 120.0
OWNER_PATIENCE_SECONDS = 15.0
LIBRARIES = ("torch", "sentence-transformers", "transformers", "datasets", "accelerate", "peft", "numpy", "lancedb")


def start(
    workspace: Workspace,
    work: str,
    name: str,
    spec: dict[str, Any],
    *,
    works_module: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> JobFolder:
    """Start `work` in the background under `name`, and return its folder at once.

    work: `train` goes to runs/NAME, every other work to jobs/NAME.
    spec: what the work reads from job.json; JSON values only. environment: what its process alone is told beside it, a
    key for instance; it is written nowhere, so a job that is resumed has it no more.
    Raises WorkbenchError if the name is taken or not allowed, if the work is unknown, or if nothing can be started.
    """
    check_work(work, works_module)
    folder, other = workspace.run(name), workspace.job(name)
    if work != "train":
        folder, other = other, folder
    if other.exists():
        raise WorkbenchError(f"There is already a run or job named “{name}”. Choose another name, or remove it first.")
    job = create_job_folder(folder, work, spec, versions())
    _spawn_babysitter(workspace, job, works_module, environment)
    return job


def free_name(workspace: Workspace, text: str) -> str:
    """A name made from `text` that no run or job has yet: `import-emoji`, then `import-emoji-2`."""
    taken = {entry.name for folder in (workspace.runs, workspace.jobs) for entry in folder.iterdir()}
    return propose_name(text, taken)


def stop(job: JobFolder, grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask a job to stop: it saves what it can and leaves; after `grace_seconds` its processes are ended.

    Returns at once, and does nothing if the job has ended. Asking again with fewer seconds shortens the wait.
    """
    if watch(job).ended:
        return
    try:
        write_json(job.path / "STOP", {"grace_seconds": max(0.0, grace_seconds), "time": time.time()})
    except OSError:  # a full disk: an empty file asks as well, with the usual grace
        (job.path / "STOP").touch()


def resume(workspace: Workspace, name: str, *, works_module: str | None = None) -> JobFolder:
    """Start an ended run or job again in its folder; a run goes on from its last complete checkpoint.

    Raises WorkbenchError if there is none of that name, if it still runs, or if it has finished.
    """
    job = find(workspace, name)
    check_work(job.work, works_module)
    with _owned(job, f"“{name}” is still running, so it cannot be resumed."), disk_full_in_words(job.path):
        if job.status().state == "finished":
            raise WorkbenchError(f"“{name}” has finished: there is nothing to resume.")
        processes.kill_tagged(job.path, but=os.getpid())
        for leftover in ("STOP", "PAUSE", "exit.json", "result.json"):
            (job.path / leftover).unlink(missing_ok=True)
        job.write_waiting()
    _spawn_babysitter(workspace, job, works_module)
    return job


def remove(workspace: Workspace, name: str) -> None:
    """Delete the folder of a run or job with everything in it: its log, checkpoints and model.

    Raises WorkbenchError if it still runs, or if there is none of that name.
    """
    check_name(name, "run")
    folder = next((path for path in (workspace.run(name), workspace.job(name)) if path.is_dir()), None)
    if folder is None:
        raise WorkbenchError(f"There is no run or job named “{name}”.")
    job = JobFolder(folder)
    with _owned(job, f"“{name}” is still running. Stop it first, then remove it."):
        (folder / "job.json").unlink(missing_ok=True)  # from here on nobody can find or resume it
    trash = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}.removed."))
    os.replace(folder, trash / name)  # frees the name at once, however long the deleting takes
    shutil.rmtree(trash, ignore_errors=True)


def disk_use(job: JobFolder) -> dict[str, int]:
    """The bytes that a run or job takes: {"model", "checkpoints", "other", "total"}."""
    used = {"model": 0, "checkpoints": 0, "other": 0}
    for folder, _, files in os.walk(job.path):
        first = Path(folder).relative_to(job.path).parts[:1]
        part = first[0] if first and first[0] in used else "other"
        for file in files:
            try:
                used[part] += os.lstat(os.path.join(folder, file)).st_size
            except FileNotFoundError:  # a run at work: a checkpoint was just replaced
                continue
    return used | {"total": sum(used.values())}


def clean(workspace: Workspace, name: str) -> int:
    """Delete the checkpoints of an ended run; returns the bytes freed. Its model, scores and log stay.

    A run that has not finished then has nothing to go on from: resuming it begins anew.
    Raises WorkbenchError if it still runs, or if there is none of that name.
    """
    job = find(workspace, name)
    with _owned(job, f"“{name}” is still running, and needs its checkpoints."):
        freed = disk_use(job)["checkpoints"]
        shutil.rmtree(job.path / "checkpoints", ignore_errors=True)
    return freed


@contextmanager
def _owned(job: JobFolder, running: str) -> Iterator[None]:
    """Own the folder of an ended job inside the block; raises WorkbenchError(`running`) if the job has not ended."""
    deadline = time.monotonic() + OWNER_PATIENCE_SECONDS  # a job that has ended needs a moment to clear up
    lock = owner_lock(job)
    while True:
        if is_complete(job) and not watch(job).ended:
            raise WorkbenchError(running)
        try:
            lock.acquire()
            break
        except Timeout:
            if time.monotonic() > deadline:
                raise WorkbenchError(running) from None
        time.sleep(0.1)
    try:
        status = job.status()
        if is_complete(job) and not status.ended and lives(job, status):
            raise WorkbenchError(running)
        yield
    finally:
        lock.release()


def versions() -> dict[str, str]:
    """The versions of what a result depends on, read without importing any of it."""
    found = {"workbench": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _spawn_babysitter(
    workspace: Workspace, job: JobFolder, works_module: str | None, environment: Mapping[str, str] | None = None
) -> None:
    """Start the detached process that starts, watches and sweeps up the worker."""
    # -P keeps a folder named workbench/ or torch.py in the current directory from being taken for the real one.
    command = [sys.executable, "-P", "-m", "workbench.jobs.babysitter", str(job.path)]
    command += ["--workspace", str(workspace.root)]
    if works_module is not None:
        command += ["--works", works_module]
    try:
        # Output goes to a file: a pipe that nobody drains would freeze the run.
        with open(job.path / "log.txt", "ab") as log:
            babysitter = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**processes.tagged_environment(job.path), **(environment or {})},
                start_new_session=True,
            )
    except OSError as error:
        reason = f"The background process could not be started: {error}. Close other programs, then resume it."
        job.write_status(state="failed", reason=reason)
        raise WorkbenchError(reason) from error
    threading.Thread(target=babysitter.wait, name=f"reap {job.name}", daemon=True).start()
