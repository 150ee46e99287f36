"""Encoding plus indexing ÷ a bare model.encode loop over the same media; and peak memory at two corpus sizes.

    python benchmarks/encode_and_index.py [--scenes 600] [--rounds 5] [--growth 4] [--threads 1]

The same model (`starter`, loaded beforehand), the same pictures and tunes. Ours is the whole of `build_index`: read
the collection, decode, encode, write rows with thumbnails in committed chunks, check, compact, publish. The bare loop
holds the files in memory, decodes 256 of one kind at a time, calls `encode_document` on them with the same batch size,
and keeps the vectors. Both take turns, and the ratio is that of the least CPU seconds of all rounds, since other work
on the machine can only add to them; the ratio of the least wall clocks stands beside it. The vectors of both must
agree, or nothing is printed.

Peak memory is that of a fresh process which builds an index of `scenes`, and of `growth` times as many: the highest
resident set in all, and without pages of files (a memory-mapped collection counts as resident although the system may
drop it at any time).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CHUNK = 256
BATCH = 32
SAMPLING_RATE = 16000
MIB = 1 << 20


def bare_loop(embedder: Any, items: list[Any]) -> Any:
    """What a script of a dozen lines does: decode, encode, keep."""
    import numpy as np

    vectors = None
    for modality in dict.fromkeys(item.modality for item in items):
        rows = [row for row, item in enumerate(items) if item.modality == modality]
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            encoded = embedder.model.encode_document(
                [decoded(items[row]) for row in chunk],
                batch_size=BATCH,
                show_progress_bar=False,
            )
            if vectors is None:
                vectors = np.empty((len(items), encoded.shape[1]), np.float32)
            vectors[chunk] = encoded
    return vectors


def decoded(item: Any) -> Any:
    """A picture or a tune as the model takes it."""
    from workbench.media import decode_audio, decode_image

    if item.image is not None:
        return decode_image(item.image)
    array, rate = decode_audio(item.audio, SAMPLING_RATE)
    return {"audio": {"array": array, "sampling_rate": rate}}


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """(CPU seconds of all threads, seconds by the clock)."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - clock


def check_vectors(workspace: Any, embedder: Any, items: list[Any]) -> None:
    """End the benchmark unless the index holds the vectors of the bare loop."""
    import numpy as np

    from workbench.index import table
    from workbench.index.registry import get_index

    opened = table.connect(workspace).open_table(get_index(workspace, "ours").table)
    stored = np.stack(opened.to_arrow().sort_by("row")["vector"].to_numpy())
    expected = bare_loop(embedder, items)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    if not np.allclose(stored, expected, atol=1e-4):
        sys.exit(f"The vectors differ by up to {np.abs(stored - expected).max():.2g}: nothing is compared.")


def measure_time(workspace: Any, rounds: int) -> tuple[int, dict[str, list[tuple[float, float]]]]:
    """Rows, and the times of each round of both."""
    from workbench.collection.store import open_collection
    from workbench.index.build import build_index
    from workbench.models import load_embedder

    embedder = load_embedder(workspace, "starter")
    collection = open_collection(workspace, "small")
    items = collection.items("corpus", range(len(collection.corpus)))

    def ours() -> None:
        build_index(workspace, "ours", "small", "starter", embedder=embedder)

    def bare() -> None:
        bare_loop(embedder, items)

    # The first round warms up, and shows that both do the same.
    ours()
    check_vectors(workspace, embedder, items)
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for name, work in (("ours", ours), ("bare", bare))[:: 1 if number % 2 else -1]:
            times[name].append(timed(work))
    return len(items), times


def build_and_report_memory(root: Path, collection: str) -> None:
    """Build an index in this process and print its peak memory: bytes in all, bytes without pages of files."""
    from workbench.index.build import build_index
    from workbench.workspace import open_workspace

    peaks, done = [0, 0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            for place, key in enumerate(("VmRSS", "RssAnon")):
                peaks[place] = max(peaks[place], int(said[key].split()[0]) * 1024)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    build_index(open_workspace(root), f"memory-{collection}", collection, "starter")
    done.set()
    watcher.join()
    print(*peaks)


def peak_memory(root: Path, collection: str) -> tuple[int, int]:
    command = [sys.executable, __file__, "--memory-of", collection, "--root", str(root)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(printed[-2]), int(printed[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=600, help="each gives a picture and a tune")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", type=int, default=4, help="how many times larger the second corpus is")
    parser.add_argument("--threads", type=int, default=1, help="of Torch")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    if chosen.memory_of:
        build_and_report_memory(chosen.root, chosen.memory_of)
        return
    from workbench.collection.demo import make_demo
    from workbench.workspace import open_workspace

    root = Path(tempfile.mkdtemp(prefix="encode-and-index-"))
    try:
        workspace = open_workspace(root)
        make_demo(workspace, "small", scenes=chosen.scenes)
        make_demo(workspace, "large", scenes=chosen.scenes * chosen.growth)
        rows, times = measure_time(workspace, chosen.rounds)
        memory = {size: peak_memory(root, size) for size in ("small", "large")}
    finally:
        shutil.rmtree(root)
    cpu = {name: min(value for value, _ in taken) for name, taken in times.items()}
    clock = {name: min(value for _, value in taken) for name, taken in times.items()}
    print(f"encoding plus indexing ÷ bare model.encode loop: {cpu['ours'] / cpu['bare']:.3f} (at most 1.05)")
    print(
        f"  {rows} pictures and tunes, starter, {chosen.threads} thread(s), least of {chosen.rounds} rounds in turn: "
        f"CPU {cpu['ours']:.2f} s ÷ {cpu['bare']:.2f} s; clock {clock['ours']:.2f} s ÷ {clock['bare']:.2f} s "
        f"= {clock['ours'] / clock['bare']:.3f}"
    )
    for size, count in (("small", rows), ("large", rows * chosen.growth)):
        total, own = memory[size]
        print(f"  peak memory at {count} rows: {total / MIB:.0f} MiB resident, {own / MIB:.0f} MiB without file pages")


if __name__ == "__main__":
    main()
