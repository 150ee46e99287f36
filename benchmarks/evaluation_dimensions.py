"""Seven Matryoshka dimensions at four precisions evaluated here ÷ seven runs of InformationRetrievalEvaluator.

    python benchmarks/evaluation_dimensions.py [--scenes 1000] [--rounds 2] [--quick]

The same model (`starter`), the same held-out scenes, sentence to picture, seven dimensions. Here each item is encoded
once, and its vector cut, and stored as float32, float16, int8 and binary: 28 cells, each with an interval;
`InformationRetrievalEvaluator` encodes everything again for each `truncate_dim`, in float32 alone. Ours starts from the
stored picture files and includes the decoding; the other side is given pictures decoded beforehand. Both sides run on
one thread and are timed in CPU seconds, so that other work on the machine counts little; ours and one evaluator run in
turn, and the medians count. The float32 measures of both must agree to 1e-6, or no ratio is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DIMENSIONS = [128, 96, 64, 48, 32, 24, 16]
PRECISIONS = ["float32", "float16", "int8", "binary"]
DIRECTION = "text->image"


def make_collection(path: Path, scenes: int) -> Any:
    """A collection of drawn scenes and their sentences, six tenths of them held out."""
    from workbench.collection.scenes import render, sample_scenes
    from workbench.collection.store import Collection, Item
    from workbench.collection.writing import CollectionWriter

    with CollectionWriter(path) as writer:
        for sentence, picture, _ in render(sample_scenes(scenes, seed=0), seed=0):
            writer.judge(writer.add("queries", Item(text=sentence)), writer.add("corpus", Item(image=picture)))
        writer.finish("scenes", labels={"query": "sentence", "document": "picture"}, source={}, fraction=0.6)
    return Collection(path)


def all_here(embedder: Any, collection: Any) -> dict[int, dict[str, float]]:
    """The float32 measures of each dimension, the other precisions scored beside."""
    from workbench.evaluation.scoring import score_embedder

    scores = score_embedder(embedder, collection, DIMENSIONS, precisions=PRECISIONS, directions=[DIRECTION])
    if len(scores.rows) != len(DIMENSIONS) * len(PRECISIONS) or not all("interval" in row for row in scores.rows):
        sys.exit("Not every dimension and precision was scored, so the ratio would mean nothing.")
    return {dimension: scores.metrics(dimension, direction=DIRECTION) for dimension in DIMENSIONS}


def evaluator_of_each(embedder: Any, collection: Any) -> Callable[[int], dict[str, float]]:
    """What runs the evaluator of one dimension, its inputs decoded already."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    from workbench.evaluation.held_out import held_out
    from workbench.media import decode_image

    direction = held_out(collection).directions[DIRECTION]
    queries = {f"{row:06}": {"text": collection.item("queries", row).text} for row in direction.source_rows.tolist()}
    # Named by position, so that both sides break ties alike.
    documents = {
        f"{place:06}": decode_image(collection.item("corpus", row).image)
        for place, row in enumerate(direction.target_rows.tolist())
    }
    relevant = {
        query: {f"{place:06}" for place in found} for query, found in zip(queries, direction.relevant, strict=True)
    }

    def run(dimension: int) -> dict[str, float]:
        evaluator = InformationRetrievalEvaluator(
            queries,
            documents,
            relevant,
            precision_recall_at_k=[1, 10, 100],
            truncate_dim=dimension,
            write_csv=False,
        )
        return {key.removeprefix("cosine_"): value for key, value in evaluator(embedder.model).items()}

    return run


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def main() -> None:
    import torch

    from workbench.models.load import load_embedder
    from workbench.workspace import open_workspace

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--scenes", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--quick", action="store_true", help="60 scenes, one turn")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.scenes, chosen.rounds = 60, 1
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder) / "workspace")
        collection = make_collection(Path(folder) / "scenes", chosen.scenes)
        embedder = load_embedder(workspace, "starter", device="cpu")
        theirs = evaluator_of_each(embedder, collection)
        all_here(embedder, collection)  # the first use of everything is slower
        ours_seconds, their_seconds, difference = [], [], 0.0
        for dimension in DIMENSIONS * chosen.rounds:
            seconds, ours = cpu_seconds(lambda: all_here(embedder, collection))
            ours_seconds.append(seconds)
            seconds, their_measures = cpu_seconds(lambda size=dimension: theirs(size))
            their_seconds.append(seconds)
            apart = [abs(value - their_measures[name]) for name, value in ours[dimension].items()]
            difference = max(difference, *apart)
        if difference > 1e-6:
            sys.exit(f"The measures differ by {difference:.2g}, so the ratio would mean nothing.")
    here, there = median(ours_seconds), len(DIMENSIONS) * median(their_seconds)
    print(
        f"{here / there:.3f} = seven dimensions × four precisions here ({here:.2f} CPU s) ÷ seven "
        f"InformationRetrievalEvaluators "
        f"({there:.2f} CPU s); starter, {DIRECTION}, {len(collection.judged('eval'))} held-out pairs, one thread, "
        f"medians of {len(ours_seconds)} runs each in turn; largest difference between their measures {difference:.1g}"
    )


if __name__ == "__main__":
    main()
