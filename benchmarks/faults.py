"""Whether a run that is killed or starved at a random moment ends, after Resume, like an undisturbed one.

    python benchmarks/faults.py [--moments 25] [--seed 0] [--steps 24] [--scenes 200]

The demo is fine-tuned once without disturbance. Then, at each of so many moments drawn at random between the start and
the end of such a run, one of these befalls a run of the same spec: kill -9 of the trainer, of a loader process, of the
babysitter, or of the program that started it; or the disk is full for a while (a small disk in memory, where the system
lets us mount one). Resume is pressed until the run has finished. Prints a line for each moment, and the largest
difference in NDCG@10 from the undisturbed run; wanted: at most 0.01, and no process left behind.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

DISK_MEGABYTES = 600
FAULTS = ("trainer", "loader", "babysitter", "starter", "disk")
START = """
import json, sys, time
from workbench import jobs
from workbench.workspace import open_workspace
jobs.start(open_workspace(sys.argv[1]), "train", sys.argv[2], json.loads(sys.argv[3]))
print("started", flush=True)
time.sleep(600)
"""


@contextmanager
def small_disk() -> Iterator[tuple[Path, bool]]:
    """A folder on a disk of DISK_MEGABYTES that can be filled, or a plain one; and whether it is such a disk."""
    with tempfile.TemporaryDirectory() as folder:
        size = f"size={DISK_MEGABYTES}m"
        try:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True)
        except FileNotFoundError:
            yield Path(folder), False
            return
        try:
            yield Path(folder), mounted.returncode == 0
        finally:
            if mounted.returncode == 0:
                subprocess.run(["umount", "--lazy", folder], check=True)


def start_elsewhere(workspace: Any, name: str, spec: dict[str, Any]) -> subprocess.Popen[str]:
    """Start the run from a program of its own, as the page is one, and return that program."""
    import json

    words = [sys.executable, "-c", START, str(workspace.root), name, json.dumps(spec)]
    program = subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stdout is not None and program.stdout.readline() == "started\n"
    return program


def victims(job: Any, fault: str) -> list[psutil.Process]:
    """The processes of the run that `fault` names. A loader is a child of the trainer with the same command line."""
    from workbench.jobs import processes

    found: dict[str, list[psutil.Process]] = {"trainer": [], "loader": [], "babysitter": []}
    for process in processes.tagged(job.path):
        with suppress(psutil.Error):
            line, parent = " ".join(process.cmdline()), process.parent()
            if "workbench.jobs.babysitter" in line:
                found["babysitter"].append(process)
            elif "workbench.jobs.worker" in line:
                is_loader = parent is not None and "workbench.jobs.worker" in " ".join(parent.cmdline())
                found["loader" if is_loader else "trainer"].append(process)
    return found[fault]


def strike(workspace: Any, job: Any, fault: str, program: subprocess.Popen[str]) -> Callable[[], None]:
    """Let `fault` befall the run, or the next process of that kind. Returns what makes it good before Resume."""
    from workbench import jobs

    if fault == "starter":
        program.kill()
        return lambda: None
    if fault == "disk":
        filler = workspace.root / "filler"
        with suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        return lambda: filler.unlink(missing_ok=True)
    while not (found := victims(job, fault)):  # loaders come and go with the training
        if jobs.watch(job).ended:
            return lambda: None
        time.sleep(0.05)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return lambda: None


def one_moment(workspace: Any, spec: dict[str, Any], name: str, fault: str, seconds: float) -> tuple[float, int, int]:
    """A run that `fault` befalls after so many seconds: its NDCG@10, how often Resume was pressed, what was left."""
    from workbench import jobs
    from workbench.jobs import processes
    from workbench.training.report import run_summary

    program = start_elsewhere(workspace, name, spec)
    job = jobs.find(workspace, name)
    time.sleep(seconds)
    make_good = strike(workspace, job, fault, program)
    resumed = 0
    status = jobs.wait(job, timeout=60 if fault == "disk" else 600)
    make_good()
    while (status := jobs.wait(job, timeout=600)).state != "finished":
        resumed += 1
        if resumed > 3:
            raise SystemExit(f"{name} does not end: it is {status.state}: {status.reason}")
        jobs.resume(workspace, name)
    program.kill()
    program.wait()
    deadline = time.monotonic() + 10
    while (left := processes.tagged(job.path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    score = run_summary(workspace, name)["metrics"]["ndcg@10"]
    jobs.remove(workspace, name)
    return score, resumed, len(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--scenes", type=int, default=200)
    chosen = parser.parse_args()
    from workbench import jobs
    from workbench.collection.demo import make_demo
    from workbench.training.report import run_summary
    from workbench.training.spec import train_spec
    from workbench.workspace import open_workspace

    with small_disk() as (folder, can_be_full):
        workspace = open_workspace(folder / "workspace")
        make_demo(workspace, scenes=chosen.scenes)
        wanted = {"max_steps": chosen.steps, "epochs": 50, "batch_size": 32, "evaluations": 6, "loader_workers": 1}
        spec = train_spec(workspace, collection="demo", model="starter", overrides=wanted)
        started = time.monotonic()
        job = jobs.start(workspace, "train", "undisturbed", spec)
        assert jobs.wait(job, timeout=600).state == "finished"
        whole = time.monotonic() - started
        undisturbed = run_summary(workspace, "undisturbed")["metrics"]["ndcg@10"]
        print(f"undisturbed: NDCG@10 {undisturbed:.4f} in {whole:.0f} s", flush=True)
        faults = FAULTS if can_be_full else FAULTS[:-1]
        generator = np.random.default_rng(chosen.seed)
        worst, left_behind = 0.0, 0
        for number in range(chosen.moments):
            fault, seconds = faults[number % len(faults)], float(generator.uniform(0, whole))
            score, resumed, left = one_moment(workspace, spec, f"moment-{number}", fault, seconds)
            worst, left_behind = max(worst, abs(score - undisturbed)), left_behind + left
            pressed = f"Resume pressed {resumed} times" if resumed else "went on by itself"
            print(
                f"{number + 1}. {fault} after {seconds:.1f} s: {pressed}, NDCG@10 {score:.4f}, {left} left", flush=True
            )
        told = "" if can_be_full else " (no small disk could be mounted, so none was full)"
        print(
            f"{worst:.4f} = largest difference in NDCG@10 of {chosen.moments} moments; {left_behind} left behind{told}"
        )


if __name__ == "__main__":
    main()
