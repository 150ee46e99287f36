"""Collections and embedders for the evaluation's tests: small, deterministic, with no model in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from workbench.collection.store import (
    Card,
    Collection,
    Item,
    count_judgements,
    fingerprint_tables,
    item_features,
    judgement_features,
    row_from_item,
    save_card,
)
from workbench.workspace import Workspace

Judgement = tuple[str, str, float, str] | tuple[str, str, float, str, str]


class ToyEmbedder:
    """Items that end in the same number get nearly the same vector; `noise` is how far from it.

    Counts what it encodes, so that a test can say that nothing was encoded twice.
    """

    def __init__(
        self, reference: str = "toy", dimension: int = 32, noise: float = 0.0, asymmetric: bool = False
    ) -> None:
        self.reference = reference
        self.fingerprint = f"{reference}{dimension}{noise}".replace(".", "x")
        self.dimension = dimension
        self.dimensions = [dimension, dimension // 2, dimension // 4]
        self.noise = noise
        self.asymmetric = asymmetric
        self.encoded: list[tuple[str, str]] = []
        self.largest_batch = 0

    def encode_queries(self, items: Sequence[Item], *, batch_size=None, progress=None) -> np.ndarray:
        return self._encode(items, "query", progress)

    def encode_documents(self, items: Sequence[Item], *, batch_size=None, progress=None) -> np.ndarray:
        return self._encode(items, "document", progress)

    def _encode(self, items: Sequence[Item], role: str, progress: Callable[[int, int], None] | None) -> np.ndarray:
        self.largest_batch = max(self.largest_batch, len(items))
        vectors = np.empty((len(items), self.dimension), dtype=np.float32)
        for place in range(len(items)):
            item = items[place]
            self.encoded.append((role, item.id))
            vectors[place] = self._vector(item)
            if progress is not None:
                progress(place + 1, len(items))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _vector(self, item: Item) -> np.ndarray:
        content = item.text or (item.image or item.audio or item.video or b"").decode()
        concept = int(re.findall(r"\d+", content)[-1])
        own = int(item.content_id(), 16)
        meaning = np.random.default_rng(concept).standard_normal(self.dimension)
        return meaning + self.noise * np.random.default_rng(own).standard_normal(self.dimension)


def make_collection(
    workspace: Workspace,
    name: str,
    queries: Sequence[Item],
    documents: Sequence[Item],
    judgements: Iterable[Judgement],
    method: str = "component",
) -> Collection:
    """Write a collection. A judgement is (query id, document id, score, split) and, if not `upload`, its source."""
    import pyarrow
    from datasets import Dataset

    path: Path = workspace.collection(name)
    path.mkdir(parents=True)
    lines = [(*judgement, "upload")[:5] for judgement in judgements]
    columns = ("query", "document", "score", "split", "source")
    table: dict[str, list] = {column: [line[place] for line in lines] for place, column in enumerate(columns)}
    table["meta"] = [None] * len(lines)
    for side, items in (("queries", queries), ("corpus", documents)):
        # Not Dataset.from_list: encoding sound through it would want torchcodec.
        rows = [row_from_item(item) for item in items]
        Dataset(pyarrow.Table.from_pylist(rows, schema=item_features().arrow_schema)).save_to_disk(path / side)
    Dataset.from_dict(table, features=judgement_features()).save_to_disk(path / "judgements")
    modalities = {
        "query": sorted({item.modality for item in queries}),
        "document": sorted({item.modality for item in documents}),
    }
    save_card(
        path,
        Card(
            name=name,
            counts=count_judgements(table["split"]),
            modalities=modalities,
            split={"method": method},
            fingerprint=fingerprint_tables([item.id for item in queries], [item.id for item in documents], table),
        ),
    )
    return Collection(path)


def scenes(workspace: Workspace, count: int = 40, held: int = 25, name: str = "scenes") -> Collection:
    """Sentences, each with a picture and a tune; the last `held` are held out."""
    queries = [Item(text=f"scene {n}", id=f"q{n:03}") for n in range(count)]
    pictures = [Item(image=f"picture {n}".encode(), id=f"p{n:03}") for n in range(count)]
    tunes = [Item(audio=f"tune {n}".encode(), id=f"t{n:03}") for n in range(count)]
    judgements = []
    for n in range(count):
        split = "eval" if n >= count - held else "train"
        judgements += [(f"q{n:03}", f"p{n:03}", 1.0, split), (f"q{n:03}", f"t{n:03}", 1.0, split)]
    return make_collection(workspace, name, queries, pictures + tunes, judgements)


@pytest.fixture
def collection(workspace: Workspace) -> Collection:
    return scenes(workspace)


@pytest.fixture
def make_scenes() -> Callable[..., Collection]:
    return scenes


@pytest.fixture
def build() -> Callable[..., Collection]:
    return make_collection


@pytest.fixture
def toy() -> type[ToyEmbedder]:
    return ToyEmbedder
