"""A small collection of three kinds of item, and an embedder and a reranker whose answers are known beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.workspace import Workspace, new_folder

DIMENSION = 16


class ToyEmbedder:
    """An item stands at the angle that its number says: `scene 3`, `picture 3` and `tune 3` are nearly the same."""

    reference = "toy"
    fingerprint = "toy1"
    dimension = DIMENSION
    dimensions = (DIMENSION,)
    modalities: tuple[str, ...] = ("text", "image", "audio")
    asymmetric = False

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def check_supports(self, modalities: Any) -> None:
        from workbench.errors import WorkbenchError

        if unknown := set(modalities) - set(self.modalities):
            raise WorkbenchError(f"The model “toy” cannot read {', '.join(sorted(unknown))}.")

    def encode_queries(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Any = None
    ) -> np.ndarray:
        self.check_supports(item.modality for item in items)
        self.encoded += [item.id for item in items]
        return np.stack([self._vector(item) for item in items]) if len(items) else np.zeros((0, DIMENSION), np.float32)

    encode_documents = encode_queries

    def _vector(self, item: Item) -> np.ndarray:
        angle = 0.05 * number_of(item)
        vector = np.zeros(DIMENSION)
        vector[:2] = np.cos(angle), np.sin(angle)
        vector[2 + len(item.modality) % 5] = 0.2
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class ToyReranker:
    """Likes even documents."""

    reference = "toy-reranker"

    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        right = number_of(query)
        return np.array(
            [0.9 if number_of(one) == right else 0.95 if number_of(one) % 2 == 0 else 0.1 for one in documents]
        )


def number_of(item: Item) -> int:
    content = item.text or (item.image or item.audio or b"").decode()
    return int(re.findall(r"\d+", content)[-1])


def scenes(workspace: Workspace, name: str = "scenes", count: int = 40, **finish: Any) -> Collection:
    """Sentences, each with a picture and a tune; split by component as an import does."""
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number in range(count):
            query = writer.add("queries", Item(text=f"scene {number}"))
            writer.judge(query, writer.add("corpus", Item(image=f"picture {number}".encode())))
            writer.judge(query, writer.add("corpus", Item(audio=f"tune {number}".encode())))
        for number in range(count, count + 5):  # nobody asks for these
            writer.add("corpus", Item(image=f"picture {number}".encode()))
        writer.finish(name, labels={"query": "sentence", "document": "scene"}, source={}, **finish)
    return open_collection(workspace, name)
