"""The index at a million rows: building, searching and asking in batches ÷ faiss and numpy, in one run.

    python benchmarks/search.py [--rows 1000000] [--hnsw-rows 1000000] [--queries 200] [--batch 10000] [--users 32]
                                [--threads 2] [--vectors FILE.npy] [--skip hnsw,users,batch]

Vectors: a mixture of 2,000 clusters in 256 dimensions whose members overlap: a centre, a move within 48 directions
that all share, as long as a centre is (times --spread; with 1.4 as long as the centres lie apart), and a little noise;
of unit length. The queries are drawn from the same mixture. With --vectors a file of real ones, some of which ask.

    build    rows are written in committed chunks as a build writes them, compacted, indexed, measured (recall of all
             efforts against exact search). The ratio is that of compacting and indexing ÷ a faiss HNSW index
             (32 links, its own settings) filled with the same vectors. With --hnsw-rows that index takes fewer, and its
             seconds are scaled by n·log n, which the output says. Peak memory: the most that the writing and indexing
             process held without file pages, above what it held before.
    search   the engine part of one search (the nearest documents with all that a result shows), and a numpy product
             with the whole matrix in memory and its ten best, in turn, query by query.
    users    so many threads search, each query after query, while another process builds another index.
    batch    so many queries in blocks ÷ a flat index of faiss.

faiss is no part of the project: `pip install faiss-cpu` into any folder on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import turns

DIMENSION = 256
CLUSTERS = 2000
DIRECTIONS = 48
CHUNK = 4096
ASKING = 100
BLOCK = 256
TOP = 10
ROUNDING = 1e-5


def write_mixture(folder: Path, rows: int, queries: int, spread: float) -> None:
    """`documents.npy`, `queries.npy` and `asking.npy`, drawn from one mixture."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((CLUSTERS, DIMENSION), dtype=np.float32)
    moves = generator.standard_normal((DIRECTIONS, DIMENSION), dtype=np.float32) * (spread / math.sqrt(DIRECTIONS))
    for name, count in (("documents", rows), ("queries", queries), ("asking", ASKING)):
        file = folder / f"{name}.npy"
        vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(count, DIMENSION))
        for start in range(0, count, 50_000):
            some = min(50_000, count - start)
            block = centres[generator.integers(0, CLUSTERS, some)]
            block += generator.standard_normal((some, DIRECTIONS), dtype=np.float32) @ moves
            block += 0.2 * generator.standard_normal((some, DIMENSION), dtype=np.float32)
            vectors[start : start + some] = block / np.linalg.norm(block, axis=1, keepdims=True)


def split_file(file: Path, folder: Path, queries: int) -> int:
    """Real vectors, of which the last ask; how many documents are left."""
    vectors = np.load(file).astype(np.float32)
    vectors = np.random.default_rng(0).permutation(vectors)
    rows = len(vectors) - queries - ASKING
    for name, some in zip(("documents", "queries", "asking"), np.split(vectors, [rows, rows + queries]), strict=True):
        np.save(folder / f"{name}.npy", some)
    return rows


def vectors_in(folder: Path, name: str) -> np.ndarray:
    found: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r")
    return found


