"""Take an index elsewhere: its rows as Parquet, and beside them what they are and how other databases load them.

    vectors.parquet   id, vector, text, file, modality, metadata (JSON); a row group holds `GROUP_ROWS` rows
    index.json        name, rows, dimension, metric, precision, model, its fingerprint, where the rows come from
    README.md         how Qdrant, Milvus, Weaviate and Pinecone load it

The vectors are written as 32-bit numbers also where the index keeps 16-bit ones, which not every reader of Parquet
knows. Media are not in an index; they stay in its collection.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.index import table
from workbench.index.export_readme import readme
from workbench.index.location import files_gone
from workbench.index.reading import in_slices, reading
from workbench.index.registry import IndexCard, get_index
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, new_folder, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

VECTORS, ABOUT, README = "vectors.parquet", "index.json", "README.md"
GROUP_ROWS = 4 * table.SCAN_ROWS
FORMAT = 1
COLUMNS = ("id", "vector", "text", "file", "modality", "meta")
Report = Callable[[int, int, str], None]


def export_index(workspace: Workspace, name: str, folder: Path, *, progress: Report | None = None) -> dict[str, Any]:
    """Write an index to a new folder: the object that `index export` prints, which names it.

    The folder is there when it is whole, and not before. Memory holds one row group, however large the index.
    Raises WorkbenchError if there is no such index, if its files are gone, or if the folder exists already.
    """
    started = time.perf_counter()
    card, folder = get_index(workspace, name), folder.expanduser().absolute()
    report = progress or (lambda done, total, note: None)
    with new_folder(folder) as begun:
        with reading(workspace, card) as opened:
            if opened is None:
                raise files_gone(workspace, name)
            rows = _write_rows(opened[0], card, begun / VECTORS, report)
        write_json(begun / ABOUT, _about(card, rows))
        (begun / README).write_text(readme(card, rows), encoding="utf-8")
    return {
        "index": name,
        "table": card.table,
        "folder": str(folder),
        "rows": rows,
        "dimension": card.dimension,
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "seconds": round(time.perf_counter() - started, 3),
    }


def run_export_index(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an export-index job, in the place of an earlier export. Its spec: index, a name."""
    card = get_index(workspace, str(job.spec["index"]))
    folder = workspace.exports / f"{card.name}-index"
    shutil.rmtree(folder, ignore_errors=True)
    return export_index(workspace, card.name, folder, progress=job.progress)


def _about(card: IndexCard, rows: int) -> dict[str, Any]:
    """What a program that reads the vectors must know."""
    return {
        "format": FORMAT,
        "index": card.name,
        "rows": rows,
        "dimension": card.dimension,
        "metric": "cosine",
        "unit_length": True,
        "precision": card.precision,
        "model": card.model,
        "model_fingerprint": card.fingerprint,
        "model_dimension": card.model_dimension,
        "collection": card.collection,
        "collection_fingerprint": card.collection_fingerprint,
        "modalities": card.modalities,
        "created": card.created,
    }


def _schema(dimension: int) -> pa.Schema:
    import pyarrow as pa

    texts = [pa.field(name, pa.string(), nullable=False) for name in ("text", "file", "modality")]
    vector = pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)
    return pa.schema([pa.field("id", pa.string(), nullable=False), vector, *texts, pa.field("metadata", pa.string())])


def _write_rows(opened: Table, card: IndexCard, path: Path, report: Report) -> int:
    """Write all rows, one row group at a time; how many there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    total, done = opened.count_rows(), 0
    with pq.ParquetWriter(path, _schema(card.dimension), compression="zstd") as writer:
        for group in _groups(opened, card.dimension):
            report(done, total, "Writing")
            writer.write_table(pa.Table.from_batches(group))
            done += sum(batch.num_rows for batch in group)
    report(done, total, "Writing")
    return done


def _groups(opened: Table, dimension: int) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    for batch in in_slices(opened, COLUMNS):
        group.append(_as_written(batch, dimension))
        if sum(one.num_rows for one in group) >= GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def _as_written(batch: Any, dimension: int) -> pa.RecordBatch:
    import pyarrow as pa

    flat = pa.array(table.vectors_of(batch, dimension).reshape(-1), pa.float32())
    metadata = batch["meta"]
    columns = {
        "id": batch["id"],
        "vector": pa.FixedSizeListArray.from_arrays(flat, dimension),
        **{name: batch[name] for name in ("text", "file", "modality")},
        "metadata": metadata.storage if isinstance(metadata, pa.ExtensionArray) else metadata,
    }
    schema = _schema(dimension)
    return pa.RecordBatch.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)
