"""Build an index: embed a corpus chunk by chunk into a new table, then publish it.

A thread writes one chunk while the model reads the next. Each chunk is one commit, so a kill at any moment loses at
most the chunks under way; the next build of the same index from the same model and collection continues with the
documents that are not there yet. Memory holds a few chunks, however large the corpus.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, list_collections, open_collection
from workbench.errors import WorkbenchError
from workbench.index import recall, table
from workbench.index.fields import describe_fields
from workbench.index.full_text import add_full_text
from workbench.index.registry import BeingBuilt, IndexCard, building, live_table, new_table_name, publish
from workbench.index.table import Origin
from workbench.index.writer import Writer
from workbench.job_folder import JobFolder
from workbench.models import Embedder, LazyItems, load_embedder, truncate
from workbench.models.source import STARTERS
from workbench.workspace import Workspace, check_name, disk_full_in_words, is_disk_full

if TYPE_CHECKING:
    from lancedb.table import Table

FIRST_CHUNK_ROWS = 256
SMALLEST_CHUNK_ROWS = 32
LARGEST_CHUNK_ROWS = 4096
CHUNK_SECONDS = 10.0
KEEP_PARTIAL_SECONDS = 7 * 24 * 3600.0

Progress = Callable[[int, int, str], None]


def build_index(
    workspace: Workspace,
    name: str,
    collection: str,
    model: str,
    *,
    dimension: int | None = None,
    precision: str = "float32",
    wished_recall: float = recall.WISHED_RECALL,
    progress: Progress | None = None,
    trust_remote_code: bool = False,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """Embed the documents of a collection and publish them as an index; the object that the command `index` prints.

    An index of this name stays searchable until the new one takes its place. `dimension`: a Matryoshka dimension to
    cut the vectors to, else the model's own. `precision`: float32, or float16 in half the space. `wished_recall`: the
    share of the true first ten that an approximate search shall find, 0.95 or 0.99. `progress` gets rows
    done, rows in all, and what is being done; what it raises (Stopped) ends the build, and the chunks written so far
    stay for the next one to continue.
    Raises WorkbenchError in words: no such collection or model, an empty corpus, a modality that the model cannot
    read, vectors that are not numbers, a full disk, or another build of the same index under way.
    """
    started = time.perf_counter()
    check_name(name, "index")
    if precision not in table.PRECISIONS:
        raise WorkbenchError(
            f"An index keeps its vectors as {' or '.join(table.PRECISIONS)}, not “{precision[:20]}”. Choose one."
        )
    recall.check_wish(wished_recall)
    opened = _with_documents(workspace, collection)
    report = progress or (lambda done, total, note: None)
    with building(workspace, name):
        sweep(workspace, name)
        report(0, len(opened.corpus), "Loading the model")
        model = _lasting(model)
        if embedder is None:
            embedder = load_embedder(workspace, model, trust_remote_code=trust_remote_code)
        embedder.check_supports(dict.fromkeys(opened.document_modalities.tolist()))
        origin = Origin(
            collection=collection,
            collection_fingerprint=opened.fingerprint,
            model=model,
            fingerprint=embedder.fingerprint,
            dimension=_size(embedder, dimension),
            precision=precision,
        )
        with disk_full_in_words(workspace.index):
            part_name, part = _begin_or_continue(workspace, name, origin)
        with _full_disk_in_words(workspace, name, part, len(opened.corpus)):
            _fill(part, opened, embedder, origin.dimension, report)
            found = _finish(part, opened, embedder, origin.dimension, report, wished_recall)
            card = IndexCard(
                name=name,
                table=part_name,
                rows=len(opened.corpus),
                model_dimension=embedder.dimension,
                bytes=table.bytes_of(workspace, part_name),
                seconds=round(time.perf_counter() - started, 3),
                created=time.time(),
                trust_remote_code=trust_remote_code,
                **vars(origin),
                **found,
            )
            publish(workspace, card)
            _drop_others(workspace, name, keep=part_name)
    return card.as_json()


def run_index(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an index job. Its spec: name, collection, model, perhaps dimension, precision, trust_remote_code."""
    spec = job.spec
    return build_index(
        workspace,
        spec["name"],
        spec["collection"],
        spec["model"],
        dimension=spec.get("dimension"),
        precision=spec.get("precision") or "float32",
        wished_recall=float(spec.get("recall") or recall.WISHED_RECALL),
        progress=job.progress,
        trust_remote_code=bool(spec.get("trust_remote_code", False)),
    )


