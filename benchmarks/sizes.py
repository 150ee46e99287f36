"""What a smaller vector keeps: NDCG@10 at full size … 1/32 of it, untouched against tuned, at several precisions.

    python benchmarks/sizes.py DATA [--name emoji] [--preset quick] [--precisions float32,int8,binary]
                               [--workspace DIR] [--scenes 3000]

DATA is a folder that `import` takes, or `demo` for the built-in demo. The starter is fine-tuned as the Train tab would,
unless the workspace has that run; then both are evaluated as `evaluate` does it, each item encoded once. Prints a
Markdown table a direction: NDCG@10 with its 95 % interval, and the part of the model's best that is kept; and the size
that the Evaluate tab recommends.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.presets import bring, run_of, workspace_of
from workbench.workspace import Workspace

PARTS = (1, 2, 4, 8, 16, 32)


def evaluated(workspace: Workspace, name: str, run: str, precisions: list[str]) -> dict[str, Any]:
    """The evaluation of the starter and its run at every part of their size."""
    from workbench.evaluation.evaluate import evaluate
    from workbench.models import load_embedder

    full = load_embedder(workspace, "starter").dimension
    sizes = [full // part for part in PARTS]
    models = ["starter", f"run:{run}"]
    return evaluate(workspace, name, models, dimensions=sizes, precisions=precisions, name=f"{name}-sizes")


def table(evaluation: dict[str, Any], direction: str, precision: str) -> list[str]:
    """The lines of one direction's table, a row for each size."""
    from workbench.evaluation.report import series

    lines = series(evaluation, direction, precision)
    rows = [f"| {direction}, {precision} | " + " | ".join(line.model for line in lines) + " |", "| --- | --- | --- |"]
    for place in reversed(range(len(lines[0].dimensions))):
        cells = [
            f"{line.ndcg[place]:.3f} [{line.low[place]:.3f}, {line.high[place]:.3f}], {100 * line.kept[place]:.1f} %"
            for line in lines
        ]
        rows.append(f"| {lines[0].dimensions[place]} | " + " | ".join(cells) + " |")
    return rows


def main() -> None:
    """Evaluate and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--name", default="")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--precisions", default="float32,int8,binary")
    parser.add_argument("--scenes", type=int, default=3000)
    parser.add_argument("--workspace", type=Path)
    chosen = parser.parse_args()
    from workbench.evaluation.report import recommend, told_apart
    from workbench.evaluation.results import load_evaluation, open_queries

    name = chosen.name or Path(chosen.data).name
    with workspace_of(chosen.workspace) as workspace:
        bring(workspace, chosen.data, name, chosen.scenes)
        run = run_of(workspace, name, chosen.preset, 0, {})
        precisions = chosen.precisions.split(",")
        found = evaluated(workspace, name, run, precisions)
        for direction in told_apart(found):
            for precision in precisions:
                print("\n".join(table(found, direction, precision)), end="\n\n")
        saved = load_evaluation(workspace, found["evaluation"])
        print(recommend(saved, open_queries(workspace, saved)).words)


if __name__ == "__main__":
    main()
