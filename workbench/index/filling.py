"""Bring a table to hold exactly the documents of a collection, embedding only those that it does not hold yet.

A document is known by its id, which is made from its content. A thread writes one chunk while the model reads the next;
each chunk is one commit, so a kill at any moment loses at most the chunks under way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.writer import ChunkColumns, Writer
from workbench.models import Embedder, LazyItems, truncate

if TYPE_CHECKING:
    from lancedb.table import Table

FIRST_CHUNK_ROWS = 256
SMALLEST_CHUNK_ROWS = 32
LARGEST_CHUNK_ROWS = 4096
CHUNK_SECONDS = 10.0
# Rows that are deleted or written anew in one commit: their numbers are a list in a filter.
LISTED_ROWS = 2000

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Difference:
    """What a table and a collection do not have in common.

    gone: numbers of the table's rows whose documents the collection has lost. missing: rows of the corpus that the
    table has not. numbers: the numbers those get in the table. changed: (rows of the corpus, their numbers in the
    table) where file or metadata differ; content cannot, it makes the id.
    """

    gone: np.ndarray
    missing: np.ndarray
    numbers: np.ndarray
    changed: np.ndarray
    changed_numbers: np.ndarray

    def __bool__(self) -> bool:
        return bool(len(self.gone) or len(self.missing) or len(self.changed))


def compare(part: Table, collection: Collection) -> Difference:
    """What must be done to a table so that it holds the documents of a collection, each once.

    A row's number is that of its document in the corpus when it was written. Documents move when others leave, and
    their rows do not follow; so a new row gets the number of its document only where no other row has it.
    """
    files = ChunkColumns(collection)
    at = {identifier: row for row, identifier in enumerate(collection.corpus["id"][:])}
    gone, changed, taken = [], [], {}
    for batch in table.scan(part, ["id", "row", "file", "meta"]):
        rows = [at.pop(identifier, -1) for identifier in batch["id"].to_pylist()]
        numbers = batch["row"].to_pylist()
        gone += [number for row, number in zip(rows, numbers, strict=True) if row < 0]
        kept = [place for place, row in enumerate(rows) if row >= 0]
        taken.update({numbers[place]: rows[place] for place in kept})
        stored = [batch[name].take(_indices(kept)).to_pylist() for name in ("file", "meta")]
        wanted = files.labels(np.array([rows[place] for place in kept], np.int64))
        for place, file, meta, new_file, new_meta in zip(kept, *stored, *wanted, strict=True):
            if file != new_file or (meta != new_meta and canonical(meta) != canonical(new_meta)):
                changed.append((rows[place], numbers[place]))
    missing = np.array(sorted(at.values()), np.int64)
    moved = np.array(changed, np.int64).reshape(-1, 2)
    return Difference(np.array(gone, np.int64), missing, new_numbers(missing, taken), moved[:, 0], moved[:, 1])


def new_numbers(missing: np.ndarray, taken: Any) -> np.ndarray:
    """Numbers for new rows, none of them taken: the row of the document in the corpus, or one beyond all others."""
    fresh = max(max(taken, default=-1), int(missing.max()) if len(missing) else -1) + 1
    numbers = missing.copy()
    clashing = np.flatnonzero([int(row) in taken for row in missing])
    numbers[clashing] = np.arange(fresh, fresh + len(clashing))
    return numbers


def canonical(meta: str | None) -> Any:
    """Metadata as what it says. LanceDB writes JSON in its own way, and a number that is none as null."""
    return json.loads(meta, parse_constant=lambda _: None) if meta else None


def fill(
    part: Table,
    collection: Collection,
    difference: Difference,
    embedder: Embedder,
    dimension: int,
    report: Progress,
) -> None:
    """Delete, write anew and embed what the difference says; new documents one modality at a time."""
    for start in range(0, len(difference.gone), LISTED_ROWS):
        part.delete(table.row_filter(difference.gone[start : start + LISTED_ROWS]))
    _rewrite(part, collection, difference, dimension)
    total, missing = len(collection.corpus), difference.missing
    done = total - len(missing)
    modalities = collection.document_modalities
    with Writer(part, collection) as writer:
        for modality in dict.fromkeys(modalities.tolist()):
            for places in paced(np.flatnonzero(modalities[missing] == modality)):
                chunk = missing[places]

                def within(step: int, _: int, before: int = done) -> None:
                    report(before + step, total, "Embedding")

                report(done, total, "Embedding")
                vectors = embedder.encode_documents(LazyItems(collection, "corpus", chunk), progress=within)
                vectors = checked(vectors, len(chunk), dimension, embedder.reference)
                writer.add(chunk, vectors, difference.numbers[places])
                done += len(chunk)


def _rewrite(part: Table, collection: Collection, difference: Difference, dimension: int) -> None:
    """Write rows anew whose labels have changed, with the vectors they have. One commit replaces a row: no moment
    without it."""
    columns, precision = ChunkColumns(collection), table.precision_of(part)
    for start in range(0, len(difference.changed), LISTED_ROWS):
        numbers = difference.changed_numbers[start : start + LISTED_ROWS]
        kept = table.rows_at(part, numbers, ("vector",))
        vectors = np.array([kept[int(number)]["vector"] for number in numbers], np.float32).reshape(-1, dimension)
        read = columns.read(difference.changed[start : start + LISTED_ROWS])
        rows = table.rows_to_add({**read, "row": numbers.tolist()}, vectors, precision)
        part.merge_insert("row").when_matched_update_all().execute(rows)


def _indices(places: list[int]) -> Any:
    import pyarrow as pa

    return pa.array(places, pa.int64())


def paced(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Cut rows into chunks that take their consumer about `CHUNK_SECONDS` each.

    A slow model then loses seconds to a kill, not an hour, and a fast one does not commit a hundred times a minute.
    """
    size, start = FIRST_CHUNK_ROWS, 0
    while start < len(rows):
        began = time.perf_counter()
        yield rows[start : start + size]
        start += size
        seconds = time.perf_counter() - began
        if seconds < CHUNK_SECONDS / 2:
            size = min(2 * size, LARGEST_CHUNK_ROWS)
        elif seconds > 2 * CHUNK_SECONDS:
            size = max(size // 2, SMALLEST_CHUNK_ROWS)


def checked(vectors: np.ndarray, count: int, dimension: int, model: str) -> np.ndarray:
    """The vectors cut to (count, dimension), each of unit length. Raises WorkbenchError if one has no direction."""
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != count or vectors.shape[1] < dimension:
        raise ValueError(f"{model} gave vectors of shape {vectors.shape} for {count} documents of {dimension} numbers")
    if vectors.shape[1] > dimension:
        vectors = truncate(vectors, dimension)
    lengths = np.linalg.norm(vectors, axis=1)
    # LanceDB takes infinity without a word, and a vector of zeros is never found: both must stop here.
    bad = int((~np.isfinite(lengths) | (lengths < 1e-6)).sum())
    if bad:
        raise WorkbenchError(
            f"“{model}” gave vectors that are not numbers, or all zero, for {bad} of {count} documents. "
            "Its training has gone wrong: train again with a lower learning rate, or choose another model."
        )
    return vectors
