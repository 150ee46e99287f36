"""``python -m workbench.jobs.worker FOLDER``: does the work of one job, and says in its folder how it went.

Started by the babysitter, and dies with it: a run that nobody looks after could never be stopped.
Return codes: 0 finished or stopped, 1 failed, processes.SET_ASIDE waits for the queue to go on.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from workbench.errors import Stopped
from workbench.job_folder import JobFolder, finite
from workbench.jobs import failures, processes
from workbench.jobs.queue import device_turn
from workbench.jobs.works import load_work, uses_device
from workbench.workspace import Workspace, is_disk_full, open_workspace, write_json

PARENT_POLL_SECONDS = 0.5
PROBLEMS_SHOWN = 20


class Terminated(BaseException):
    """SIGTERM: leave now, but clear up on the way."""


def main(arguments: list[str] | None = None) -> int:
    """Do the work of the job in FOLDER; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="workbench.jobs.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--works", default=None)
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.absolute()
    job = JobFolder(folder)
    orphaned = die_with_babysitter(job)
    return do_work(open_workspace(chosen.workspace or folder.parent.parent), job, chosen.works, orphaned)


def do_work(workspace: Workspace, job: JobFolder, works_module: str | None, orphaned: threading.Event) -> int:
    """Wait for the device, look up the work, do it, and write its result and last state; returns the exit code.

    Once `orphaned` is set this process is about to be killed, and an error says only that its children were first.
    """
    try:
        described = job.job
        job.write_status(state="queued", note="", reason="", device="", **processes.identity())
        turn = device_turn(workspace, job) if uses_device(described["work"], job.spec) else nullcontext()
        with turn as device:
            job.check_stop()
            job.write_status(state="starting", note="", device=device.name if device else "")
            if device is not None and device.visible is not None:
                job.say(f"its device: {device.name}")
            work = load_work(described["work"], works_module)
            job.check_stop()
            # A run says `started` itself, once it knows its steps; this marks when its clock began.
            # The log is appended to: what stands before `log_bytes` is of earlier parts.
            begins = "progress" if described["work"] == "train" else "started"
            job.emit(begins, work=described["work"], log_bytes=job.log_bytes())
            job.write_status(state="running")
            result = work(workspace, job)
            write_json(job.path / "result.json", finite(result))
            _end(job, "finished", "")
        return 0
    except (Stopped, Terminated) as error:
        if job.only_paused():
            return _set_aside(job)
        _end(job, "stopped", "" if isinstance(error, Stopped) else _terminated_words(job))
        return 0
    except BaseException as error:  # also a library's sys.exit(): whatever ends the work is told in words
        _leave_alone_from_here()
        if orphaned.is_set():
            return 1
        if is_disk_full(error):
            failures.give_room(job)
        with suppress(OSError):  # the log lies on the same full disk; the last words matter more
            traceback.print_exc()
        _fail(job, failures.explain(error, job))
        return 1


def die_with_babysitter(job: JobFolder) -> threading.Event:
    """Take this process and all of the job's others down when the babysitter dies, and leave in order on SIGTERM.

    Returns the event that is set when the babysitter has died.
    """
    worker, parent, orphaned = os.getpid(), psutil.Process(os.getppid()), threading.Event()

    def on_terminate(number: int, frame: FrameType | None) -> None:
        if os.getpid() != worker:  # a child that was forked with this handler
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        elif not _is_parent(parent):
            orphaned.set()
            _die(job)
        else:
            raise Terminated

    def look() -> None:
        while _is_parent(parent):
            time.sleep(PARENT_POLL_SECONDS)
        orphaned.set()
        _die(job)

    signal.signal(signal.SIGTERM, on_terminate)
    # The signal comes at once where Linux sends it; the thread also when the main thread is deep in a long call.
    processes.die_with_parent(signal.SIGTERM)
    threading.Thread(target=look, name="babysitter", daemon=True).start()
    return orphaned


def _is_parent(parent: psutil.Process) -> bool:
    return os.getppid() == parent.pid and parent.is_running()


def _die(job: JobFolder) -> None:
    """End every process of the job, this one last; `jobs.watch` finds out and says crashed."""
    print("The process that looked after this job is gone, so the job ends too.", flush=True)
    processes.kill_tagged(job.path, but=os.getpid())
    os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def _fail(job: JobFolder, failure: failures.Failure) -> None:
    advice = failure.advice
    if advice is not None:
        failures.write_last_words(job, lambda: job.emit("advice", **advice))
    # The state carries the first problems, one a line below the sentence; the event carries all of them.
    shown = "\n".join([failure.reason, *failure.problems[:PROBLEMS_SHOWN]])
    _end(job, "failed", shown, problems=failure.problems, out_of_memory=failure.out_of_memory)


def _set_aside(job: JobFolder) -> int:
    """Leave for as long as the queue is paused; the babysitter starts the job anew, to wait in front of the line."""
    _leave_alone_from_here()
    step = job.status().step
    failures.write_last_words(job, lambda: job.emit("stopped", step, reason="", paused=True))
    failures.write_last_words(job, job.write_waiting)
    return processes.SET_ASIDE


def _end(job: JobFolder, state: str, reason: str, **fields: Any) -> None:
    """Write the last event and the last state, in this order, so that whoever sees the state finds the event."""
    _leave_alone_from_here()
    step = job.status().step
    failures.write_last_words(job, lambda: job.emit(state, step, reason=reason, **fields))
    failures.write_last_words(job, lambda: job.write_status(state=state, reason=reason, eta_seconds=None, note=""))


def _leave_alone_from_here() -> None:
    """A SIGTERM must not cut the last words short; the babysitter's kill still would."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _terminated_words(job: JobFolder) -> str:
    if job.stop_requested():
        return f"It did not stop by itself in time, so it was ended. {failures.what_next(job)}"
    return f"Another program or the system ended it. {failures.what_next(job)}"


if __name__ == "__main__":
    sys.exit(main())
