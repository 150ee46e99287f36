"""Writes chunks to a table in a thread of its own, so that the model does not wait for the disk."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from workbench.collection.store import Collection
from workbench.index.table import precision_of, rows_to_add

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

MEDIA = ("image", "audio", "video")


class Writer:
    """Commits chunks in the order they are given, one commit each. A context: leaving it waits for the last one.

    What goes wrong in the thread is raised by the next `add`, or at the end of the block.
    """

    def __init__(self, table: Table, collection: Collection) -> None:
        self._table, self._precision = table, precision_of(table)
        self._columns = ChunkColumns(collection)
        # One chunk waits while one is written: enough to overlap, and memory stays bounded.
        self._chunks: queue.Queue[tuple[np.ndarray, np.ndarray, np.ndarray] | None] = queue.Queue(maxsize=1)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="index-writer", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def add(self, rows: np.ndarray, vectors: np.ndarray, numbers: np.ndarray) -> None:
        """Queue one chunk: corpus rows, their vectors (rows, dimension), and the numbers they get in the table.

        Waits while two chunks are under way.
        """
        self._raise()
        self._chunks.put((rows, vectors, numbers))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chunks.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        # After an error it goes on taking chunks, unwritten, so that `add` never waits for a thread that has ended.
        while (chunk := self._chunks.get()) is not None:
            if self._error is not None:
                continue
            rows, vectors, numbers = chunk
            try:
                columns = {**self._columns.read(rows), "row": numbers.tolist()}
                self._table.add(rows_to_add(columns, vectors, self._precision))
            except BaseException as error:
                self._error = error


class ChunkColumns:
    """Reads what a table keeps of each document, without its media."""

    def __init__(self, collection: Collection) -> None:
        self._small = collection.corpus.select_columns(["id", "modality", "text", "meta", "thumbnail"])
        self._small = self._small.with_format("arrow")
        self._media = collection.corpus.data

    def labels(self, rows: np.ndarray) -> tuple[list[object], list[object]]:
        """The files and the metadata (JSON) of these corpus rows: what may differ in documents of one id."""
        return self._files(rows), self._media["meta"].take(rows).to_pylist()

    def read(self, rows: np.ndarray) -> dict[str, list[object]]:
        """The columns of these corpus rows, by name."""
        chunk: pa.Table = self._small[rows.tolist()]
        columns = {name: chunk[name].to_pylist() for name in ("id", "modality", "meta", "thumbnail")}
        columns["text"] = [text or "" for text in chunk["text"].to_pylist()]
        columns["row"] = rows.tolist()
        columns["file"] = self._files(rows)
        return columns

    def _files(self, rows: np.ndarray) -> list[object]:
        import pyarrow.compute as pc

        # Only the `path` child of each media column is taken: the bytes beside it may be gigabytes.
        paths = [pc.struct_field(self._media[kind], "path").take(rows).to_pylist() for kind in MEDIA]
        return [next((path for path in of_row if path), "") for of_row in zip(*paths, strict=True)]
