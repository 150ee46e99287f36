"""``python -m workbench.jobs.babysitter FOLDER --workspace ROOT``: owns one job from its start to its last process.

Detached from the app, it starts the worker, ends it when a stop takes too long, kills what is left of the tree, and
is the only writer of exit.json. When the queue is paused at once it has the worker leave, and starts another one, which
waits for its turn. It computes nothing and imports nothing heavy.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from filelock import Timeout

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, Status
from workbench.jobs import failures, processes
from workbench.jobs.control import GRACE_SECONDS
from workbench.jobs.line import put_back
from workbench.jobs.observe import owner_lock
from workbench.jobs.rules import hold_now
from workbench.jobs.works import WORKS_THAT_GO_ON, uses_device
from workbench.workspace import Workspace, read_json, write_json

POLL_SECONDS = 0.2
RULES_SECONDS = 1.0
TERM_PATIENCE_SECONDS = 5.0
LEAVING_PATIENCE_SECONDS = 20.0
SHUTDOWN_GRACE_SECONDS = 5.0
LOCK_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Ending:
    """How the worker ended: its return code (negative: the signal), and whether it was ended for not stopping."""

    returncode: int
    ended_after_seconds: float | None = None


def main(arguments: list[str] | None = None) -> int:
    """Look after one job until nothing of it runs any more."""
    parser = argparse.ArgumentParser(prog="workbench.jobs.babysitter")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--works", default=None)
    chosen = parser.parse_args(arguments)
    job = JobFolder(chosen.folder)
    try:
        with owner_lock(job, LOCK_PATIENCE_SECONDS):
            look_after(Workspace(chosen.workspace), job, worker_command(job, chosen.workspace, chosen.works))
    except Timeout:
        print(f"Another process looks after {job.path} already.", flush=True)
    return 0


def worker_command(job: JobFolder, workspace: Path, works_module: str | None) -> list[str]:
    """The command that starts the worker of a job."""
    command = [sys.executable, "-P", "-m", "workbench.jobs.worker", str(job.path), "--workspace", str(workspace)]
    return command if works_module is None else [*command, "--works", works_module]


def look_after(workspace: Workspace, job: JobFolder, command: list[str]) -> None:
    """Run the worker, sweep up after it, and write exit.json and, where the worker could not, the last state."""
    _stop_when_asked_to_leave(job)
    while True:
        began, kills_before = time.time(), failures.count_out_of_memory_kills()
        worker = start_worker(job, command)
        if worker is None:
            return
        ending = wait_for_end(job, worker, Pauses(workspace, job))
        processes.kill_tagged(job.path, but=os.getpid())
        if not set_aside(workspace, job, ending):
            break
    out_of_memory = _out_of_memory(job, ending, began, kills_before)
    failures.write_last_words(job, lambda: write_exit(job, ending, out_of_memory))
    failures.write_last_words(job, lambda: write_last_state(job, ending, out_of_memory))
    failures.give_room(job)


def start_worker(job: JobFolder, command: list[str]) -> subprocess.Popen[bytes] | None:
    """Start the worker; where that is not possible write down why, and return None."""
    try:
        (job.path / "PAUSE").unlink(missing_ok=True)
        failures.hold_room(job)
        # The worker inherits the log as its output, and the tag with the environment.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        words = failures.explain(error, job).reason
        failures.write_last_words(job, lambda: job.write_status(state="failed", reason=words))
        return None


class Pauses:
    """Has a job leave while the queue is paused at once, if it is at work on a device and goes on where it left off."""

    def __init__(self, workspace: Workspace, job: JobFolder) -> None:
        self.workspace = workspace
        self.job = job
        self.concerned = goes_on(job)
        self.looked_at = 0.0

    def look(self, status: Status) -> None:
        """Ask it to leave if it is time. The rules are read once a second."""
        now = time.monotonic()
        if not self.concerned or status.state not in ("starting", "running") or now < self.looked_at + RULES_SECONDS:
            return
        self.looked_at = now
        hold = hold_now(self.workspace)
        if hold is not None and hold.at_once and not self.job.stop_requested():
            with suppress(OSError):  # a full disk: it is asked again in a second
                (self.job.path / "PAUSE").touch()


def goes_on(job: JobFolder) -> bool:
    """Whether a job holds a device, and keeps what it has done when it is stopped."""
    try:
        return job.work in WORKS_THAT_GO_ON and uses_device(job.work, job.spec)
    except WorkbenchError:
        return False


def set_aside(workspace: Workspace, job: JobFolder, ending: Ending) -> bool:
    """Whether the worker left only because the queue is paused. Then the job is put in front of the line."""
    left = ending.returncode == processes.SET_ASIDE or ending.ended_after_seconds is not None
    if not left or not job.only_paused() or job.status().ended:
        return False
    put_back(workspace, job)
    failures.write_last_words(job, job.write_waiting)
    return True


def wait_for_end(job: JobFolder, worker: subprocess.Popen[bytes], pauses: Pauses) -> Ending:
    """Wait for the worker to leave; end it if it does not within the grace period after a stop was asked for."""
    asked_at: float | None = None
    left_at: float | None = None
    while worker.poll() is None:
        now, status = time.monotonic(), job.status()
        pauses.look(status)
        if job.stop_requested():
            asked_at = asked_at or now
            if now - asked_at >= grace_seconds(job):
                _end(worker)
                return Ending(worker.returncode, now - asked_at)
        if status.ended:  # it has said its last words; a library may still hang in its own clearing up
            left_at = left_at or now
            if now - left_at >= LEAVING_PATIENCE_SECONDS:
                _end(worker)
                return Ending(worker.returncode)
        time.sleep(POLL_SECONDS)
    return Ending(worker.returncode)


def grace_seconds(job: JobFolder) -> float:
    """How long a stop may take, from the STOP file; the usual grace where the file is empty or damaged."""
    try:
        return float(read_json(job.path / "STOP")["grace_seconds"])
    except (OSError, ValueError, TypeError, KeyError):
        return GRACE_SECONDS


def write_exit(job: JobFolder, ending: Ending, out_of_memory: bool) -> None:
    """Write exit.json: the return code, the signal or null, the out-of-memory verdict, and when."""
    code = ending.returncode
    write_json(
        job.path / "exit.json",
        {
            "returncode": code,
            "signal": -code if code < 0 else None,
            "out_of_memory": out_of_memory,
            "time": time.time(),
        },
    )


def write_last_state(job: JobFolder, ending: Ending, out_of_memory: bool) -> None:
    """Write how the job ended, unless the worker has said so itself."""
    if job.status().ended:
        return
    if ending.ended_after_seconds is not None:
        state, reason = (
            "stopped",
            (
                f"It did not stop by itself within {ending.ended_after_seconds:.0f} s, so it was ended. "
                "Resume goes on from what was last saved."
            ),
        )
    elif ending.returncode == processes.SET_ASIDE:  # a stop was asked for while it left for a pause
        state, reason = "stopped", ""
    else:
        state, reason = failures.explain_exit(job, ending.returncode, out_of_memory)
    job.write_status(state=state, reason=reason, eta_seconds=None, note="")


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Ask the worker alone to leave, so that it can clear up, then kill it. The sweep takes its children after it."""
    worker.terminate()
    try:
        worker.wait(TERM_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _out_of_memory(job: JobFolder, ending: Ending, began: float, kills_before: int | None) -> bool:
    """Whether memory ran out: the worker said so, or it was killed while the system was ending processes for it."""
    failed = job.last_event("failed")
    if ending.returncode > 0:
        return failed is not None and failed["time"] >= began and bool(failed.get("out_of_memory"))
    kills = failures.count_out_of_memory_kills()
    return ending.returncode == -9 and kills_before is not None and kills is not None and kills > kills_before


def _stop_when_asked_to_leave(job: JobFolder) -> None:
    """On SIGTERM (the computer shuts down) ask the job for a quick stop instead of leaving it alone."""

    def ask(number: int, frame: FrameType | None) -> None:
        try:
            write_json(job.path / "STOP", {"grace_seconds": SHUTDOWN_GRACE_SECONDS, "time": time.time()})
        except OSError as error:
            print(f"The job could not be asked to stop: {error}", flush=True)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WorkbenchError as error:
        print(error, flush=True)
        sys.exit(1)
