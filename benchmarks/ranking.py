"""Ranking here ÷ the same with one flat index of faiss, and the memory of ranking at every size and precision.

    python benchmarks/ranking.py [--queries 1000] [--documents 1000000] [--rounds 2] [--threads 1] [--quick]
    python benchmarks/ranking.py --scale [--queries 500] [--documents 1000000] [--quick]

The first: unit vectors of 256 dimensions in a file, the first 100 documents of each query by dot product. Here they are
read from the memory-mapped file, cut, renormalised, ranked and put in order where rounding may have swapped two; faiss
is given them in memory and its index is filled before the time counts. Both in processes of their own, in turn, with
the same number of threads; processor seconds count. Both must find the same documents (but for scores that differ by
rounding alone), or no ratio is printed. faiss is no part of the project: `pip install faiss-cpu` into any folder on
PYTHONPATH.

The second: seven dimensions and four precisions, one after another, as an evaluation ranks them. The most memory beyond
what was held before and without file pages, for all, for a quarter of the queries, and for a quarter of the documents.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import turns

DIMENSION = 256
TOP = 100
DIMENSIONS = [256, 192, 128, 96, 64, 48, 32]
PRECISIONS = ["float32", "float16", "int8", "binary"]
ROUNDING = 1e-5


def write_vectors(path: Path, count: int, seed: int) -> None:
    """Random unit vectors, a block at a time."""
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, DIMENSION))
    generator = np.random.default_rng(seed)
    for start in range(0, count, 50_000):
        block = generator.standard_normal((min(50_000, count - start), DIMENSION), dtype=np.float32)
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)


def vectors_in(folder: Path, queries: int, documents: int) -> tuple[np.ndarray, np.ndarray]:
    both = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("queries", "documents")]
    return both[0][:queries], both[1][:documents]


def here(folder: Path, queries: int, documents: int) -> dict[str, Any]:
    from workbench.evaluation.ranking import top_documents

    asked, corpus = vectors_in(folder, queries, documents)
    corpus.max()  # so that both find the file in memory
    with _Anonymous() as memory, turns.measured() as figures:
        positions, scores = top_documents(asked, corpus, DIMENSION, top=TOP)
    np.savez(folder / "here.npz", positions=positions, scores=scores)
    return figures | {"peak_bytes": memory.peak}


def with_faiss(folder: Path, queries: int, documents: int, threads: int) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(threads)
    asked, corpus = (np.ascontiguousarray(one) for one in vectors_in(folder, queries, documents))
    with turns.measured() as whole:
        index = faiss.IndexFlatIP(DIMENSION)
        index.add(corpus)
        with _Anonymous() as memory, turns.measured() as figures:
            scores, positions = index.search(asked, TOP)
    np.savez(folder / "faiss.npz", positions=positions, scores=scores)
    return figures | {"peak_bytes": memory.peak, "filling": whole["processor"] - figures["processor"]}


def at_scale(folder: Path, queries: int, documents: int) -> dict[str, Any]:
    from workbench.evaluation.ranking import top_documents

    asked, corpus = vectors_in(folder, queries, documents)
    top_documents(asked[:10], corpus[:5000], DIMENSION, top=TOP)  # what the first use of everything takes
    with _Anonymous() as memory, turns.measured() as figures:
        for dimension in DIMENSIONS:
            for precision in PRECISIONS:
                top_documents(asked, corpus, dimension, precision, top=TOP)
    return figures | {"peak_bytes": memory.peak}


class _Anonymous(threading.Thread):
    """The most memory of this process without file pages, beyond what it held at the start; Linux tells it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done, self.peak = threading.Event(), 0

    def __enter__(self) -> _Anonymous:
        self._before = _anonymous_bytes()
        self.start()
        return self

    def run(self) -> None:
        while not self._done.wait(turns.SAMPLE_SECONDS):
            self.peak = max(self.peak, _anonymous_bytes() - self._before)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def _anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))


