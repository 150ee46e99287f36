"""Import what the user brings: rows become queries, documents and judgements, in one pass and in bounded memory.

A bad row is skipped and told by its number; all of them are told together. A failure, a stop or a kill leaves no half
collection: it is written under a temporary name, which the next import of the same name sweeps away.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench.collection.archive import Files, FolderFiles, ZipFiles
from workbench.collection.columns import as_number, cell_values
from workbench.collection.items import ItemReader
from workbench.collection.roles import Plan, Roles, plan_roles
from workbench.collection.source import Source, head, open_source
from workbench.collection.store import Item
from workbench.collection.summary import import_summary
from workbench.collection.tables import Row, Table
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.media import NOUNS
from workbench.workspace import Workspace, new_folder

Progress = Callable[[int, int, str], None]
SKIPPED_KEPT = 10_000
PROBLEMS_SHOWN = 20
ROWS_PER_PROGRESS = 8


class Target(Protocol):
    """What rows are written into: a new collection (`CollectionWriter`), or one that is there (`adding.Addition`)."""

    def has(self, side: str, identifier: str) -> bool: ...

    def add(self, side: str, item: Item) -> str: ...

    def judge(self, query: str, document: str, score: float = 1.0, split: str = "") -> None: ...

    @property
    def counts(self) -> dict[str, int]: ...


@dataclass(frozen=True)
class Filled:
    """What was written: words for the two sides, where it came from (for the card), and the rows left out."""

    labels: dict[str, str]
    source: dict[str, Any]
    skipped: list[dict[str, Any]]


def import_collection(
    workspace: Workspace,
    name: str,
    source: Path | Source,
    roles: Roles | None = None,
    *,
    seed: int = 0,
    eval_fraction: float | None = None,
    progress: Progress | None = None,
    job: str = "",
) -> dict[str, Any]:
    """Import a table, ZIP or folder as the collection `name`.

    roles: role (query, document, negative, score) to column, or to a list of columns; see `plan_roles`.
    eval_fraction: share of the queries to hold out; see `split.held_out_count` for the default.
    progress: called with rows done, rows in all and a note. job: which job did it, for the card.
    Returns {"collection", "queries", "documents", "judgements": {"train", "eval"}, "modalities", "skipped"}; each
    of `skipped` is {"row", "reason"}, the reason a whole sentence with the row number.
    Raises WorkbenchError if the source cannot be read, or not one row of it can be used.
    """
    with _new_collection(workspace, name) as folder, CollectionWriter(folder) as writer:
        filled = fill(writer, source, roles, progress=progress)
        card = writer.finish(
            name,
            labels=filled.labels,
            source={**filled.source, "job": job},
            skipped=filled.skipped[:SKIPPED_KEPT],
            seed=seed,
            fraction=eval_fraction,
        )
    return import_summary(card)


def import_documents(
    workspace: Workspace, name: str, folder: Path, *, progress: Progress | None = None, job: str = ""
) -> dict[str, Any]:
    """Import the pictures, sounds, videos and text files (.txt, .md) of a folder or ZIP as documents without queries.

    Returns what `import_collection` returns; `row` is null, since there are none. Raises WorkbenchError if there is
    not one file that can be read.
    """
    with _new_collection(workspace, name) as target, CollectionWriter(target) as writer:
        filled = fill_documents(writer, Path(folder), progress=progress)
        card = writer.finish(
            name,
            labels=filled.labels,
            source={**filled.source, "job": job},
            skipped=filled.skipped[:SKIPPED_KEPT],
        )
    return import_summary(card)


def fill(
    target: Target, source: Path | Source, roles: Roles | None = None, *, progress: Progress | None = None
) -> Filled:
    """Write the rows of a source, or of the file or folder that holds one, into a collection new or old.

    Raises WorkbenchError if the source cannot be read, or not one row of it can be used.
    """
    opened = source if isinstance(source, Source) else open_source(Path(source))
    plan = plan_roles(opened.kinds(head(opened)), roles, opened.tables[0].label)
    total = opened.count_rows()
    skipped = _import_rows(opened, plan, target, total, progress)
    _check_enough(opened, target, skipped, total)
    return Filled(
        labels={"query": _label(plan, plan.query), "document": _label(plan, plan.document)},
        source={"file": opened.label, "rows": total or opened.count_rows(), "roles": _roles_of(plan)},
        skipped=skipped,
    )


def fill_documents(target: Target, folder: Path, *, progress: Progress | None = None) -> Filled:
    """Write the files of a folder or ZIP into a collection, as documents without queries."""
    if not folder.exists():
        raise WorkbenchError(f"There is no folder “{folder}”. Check how it is spelled.")
    if folder.is_file() and folder.suffix.lower() != ".zip":
        raise WorkbenchError(f"“{folder.name}” is a file. Give the folder it lies in, or a ZIP.")
    files: Files = FolderFiles(folder) if folder.is_dir() else ZipFiles(folder)
    names = files.names()
    skipped: list[dict[str, Any]] = []
    reader, read = ItemReader(files, target), 0
    for number, file in enumerate(names):
        try:
            target.add("corpus", reader.file_item(file))
            read += 1
        except WorkbenchError as error:
            reason = error.message[0].upper() + error.message[1:]
            skipped.append({"row": None, "reason": reason})
        if progress and number % ROWS_PER_PROGRESS == 0:
            progress(number, len(names), "Reading files")
    if not read:
        raise WorkbenchError(
            f"“{folder.name}” holds no picture, sound, video or text that can be read.",
            [line["reason"] for line in skipped[:PROBLEMS_SHOWN]],
        )
    return Filled(
        labels={"query": "query", "document": folder.stem},
        source={"file": folder.name, "rows": len(names), "roles": {}},
        skipped=skipped,
    )


@contextmanager
def import_lock(workspace: Workspace, name: str) -> Iterator[None]:
    """Only one import into the collection `name` at a time. Raises WorkbenchError if there is one already."""
    from filelock import FileLock, Timeout

    lock = FileLock(workspace.locks / f"import-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise WorkbenchError(
            f"“{name}” is being imported right now. Wait until it is done, or choose another name."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _new_collection(workspace: Workspace, name: str) -> Iterator[Path]:
    """A temporary folder that becomes the collection; what a killed import of this name left behind is removed."""
    final = workspace.collection(name)
    with import_lock(workspace, name):
        # The eight characters that mkdtemp adds: a name may itself begin with another name and a dot.
        leftover = re.compile(re.escape(f".{name}.") + r"[a-z0-9_]{8}")
        for path in workspace.collections.iterdir():
            if leftover.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
        with new_folder(final) as folder:
            yield folder


def _import_rows(
    source: Source, plan: Plan, writer: Target, total: int, progress: Progress | None
) -> list[dict[str, Any]]:
    """Write every good row; returns the bad ones as {"row", "reason"}."""
    reader = ItemReader(source.files, writer)
    skipped = []
    for number, (table, row) in enumerate(source.rows()):
        try:
            _import_row(table, row, plan, reader, writer)
        except WorkbenchError as error:
            skipped.append({"row": row.number, "reason": f"{source.where(table, row)}: {error.message}"})
        if progress and number % ROWS_PER_PROGRESS == 0:
            progress(number, total, "Reading rows")
    if progress:
        progress(total, total, "Writing the collection")
    return skipped


def _import_row(table: Table, row: Row, plan: Plan, reader: ItemReader, writer: Target) -> None:
    """Write one row. Everything in it is read before anything is written, so that a bad row leaves no orphan."""
    if row.problem:
        raise WorkbenchError(row.problem)
    score = 1.0 if plan.score is None else _score(row.cells.get(plan.score), plan.score)
    meta = {column: value for column in plan.meta if (value := _plain(row.cells.get(column))) is not None}
    queries = reader.items("queries", table, row.cells, plan.query, plan.kinds)
    documents = reader.items("corpus", table, row.cells, plan.document, plan.kinds, meta)
    negatives: list[Item] = []
    for column in plan.negative:
        if cell_values(row.cells.get(column)):
            negatives += reader.items("corpus", table, row.cells, [column], plan.kinds)
    query_ids = [writer.add("queries", item) for item in queries]
    for items, worth in ((documents, score), (negatives, 0.0)):
        for document_id in [writer.add("corpus", item) for item in items]:
            for query_id in query_ids:
                writer.judge(query_id, document_id, worth)


def _score(cell: Any, column: str) -> float:
    value = as_number(cell)
    if value is None and not cell_values(cell):
        raise WorkbenchError(f"the score in “{column}” is empty. Give a number, or remove the row.")
    if value is None or not math.isfinite(value) or abs(value) > 1e30:
        raise WorkbenchError(f"the score “{str(cell)[:40]}” is not a number. Give one, or remove the row.")
    return value


def _plain(cell: Any) -> Any:
    """A cell of a column without a role, as the document's metadata keeps it; None for empty ones and bytes."""
    values = cell_values(cell)
    if not values or isinstance(values[0], (bytes, dict)):
        return None
    value = values[0] if len(values) == 1 else ", ".join(str(value) for value in values)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else str(value).strip()


def _check_enough(source: Source, writer: Target, skipped: list[dict[str, Any]], total: int) -> None:
    problems = [line["reason"] for line in skipped[:PROBLEMS_SHOWN]]
    if len(skipped) > PROBLEMS_SHOWN:
        problems.append(f"… and {len(skipped) - PROBLEMS_SHOWN:,} more.")
    if not writer.counts["judgements"]:
        raise WorkbenchError(
            f"None of the {total:,} rows of “{source.label}” can be used, so nothing was imported. Mend these first:",
            problems,
        )
    if not writer.counts["relevant"]:
        raise WorkbenchError(
            f"“{source.label}” has no row whose score is above 0, so nothing says what is relevant. "
            "Choose another column as the score, or none.",
            problems,
        )


def _label(plan: Plan, columns: list[str]) -> str:
    """The user's words for one side: the columns' names, or what they hold where the name says no more than "file"."""
    nameless = ("file_name", "filename", "file", "path")
    return " + ".join(NOUNS.get(plan.kinds[name], name) if name.lower() in nameless else name for name in columns)


def _roles_of(plan: Plan) -> dict[str, Any]:
    return {"query": plan.query, "document": plan.document, "negative": plan.negative, "score": plan.score}
