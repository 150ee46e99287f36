"""Background work of any kind: start, queue, watch, stop, resume, remove. One mechanism for all of it.

    app or command line ── start ──> babysitter ──> worker ──> (torchrun children, loader workers)

The babysitter is detached, so the run goes on when the app is closed or killed; it alone writes exit.json, and it
sweeps up whatever is left. The worker looks up the one function that does the work (`works`), and waits its turn
for the device (`queue`). Nothing of the work is imported here.
"""

from __future__ import annotations

from workbench.jobs.cloning import clone
from workbench.jobs.control import clean, disk_use, free_name, remove, resume, start, stop
from workbench.jobs.notes import read_notes, write_notes
from workbench.jobs.observe import find, list_jobs, list_runs, wait, watch

__all__ = [
    "clean", "clone", "disk_use", "find", "free_name", "list_jobs", "list_runs", "read_notes", "remove", "resume",
    "start", "stop", "wait", "watch", "write_notes",
]  # fmt: skip
