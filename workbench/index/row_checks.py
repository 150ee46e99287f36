"""What can be wrong with the rows of an index, looked for batch by batch; of all rows only their ids are held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.index.registry import IndexCard
from workbench.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = 5
# How far from 1 the length of a vector may be: what rounding leaves of it in each precision.
UNIT_TOLERANCE = {"float32": 1e-3, "rescored": 1e-3, "float16": 5e-3}
WRONG, NOTE = "wrong", "note"
MEDIA = ("image", "audio", "video")
COLUMNS = ("id", "row", "modality", "text", "vector")
WORDS = {
    "not-finite": "{rows} a vector that is missing or no number, so they can never be found.",
    "not-unit": "{rows} a vector whose length is not one, so their scores are wrong.",
    "bits": "{rows} signs that are not those of the vector, so they are found too seldom.",
    "no-id": "{rows} no id.",
    "no-text": "{rows} no text, though they should have one.",
    "id-twice": "{rows} an id that another row has too.",
    "row-twice": "{rows} a row number that another row has too.",
}
AGAIN = " Build the index again."


@dataclass(frozen=True)
class Finding:
    """One thing found. `severity`: `wrong` calls for mending, `note` for nothing. `count`: the rows it concerns."""

    kind: str
    severity: str
    words: str
    count: int = 1
    examples: list[str] = field(default_factory=list)


class Rows:
    """What has been seen of all rows so far."""

    def __init__(self, size: int, precision: str) -> None:
        """size, precision: of the vectors as the table keeps them."""
        self.total = 0
        self.modalities: dict[str, int] = {}
        self._size, self._tolerance = size, UNIT_TOLERANCE[precision]
        self._ids: list[pa.Array] = []
        self._numbers: list[pa.Array] = []
        self._bad: dict[str, tuple[int, list[str]]] = {}

    def take(self, batch: Any) -> None:
        """Look at a batch of these COLUMNS, and `bits` where the table has them."""
        import pyarrow as pa

        ids, kinds = batch["id"].to_pylist(), batch["modality"].to_pylist()
        # Copied: a column of a batch would keep the whole batch, vectors and all, in memory.
        self._ids.append(pa.array(ids, pa.string()))
        self._numbers.append(pa.array(batch["row"].to_numpy().copy()))
        self.total += len(ids)
        for kind in kinds:
            self.modalities[kind] = self.modalities.get(kind, 0) + 1
        vectors = _vectors(batch, self._size)
        lengths = np.linalg.norm(vectors, axis=1)
        texts = zip(kinds, batch["text"].to_pylist(), strict=True)
        self._note("not-finite", ids, ~np.isfinite(lengths))
        self._note("not-unit", ids, np.isfinite(lengths) & (np.abs(lengths - 1.0) > self._tolerance))
        self._note("bits", ids, _other_signs(batch, vectors))
        self._note("no-id", ids, np.array([not one for one in ids], bool))
        self._note("no-text", ids, np.array(["text" in kind.split("+") and not text for kind, text in texts], bool))

    def all_ids(self) -> pa.ChunkedArray:
        """The ids of all rows taken, in their order."""
        import pyarrow as pa

        return pa.chunked_array(self._ids, pa.string())

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the rows by themselves."""
        import pyarrow as pa

        found = {**self._bad, "id-twice": _twice(self.all_ids())}
        found["row-twice"] = _twice(pa.chunked_array(self._numbers, pa.int64()))
        for kind, words in WORDS.items():
            count, examples = found.get(kind, (0, []))
            if count:
                yield Finding(kind, WRONG, words.format(rows=rows_have(count)) + AGAIN, count, examples)

    def _note(self, kind: str, ids: list[str], bad: np.ndarray) -> None:
        count, examples = self._bad.get(kind, (0, []))
        more = [ids[at] for at in np.flatnonzero(bad)[: EXAMPLES - len(examples)]]
        self._bad[kind] = count + int(bad.sum()), examples + more