def build(folder: Path, name: str) -> dict[str, Any]:
    """Write, compact, index and measure a table as a build does, and publish it as the index `name`."""
    from workbench.index import finishing, recall, registry, table
    from workbench.workspace import open_workspace

    workspace, documents = open_workspace(folder / "workspace"), vectors_in(folder, "documents")
    rows, size = documents.shape
    origin = table.Origin(collection="none", collection_fingerprint="", model="m", fingerprint="f", dimension=size)
    with _Anonymous() as memory:
        database = table.connect(workspace)
        table_name = registry.new_table_name(workspace, name)
        part = table.create(database, table_name, origin)
        with turns.measured() as writing:
            for start in range(0, rows, CHUNK):
                block = np.array(documents[start : start + CHUNK])
                part.add(table.rows_to_add(_columns(start, len(block)), block, "float32"))
        with turns.measured() as indexing:
            tidied = finishing.tidy(part, rows, size)
        peak = memory.peak
        with turns.measured() as measuring:
            # As those of a collection ask: others of the same mixture than those that are asked later.
            asking = np.array(vectors_in(folder, "asking"))
            efforts = recall.measure(part, asking) if tidied["kind"] != "exact" else []
        exact: dict[str, Any] = {"recall": 1.0, "probes": 0, "refine": 0}
        best = recall.chosen(efforts, recall.WISHED_RECALL) if efforts else exact
    card = registry.IndexCard(
        **vars(origin), **tidied, name=name, table=table_name, rows=rows, model_dimension=size, seconds=0.0,
        bytes=table.bytes_of(workspace, table_name), created=time.time(), modalities={"text": rows}, efforts=efforts,
        recall=best["recall"], probes=best["probes"], refine=best["refine"],
    )  # fmt: skip
    registry.publish(workspace, card)
    return indexing | {
        "writing": writing, "measuring": measuring, "peak_bytes": peak, "all_bytes": memory.peak, "kind": card.kind,
        "bytes": card.bytes, "recall": card.recall, "probes": card.probes, "refine": card.refine,
        "efforts": card.efforts,
    }  # fmt: skip


def _columns(start: int, count: int) -> dict[str, Any]:
    numbers = range(start, start + count)
    return {
        "id": [f"{number:016x}" for number in numbers], "row": list(numbers), "modality": ["text"] * count,
        "text": [""] * count, "file": [""] * count, "meta": ["{}"] * count, "thumbnail": [None] * count,
    }  # fmt: skip


def hnsw(folder: Path, rows: int, threads: int) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(threads)
    documents = np.array(vectors_in(folder, "documents")[:rows])
    with turns.measured() as figures:
        index = faiss.IndexHNSWFlat(documents.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        index.add(documents)
    return figures


def ask(folder: Path, count: int) -> dict[str, Any]:
    """Each query here and in numpy, in turn; the milliseconds of each and the recall of ours."""
    stage, matrix = _stage(folder), np.array(vectors_in(folder, "documents"))
    queries = np.array(vectors_in(folder, "queries")[:count])
    seconds: dict[str, list[float]] = {"here": [], "numpy": []}
    processor = {"here": 0.0, "numpy": 0.0}
    found, right = 0, 0
    for number, query in enumerate(queries):
        time.sleep(0.1)  # the threads of numpy's product wait busily for a while, which would count against ours
        began, spent = time.perf_counter(), time.process_time()
        hits = stage.hits(query[None], [""])[0]
        middle, half = time.perf_counter(), time.process_time()
        scores = matrix @ query
        best = np.argpartition(-scores, TOP)[:TOP]
        ended, whole = time.perf_counter(), time.process_time()
        if number >= count // 10:  # the first warm both up
            seconds["here"].append(middle - began)
            seconds["numpy"].append(ended - middle)
            processor = {"here": processor["here"] + half - spent, "numpy": processor["numpy"] + whole - half}
            found += sum(scores[hit.row] >= scores[best].min() - ROUNDING for hit in hits)
            right += TOP
    parts = [(way, part) for way in seconds for part in (50, 95)]
    milliseconds = {f"{way}_{part}": 1000 * float(np.percentile(seconds[way], part)) for way, part in parts}
    taken = {f"{way}_processor": 1000 * TOP * spent / right for way, spent in processor.items()}
    return {"recall": found / right, **milliseconds, **taken}


def users(folder: Path, count: int, rows: int) -> dict[str, Any]:
    """So many threads search while another process builds another index: milliseconds, errors, and searches."""
    stage, queries = _stage(folder), np.array(vectors_in(folder, "queries"))
    taken: list[float] = []
    errors: list[str] = []
    done = threading.Event()

    def user(number: int) -> None:
        turn = number
        while not done.is_set():
            began = time.perf_counter()
            try:
                if len(stage.hits(queries[turn % len(queries)][None], [""])[0]) != TOP:
                    errors.append("too few results")
            except Exception as error:
                errors.append(repr(error))
            taken.append(time.perf_counter() - began)
            turn += count

    alone = _milliseconds(stage, queries)
    threads = [threading.Thread(target=user, args=(number,)) for number in range(count)]
    other = subprocess.Popen([sys.executable, __file__, "--one", "build", str(folder), "other"], stdout=subprocess.PIPE)
    for thread in threads:
        thread.start()
    other.communicate()
    done.set()
    for thread in threads:
        thread.join()
    parts = {f"p{part}": 1000 * float(np.percentile(taken, part)) for part in (50, 95)}
    return {**parts, "searches": len(taken), "errors": errors[:5], "failed": len(errors), "alone": alone,
            "other": other.returncode}  # fmt: skip


def _milliseconds(stage: Any, queries: np.ndarray) -> float:
    seconds = []
    for query in queries[:50]:
        began = time.perf_counter()
        stage.hits(query[None], [""])
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.percentile(seconds, 95))


