"""Looking through an index and writing it as Parquet ÷ only reading the same columns of it, and their memory.

    python benchmarks/index_keeping.py [--rows 200000] [--rounds 2]

An index of texts with vectors of 256 dimensions, exact, with its collection. `verify` without loading a model (its time
is the model's own); `export` with everything it writes. Each in a process of its own, in turn, one thread. Memory is
the most beyond what was held before, without file pages, at a quarter of the rows and at all of them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import turns
from benchmarks.ranking import _Anonymous

DIMENSION = 256


class Random:
    """An embedder of random unit vectors."""

    reference, fingerprint, dimension, dimensions = "random", "random-1", DIMENSION, (DIMENSION,)
    modalities = ("text",)

    def check_supports(self, modalities: Any) -> None:
        pass

    def encode_documents(self, items: Any, *, progress: Any = None, batch_size: int | None = None) -> np.ndarray:
        vectors = np.random.default_rng(len(items)).standard_normal((len(items), DIMENSION), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make(folder: Path, rows: int) -> None:
    """A workspace with an index “i” of a collection of so many texts."""
    from workbench.collection.store import Item
    from workbench.collection.writing import CollectionWriter
    from workbench.index import table
    from workbench.index.build import build_index
    from workbench.workspace import new_folder, open_workspace

    workspace = open_workspace(folder)
    with new_folder(workspace.collection("c")) as begun, CollectionWriter(begun) as writer:
        for number in range(rows):
            writer.add("corpus", Item(text=f"document {number} of many", meta={"number": number}))
        writer.finish("c", labels={"query": "query", "document": "document"}, source={})
    table.APPROXIMATE_FROM_ROWS = rows + 1
    build_index(workspace, "i", "c", "random", embedder=Random())  # type: ignore[arg-type]


def read(folder: Path) -> None:
    from workbench.index import table
    from workbench.index.reading import in_slices
    from workbench.index.registry import get_index
    from workbench.index.row_checks import COLUMNS
    from workbench.workspace import open_workspace

    workspace = open_workspace(folder)
    opened = table.connect(workspace).open_table(get_index(workspace, "i").table)
    for _ in in_slices(opened, COLUMNS):
        pass


def look(folder: Path) -> None:
    from workbench.index.verify import verify
    from workbench.workspace import open_workspace

    same = SimpleNamespace(fingerprint=Random.fingerprint)
    found = verify(open_workspace(folder), "i", load_embedder=lambda *_, **__: same)
    assert found["ok"] and not found["findings"], found


def write(folder: Path) -> None:
    from workbench.index.export import export_index
    from workbench.workspace import open_workspace

    export_index(open_workspace(folder), "i", folder / "away")
    shutil.rmtree(folder / "away")


WAYS = {"read": read, "verify": look, "export": write}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        way, folder = chosen.one
        read(Path(folder))  # what the first use of everything takes, and the files in memory
        with _Anonymous() as memory, turns.measured() as figures:
            WAYS[way](Path(folder))
        turns.tell(figures | {"peak_bytes": memory.peak})
        return
    with tempfile.TemporaryDirectory() as made:
        taken, small = {}, {}
        for rows, told in ((chosen.rows // 4, small), (chosen.rows, taken)):
            folder = Path(made) / str(rows)
            make(folder, rows)
            told.update(turns.in_turn(__file__, list(WAYS), chosen.rounds, [folder]))
    plain = taken["read"]["processor"]
    for way in ("verify", "export"):
        one = taken[way]
        print(
            f"{one['processor'] / plain:.2f} = {way} of {chosen.rows:,} rows × {DIMENSION} ({one['processor']:.2f} "
            f"processor s, {one['clock']:.2f} s by the clock) ÷ reading them ({plain:.2f}); memory "
            f"{small[way]['peak_bytes'] / turns.MIB:.0f} → {one['peak_bytes'] / turns.MIB:.0f} MiB from a quarter of "
            f"the rows to all, where their vectors are {chosen.rows * DIMENSION * 4 / turns.MIB:.0f} MiB; "
            f"least of {chosen.rounds} turns; {turns.machine()}"
        )


if __name__ == "__main__":
    main()
