"""Will it fit, and how long will it take: measured by a dry run on the real device, or estimated at once.

    {"peak_bytes", "seconds_per_step", "mini_batch_size", "run_seconds", "measured"}, with "peak_range" [low, high]
    and "words" of an estimate, and "device", "device_bytes" of a measurement

A dry run takes steps on the longest examples at two mini-batch sizes; a line through their peaks tells the largest
that fits into nine tenths of the device's memory, and that one is tried. It runs in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings, check_settings
from workbench.settings.taken import IN_PIECES
from workbench.training.measurements import Measurement, keep, known
from workbench.training.out_of_memory import WORDS, reads
from workbench.workspace import Workspace, read_json, write_json

POLL_SECONDS = 0.2
TERM_PATIENCE_SECONDS = 3.0
RESTARTS = 6
# The mini-batches to begin with: small enough for most devices, far enough apart for a line; and of a small model.
FIRST_SIZES, FIRST_SIZES_OF_SMALL = (2, 8), (8, 32)
# Objectives that learn from what is judged wrong by itself as well, not only beside what is right.
ALL_JUDGED = ("similarity", "binary")


def fit(workspace: Workspace, spec: dict[str, Any], *, measured: bool = True) -> dict[str, Any]:
    """What is known of a run at once: its measurement if there is one (and `measured` is wanted), else an estimate.

    spec: as `train_spec` makes it. Loads no model and starts nothing.
    """
    found = known(workspace, spec) if measured else None
    if found is not None:
        return as_answer(workspace, spec, found)
    from workbench.training.estimate import estimate

    return estimate(workspace, spec)


def as_answer(workspace: Workspace, spec: dict[str, Any], found: Measurement) -> dict[str, Any]:
    """The object of `fit` from a measurement."""
    settings = check_settings(spec["settings"])
    step = found.seconds_per_batch * settings.gradient_accumulation
    steps = expected_steps(open_collection(workspace, spec["collection"], spec["collection_fingerprint"]), spec)
    scoring = 2 * found.scoring_seconds + settings.evaluations * found.quick_seconds
    return {
        "peak_bytes": found.peak_bytes,
        "seconds_per_step": round(step, 4),
        "mini_batch_size": found.mini_batch_size,
        "run_seconds": round(steps * step + scoring, 1),
        "measured": True,
        "steps": steps,
        "device": found.device,
        "device_bytes": found.device_bytes,
    }


def run_fit(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a `fit` job: the dry run of a run's spec. Raises Stopped, or WorkbenchError in words."""
    spec = job.spec["run"]
    folder = job.path / "dry-run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        found = _measure(workspace, job, spec, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    keep(workspace, spec, found)
    return as_answer(workspace, spec, found)


def _measure(workspace: Workspace, job: JobFolder, spec: dict[str, Any], folder: Path) -> Measurement:
    """Start the dry run, again with less where the system ended it for lack of memory."""
    ask: dict[str, Any] = {"workspace": str(workspace.root), "spec": spec, "at_most": None, "points": []}
    for _ in range(RESTARTS):
        write_json(folder / "ask.json", ask)
        code = _dry_run(job, folder)
        told = read_json(folder / "told.json") or {}
        if "error" in told:
            raise WorkbenchError(told["error"], told.get("problems") or [])
        if code == 0 and told.get("measured_at"):
            return Measurement(**{name: told[name] for name in Measurement.__dataclass_fields__})
        if code != -9 and not any(words in _last_words(folder) for words in WORDS):
            break
        tried = int(told.get("trying") or 0)
        if tried <= smallest_size(spec):
            raise WorkbenchError("Not even one pair at once fits into this computer's memory. Choose a smaller model.")
        for part in ("longest", "ordinary"):
            shutil.rmtree(folder / part, ignore_errors=True)
        ask |= {"at_most": tried // 2, "points": [point for point in told.get("points") or [] if point[0] < tried]}
    print((folder / "log.txt").read_text(encoding="utf-8", errors="replace"), flush=True)
    raise WorkbenchError(f"The dry run ended before it was done: {_last_words(folder) or 'it said nothing'}")


def _dry_run(job: JobFolder, folder: Path) -> int:
    """Run the dry run's process to its end; its return code. Raises Stopped when the job is asked to stop."""
    (folder / "told.json").unlink(missing_ok=True)
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.training.dry_run", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            while process.poll() is None:
                trying = (read_json(folder / "told.json") or {}).get("trying")
                job.progress(0, 0, f"Trying a mini-batch of {trying}" if trying else "Loading the model")
                time.sleep(POLL_SECONDS)
        finally:
            _end(process)
    return int(process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(TERM_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(folder: Path) -> str:
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def first_sizes(at_most: int, least: int = 1, small_model: bool = False) -> tuple[int, int]:
    """The two mini-batches to begin with, both between `least` and `at_most`."""
    small, large = FIRST_SIZES_OF_SMALL if small_model else FIRST_SIZES
    large = max(least, min(large, at_most))
    return max(least, min(small, large // 2)), large


def smallest_size(spec: dict[str, Any]) -> int:
    """The fewest pairs that can be held at once: one, or two for an objective that compares the pairs of its batch."""
    return 2 if reads(spec["kind"], spec.get("objective")) == "whole" else 1


def largest_that_fits(points: list[list[int]], budget: int, at_most: int) -> int:
    """The largest mini-batch, up to `at_most`, whose peak is within `budget` bytes.

    points: (mini-batch, peak bytes) as measured; the first and the last give the line peak = base + slope · pairs.
    """
    (small, low), (large, high) = points[0], points[-1]
    if large == small:
        return min(at_most, large)
    slope = (high - low) / (large - small)
    if slope <= 0:  # lost in the noise: memory is no concern at these sizes
        return at_most
    base = low - slope * small
    return max(1, min(at_most, int((budget - base) // slope)))


def expected_steps(collection: Collection, spec: dict[str, Any]) -> int:
    """About how many optimizer steps the run will take, without making its lessons."""
    settings: TrainSettings = check_settings(spec["settings"])
    counts, objective, batch = collection.card.counts, spec.get("objective"), settings.batch_size
    wrong = 0 if objective in ALL_JUDGED else int(counts.get("wrong", 0))
    rows = max(1, int(counts.get("train", 0)) - wrong) * settings.epochs
    if spec["kind"] == "reranker":
        shown = 1 + settings.negatives_per_query
        if objective in IN_PIECES["reranker"]:
            rows *= shown
        else:  # a row is a right document with its wrong ones
            batch = max(2, batch // shown)
    steps = max(1, round(rows / batch / settings.gradient_accumulation))
    return min(steps, settings.max_steps) if settings.max_steps else steps
