"""Mining hard negatives here ÷ `mine_hard_negatives` of Sentence Transformers, on text.

    python benchmarks/mining.py [--pairs 3000] [--rounds 3]
    python benchmarks/mining.py --search [--queries 10000] [--documents 10000] [--dimension 256]
    python benchmarks/mining.py --large [--queries 100000] [--documents 100000] [--dimension 256]

The same model (`starter`), the same pairs, the same settings: the first 100 ranks, a relative margin of 5 %, four
negatives a query. Ours is the whole work of the job but for loading the model: reading the collection, encoding with
no cache, the search, and writing the judgements as a change that can be undone; theirs ends with a data set in memory.
Both run on one thread and are timed in CPU seconds, so that other work on the machine counts little; one of each in
turn, and the least of each counts. The negatives must be the same, or no ratio is printed: a document may stand for
another only where both are equally similar to 1e-6, which is what rounding leaves undecided.

Nearly all of that is the model. `--search` compares what is left once the vectors are there, on random ones, each query
near a document of its own; theirs is given them by a model that only looks them up. `--large` times our search alone at
100,000 × 100,000, on all cores, and measures the memory that comes on top of the vectors.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "--large" not in sys.argv:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # no progress bars between the figures
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

PER_QUERY, LAST_RANK, MARGIN = 4, 100, 0.95
Negatives = dict[str, dict[str, float]]


def make_pairs(count: int) -> list[tuple[str, str]]:
    """Texts of 5 to 60 words about one of 200 subjects, each with a shorter question made of its words."""
    generator = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]
    vocabulary = ["".join(generator.choice(syllables, size=generator.integers(1, 4))) for _ in range(4000)]
    subjects = generator.choice(vocabulary, (200, 40))
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        words = generator.choice(subjects[generator.integers(200)], size=generator.integers(5, 60))
        question = generator.choice(words, size=max(3, len(words) // 4))
        pairs[" ".join(question)] = " ".join(words)
    return list(pairs.items())


def make_collection(workspace: Any, pairs: list[tuple[str, str]]) -> None:
    from workbench.collection.store import Item
    from workbench.collection.writing import CollectionWriter

    with CollectionWriter(workspace.collection("pairs")) as writer:
        for question, text in pairs:
            writer.judge(writer.add("queries", Item(text=question)), writer.add("corpus", Item(text=text)))
        writer.finish("pairs", labels={}, source={}, fraction=0.0)


def mined_here(workspace: Any, embedder: Any) -> Negatives:
    import json

    from workbench.collection.store import open_collection
    from workbench.enrich.hard_negatives import MiningSettings
    from workbench.enrich.mining import mine_collection

    settings = MiningSettings(per_query=PER_QUERY, last_rank=LAST_RANK, margin=MARGIN)

    def work() -> None:
        mine_collection(workspace, "pairs", embedder, settings)

    seconds, _ = cpu_seconds(work)
    mined_here.seconds.append(seconds)  # type: ignore[attr-defined]
    collection = open_collection(workspace, "pairs")
    texts = {side: dict(zip(collection.side(side)["id"][:], collection.side(side)["text"][:], strict=True))
             for side in ("queries", "corpus")}  # fmt: skip
    found: Negatives = {}
    for row in collection.judgements.to_list():
        if row["source"] == "mined":
            by_query = found.setdefault(texts["queries"][row["query"]], {})
            by_query[texts["corpus"][row["document"]]] = json.loads(row["meta"])["similarity"]
    shutil.rmtree(workspace.evaluations / "vectors")
    return found


def mined_there(model: Any, dataset: Any, corpus: list[str] | None = None) -> Any:
    from sentence_transformers.util import mine_hard_negatives

    return mine_hard_negatives(
        dataset,
        model,
        corpus=corpus,
        range_max=LAST_RANK,
        relative_margin=1 - MARGIN,
        num_negatives=PER_QUERY,
        batch_size=64,
        output_format="triplet",
        output_scores=True,
        verbose=False,
    )


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def differences(ours: Negatives, theirs: Negatives) -> tuple[int, int]:
    """How many negatives are in one only: those that are as similar as the one in their place, and all others."""
    undecided = other = 0
    for query in ours.keys() | theirs.keys():
        mine, yours = ours.get(query, {}), theirs.get(query, {})
        left = sorted(value for text, value in mine.items() if text not in yours)
        right = sorted(value for text, value in yours.items() if text not in mine)
        alike = len(left) == len(right) and all(abs(a - b) <= 2e-6 for a, b in zip(left, right, strict=True))
        undecided += len(left) if alike else 0
        other += 0 if alike else max(len(left), len(right))
    return undecided, other


def compare(pairs_wanted: int, rounds: int) -> None:
    import torch
    from datasets import Dataset

    from workbench.models.load import load_embedder
    from workbench.workspace import open_workspace

    torch.set_num_threads(1)
    pairs = make_pairs(pairs_wanted)
    dataset = Dataset.from_dict({"query": [pair[0] for pair in pairs], "answer": [pair[1] for pair in pairs]})
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder) / "workspace")
        make_collection(workspace, pairs)
        embedder = load_embedder(workspace, "starter", device="cpu")
        embedder.encode_queries([])
        mined_here.seconds = []  # type: ignore[attr-defined]
        mined_there(embedder.model, dataset.select(range(200)))  # the first use of everything is slower
        there_seconds = []
        for _ in range(rounds):
            ours = mined_here(workspace, embedder)
            seconds, table = cpu_seconds(lambda: mined_there(embedder.model, dataset))
            there_seconds.append(seconds)
    theirs: Negatives = {}
    for row in table:
        theirs.setdefault(row["query"], {})[row["negative"]] = row["scores"][1]
    undecided, other = differences(ours, theirs)
    count = sum(map(len, ours.values()))
    if other or not count:
        sys.exit(f"{other} of {count} negatives differ, so the ratio would mean nothing.")
    here, there = min(mined_here.seconds), min(there_seconds)  # type: ignore[attr-defined]
    print(
        f"{here / there:.3f} = mining here ({here:.2f} CPU s) ÷ mine_hard_negatives ({there:.2f} CPU s); starter, "
        f"{len(pairs):,} pairs of text, one thread, least of {rounds} in turn; the same {count:,} negatives, of "
        f"which {undecided} swapped with one that is as similar to 1e-6"
    )


class LooksUp:
    """As much of a SentenceTransformer as its mining asks for: `q7` and `d7` name vectors."""

    device = "cpu"

    def __init__(self, queries: np.ndarray, documents: np.ndarray) -> None:
        self._vectors = {"q": queries, "d": documents}

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        return self._vectors[texts[0][0]][[int(text[1:]) for text in texts]]

    encode_document = encode_query

    def similarity(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import dot_score

        return dot_score(one, other)

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import pairwise_dot_score

        return pairwise_dot_score(one, other)


def random_vectors(queries: int, documents: int, dimension: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors of queries and documents, and the document that each query lies near."""
    generator = np.random.default_rng(0)

    def unit(count: int) -> np.ndarray:
        vectors = generator.standard_normal((count, dimension), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    document_vectors, own = unit(documents), np.arange(queries) % documents
    query_vectors = unit(queries)
    query_vectors += 0.5 * document_vectors[own]
    query_vectors /= np.linalg.norm(query_vectors, axis=1, keepdims=True)
    return query_vectors, document_vectors, own


def compare_search(queries: int, documents: int, dimension: int, rounds: int) -> None:
    import torch
    from datasets import Dataset

    from workbench.enrich.hard_negatives import Known, MiningSettings, hard_negatives

    torch.set_num_threads(1)
    query_vectors, document_vectors, own = random_vectors(queries, documents, dimension)
    table = {"query": [f"q{number}" for number in range(queries)], "answer": [f"d{number}" for number in own]}
    dataset, model = Dataset.from_dict(table), LooksUp(query_vectors, document_vectors)
    corpus = [f"d{number}" for number in range(documents)]
    settings = MiningSettings(per_query=PER_QUERY, last_rank=LAST_RANK, margin=MARGIN)
    right = Known(np.arange(queries), own)
    here, there = [], []
    for _ in range(rounds):
        seconds, mined = cpu_seconds(lambda: hard_negatives(query_vectors, document_vectors, right, settings))
        here.append(seconds)
        seconds, found = cpu_seconds(lambda: mined_there(model, dataset, corpus))
        there.append(seconds)
    ours: Negatives = {}
    for query, document, score in zip(mined.queries, mined.documents, mined.similarities, strict=True):
        ours.setdefault(f"q{query}", {})[f"d{document}"] = float(score)
    theirs: Negatives = {}
    for row in found:
        theirs.setdefault(row["query"], {})[row["negative"]] = row["scores"][1]
    undecided, other = differences(ours, theirs)
    if other or not len(mined):
        sys.exit(f"{other} of {len(mined)} negatives differ, so the ratio would mean nothing.")
    print(
        f"{min(here) / min(there):.3f} = the search here ({min(here):.2f} CPU s) ÷ mine_hard_negatives of the same "
        f"vectors ({min(there):.2f} CPU s); {queries:,} × {documents:,} × {dimension}, one thread, least of {rounds} "
        f"in turn; the same {len(mined):,} negatives, of which {undecided} swapped with one that is as similar to 1e-6"
    )


def large(queries: int, documents: int, dimension: int) -> None:
    import psutil

    from workbench.enrich.hard_negatives import Known, MiningSettings, hard_negatives

    query_vectors, document_vectors, own = random_vectors(queries, documents, dimension)
    before = psutil.Process().memory_info().rss / (1 << 20)
    right = Known(np.arange(queries), own)
    started, cpu = time.perf_counter(), time.process_time()
    settings = MiningSettings(per_query=PER_QUERY, last_rank=LAST_RANK, margin=MARGIN)
    mined = hard_negatives(query_vectors, document_vectors, right, settings)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(
        f"{seconds:.0f} s ({cpu:.0f} CPU s) for {queries:,} queries × {documents:,} documents × {dimension} "
        f"dimensions, {len(mined):,} negatives; {peak_mebibytes() - before:.0f} MiB above the vectors, "
        f"{2 * queries * documents * dimension / seconds / 1e9:.0f} GFLOP/s; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--search", action="store_true")
    options.add_argument("--large", action="store_true")
    options.add_argument("--queries", type=int)
    options.add_argument("--documents", type=int)
    options.add_argument("--dimension", type=int, default=256)
    chosen = options.parse_args()
    if chosen.large:
        large(chosen.queries or 100_000, chosen.documents or 100_000, chosen.dimension)
    elif chosen.search:
        compare_search(chosen.queries or 10_000, chosen.documents or 10_000, chosen.dimension, chosen.rounds)
    else:
        compare(chosen.pairs, chosen.rounds)


if __name__ == "__main__":
    main()
