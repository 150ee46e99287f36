"""Two ways of doing one thing, each in a process of its own; they take turns, and the least of each one's times counts.

A benchmark calls `in_turn` with the names of its ways, and is started again for each of them as
``SCRIPT --one NAME …``. That process does the work within `measured` and prints the figures with `tell`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MIB = 1 << 20
SAMPLE_SECONDS = 0.05
ROOT = Path(__file__).resolve().parents[1]
SURROUNDINGS = {
    # A dry run is a process of its own, and looks for the project there.
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}


def in_turn(script: str, ways: list[str], rounds: int, arguments: list[Any], threads: int = 1) -> dict[str, Any]:
    """The figures of each way: "processor" and "clock" seconds, the least of the rounds, and all else it told last."""
    taken: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for number in range(rounds):
        # Who comes first changes, so that neither always finds the machine as the other left it.
        for way in ways if number % 2 == 0 else reversed(ways):
            taken[way].append(one(script, way, arguments, threads))
            told = taken[way][-1]
            print(f"  {way}: {told['processor']:.2f} processor s, {told['clock']:.2f} s", file=sys.stderr)
    least = {way: {name: min(t[name] for t in told) for name in ("processor", "clock")} for way, told in taken.items()}
    return {way: told[-1] | least[way] for way, told in taken.items()}


def one(script: str, way: str, arguments: list[Any], threads: int = 1) -> dict[str, Any]:
    """What one process told. Its errors go to the screen; raises CalledProcessError if it failed."""
    done = subprocess.run(
        [sys.executable, script, "--one", way, *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | SURROUNDINGS | {"OMP_NUM_THREADS": str(threads)},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def tell(figures: dict[str, Any]) -> None:
    """Print the figures as the last line, for the process that started this one."""
    print(json.dumps(figures), flush=True)


@contextmanager
def measured(*, memory: bool = False) -> Iterator[dict[str, Any]]:
    """Fills in "processor" and "clock" seconds of the work inside, its own processes counted in.

    memory: also "peak_bytes", the most that this process and its own held beyond what it held before (shared pages
    shared out among them; looked at every twentieth of a second, which costs some processor time).
    """
    figures: dict[str, Any] = {}
    watch = _Watch() if memory else None
    processor, clock = _processor_seconds(), time.perf_counter()
    try:
        yield figures
    finally:
        figures |= {"processor": _processor_seconds() - processor, "clock": time.perf_counter() - clock}
        if watch:
            figures["peak_bytes"] = watch.stop()


def _processor_seconds() -> float:
    """Of this process, of those of its own that have ended, and of those that run."""
    import psutil

    told = os.times()
    seconds = told.user + told.system + told.children_user + told.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            spent = child.cpu_times()
            seconds += spent.user + spent.system
        except psutil.Error:  # it ended just now, and is counted next time
            continue
    return seconds


class _Watch(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._before = self._peak = _held()
        self.start()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, _held())

    def stop(self) -> int:
        """The peak above what was held at the start, in bytes."""
        self._done.set()
        self.join()
        return self._peak - self._before


def _held() -> int:
    import psutil

    this = psutil.Process()
    total = 0
    for process in [this, *this.children(recursive=True)]:
        try:
            told = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += 1024 * int(next(line.split()[1] for line in told.splitlines() if line.startswith("Pss:")))
        except (OSError, StopIteration):  # it ended just now, or this is no Linux
            continue
    return total


def machine() -> str:
    """What a figure was taken on, in a few words."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