class Documents:
    """The documents of an index's collection as it is now, to compare the rows with."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._ids: pa.ChunkedArray = collection.corpus.data["id"]

    @classmethod
    def open(cls, workspace: Workspace, card: IndexCard) -> Documents | None:
        """None if the collection is gone or damaged."""
        try:
            return cls(open_collection(workspace, card.collection))
        except WorkbenchError:
            return None

    def findings(self, card: IndexCard, ids: pa.ChunkedArray) -> Iterator[Finding]:
        """What the index, of whose rows these are the ids, lacks and has too much, and what has no media."""
        import pyarrow.compute as pc

        changed = self._collection.fingerprint != card.collection_fingerprint
        severity = NOTE if changed else WRONG
        what_to_do = " Update the index." if changed else AGAIN
        missing = self._ids.filter(pc.invert(pc.is_in(self._ids, ids)))
        if len(missing):
            said = f"{documents(len(missing))} of “{card.collection}” {_is(len(missing))} not in the index"
            said += " yet." if changed else "."
            yield Finding("missing", severity, said + what_to_do, len(missing), _first(missing))
        there = pc.index_in(ids, self._ids)
        extra = ids.filter(pc.is_null(there))
        if len(extra):
            said = f"{documents(len(extra))} of the index {_is(len(extra))} no longer in “{card.collection}”."
            yield Finding("extra", severity, said + what_to_do, len(extra), _first(extra))
        silent = np.zeros(len(self._ids), bool)
        silent[there.drop_null().to_numpy()] = True
        silent &= self._without_media()
        if count := int(silent.sum()):
            said = f"{documents(count)} of “{card.collection}” should have a picture, sound or video, and "
            said += f"{_has(count)} none."
            yield Finding("no-media", WRONG, said, count, _first(self._ids.take(np.flatnonzero(silent)[:EXAMPLES])))

    def _without_media(self) -> np.ndarray:
        """Which documents lack the bytes of a picture, sound or video that their modality names: (documents,) bool."""
        import pyarrow.compute as pc

        data = self._collection.corpus.data
        lacking = np.zeros(len(self._ids), bool)
        for kind in MEDIA:
            meant = np.array([kind in one.split("+") for one in self._collection.document_modalities], bool)
            if meant.any():
                # Of the bytes only the lengths are read: they may be gigabytes.
                lengths = pc.binary_length(pc.struct_field(data[kind], "bytes"))
                lacking |= meant & ~(lengths.fill_null(0).to_numpy() > 0)
        return lacking


def rows_have(count: int) -> str:
    """1 row has; 1,639 rows have."""
    return f"{count:,} row has" if count == 1 else f"{count:,} rows have"


def documents(count: int) -> str:
    """1 document; 1,639 documents."""
    return f"{count:,} document" + ("" if count == 1 else "s")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _first(ids: pa.ChunkedArray) -> list[str]:
    found: list[str] = ids.slice(0, EXAMPLES).to_pylist()
    return found


def _vectors(batch: Any, size: int) -> np.ndarray:
    """The vectors of a batch, (rows, size) float32; of NaN where there is none."""
    column = batch["vector"]
    vectors = np.full((len(column), size), np.nan, np.float32)
    there = column.is_valid().to_numpy(zero_copy_only=False)
    vectors[there] = np.asarray(column.drop_null().flatten()).reshape(-1, size)
    return vectors


def _other_signs(batch: Any, vectors: np.ndarray) -> np.ndarray:
    """Which rows keep signs beside their vector that are not its own."""
    if "bits" not in batch.schema.names:
        return np.zeros(len(vectors), bool)
    signs = np.packbits(vectors > 0, axis=1)
    held = np.asarray(batch["bits"].flatten()).reshape(signs.shape)
    return np.asarray((held != signs).any(axis=1))


def _twice(values: pa.ChunkedArray) -> tuple[int, list[str]]:
    """How many values are one too many, and a few of those that occur more than once."""
    import pyarrow.compute as pc

    counted = pc.value_counts(values)
    counts = counted.field("counts").to_numpy()
    often = np.flatnonzero(counts > 1)
    examples = counted.field("values").take(often[:EXAMPLES]).to_pylist()
    return int((counts[often] - 1).sum()), [str(one) for one in examples]
