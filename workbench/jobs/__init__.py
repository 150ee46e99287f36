"""Background work of any kind: start, queue, watch, stop, resume, remove. One mechanism for all of it.

    app or command line ── start ──> babysitter ──> worker ──> (torchrun children, loader workers)

The babysitter is detached, so the run goes on when the app is closed or killed; it alone writes exit.json, and it
sweeps up whatever is left. The worker looks up the one function that does the work (`works`), and waits its turn
for a device (`queue`, `devices`) in the order of the line (`line`), as long as the user's rules hold it (`rules`).
Nothing of the work is imported here.
"""

from __future__ import annotations

from workbench.jobs.cloning import clone
from workbench.jobs.control import clean, disk_use, free_name, remove, resume, start, stop
from workbench.jobs.line import InLine, Where, move, the_line
from workbench.jobs.notes import read_notes, write_notes
from workbench.jobs.observe import find, list_jobs, list_runs, wait, watch
from workbench.jobs.rules import HELD, Hold, Rules, go_on, hold_now, pause, read_rules, work_always, work_between

__all__ = [
    "HELD", "Hold", "InLine", "Rules", "Where", "clean", "clone", "disk_use", "find", "free_name", "go_on", "hold_now",
    "list_jobs", "list_runs", "move", "pause", "read_notes", "read_rules", "remove", "resume", "start", "stop",
    "the_line", "wait", "watch", "work_always", "work_between", "write_notes",
]  # fmt: skip
