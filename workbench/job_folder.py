"""The job folder: the contract between the page and the background process.

    job.json       the whole spec, written once before the start
    status.json    the current state, pid and its create_time, step, total, eta; replaced atomically
    events.jsonl   appended by the worker (rank 0) only: one JSON object a line, with `time` and `step`
    log.txt        everything the worker printed
    exit.json      written only by the babysitter: return code, signal, out-of-memory verdict
    result.json    what the work returned, when it finished
    summary.json   of a run: its scores before and after
    recipe.json    of a run, with rows.npz: what it fed its trainer, so that a plain script can do the same
    notes.json     of a run: what its user noted, and tags
    STOP           its presence asks for a graceful stop
    PAUSE          the same, but the job goes on by itself when the queue does

Work functions get a `JobFolder` and talk to the page through it alone, so they need nothing of ``jobs/``.
"""

from __future__ import annotations

import errno
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Stopped, WorkbenchError
from workbench.workspace import new_folder, read_json, write_json

STATES = ("queued", "starting", "running", "stopping", "stopped", "finished", "failed", "crashed")
ENDED = ("stopped", "finished", "failed", "crashed")
STATUS_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True)
class Status:
    """What a job is doing. `reason` is one sentence for the user when it ended badly; `note` says what it does now.

    device: the one it computes on, once it has its turn.
    """

    state: str = "queued"
    pid: int | None = None
    create_time: float | None = None
    step: int = 0
    total: int = 0
    eta_seconds: float | None = None
    note: str = ""
    reason: str = ""
    device: str = ""
    updated: float = 0.0

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class JobFolder:
    """One job on disk: its spec, its state, its events. Reading never blocks, writing is atomic."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_status_write = 0.0
        self._progress_started: tuple[float, int] | None = None
        self._written: Status | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def job(self) -> dict[str, Any]:
        """The content of job.json: `work`, `name`, `created` (seconds since 1970), `spec`, `versions`.

        Raises WorkbenchError if there is none, or if it is damaged.
        """
        job = _readable(self.path / "job.json")
        if job is None or not {"work", "created", "spec"} <= job.keys():
            raise WorkbenchError(
                f"There is no job in {self.path}: its job.json is missing or damaged. Remove the folder."
            )
        return job

    @property
    def spec(self) -> dict[str, Any]:
        return dict(self.job["spec"])

    @property
    def work(self) -> str:
        return str(self.job["work"])

    def status(self) -> Status:
        """The state as last written. `jobs.watch` also looks whether the process is still alive.

        A status.json that a power cut left half written counts as none: queued, with nobody at work.
        """
        value = _readable(self.path / "status.json") or {}
        return Status(**{key: value[key] for key in Status.__dataclass_fields__ if key in value})

    def result(self) -> dict[str, Any] | None:
        """What the work returned, or None while it has not finished."""
        return _readable(self.path / "result.json")

    def summary(self) -> dict[str, Any]:
        """A run's scores before and after; empty while there are none."""
        return _readable(self.path / "summary.json") or {}

    def write_status(self, **changes: Any) -> Status:
        """Replace the given fields of the status and write it."""
        before = self.status()
        if not before.updated and self._written is not None:  # unreadable: go on from what this process knows
            before = self._written
        status = Status(**{**asdict(before), **changes, "updated": time.time()})
        write_json(self.path / "status.json", asdict(status))
        self._written = status
        return status

    def write_waiting(self, note: str = "") -> Status:
        """Nobody works on it yet, or any more: it waits for its turn. What it had to say before is forgotten."""
        return self.write_status(
            state="queued", pid=None, create_time=None, eta_seconds=None, note=note, reason="", device=""
        )

    def emit(self, kind: str, step: int = 0, **fields: Any) -> None:
        """Append one event. `kind` is one of: started, progress, metrics, evaluation, checkpoint, advice, finished,
        stopped, failed. Values must be JSON; NaN and infinity become null."""
        event = {"event": kind, "time": round(time.time(), 3), "step": step, **fields}
        line = json.dumps(finite(event), ensure_ascii=False, allow_nan=False)
        with open(self.path / "events.jsonl", "ab") as file:
            # A line cut off by a kill must not swallow the one written after the resume.
            if file.tell() and not _ends_with_newline(self.path / "events.jsonl"):
                file.write(b"\n")
            file.write(line.encode() + b"\n")

    def events(self, kind: str | None = None) -> Iterator[dict[str, Any]]:
        """The events written so far; a half-written line is skipped."""
        try:
            lines = (self.path / "events.jsonl").read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and (kind is None or event.get("event") == kind):
                yield event

    def say(self, sentence: str) -> None:
        """Add a line to the log that people read, with the time of day; the worker's output is log.txt."""
        print(time.strftime("%H:%M:%S"), sentence, flush=True)

    def last_event(self, kind: str) -> dict[str, Any] | None:
        """The newest event of a kind, or None."""
        return next(iter(deque(self.events(kind), maxlen=1)), None)

    def log_bytes(self) -> int:
        """How long log.txt is."""
        try:
            return (self.path / "log.txt").stat().st_size
        except FileNotFoundError:
            return 0

    def etag(self) -> str:
        """Changes whenever the status, the events, the log or a stop request change: `size:mtime` of each file."""
        parts = []
        for name in ("status.json", "events.jsonl", "exit.json", "log.txt", "STOP", "PAUSE"):
            try:
                stat = (self.path / name).stat()
                parts.append(f"{stat.st_size}:{stat.st_mtime_ns}")
            except FileNotFoundError:
                parts.append("-")
        return "|".join(parts)

    def progress(self, step: int, total: int, note: str = "") -> None:
        """Say how far the work is; at most two writes a second reach the disk. Raises Stopped if asked to stop."""
        now = time.time()
        if self._progress_started is None or step < self._progress_started[1] or note != self._note:
            self._progress_started, self._note = (now, step), note
        started, first = self._progress_started
        if now - self._last_status_write >= STATUS_INTERVAL_SECONDS or step >= total:
            self._last_status_write = now
            done = step - first
            eta = (now - started) / done * (total - step) if done > 0 and total >= step else None
            self.write_status(step=step, total=total, note=note, eta_seconds=eta)
        self.check_stop()

    _note = ""

    def stop_requested(self) -> bool:
        """Whether the job should save what it can and leave, for good or for as long as the queue is paused."""
        return (self.path / "STOP").exists() or (self.path / "PAUSE").exists()

    def only_paused(self) -> bool:
        """Whether it should leave because the queue is paused, and nobody has asked for a stop."""
        return (self.path / "PAUSE").exists() and not (self.path / "STOP").exists()

    def check_stop(self) -> None:
        """Raise Stopped if the job should leave: call it where the work can be resumed from."""
        if self.stop_requested():
            raise Stopped


def create_job_folder(path: Path, work: str, spec: dict[str, Any], versions: dict[str, str]) -> JobFolder:
    """Make a new job folder with its job.json and a queued status. Raises WorkbenchError if the name is taken."""
    taken = f"There is already a run or job named “{path.name}”. Choose another name, or remove it first."
    if path.exists():
        raise WorkbenchError(taken)
    try:
        with new_folder(path) as folder:  # so that nobody sees a job without its job.json
            write_json(
                folder / "job.json",
                {"work": work, "name": path.name, "created": time.time(), "spec": spec, "versions": versions},
            )
            JobFolder(folder).write_status(state="queued")
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # somebody took the name in the same moment
            raise WorkbenchError(taken) from None
        raise
    return JobFolder(path)


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _readable(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is none or only half of one."""
    try:
        value = read_json(path)
    except (ValueError, OSError):
        return None
    return value if isinstance(value, dict) else None


def finite(value: Any) -> Any:
    """The same value with null for NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
