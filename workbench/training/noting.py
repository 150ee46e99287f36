"""How far a scoring, a mining or a teacher has come, said in the note of a run whose steps are its progress."""

from __future__ import annotations

import time

from workbench.job_folder import STATUS_INTERVAL_SECONDS, JobFolder
from workbench.training.recipe import Progress


def noting(job: JobFolder, words: str = "") -> Progress:
    """A progress for long work beside the steps: says what is done and how far it is, and raises Stopped at a STOP.

    words: what is done, if it is not what the work itself says.
    """
    said = 0.0

    def progress(done: int, total: int, note: str) -> None:
        nonlocal said
        job.check_stop()
        if time.monotonic() - said >= STATUS_INTERVAL_SECONDS:
            said = time.monotonic()
            counted = f": {done:,} of {total:,}" if total else ""
            job.write_status(note=f"{words or note}{counted}", eta_seconds=None)

    return progress
