"""Works whose behaviour the tests choose by their spec. Named to `start` by the tests alone, never by a file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace

WORKS = {
    "count": "toy_works:count",
    "deaf": "toy_works:ignore_stop",
    "break": "toy_works:break_down",
    "lean": "toy_works:lean_on_a_child",
    "train": "toy_works:count",
    "import": "toy_works:count",
    "see": "toy_works:see",
}


def count(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Count to spec["to"], a tenth of a second each, going on where an earlier life of the job left off.

    A file `enough` in the workspace ends it early.
    """
    spec = job.spec
    if spec.get("children"):
        spawn_children(spec["children"])
    with open(workspace.root / "order.txt", "a") as file:
        file.write(f"begin {job.name}\n")
    saved = job.path / "counted"
    first = int(saved.read_text()) if saved.exists() else 0
    for number in range(first, spec["to"]):
        saved.write_text(str(number))
        job.progress(number, spec["to"], "counting")
        if (workspace.root / "enough").exists():
            break
        time.sleep(0.1)
    with open(workspace.root / "order.txt", "a") as file:
        file.write(f"end {job.name}\n")
    return {"first": first, "counted": spec["to"], "score": float("nan")}


def see(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Count, and tell which device this process can see, and whether torch had looked for one before."""
    torch = "torch" in sys.modules
    count(workspace, job)
    return {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "torch": torch}


def ignore_stop(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Sleep on, whatever is asked; with spec["stubborn"] even when told to leave."""
    import signal

    if job.spec.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.write_status(step=1, total=2)
    time.sleep(600)
    return {}


def break_down(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Fail in the way that spec["how"] names."""
    how = job.spec["how"]
    if how == "words":
        raise WorkbenchError("The table has one column.", ["Row 1: nothing.", "Row 2: nothing."])
    if how == "surprise":
        return {"oops": {}["missing"]}  # type: ignore[index]
    if how == "cpu memory":
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")
    if how == "all memory":
        held = bytearray(1 << 30)
        held[:: 1 << 12] = b"x" * (1 << 18)
    if how == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights")
    if how == "exit":
        sys.exit(3)
    if how == "segfault":
        os.kill(os.getpid(), 11)
    raise ValueError(how)


def lean_on_a_child(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Fail as soon as its child is gone, as a trainer does without its loader processes."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    job.write_status(step=1, total=2)
    child.wait()
    raise RuntimeError("DataLoader worker is killed by signal: Killed.")


def spawn_children(count: int) -> None:
    """Children in sessions of their own, as torchrun starts them."""
    for _ in range(count):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
