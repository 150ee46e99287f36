"""What the presets are worth: NDCG@10 of Quick, Balanced and Best, and of Balanced with mined negatives beside it.

    python benchmarks/presets.py DATA [--name emoji] [--presets quick,balanced,best] [--mined [balanced]]
                                 [--seed 0] [--workspace DIR] [--json]

DATA is a folder that `import` takes, or `demo` for the built-in demo (`--scenes` sets its size). Each preset
fine-tunes the starter as the Train tab would. --mined lets the model of Quick mine hard negatives, as the Data tab
would, and runs one preset again with them beside its pairs. Every model is scored on all held-out queries, in every
direction, at its full size; a difference has a paired 95 % bootstrap interval and the p of a paired permutation test.
With --workspace, what is finished there already is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench.demo import do
from workbench.evaluation.statistics import compare
from workbench.workspace import Workspace, open_workspace, read_json

METRIC = "ndcg@10"
Scores = dict[str, np.ndarray]
"""NDCG@10 of each held-out query, (queries,), by direction"""


@contextmanager
def workspace_of(folder: Path | None) -> Iterator[Workspace]:
    """The workspace in `folder`, or one that is gone afterwards."""
    if folder is not None:
        yield open_workspace(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield open_workspace(temporary)


def bring(workspace: Workspace, data: str, name: str, scenes: int) -> None:
    """Have the collection `name`. The split hangs on the content alone, so two imports hold the same queries out."""
    from workbench.collection.demo import make_demo
    from workbench.collection.importing import import_collection

    if workspace.collection(name).exists():
        return
    if data == "demo":
        make_demo(workspace, name, scenes=scenes)
    else:
        import_collection(workspace, name, Path(data))


def run_of(workspace: Workspace, collection: str, preset: str, seed: int, settings: dict[str, Any]) -> str:
    """The name of a finished run of the preset, done now if there is none."""
    from workbench.training.spec import train_spec

    name = f"{collection}-{preset}" + (f"-seed{seed}" if seed else "")
    if not (workspace.run(name) / "summary.json").exists():
        spec = train_spec(
            workspace, collection=collection, model="starter", preset=preset, overrides={"seed": seed, **settings}
        )
        do(workspace, "train", name, spec, None)
    summary = read_json(workspace.run(name) / "summary.json")
    print(f"{name}: {summary['steps']} steps, {summary['seconds']:.0f} s", file=sys.stderr, flush=True)
    return name


def mine_with(workspace: Workspace, collection: str, model: str) -> int:
    """Mine hard negatives into a collection with a run's model, unless it has some; returns how many it has."""
    from workbench.collection.store import open_collection
    from workbench.enrich.mining import mine_collection, mined_pairs
    from workbench.models import load_embedder

    if not mined_pairs(open_collection(workspace, collection)):
        mine_collection(workspace, collection, load_embedder(workspace, f"run:{model}"))
    return len(mined_pairs(open_collection(workspace, collection)))


def scores_of(workspace: Workspace, collection: str, model: str) -> Scores:
    """The scores of a model at its full size, in every direction."""
    from workbench.collection.store import open_collection
    from workbench.evaluation.scoring import score_embedder
    from workbench.models import load_embedder

    embedder = load_embedder(workspace, model)
    found = score_embedder(embedder, open_collection(workspace, collection), [embedder.dimension], intervals=False)
    directions = {name: values[METRIC] for (_, _, name), values in found.per_query.items()}
    # Where there is one kind of document, `all` and the uploaded direction are the same.
    return directions if len(directions) > 3 else {name: one for name, one in directions.items() if name != "all"}


def compared(a: str, b: str, scores: dict[str, Scores]) -> list[dict[str, Any]]:
    """A row for each direction: the means of two models and how much better the second is."""
    return [
        {
            "direction": direction,
            "models": [a, b],
            "ndcg@10": [float(before.mean()), float(scores[b][direction].mean())],
            **compare(before, scores[b][direction]),
        }
        for direction, before in scores[a].items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    for row in rows:
        (a, b), (before, after), (low, high) = row["models"], row[METRIC], row["interval"]
        print(
            f"{row['direction']:>14}  {a} {before:.3f} -> {b} {after:.3f}  {row['difference']:+.3f} "
            f"[{low:.3f}, {high:.3f}]  p {row['p']:.4f}  {row['verdict']}, {row['queries']} queries"
        )


def measure(workspace: Workspace, options: argparse.Namespace, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Train, score and compare what the options ask for."""
    name = options.name
    bring(workspace, options.data, name, options.scenes)
    presets = options.presets.split(",")
    runs = {preset: run_of(workspace, name, preset, options.seed, settings) for preset in presets}
    scores = {preset: scores_of(workspace, name, f"run:{run}") for preset, run in runs.items()}
    rows = []
    for before, after in pairwise(presets):
        rows += compared(before, after, scores)
    if options.mined:
        with_mined = f"{name}-mined"
        bring(workspace, options.data, with_mined, options.scenes)
        found = mine_with(workspace, with_mined, runs["quick"])
        print(f"{found:,} mined negatives", file=sys.stderr, flush=True)
        run = run_of(workspace, with_mined, options.mined, options.seed, settings)
        scores[f"{options.mined}, mined"] = scores_of(workspace, name, f"run:{run}")
        rows += compared(options.mined, f"{options.mined}, mined", scores)
    return rows


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--name", default="")
    parser.add_argument("--presets", default="quick,balanced,best")
    parser.add_argument("--mined", nargs="?", const="balanced", default="", metavar="PRESET")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=3000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for all runs")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.name = options.name or Path(options.data).name
    from workbench.settings import parse_overrides

    with workspace_of(options.workspace) as workspace:
        rows = measure(workspace, options, parse_overrides(options.set))
    if options.json:
        print(json.dumps({"data": options.name, "seed": options.seed, "rows": rows}))
    else:
        show(rows)


if __name__ == "__main__":
    main()