def difference(folder: Path) -> str:
    """What the two found apart from each other, in words. Ends the program if it is more than rounding."""
    ours, theirs = np.load(folder / "here.npz"), np.load(folder / "faiss.npz")
    apart = float(np.abs(ours["scores"] - theirs["scores"]).max())
    if apart > ROUNDING:
        sys.exit(f"The scores differ by {apart:.2g}, so the ratio would mean nothing.")
    same = [float((ours["positions"][:, :k] == theirs["positions"][:, :k]).mean()) for k in (10, TOP)]
    return (
        f"same document at {same[0]:.4%} of the first 10 places and {same[1]:.4%} of {TOP}, scores within {apart:.1g}"
    )


def against_faiss(folder: Path, chosen: argparse.Namespace) -> None:
    try:
        import faiss
    except ImportError:
        sys.exit("faiss is not there, so nothing was measured. Install it by hand: pip install faiss-cpu")
    arguments = [folder, chosen.queries, chosen.documents, chosen.threads]
    taken = turns.in_turn(__file__, ["here", "faiss"], chosen.rounds, arguments, chosen.threads)
    ours, theirs = taken["here"], taken["faiss"]
    print(
        f"{ours['processor'] / theirs['processor']:.3f} = ranking {chosen.queries} queries × {chosen.documents} "
        f"documents × {DIMENSION} dimensions here ({ours['processor']:.2f} processor s) ÷ a flat index of faiss "
        f"{faiss.__version__} ({theirs['processor']:.2f}; filling it takes {theirs['filling']:.2f} more); by the clock "
        f"{ours['clock']:.2f} ÷ {theirs['clock']:.2f} s; memory {ours['peak_bytes'] / turns.MIB:.0f} and "
        f"{theirs['peak_bytes'] / turns.MIB:.0f} MiB, and {chosen.documents * DIMENSION * 4 / turns.MIB:.0f} MiB more "
        f"for what its index holds; {difference(folder)}; {chosen.threads} thread(s), least of {chosen.rounds} turns "
        f"each; {turns.machine()}"
    )


def scale(folder: Path, chosen: argparse.Namespace) -> None:
    sizes = [
        (chosen.queries // 4, chosen.documents // 4),
        (chosen.queries, chosen.documents // 4),
        (chosen.queries // 4, chosen.documents),
        (chosen.queries, chosen.documents),
    ]
    peaks = []
    for queries, documents in sizes:
        told = turns.one(__file__, "scale", [folder, queries, documents, chosen.threads], chosen.threads)
        peaks.append(told["peak_bytes"])
        print(
            f"  {queries} queries × {documents} documents × {len(DIMENSIONS)} dimensions × {len(PRECISIONS)} "
            f"precisions: {peaks[-1] / turns.MIB:.0f} MiB, {told['processor']:.1f} processor s",
            flush=True,
        )
    print(
        f"{peaks[-1] / peaks[0]:.3f} = memory of {chosen.queries} × {chosen.documents} ÷ of a quarter of both, where "
        f"the work is 16 times as much; file pages not counted; {turns.machine()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--documents", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--quick", action="store_true", help="100 queries × 20,000 documents, one turn")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        way, (folder, *numbers) = chosen.one[0], chosen.one[1:]
        queries, documents, threads = map(int, numbers)
        work = {"here": here, "scale": at_scale}
        place = Path(folder)
        turns.tell(
            with_faiss(place, queries, documents, threads) if way == "faiss" else work[way](place, queries, documents)
        )
        return
    if chosen.quick:
        chosen.rounds = 1
    chosen.queries = chosen.queries or (100 if chosen.quick else 500 if chosen.scale else 1000)
    chosen.documents = chosen.documents or (20_000 if chosen.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder) / "queries.npy", chosen.queries, 1)
        write_vectors(Path(folder) / "documents.npy", chosen.documents, 2)
        (scale if chosen.scale else against_faiss)(Path(folder), chosen)


if __name__ == "__main__":
    main()