@contextmanager
def _full_disk_in_words(workspace: Workspace, name: str, part: Table, total: int) -> Iterator[None]:
    """Say how far the build came. A chunk is committed whole or not at all, so what is there can be gone on from."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise WorkbenchError(
            f"The disk that holds {workspace.index} is full. {part.count_rows():,} of {total:,} documents are in the "
            f"begun index “{name}”. Free some space (old runs are the largest), then start it again to go on from "
            "there, or remove it."
        ) from error


def sweep(workspace: Workspace, building_now: str) -> None:
    """Delete what kills have left of other indexes: replaced tables, and begun ones that nothing can continue.

    A begun table is kept for a week, as long as the collection it was made from is still the same. Tables of
    `building_now` are left to the build that holds its lock.
    """
    fingerprints = {card.name: card.fingerprint for card in list_collections(workspace)}
    database = table.connect(workspace)
    for name in {table.index_and_number(found)[0] for found in table.all_tables(workspace)} - {building_now}:
        with suppress(BeingBuilt), building(workspace, name):
            for found in _not_live(workspace, name):
                if not _can_continue(workspace, database, found, fingerprints):
                    table.drop_table(workspace, found)


def _can_continue(workspace: Workspace, database: Any, found: str, fingerprints: dict[str, str]) -> bool:
    opened = None if _replaced(workspace, found) else table.open_or_none(database, found)
    if opened is None:
        return False
    _, origin = opened
    age = time.time() - _last_written(table.table_folder(workspace, found))
    return fingerprints.get(origin.collection) == origin.collection_fingerprint and age < KEEP_PARTIAL_SECONDS


def _replaced(workspace: Workspace, found: str) -> bool:
    """Whether a table is older than the live one of its index: it was live once, and only its deletion is left."""
    name, number = table.index_and_number(found)
    live = live_table(workspace, name)
    return live is not None and number < table.index_and_number(live)[1]


def _not_live(workspace: Workspace, name: str) -> list[str]:
    live = live_table(workspace, name)
    return [found for found in table.tables_of(workspace, name) if found != live]


def _last_written(folder: Path) -> float:
    return max((path.stat().st_mtime for path in (folder, folder / "_versions") if path.exists()), default=0.0)


def _lasting(model: str) -> str:
    """The reference to write down: a folder by its absolute path, since a search may start from another folder."""
    path = Path(model).expanduser()
    named = model in STARTERS or model.startswith(("run:", "remote:"))
    return str(path.absolute()) if not named and path.is_dir() else model


def _with_documents(workspace: Workspace, name: str) -> Collection:
    opened = open_collection(workspace, name)
    if not len(opened.corpus):
        raise WorkbenchError(f"The collection “{name}” has no documents, so there is nothing to index.")
    return opened


def _size(embedder: Embedder, dimension: int | None) -> int:
    if dimension is None:
        return embedder.dimension
    if not 2 <= dimension <= embedder.dimension:
        raise WorkbenchError(
            f"“{embedder.reference}” gives vectors of {embedder.dimension} numbers, so an index of {dimension} cannot "
            f"be made. Choose one of {', '.join(map(str, embedder.dimensions))}."
        )
    return dimension


def _begin_or_continue(workspace: Workspace, name: str, origin: Origin) -> tuple[str, Table]:
    """A begun table of this origin, or a new one. All other begun or replaced tables of this index are deleted."""
    database = table.connect(workspace)
    for found in reversed(_not_live(workspace, name)):
        opened = None if _replaced(workspace, found) else table.open_or_none(database, found)
        if opened is not None and origin.same_vectors(opened[1]):
            _drop_others(workspace, name, keep=found)
            return found, opened[0]
    _drop_others(workspace, name)
    fresh = new_table_name(workspace, name)
    return fresh, table.create(database, fresh, origin)


def _drop_others(workspace: Workspace, name: str, keep: str | None = None) -> None:
    for found in _not_live(workspace, name):
        if found != keep:
            table.drop_table(workspace, found)


def _fill(part: Table, collection: Collection, embedder: Embedder, dimension: int, report: Progress) -> None:
    """Embed and write every document that the table does not hold yet, one modality at a time."""
    present = table.ids_in(part)
    ids = np.asarray(collection.corpus["id"][:], dtype=object)
    missing = np.array([identifier not in present for identifier in ids])
    total, done = len(ids), int(len(ids) - missing.sum())
    with Writer(part, collection) as writer:
        for modality in dict.fromkeys(collection.document_modalities.tolist()):
            rows = np.flatnonzero(missing & (collection.document_modalities == modality))
            for chunk in paced(rows):

                def within(step: int, _: int, before: int = done) -> None:
                    report(before + step, total, "Embedding")

                report(done, total, "Embedding")
                vectors = embedder.encode_documents(LazyItems(collection, "corpus", chunk), progress=within)
                writer.add(chunk, checked(vectors, len(chunk), dimension, embedder.reference))
                done += len(chunk)


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


def _finish(
    part: Table, collection: Collection, embedder: Embedder, dimension: int, report: Progress, wished: float
) -> dict[str, Any]:
    """Compact the full table, index it if it is large, and measure: what the card says of it beside its origin."""
    total = len(collection.corpus)
    report(total, total, "Finishing")
    table.check_rows(part, total)
    table.compact(part)
    report(total, total, "Finishing")
    kind = table.add_vector_index(part, total, dimension)
    asking = None if kind == "exact" else _sample_of_queries(collection, embedder, dimension)
    modalities, counts = np.unique(collection.document_modalities.astype(str), return_counts=True)
    return {
        "kind": kind,
        **recall.of_index(part, kind, asking, wished),
        "full_text": add_full_text(part),
        "modalities": dict(zip(modalities.tolist(), counts.tolist(), strict=True)),
        "fields": describe_fields(part),
    }


def _sample_of_queries(collection: Collection, embedder: Embedder, dimension: int) -> np.ndarray | None:
    """The vectors of some queries of the collection that the model can read, or None if there are none."""
    readable = np.flatnonzero(np.isin(collection.query_modalities.astype(str), embedder.modalities))
    if not len(readable):
        return None
    rows = np.random.default_rng(0).permutation(readable)[: recall.SAMPLE]
    vectors = embedder.encode_queries(LazyItems(collection, "queries", rows))
    return checked(vectors, len(rows), dimension, embedder.reference)