def batch(folder: Path, count: int) -> dict[str, Any]:
    stage, queries = _stage(folder), np.array(vectors_in(folder, "queries")[:count])
    stage.hits(queries[:2], ["", ""])
    found = []
    with turns.measured() as figures:
        for start in range(0, len(queries), BLOCK):
            some = queries[start : start + BLOCK]
            found += [[hit.row for hit in hits] for hits in stage.hits(some, [""] * len(some))]
    np.save(folder / "batch.npy", np.array(found))
    return figures


def flat(folder: Path, count: int, threads: int) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(threads)
    documents, queries = np.array(vectors_in(folder, "documents")), np.array(vectors_in(folder, "queries")[:count])
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    with turns.measured() as figures:
        scores, _ = index.search(queries, TOP)
    ours = np.load(folder / "batch.npy")
    mine = np.stack([documents[rows] @ query for rows, query in zip(ours, queries, strict=True)])
    return figures | {"recall": float((mine >= scores[:, -1:] - ROUNDING).mean())}


def _stage(folder: Path) -> Any:
    from workbench.index.first_stage import FirstStage
    from workbench.index.opened import OpenIndexes
    from workbench.index.registry import get_index
    from workbench.index.wish import Wish
    from workbench.workspace import open_workspace

    workspace = open_workspace(folder / "workspace")
    return FirstStage(OpenIndexes(workspace), get_index(workspace, "ours"), Wish(top=TOP), None)


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


