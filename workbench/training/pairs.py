"""Training pairs of a collection as the library's trainers take them: row numbers, decoded when a batch needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.models.items import InputForm, model_input, video_frames

if TYPE_CHECKING:
    from datasets import Dataset

CACHE_BYTES = 512 * 1024 * 1024
# Larger ones are opened again each time: every loader process would keep its own, and most would be gone before they
# come again. So much is a picture of 290 × 290, or four seconds of sound.
LARGEST_KEPT = 256 * 1024


@dataclass(frozen=True)
class Pairs:
    """Relevant pairs of one query modality and one document modality: rows of the two sides, in parallel.

    negatives: a document that is wrong for the query, for each pair, (pairs,), or several, (pairs, negatives); None
    where pairs are all there is. labels: what the loss should give for each row, (pairs,) or (pairs, documents shown),
    for objectives that copy scores; the documents then need not be relevant.
    """

    name: str
    queries: np.ndarray
    documents: np.ndarray
    negatives: np.ndarray | None = None
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def shown(self) -> np.ndarray:
        """The documents that each pair shows, the right one first: (pairs, 1 + negatives)."""
        wrong = [] if self.negatives is None else [self.negatives.reshape(len(self), -1)]
        return np.concatenate([self.documents[:, None], *wrong], axis=1)

    def columns(self) -> dict[str, tuple[str, np.ndarray]]:
        """The inputs of the model by name, as `pair_dataset` takes them."""
        _, *wrong = self.shown.T
        names = ["negative"] if len(wrong) == 1 else [f"negative_{number + 1}" for number in range(len(wrong))]
        found = {"query": ("queries", self.queries), "document": ("corpus", self.documents)}
        return found | {name: ("corpus", rows) for name, rows in zip(names, wrong, strict=True)}


def training_pairs(collection: Collection) -> list[Pairs]:
    """The relevant train judgements, one `Pairs` for each pair of modalities, the largest first.

    Raises WorkbenchError if there is nothing to learn from.
    """
    judged = collection.judged("train")
    relevant = judged.scores > 0
    queries, documents = judged.queries[relevant], judged.documents[relevant]
    if len(queries) < 2:
        raise too_few_pairs(collection.name, len(queries))
    found = by_modality(collection, queries, documents)
    if not found:  # two pairs that are of different kinds
        raise too_few_pairs(collection.name, 1)
    return found


def by_modality(
    collection: Collection, queries: np.ndarray, documents: np.ndarray, labels: np.ndarray | None = None
) -> list[Pairs]:
    """Rows of the two sides (and their labels) as one `Pairs` for each pair of modalities that has two, largest first.

    A batch holds one modality on each side.
    """
    asked, answered = collection.query_modalities[queries], collection.document_modalities[documents]
    kinds = np.array([f"{q}->{d}" for q, d in zip(asked, answered, strict=True)], dtype=object)
    found = []
    for kind in dict.fromkeys(kinds.tolist()):
        rows = kinds == kind
        found.append(Pairs(kind, queries[rows], documents[rows], labels=None if labels is None else labels[rows]))
    return sorted((pairs for pairs in found if len(pairs) >= 2), key=len, reverse=True)


def too_few_pairs(collection: str, count: int) -> WorkbenchError:
    """The error that says that a collection has next to nothing to train on."""
    pairs = "no pairs" if count == 0 else "one pair"
    return WorkbenchError(
        f"The collection “{collection}” has {pairs} to train on, and a run needs at least 2. Import more rows."
    )


def with_negatives(
    collection: Collection, pairs: Pairs, wrong: dict[int, np.ndarray], seed: int, copies: int = 1, count: int = 1
) -> Pairs:
    """The pairs with `count` wrong documents each, `copies` times over with others each time.

    wrong: the known wrong documents by query row. Where a query has too few it gets documents of other queries, which
    teach little and harm nothing.
    """
    generator = np.random.default_rng([seed, 11])
    right: dict[int, set[int]] = {}
    for query, document in zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True):
        right.setdefault(query, set()).add(document)
    kinds, different = collection.document_modalities, len(np.unique(pairs.documents))
    kind = kinds[pairs.documents[0]]
    # A query for which every document is right has nothing to learn from, and no draw for it would ever end.
    kept = np.array([len(right[query]) < different for query in pairs.queries.tolist()], bool)
    told = {
        query: [row for row in wrong.get(query, ()) if kinds[row] == kind and row not in right[query]]
        for query in right
    }
    first = {query: int(generator.integers(len(rows))) if rows else 0 for query, rows in told.items()}
    chosen: list[int] = []
    for copy in range(copies):
        for query in pairs.queries[kept].tolist():
            for place in range(count):
                if place < len(told[query]):  # the next one each time, so that all of them are learnt from
                    chosen.append(int(told[query][(first[query] + copy * count + place) % len(told[query])]))
                    continue
                drawn = int(generator.choice(pairs.documents))
                while drawn in right[query]:
                    drawn = int(generator.choice(pairs.documents))
                chosen.append(drawn)
    negatives = np.array(chosen, np.int64)
    return Pairs(
        pairs.name,
        np.tile(pairs.queries[kept], copies),
        np.tile(pairs.documents[kept], copies),
        negatives if count == 1 else negatives.reshape(-1, count),
    )


def known_wrong(collection: Collection, mined: bool | None = None) -> dict[int, np.ndarray]:
    """The documents that the train judgements call wrong (score 0), by query row.

    mined: only those that were mined (True), or only those that people told (False).
    """
    judged = collection.judged("train")
    wrong = judged.scores <= 0
    if mined is not None:
        wrong &= (judged.sources == "mined") == mined
    return rows_by_query(judged.queries[wrong], judged.documents[wrong])


def rows_by_query(queries: np.ndarray, documents: np.ndarray) -> dict[int, np.ndarray]:
    """The documents of each query, from two parallel arrays of rows."""
    if not len(queries):
        return {}
    order = np.argsort(queries, kind="stable")
    rows, starts = np.unique(queries[order], return_index=True)
    return {int(row): part for row, part in zip(rows, np.split(documents[order], starts[1:]), strict=True)}


def pair_dataset(collection: Collection, columns: dict[str, tuple[str, Any]], form: InputForm, **extra: Any) -> Dataset:
    """A dataset of row numbers whose rows are decoded when they are read.

    columns: name of the model's input -> (side, rows). The order of the columns is the order the loss sees. Rows are an
    array, or a list of lists where one cell holds several documents.
    form: how the model wants its inputs. extra: further columns, passed through as they are (`label`).
    """
    from datasets import Dataset

    data = {name: (rows if isinstance(rows, list) else rows.tolist()) for name, (_, rows) in columns.items()} | extra
    dataset = Dataset.from_dict(data)
    dataset.set_transform(Decoder(collection.path, {name: side for name, (side, _) in columns.items()}, form))
    return dataset


class Decoder:
    """Turns a batch of row numbers into model inputs. Small decoded items are kept, so later passes cost nothing.

    It travels to loader processes, where it opens the collection anew.
    """

    def __init__(self, path: Path, sides: dict[str, str], form: InputForm) -> None:
        self.path = path
        self.sides = sides
        self.form = form
        self._collection: Collection | None = None
        self._kept: dict[tuple[str, int], Any] = {}
        self._kept_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "sides": self.sides, "form": self.form}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["sides"], state["form"])  # type: ignore[misc]

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            name: [self._cell(self.sides[name], cell) for cell in values] if name in self.sides else values
            for name, values in batch.items()
        }

    def _cell(self, side: str, cell: int | list[int]) -> Any:
        return [self._decode(side, row) for row in cell] if isinstance(cell, list) else self._decode(side, cell)

    def _decode(self, side: str, row: int) -> Any:
        key = (side, row)
        if key not in self._kept:
            if self._collection is None:
                self._collection = Collection(self.path)
            item = self._collection.item(side, row)
            try:
                value = training_input(item, self.form)
            except WorkbenchError as error:
                raise unreadable(item, side, row, error) from error
            size = decoded_bytes(value)
            if size > LARGEST_KEPT or self._kept_bytes + size > CACHE_BYTES:
                return value
            self._kept[key] = value
            self._kept_bytes += size
        return self._kept[key]


def unreadable(item: Item, side: str, row: int, error: WorkbenchError) -> WorkbenchError:
    """The error that says which item it was that could not be decoded."""
    table = "queries" if side == "queries" else "documents"
    named = f" (“{item.file}”)" if item.file else ""
    return WorkbenchError(
        f"Row {row + 1:,} of the {table}{named} cannot be read: {error.message} Look at it under Check on the Data "
        "tab, which leaves it out, then start the run again."
    )


def training_input(item: Item, form: InputForm) -> Any:
    """One item as the trainer takes it. A video is learnt from its middle frame."""
    if item.modality == "video":
        frames = video_frames(item, form)
        return frames[len(frames) // 2]
    return model_input(item, form)


def decoded_bytes(value: Any) -> int:
    """About how much memory a decoded input takes."""
    if isinstance(value, dict):
        return sum(decoded_bytes(part) for part in value.values())
    if isinstance(value, list):
        return sum(decoded_bytes(part) for part in value)
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if hasattr(value, "size") and isinstance(value.size, tuple):
        return int(value.size[0]) * int(value.size[1]) * 3
    return 200
