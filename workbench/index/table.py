"""One LanceDB table: its columns, its chunks, its approximate index, and one query against it.

    id, row        of the document in its collection
    modality, text, file, meta (JSON), thumbnail (WebP bytes)
    vector         float32 or float16, of unit length; the distance is always cosine
    bits           of the precision `rescored` only: the signs of the vector, eight to a byte

The schema's metadata says which model and which collection the vectors come from. Nothing a user wrote ever reaches
the engine as a filter: a modality must be one of a fixed list, a row is a number (metadata: see `fields`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import MODALITIES
from workbench.errors import WorkbenchError
from workbench.index.location import location
from workbench.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

APPROXIMATE_FROM_ROWS = 20_000
# The last is the smallest that keeps a vector by itself.
PRECISIONS = ("float32", "rescored", "float16")
SCAN_ROWS = 4096
# A longer list of rows costs the engine more than a wider search of which the rows are picked.
LISTED_ROWS = 5000
WIDEST_SEARCH = 20_000
COLUMNS = ("id", "row", "modality", "text", "file", "meta")
PREFIX = "workbench."
ALLOWED_MODALITIES = frozenset(
    "+".join(parts) for count in range(1, 5) for parts in itertools.combinations(MODALITIES, count)
)
TABLE_NAME = re.compile(r"(.+)-(\d+)")


@dataclass(frozen=True)
class Origin:
    """Where the vectors of a table come from, as its schema says. Two tables of equal origin hold equal vectors."""

    collection: str
    collection_fingerprint: str
    model: str
    fingerprint: str
    dimension: int
    precision: str = "float32"

    def metadata(self) -> dict[bytes, bytes]:
        return {f"{PREFIX}{key}".encode(): str(value).encode() for key, value in vars(self).items()}

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None) -> Origin | None:
        """The origin in a schema's metadata, or None if the table is not ours."""
        texts = {
            key.decode().removeprefix(PREFIX): value.decode()
            for key, value in (metadata or {}).items()
            if key.startswith(PREFIX.encode())
        }
        try:
            return cls(**{**texts, "dimension": int(texts["dimension"])})  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            return None

    def same_vectors(self, other: Origin | None) -> bool:
        """Whether rows of one table may stand in the other: a model may be called by two names, and a collection
        may have changed, since a row is known by the content of its document."""
        either = {"model": "", "collection_fingerprint": ""}
        return other is not None and {**vars(self), **either} == {**vars(other), **either}


def connect(workspace: Workspace) -> Any:
    """The LanceDB database of the workspace, with bounded caches. Thread-safe."""
    return location(workspace).connect()


