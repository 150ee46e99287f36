"""What the processes of `index_faults.py` do: one works on an index and may be killed, one searches all the time.

They are forked from a server that has loaded everything but LanceDB, which must not cross a fork.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import datasets  # noqa: E402, F401  (loaded once, in the server)
import lance_namespace_urllib3_client.api  # noqa: E402, F401  (nine tenths of what loading LanceDB takes)
import pandas  # noqa: E402, F401

from workbench.collection.store import Item  # noqa: E402
from workbench.index import build, filling, life, recall, registry, table  # noqa: E402
from workbench.index.search import Searcher  # noqa: E402
from workbench.workspace import open_workspace  # noqa: E402

MODELS = ("toy-1", "toy-2")
DIMENSION, CHUNK, APPROXIMATE_FROM, SECONDS_A_DOCUMENT = 32, 32, 300, 0.002
SAME_SCORE = 1e-4
# The others need the processor too.
SECONDS_BETWEEN_SEARCHES = 0.05


class Toy:
    """An embedder as the index wants one. `log`: a file that gets a letter for each document it has embedded."""

    dimension, dimensions, modalities, asymmetric = DIMENSION, (DIMENSION,), ("text",), False

    def __init__(self, reference: str, log: Path | None = None) -> None:
        self.reference = self.fingerprint = reference
        self._log = log

    def check_supports(self, modalities: Iterable[str]) -> None:
        pass

    def encode_documents(self, items: Sequence[Any], **_: Any) -> np.ndarray:
        vectors = np.empty((len(items), DIMENSION), np.float32)
        for number in range(len(items)):
            vectors[number] = vector(self.reference, items[number].text)
            time.sleep(SECONDS_A_DOCUMENT)
            if self._log is not None:
                with self._log.open("a") as log:
                    log.write("x")
        return vectors

    def encode_queries(self, items: Sequence[Any], **_: Any) -> np.ndarray:
        return np.stack([vector(self.reference, item.text) for item in items])


@cache
def vector(model: str, text: str) -> np.ndarray:
    """The unit vector of a text: it lies near those whose numbers end with the same digit."""
    own, group = (
        np.random.default_rng(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big"))
        for seed in (model + text, model + text[-1])
    )
    mixed = own.standard_normal(DIMENSION) + 0.7 * group.standard_normal(DIMENSION)
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def text_of(number: int) -> str:
    return f"document {number}"


@lru_cache(maxsize=8)
def held(model: str, documents: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """The texts of a state and their vectors, (documents, dimension)."""
    texts = [text_of(number) for number in documents]
    return texts, np.stack([vector(model, one) for one in texts])


def is_answer_of(state: dict[str, Any], text: str, found: list[tuple[str, float]]) -> bool:
    """Whether this is what a state must answer: {"model", "documents": numbers}."""
    texts, matrix = held(state["model"], tuple(state["documents"]))
    scores = dict(zip(texts, (matrix @ vector(state["model"], text)).tolist(), strict=True))
    best = sorted(scores, key=lambda one: -scores[one])[:10]
    if len(found) != len(best) or any(abs(scores.get(one, -9) - score) > SAME_SCORE for one, score in found):
        return False
    shared = len({one for one, _ in found} & set(best))
    return shared == len(best) or (len(texts) >= APPROXIMATE_FROM and shared >= 8)


def states(folder: Path) -> list[dict[str, Any]]:
    """Which states the index `live` may answer with just now."""
    return list(json.loads((folder / "states.json").read_text()))


def work(told: Connection, root: str, name: str, log: str) -> None:
    """Do one work on one index, when it is told which."""
    import lancedb  # noqa: F401  (loaded before the clock starts)

    filling.FIRST_CHUNK_ROWS = filling.LARGEST_CHUNK_ROWS = CHUNK
    table.APPROXIMATE_FROM_ROWS = APPROXIMATE_FROM
    recall.EFFORTS, recall.SAMPLE = ((200, 100),), 10
    workspace = open_workspace(root)
    told.send("ready")
    action = told.recv()
    toys: Any = {model: Toy(model, Path(log)) for model in MODELS}
    if action == "build":
        build.build_index(workspace, name, "words", MODELS[0], embedder=toys[MODELS[0]])
    elif action == "delete":
        registry.remove_index(workspace, name)
    elif action == "rollback":
        life.roll_back(workspace, name)
    else:
        card = registry.get_index(workspace, name)
        if action == "add":
            life.update_index(workspace, name, embedder=toys[card.model])
        elif action == "compact":
            life.compact(workspace, name, embedder=toys[card.model])
        else:
            other = MODELS[1 - MODELS.index(card.model)]
            life.reembed(workspace, name, other, embedder=toys[other])
    told.send("done")


def search(told: Connection, root: str) -> None:
    """Search `live` until it is told to stop; tells how often, and what was wrong."""
    folder = Path(root).parent
    searcher = Searcher(open_workspace(root), load_embedder=lambda _, reference, **__: Toy(reference))
    generator = np.random.default_rng(1)
    answers, errors, wrong, seconds = 0, [], [], []
    told.send("ready")
    while not told.poll():
        allowed = states(folder)
        text = text_of(int(generator.choice(allowed[-1]["documents"])))
        began = time.perf_counter()
        try:
            hits = searcher.search("live", Item(text=text), top=10).hits
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}"[:300])
            continue
        seconds.append(time.perf_counter() - began)
        answers += 1
        found = [(hit.text, hit.score) for hit in hits]
        if not any(is_answer_of(state, text, found) for state in [*allowed, *states(folder)]):
            wrong.append({"asked": text, "found": found})
        time.sleep(SECONDS_BETWEEN_SEARCHES)
    counts = {"answers": answers, "errors": len(errors), "wrong_answers": len(wrong)}
    median = round(float(np.median(seconds or [0])) * 1000, 1)
    told.send({**counts, "median_milliseconds": median, "examples": [*errors[:3], *wrong[:3]]})
