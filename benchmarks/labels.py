"""Which objective suits lone labels: single pairs called right (1) or wrong (0), the wrong ones beside no right one.

    python benchmarks/labels.py [--seeds 3] [--steps 60]
    python benchmarks/labels.py --emoji FOLDER [--pairs 1200] [--seeds 1] [--steps 80]

Each query of the train split is judged with one document, right or wrong. Every objective takes as many steps of as
many rows, through the run that the page starts:

    contrastive   each right pair against the other documents of its batch; the wrong pairs are left out
    binary        OnlineContrastive on right and wrong pairs
    similarity    CoSENT with the labels as scores

The held-out queries have a right and a wrong document each: NDCG@10 among all documents, and over these pairs average
precision (chance is 0.5) and Spearman's correlation, all at the full size, each the mean over the seeds.

Planted: which word of a document stands for which of a query is drawn at random, so nothing can be guessed; queries of
new pairs of words are held out. A near wrong document shares one of the two words. FOLDER holds pairs.csv (name,
picture): a wrong picture is drawn at random, or is one of the 20 that the untouched model puts first.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

OBJECTIVES = ("contrastive", "binary", "similarity")
THINGS, SHARES, HELD_OUT = 8, (0.5, 0.15), 150
Row = tuple[Any, Any, float, str]


def planted_rows(share: float, near: bool, seed: int, count: int = 480) -> Iterator[Row]:
    """Queries of two of 16 words and a free one, documents of two of 16 others; `share` of the pairs is right."""
    from workbench.collection.store import Item

    generator = np.random.default_rng([seed, 3])
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]
    words = list(dict.fromkeys("".join(generator.choice(syllables, 3)) for _ in range(900)))
    tables = np.array(words[: 4 * THINGS]).reshape(4, THINGS)
    free = iter(words[4 * THINGS :])
    things = [(first, second) for first in range(THINGS) for second in range(THINGS)]
    held = {things[place] for place in generator.permutation(len(things))[: len(things) // 4]}

    def asked(one: tuple[int, int]) -> Item:
        return Item(text=f"{tables[0, one[0]]} {tables[1, one[1]]} {next(free)}")

    def found(one: tuple[int, int]) -> Item:
        return Item(text=f"{tables[2, one[0]]} {tables[3, one[1]]}")

    def wrong(one: tuple[int, int]) -> tuple[int, int]:
        others = [other for other in things if other != one]
        if near:
            others = [other for other in others if (other[0] == one[0]) != (other[1] == one[1])]
        return others[generator.integers(len(others))]

    train = [one for one in things if one not in held]
    for number in range(count):
        one = train[generator.integers(len(train))]
        right = number < share * count
        yield asked(one), found(one if right else wrong(one)), float(right), "train"
    for one in [*held] * 3:
        query = asked(one)
        yield query, found(one), 1.0, "eval"
        yield query, found(wrong(one)), 0.0, "eval"


def emoji_rows(folder: Path, count: int, share: float, near: bool, seed: int) -> Iterator[Row]:
    """Names and pictures; a near wrong picture is one that the untouched model likes."""
    from workbench.collection.store import Item

    with open(folder / "pairs.csv", encoding="utf-8") as file:
        every = [tuple(row.values())[:2] for row in csv.DictReader(file)]
    generator = np.random.default_rng([seed, 5])
    pairs = [every[place] for place in generator.permutation(len(every))[:count]]
    asked = [Item(text=name) for name, _ in pairs]
    found = [Item(image=(folder / picture).read_bytes()) for _, picture in pairs]
    liked = liked_by_the_untouched(asked, found) if near else None

    def wrong(row: int) -> Item:
        if liked is None:
            return found[(row + 1 + int(generator.integers(len(found) - 1))) % len(found)]
        return found[generator.choice([other for other in liked[row] if other != row])]

    order = generator.permutation(len(pairs)).tolist()
    for number, row in enumerate(order[HELD_OUT:]):
        right = number < share * (len(order) - HELD_OUT)
        yield asked[row], found[row] if right else wrong(row), float(right), "train"
    for row in order[:HELD_OUT]:
        yield asked[row], found[row], 1.0, "eval"
        yield asked[row], wrong(row), 0.0, "eval"


def liked_by_the_untouched(asked: list[Any], found: list[Any]) -> np.ndarray:
    """The rows of the 20 documents that the starter puts first for each query: (queries, 20)."""
    from workbench.models import load_embedder
    from workbench.workspace import open_workspace

    with tempfile.TemporaryDirectory() as folder:
        embedder = load_embedder(open_workspace(Path(folder)), "starter")
        return np.argsort(-(embedder.encode_queries(asked) @ embedder.encode_documents(found).T), axis=1)[:, :20]


def make_collection(workspace: Any, name: str, rows: Iterator[Row]) -> None:
    from workbench.collection.writing import CollectionWriter

    with CollectionWriter(workspace.collection(name)) as writer:
        for query, document, score, split in rows:
            writer.judge(writer.add("queries", query), writer.add("corpus", document), score, split)
        writer.finish(name, labels={"query": "query", "document": "document"}, source={})


def learn(workspace: Any, name: str, objective: str, seed: int, steps: int) -> tuple[float, float, float]:
    """(NDCG@10, average precision, Spearman) of the held-out queries after a run."""
    from workbench.collection.store import open_collection
    from workbench.job_folder import create_job_folder
    from workbench.training.run import run_training
    from workbench.training.spec import train_spec

    wanted = {"objective": objective, "max_steps": steps, "epochs": 1000, "batch_size": 64, "seed": seed}
    spec = train_spec(workspace, collection=name, model="starter", overrides=wanted | {"evaluations": 1})
    job = create_job_folder(workspace.run(f"{name}-{objective}"), "train", spec, {})
    ndcg = float(run_training(workspace, job)["metrics"]["ndcg@10"])
    return ndcg, *judged(workspace, job, open_collection(workspace, name))


def judged(workspace: Any, job: Any, collection: Any) -> tuple[float, float]:
    """Average precision and Spearman of a run's model over the held-out judgements."""
    from scipy.stats import spearmanr
    from sklearn.metrics import average_precision_score

    from workbench.models import load_embedder
    from workbench.training.similarity import cosines

    held = collection.judged("eval")
    found = cosines(load_embedder(workspace, f"run:{job.name}"), collection, held)
    return float(average_precision_score(held.scores, found)), float(spearmanr(found, held.scores).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emoji", type=Path)
    parser.add_argument("--pairs", type=int, default=1200)
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    parser.add_argument("--wrong", nargs="+", default=["random", "near"], choices=["random", "near"])
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=OBJECTIVES)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    chosen = parser.parse_args()
    seeds, steps = chosen.seeds or (1 if chosen.emoji else 3), chosen.steps or (80 if chosen.emoji else 60)
    from workbench.workspace import open_workspace

    print("right | wrong documents | objective | NDCG@10 | average precision | Spearman", flush=True)
    for share in chosen.shares:
        for near in [words == "near" for words in chosen.wrong]:
            results: dict[str, list[tuple[float, ...]]] = {}
            for seed in range(seeds):
                with tempfile.TemporaryDirectory() as folder:
                    workspace = open_workspace(Path(folder))
                    if chosen.emoji:
                        rows = emoji_rows(chosen.emoji, chosen.pairs, share, near, seed)
                    else:
                        rows = planted_rows(share, near, seed)
                    make_collection(workspace, "labels", rows)
                    for objective in chosen.objectives:
                        results.setdefault(objective, []).append(learn(workspace, "labels", objective, seed, steps))
            for objective, found in results.items():
                figures = " | ".join(f"{value:.3f}" for value in np.mean(found, axis=0))
                print(f"{share:.0%} | {'near' if near else 'random'} | {objective} | {figures}", flush=True)


if __name__ == "__main__":
    main()