def report(folder: Path, chosen: argparse.Namespace, rows: int) -> None:
    def one(way: str, *arguments: Any) -> dict[str, Any]:
        return turns.one(__file__, way, [folder, *arguments], chosen.threads)

    size = vectors_in(folder, "documents").shape[1]
    print(f"{rows:,} rows × {size} dimensions, {chosen.threads} thread(s); {turns.machine()}", flush=True)
    built = one("build", "ours")
    writing, measuring, raw = built["writing"], built["measuring"], rows * size * 4
    print(
        f"  {rows / writing['clock']:,.0f} rows a second written in chunks of {CHUNK}, in {writing['clock']:.1f} s; "
        f"{built['kind']} in {built['clock']:.1f} s ({built['processor']:.1f} processor s), measured in "
        f"{measuring['clock']:.1f} s: recall@10 {built['recall']} at {built['probes']} probes, refined ×"
        f"{built['refine']}; {built['bytes'] / raw:.3f} = bytes on disk ÷ raw vectors; peak memory "
        f"{built['peak_bytes'] / turns.MIB:.0f} MiB writing and indexing, {built['all_bytes'] / turns.MIB:.0f} with "
        "measuring",
        flush=True,
    )
    print(
        "  efforts: " + "; ".join(f"{e['probes']}×{e['refine']}: {e['recall']}" for e in built["efforts"]), flush=True
    )
    if "hnsw" not in chosen.skip:
        some = min(chosen.hnsw_rows or rows, rows)
        theirs, scale = one("hnsw", some, chosen.threads), rows * math.log(rows) / (some * math.log(some))
        told = "" if some == rows else f", {some:,} rows scaled ×{scale:.2f} by n·log n"
        print(
            f"  {built['processor'] / theirs['processor'] / scale:.3f} = indexing ÷ faiss HNSW, processor s "
            f"({built['processor']:.1f} ÷ {theirs['processor'] * scale:.1f}); "
            f"{built['clock'] / theirs['clock'] / scale:.3f} by the clock ({built['clock']:.1f} ÷ "
            f"{theirs['clock'] * scale:.1f} s{told})",
            flush=True,
        )
    asked = one("ask", chosen.queries)
    print(
        f"  {asked['here_50'] / asked['numpy_50']:.3f} (p50, {asked['here_50']:.1f} ÷ {asked['numpy_50']:.1f} ms) and "
        f"{asked['here_95'] / asked['numpy_95']:.3f} (p95, {asked['here_95']:.1f} ÷ {asked['numpy_95']:.1f} ms) = "
        f"search ÷ numpy exact; {asked['here_processor'] / asked['numpy_processor']:.3f} in processor time "
        f"({asked['here_processor']:.1f} ÷ {asked['numpy_processor']:.1f} ms a query); "
        f"recall@10 {asked['recall']:.4f} of {chosen.queries} queries; {turns.machine()}",
        flush=True,
    )
    if "users" not in chosen.skip:
        met = one("users", chosen.users, rows)
        print(
            f"  {chosen.users} threads while another index of as many rows is built: {met['searches']:,} searches, "
            f"{met['failed']} errors {met['errors']}, p50 {met['p50']:.0f} ms, p95 {met['p95']:.0f} ms (one alone "
            f"before: p95 {met['alone']:.1f} ms); the other build ended with {met['other']}",
            flush=True,
        )
    if "batch" not in chosen.skip:
        ours, theirs = one("batch", chosen.batch), one("flat", chosen.batch, chosen.threads)
        print(
            f"  {ours['processor'] / theirs['processor']:.3f} = {chosen.batch:,} queries in blocks of {BLOCK} ÷ a flat "
            f"index of faiss, processor s ({ours['processor']:.1f} ÷ {theirs['processor']:.1f}); "
            f"{ours['clock'] / theirs['clock']:.3f} by the clock ({ours['clock']:.1f} ÷ {theirs['clock']:.1f} s); "
            f"recall@10 {theirs['recall']:.4f}; {turns.machine()}",
            flush=True,
        )


WAYS: dict[str, Callable[..., dict[str, Any]]] = {
    "build": build,
    "hnsw": hnsw,
    "ask": ask,
    "users": users,
    "batch": batch,
    "flat": flat,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hnsw-rows", type=int)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--skip", default="")
    parser.add_argument("--folder", type=Path, help="where the vectors and tables lie for the time (else /tmp)")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _place(chosen: argparse.Namespace) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        (Path(folder) / "workspace").mkdir()
        yield Path(folder)


def main() -> None:
    chosen = _arguments()
    if chosen.one:
        way, folder, *rest = chosen.one
        turns.tell(WAYS[way](Path(folder), *(int(one) if one.isdigit() else one for one in rest)))
        return
    with _place(chosen) as folder:
        asking = max(chosen.queries, chosen.batch)
        if chosen.vectors:
            rows = split_file(chosen.vectors, folder, asking)
        else:
            rows = chosen.rows
            write_mixture(folder, rows, asking, chosen.spread)
        report(folder, chosen, rows)


if __name__ == "__main__":
    main()
