"""What it costs the processor that jobs wait: in line for the device, and in a paused queue.

    python benchmarks/waiting.py [--jobs 20] [--seconds 20]

One job holds the device and does nothing; so many others wait behind it, each a worker and its babysitter. Prints the
share of one core that all of them take together, as the operating system counts it, and for one job.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
WORKS = {"hold": "waiting:hold"}


def hold(workspace: Any, job: Any) -> dict[str, Any]:
    """Hold the device until asked to stop."""
    while True:
        job.check_stop()
        time.sleep(0.5)


def processor_seconds(folders: list[Path]) -> float:
    """What the processes of these jobs have taken so far."""
    from workbench.jobs import processes

    total = 0.0
    for folder in folders:
        for process in processes.tagged(folder):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
    return total


def share(folders: list[Path], seconds: float) -> float:
    """The share of a core that these jobs take over so many seconds."""
    began, before = time.monotonic(), processor_seconds(folders)
    time.sleep(seconds)
    return (processor_seconds(folders) - before) / (time.monotonic() - began)


def main() -> None:
    """Start them, wait until all wait, and print what that takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(PROJECT / "benchmarks"), str(PROJECT)])

    from workbench import jobs
    from workbench.jobs import processes
    from workbench.workspace import open_workspace

    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(folder)
        begun = [
            jobs.start(workspace, "hold", f"job-{number:03}", {}, works_module="waiting")
            for number in range(chosen.jobs + 1)
        ]
        waiting = [job.path for job in begun[1:]]
        try:
            for beginning, what in (("Waiting", "in line"), (jobs.HELD, "paused")):
                if beginning == jobs.HELD:
                    jobs.pause(workspace)
                while not all(job.status().note.startswith(beginning) for job in begun[1:]):
                    time.sleep(0.5)
                taken = share(waiting, chosen.seconds)
                print(f"{what}: {taken:.1%} of a core for {chosen.jobs} jobs, {taken / chosen.jobs:.2%} for one")
        finally:
            for job in begun:
                processes.kill_tagged(job.path)


if __name__ == "__main__":
    main()