def schema(dimension: int, precision: str = "float32") -> pa.Schema:
    """The columns of a table whose vectors have this precision, one of PRECISIONS."""
    import pyarrow as pa

    number = pa.float16() if precision == "float16" else pa.float32()
    fields = [
        pa.field("id", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("meta", pa.json_()),
        pa.field("thumbnail", pa.binary()),
        pa.field("vector", pa.list_(number, dimension), nullable=False),
    ]
    bits = pa.field("bits", pa.list_(pa.uint8(), -(-dimension // 8)), nullable=False)
    return pa.schema([*fields, bits] if precision == "rescored" else fields)


def create(database: Any, name: str, origin: Origin) -> Table:
    """A new empty table."""
    fields = schema(origin.dimension, origin.precision)
    return database.create_table(name, schema=fields.with_metadata(origin.metadata()))


def precision_of(table: Table) -> str:
    """The precision of a table's vectors, one of PRECISIONS."""
    found = table.schema
    if "bits" in found.names:
        return "rescored"
    return {"halffloat": "float16", "float": "float32"}[str(found.field("vector").type.value_type)]


def vector_size(table: Table) -> int:
    """The components of a table's vectors."""
    return int(table.schema.field("vector").type.list_size)


def rows_to_add(columns: dict[str, Any], vectors: np.ndarray, precision: str) -> pa.Table:
    """One chunk as an Arrow table. `columns`: all but the vector, by name; `vectors`: (rows, dimension) float32."""
    import pyarrow as pa

    fields = schema(vectors.shape[1], precision)

    def lists(values: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])

    columns = {
        **columns,
        "meta": pa.ExtensionArray.from_storage(pa.json_(), pa.array(columns["meta"], pa.string())),
        "vector": lists(vectors.astype(np.float16 if precision == "float16" else np.float32, copy=False)),
        "bits": lists(packed(vectors)),
    }
    arrays = [
        column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
        for field in fields
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def packed(vectors: np.ndarray) -> np.ndarray:
    """The signs of vectors (rows, dimension), eight to a byte: (rows, dimension / 8, rounded up) uint8."""
    return np.packbits(vectors > 0, axis=1)


def ids_in(table: Table) -> set[str]:
    """The ids of all rows: what a continued build need not embed again."""
    return {identifier for batch in scan(table, ["id"]) for identifier in batch["id"].to_pylist()}


def scan(table: Table, columns: Sequence[str]) -> Iterator[Any]:
    """All rows as Arrow record batches of these columns."""
    yield from table.search().select(list(columns)).to_batches(SCAN_ROWS)


def vectors_of(batch: Any, dimension: int) -> np.ndarray:
    """The vectors of a record batch: (rows, dimension) float32, read-only."""
    return np.asarray(batch["vector"].flatten()).astype(np.float32, copy=False).reshape(-1, dimension)


def compact(table: Table) -> None:
    """Merge the chunks of a finished table, and delete old versions and what a kill left of unfinished ones.

    Only for a table that nobody reads yet.
    """
    for index in table.list_indices():
        table.drop_index(index.name)
    table.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)


def add_vector_index(table: Table, rows: int, dimension: int) -> str:
    """Build the approximate index that suits the table, and name it: exact (none), IVF_RQ or IVF_FLAT.

    A table with signs needs none: BINARY.
    """
    if precision_of(table) == "rescored":
        return "BINARY"
    if rows < APPROXIMATE_FROM_ROWS:
        return "exact"
    from lancedb.index import IvfFlat, IvfRq

    kind = "IVF_FLAT" if dimension % 8 else "IVF_RQ"
    config = IvfFlat(distance_type="cosine") if dimension % 8 else IvfRq(distance_type="cosine")
    table.create_index("vector", config=config)
    return kind


def query_table(table: Table, query: np.ndarray, limit: int, columns: Sequence[str] = ("row",)) -> Any:
    """A LanceDB query for the nearest rows by cosine; of a batch (queries, dimension), each answer has its number."""
    search: Any = table.search(np.asarray(query, np.float32), vector_column_name="vector", query_type="vector")
    return search.distance_type("cosine").limit(limit).select([*columns, "_distance"])


def nearest(table: Table, query: np.ndarray, limit: int, **how: Any) -> list[dict[str, Any]]:
    """As `nearest_of_each`, of one query: (dimension,) float32."""
    return nearest_of_each(table, query[None], limit, **how)[0]


def nearest_of_each(
    table: Table,
    queries: np.ndarray,
    limit: int,
    *,
    modality: str | None,
    probes: int,
    refine: int,
    rows: np.ndarray | None = None,
) -> list[list[dict[str, Any]]]:
    """The nearest rows of each query: `COLUMNS` and `score` (cosine), best first. Without `probes` it is exact.

    queries: (queries, dimension) float32; several at once read the table once. rows: only these row numbers. Raises
    ValueError for a modality that is none of the fixed list.
    """
    search = query_table(table, queries if len(queries) > 1 else queries[0], limit, COLUMNS)
    wanted = [] if modality is None else [modality_filter(modality)]
    wanted += [] if rows is None else [row_filter(rows)]
    if wanted:
        search = search.where(" AND ".join(wanted), prefilter=True)
    search = search.nprobes(probes).refine_factor(refine) if probes else search.bypass_vector_index()
    found: list[list[dict[str, Any]]] = [[] for _ in queries]
    for row in search.to_arrow().to_pylist():
        row["score"] = 1.0 - row.pop("_distance")
        found[row.pop("query_index", 0)].append(row)
    return [sorted(one, key=lambda row: (-row["score"], row["row"])) for one in found]


def nearest_among(
    table: Table, query: np.ndarray, limit: int, among: np.ndarray, *, modality: str | None, probes: int, refine: int
) -> list[dict[str, Any]]:
    """As `nearest`, of these row numbers only (ascending), however many they are. No row that is near is missed.

    Few rows are compared exactly. Of many, some are among the first of everything: those are looked for first.
    """
    wider = int(2 * limit * table.count_rows() / max(1, len(among)))
    while len(among) > LISTED_ROWS and wider <= WIDEST_SEARCH:
        found = nearest(table, query, wider, modality=modality, probes=probes, refine=refine)
        picked = np.isin([row["row"] for row in found], among, assume_unique=True)
        if picked.sum() >= limit:
            return [found[at] for at in np.flatnonzero(picked)[:limit]]
        wider *= 8
    return nearest(table, query, limit, modality=modality, probes=0, refine=0, rows=among)


def rows_at(table: Table, rows: Iterable[int], columns: Sequence[str] = COLUMNS) -> dict[int, dict[str, Any]]:
    """These columns of the rows with these row numbers, by row number."""
    numbers = sorted({int(row) for row in rows})
    if not numbers:
        return {}
    found = (
        table.search()
        .where(row_filter(numbers))
        .select(["row", *(c for c in columns if c != "row")])
        .limit(len(numbers))
    )
    return {row["row"]: row for row in found.to_arrow().to_pylist()}


def row_filter(rows: Iterable[int]) -> str:
    """The filter for these row numbers; for none of them, one that nothing meets."""
    numbers = ", ".join(str(int(row)) for row in rows)
    return f"row IN ({numbers})" if numbers else "row < 0"


def modality_filter(modality: str) -> str:
    """The filter for one modality. Raises ValueError for anything that is none of the fixed list."""
    if modality not in ALLOWED_MODALITIES:
        raise ValueError(f"{modality!r} is no modality")
    return f"modality = '{modality}'"


def all_tables(workspace: Workspace) -> list[str]:
    """The names of all our tables, whole or torn."""
    return [name for name in location(workspace).names() if TABLE_NAME.fullmatch(name)]


def tables_of(workspace: Workspace, index: str) -> list[str]:
    """The tables of one index, the oldest first."""
    named = [(index_and_number(table), table) for table in all_tables(workspace)]
    return [table for (name, _), table in sorted(named) if name == index]


def index_and_number(table: str) -> tuple[str, int]:
    """`emoji-12` gives ("emoji", 12)."""
    found = TABLE_NAME.fullmatch(table)
    if found is None:
        raise ValueError(f"{table!r} is not the name of a table")
    return found[1], int(found[2])


def table_folder(workspace: Workspace, table: str) -> Path:
    """The folder of a table, where tables have folders."""
    return (location(workspace).folder or workspace.index) / f"{table}.lance"


def is_there(workspace: Workspace, table: str) -> bool:
    """Whether anything of a table is there."""
    return location(workspace).is_there(table)


def drop_table(workspace: Workspace, table: str) -> None:
    """Delete a table, torn or whole."""
    location(workspace).drop(table)


def bytes_of(workspace: Workspace, table: str) -> int:
    """Bytes that a table takes."""
    return location(workspace).bytes_of(table)


def open_or_none(database: Any, table: str) -> tuple[Table, Origin] | None:
    """A table and its origin, or None if it is torn, not ours, or not there."""
    try:
        opened = database.open_table(table)
        opened.count_rows()
    except (OSError, RuntimeError, ValueError):
        return None
    origin = Origin.read(opened.schema.metadata)
    return None if origin is None else (opened, origin)


def check_rows(table: Table, expected: int) -> None:
    """Raise WorkbenchError unless the table holds each document exactly once."""
    rows, different = table.count_rows(), len(ids_in(table))
    if rows != expected or different != expected:
        raise WorkbenchError(
            f"The finished index holds {rows} rows ({different} different) for {expected} documents. "
            "Remove it and build it again."
        )
