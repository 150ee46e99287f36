"""Toys for the tests of the index: a collection in a moment, and an embedder whose vectors follow from the content."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.index import build, filling, finishing, table
from workbench.workspace import Workspace, new_folder, open_workspace

Progress = Callable[[int, int], None]


class ToyEmbedder:
    """Vectors made from the bytes of an item. A text that begins with `group N ` lies near others of that group."""

    reference = "toy"
    dimensions = (32, 16, 8)
    modalities = ("text", "image", "audio", "text+image")
    asymmetric = False

    def __init__(self, dimension: int = 32, seconds_per_item: float = 0.0, fingerprint: str = "toy-1") -> None:
        self.dimension = dimension
        self.seconds_per_item = seconds_per_item
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def check_supports(self, modalities: Iterable[str]) -> None:
        unknown = set(modalities) - set(self.modalities)
        if unknown:
            raise WorkbenchError(f"The model “toy” cannot read {', '.join(sorted(unknown))}.")

    def encode_documents(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        kinds = set()
        vectors = np.empty((len(items), self.dimension), np.float32)
        for number in range(len(items)):
            item = items[number]
            kinds.add(item.modality)
            vectors[number] = self.vector(item)
            self.encoded.append(item.id)
            if self.seconds_per_item:
                time.sleep(self.seconds_per_item)
            if progress is not None:
                progress(number + 1, len(items))
        assert len(kinds) <= 1, "a batch holds one modality"
        return vectors

    def encode_queries(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        return np.stack([self.vector(items[number]) for number in range(len(items))])

    def vector(self, item: Item) -> np.ndarray:
        vector = _noise(item.content_id() + self.fingerprint, self.dimension)
        words = (item.text or "").split()
        if words[:1] == ["group"]:
            vector = 0.5 * vector + _noise(words[1], self.dimension)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class ToyReranker:
    """Scores a document by the number at the end of its text: the order it makes is known beforehand."""

    reference = "toy-reranker"
    fingerprint = "toy-reranker-1"
    kind = "reranker"

    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        return np.array([float((document.text or "0").split()[-1]) for document in documents], np.float32)


def _noise(seed: str, dimension: int) -> np.ndarray:
    number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(number).standard_normal(dimension)


def make_collection(
    workspace: Workspace, name: str, documents: Sequence[Item], queries: Sequence[Item] = ()
) -> list[Item]:
    """Write a collection of these items, as an import does; the documents with their ids."""
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        ids = [writer.add("corpus", document) for document in documents]
        for query in queries:
            writer.add("queries", query)
        writer.finish(name, labels={"query": "query", "document": "document"}, source={})
    return [replace(document, id=identifier) for document, identifier in zip(documents, ids, strict=True)]


def texts(count: int, prefix: str = "document") -> list[Item]:
    return [Item(text=f"{prefix} {number}") for number in range(count)]


def build_from_the_command_line() -> None:
    """A build in a process that can be killed: `-m tests.index.toys WORKSPACE NAME COLLECTION SECONDS DIE_AFTER`.

    SECONDS: for each document. DIE_AFTER: the step of the build after which it kills itself, or nothing.
    """
    workspace, name, collection, seconds, die_after = sys.argv[1:6]
    filling.LARGEST_CHUNK_ROWS = filling.FIRST_CHUNK_ROWS = 64
    if die_after:
        module = finishing if hasattr(finishing, die_after) else table
        step = getattr(module, die_after)

        def step_and_die(*arguments: object, **options: object) -> None:
            step(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(module, die_after, step_and_die)
    embedder = ToyEmbedder(seconds_per_item=float(seconds))
    build.build_index(open_workspace(workspace), name, collection, "toy", embedder=embedder)  # type: ignore[arg-type]


if __name__ == "__main__":
    build_from_the_command_line()
