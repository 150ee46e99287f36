"""What to tell the user when a job ends badly: one sentence of what happened and what to do next."""

from __future__ import annotations

import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.training.out_of_memory import ABOUT, chain, is_out_of_memory, reads
from workbench.workspace import is_disk_full

LOADER_KILLED_WORDS = "killed by signal: Killed"
# What a run takes at most when it chooses the mini-batch of a large model by itself.
CHOSEN_MINI_BATCH = 16
ROOM_BYTES = 64 * 1024


@dataclass(frozen=True)
class Failure:
    """Why a job failed. `advice` is an event's fields: the setting to change and the value to try."""

    reason: str
    problems: list[str] = field(default_factory=list)
    out_of_memory: bool = False
    advice: dict[str, Any] | None = None


def explain(error: BaseException, job: JobFolder) -> Failure:
    """Put an error into words for the user. Its traceback belongs into the log."""
    out_of_memory = is_out_of_memory(error)
    words, advice = memory_advice(job) if out_of_memory else ("", None)
    if isinstance(error, WorkbenchError):
        return Failure(error.message, error.problems, out_of_memory, advice)
    if out_of_memory:
        return Failure(f"Memory ran out. {words}", [], True, advice)
    if is_disk_full(error):
        return Failure(
            f"The disk that holds {job.path} is full. Free some space (old runs are the largest), then resume it."
        )
    if any(LOADER_KILLED_WORDS in str(link) for link in chain(error)):
        return Failure(
            "A process that decodes media was killed, most often because memory ran out. Resume it, or start it again "
            "with fewer loader processes."
        )
    line = traceback.format_exception_only(error)[-1].strip().splitlines()[0][:300].rstrip(".")
    return Failure(f"It ended with an error that the workbench has no words for: {line}. The log has the whole report.")


def what_next(job: JobFolder) -> str:
    """The sentence that tells how to go on after a job ended too early."""
    try:
        again = job.work == "import"  # nothing of an unfinished import is kept
    except WorkbenchError:
        again = True
    return "Start it again." if again else "Resume goes on from what was last saved."


def memory_advice(job: JobFolder) -> tuple[str, dict[str, Any] | None]:
    """What to try after memory ran out: a sentence, and the advice event's fields where a setting can be named."""
    current = _mini_batch_size(job)
    if current is not None and reads(job.spec.get("kind", "embedder"), job.spec.get("objective")) == "whole":
        half = max(2, current // 2)
        words = (
            f"Its objective needs a whole batch at once: start it again with a batch of {half} in place of {current}."
        )
        return words, {"about": ABOUT, "setting": "batch_size", "value": half, "was": current}
    if current is None:
        return "Close other programs or choose a smaller model, then start it again.", None
    if current <= 1:
        return "The mini-batch is 1 already: choose a smaller model, or a lower longest text.", None
    words = f"Start it again with a mini-batch of {current // 2} in place of {current}: the result stays the same."
    return words, {"about": ABOUT, "setting": "mini_batch_size", "value": current // 2, "was": current}


def _mini_batch_size(job: JobFolder) -> int | None:
    """The pairs a run holds in memory at once, or None for other works. 0 in the settings lets the run choose."""
    try:
        settings = job.spec["settings"]
        batch = int(settings["batch_size"])
        told = (job.last_event("started") or {}).get("mini_batch_size")
        return min(batch, int(told or settings["mini_batch_size"] or CHOSEN_MINI_BATCH))
    except (WorkbenchError, KeyError, TypeError, ValueError):
        return None


def explain_exit(job: JobFolder, returncode: int, out_of_memory: bool) -> tuple[str, str]:
    """State and reason for a worker that ended without saying why, from its return code and the log's last line."""
    if out_of_memory:
        return "failed", f"The system ended it because memory ran out. {memory_advice(job)[0]}"
    last = last_log_line(job)
    if "No space left on device" in last or shutil.disk_usage(job.path).free < ROOM_BYTES:
        return "failed", f"The disk that holds {job.path} is full. Free some space, then resume it."
    if returncode == -9:
        return "crashed", f"It was killed from outside. {what_next(job)}"
    if returncode < 0:
        return "crashed", f"It crashed inside a library ({_signal_name(-returncode)}). {what_next(job)}"
    return "crashed", f"It ended without a word (code {returncode}). The last line of its log: {last[:300]}"


def last_log_line(job: JobFolder) -> str:
    """The last line in log.txt that is not empty, or ""."""
    try:
        with open(job.path / "log.txt", "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def hold_room(job: JobFolder) -> None:
    """Keep a little of the disk back, so that a job on a full disk can still say so."""
    (job.path / ".room").write_bytes(b"\x5a" * ROOM_BYTES)


def give_room(job: JobFolder) -> None:
    """Give back what `hold_room` kept."""
    (job.path / ".room").unlink(missing_ok=True)


def write_last_words(job: JobFolder, action: Callable[[], object]) -> None:
    """Run `action`, which writes how the job ended; on a full disk give back the held room and try once more."""
    try:
        action()
    except Exception as error:
        if not is_disk_full(error):
            raise
        give_room(job)
        try:
            action()
        except Exception as second:
            if not is_disk_full(second):
                raise
            with suppress(OSError):  # the log may lie on the same disk
                print(f"The disk is full; how this job ended could not be written: {second}", flush=True)


def count_out_of_memory_kills() -> int | None:
    """How many processes the system has ended for lack of memory, here or, where that is not told, in all."""
    for path in (*_own_memory_counters(), Path("/proc/vmstat")):
        try:
            for line in path.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
        except (OSError, ValueError):
            continue
    return None


def _own_memory_counters() -> Iterator[Path]:
    """Where this process's control group counts such kills, in version 2 and in version 1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield Path("/sys/fs/cgroup") / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield Path("/sys/fs/cgroup/memory") / path.lstrip("/") / "memory.oom_control"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
