"""Import what the user brings: rows become queries, documents and judgements, in one pass and in bounded memory.

A bad row is skipped and told by its number; all of them are told together. A failure, a stop or a kill leaves no half
collection: it is written under a temporary name, which the next import of the same name sweeps away.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.collection.columns import cell_values, plain_cell, score_of, split_of_word
from workbench.collection.documents import Documents, fill_with_files, open_documents
from workbench.collection.filling import Filled, Progress, Skipped, Steps, Target, check_enough
from workbench.collection.items import ItemReader
from workbench.collection.joined import JoinedTable
from workbench.collection.options import ImportOptions
from workbench.collection.retrieval import Retrieval, fill_with_retrieval
from workbench.collection.roles import Plan, Roles, plan_roles
from workbench.collection.source import Opened, Source, head, open_source
from workbench.collection.store import Item
from workbench.collection.summary import import_summary
from workbench.collection.tables import Row, Table
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.media import NOUNS
from workbench.workspace import Workspace, new_folder

SOON_COUNTED_BYTES = 32 << 20


def import_collection(
    workspace: Workspace,
    name: str,
    source: Path | Opened,
    roles: Roles | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    job: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Import whatever `open_source` opens as the collection `name`.

    roles: role (query, document, negative, score) to column, or to a list of columns; see `plan_roles`. Files without
    a table take none, or “folder name” as the query. options: see `ImportOptions`.
    progress: called with rows done, rows in all and a note. job: which job did it, for the card.
    Returns {"collection", "queries", "documents", "judgements": {"train", "eval"}, "modalities", "skipped"}; each
    of `skipped` is {"row", "reason"}, the reason a whole sentence with the row number.
    Raises WorkbenchError if the source cannot be read, or not one row of it can be used.
    """
    with _new_collection(workspace, name) as folder, CollectionWriter(folder) as writer:
        filled = fill(writer, source, roles, progress=progress, **options)
        card = writer.finish(
            name,
            labels=filled.labels,
            source={**filled.source, "job": job},
            skipped=filled.skipped,
            seed=seed,
        )
    return import_summary(card)


def import_documents(
    workspace: Workspace,
    name: str,
    folder: Path,
    *,
    progress: Progress | None = None,
    job: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Import the files of a folder or ZIP as documents without queries, whether or not there is a table among them.

    Pictures, sounds, videos, the pages of PDFs, and texts (.txt, .md). options: see `ImportOptions`. Returns what
    `import_collection` returns; `row` is null, since there are none. Raises WorkbenchError if there is not one file
    that can be read.
    """
    with _new_collection(workspace, name) as target, CollectionWriter(target) as writer:
        filled = fill_documents(writer, Path(folder), progress=progress, **options)
        card = writer.finish(
            name,
            labels=filled.labels,
            source={**filled.source, "job": job},
            skipped=filled.skipped,
        )
    return import_summary(card)


def fill(
    target: Target,
    source: Path | Opened,
    roles: Roles | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Filled:
    """Write a source, or the file or folder that holds one, into a collection new or old.

    options: see `ImportOptions`. Raises WorkbenchError if the source cannot be read, or nothing in it can be used.
    """
    chosen = ImportOptions.of(options)
    opened = open_source(source) if isinstance(source, Path) else source
    if isinstance(opened, Documents):
        return fill_with_files(target, opened, query=_folder_query(roles), options=chosen, progress=progress)
    if chosen.segment_seconds:
        raise WorkbenchError(
            f"“{opened.label}” says what belongs to whole videos, so they cannot be cut into segments. "
            "Leave the seconds out, or import the videos without the table."
        )
    if isinstance(opened, Retrieval):
        return fill_with_retrieval(target, opened, options=chosen, progress=progress)
    return _fill_with_rows(target, opened, roles, chosen, progress)


def fill_documents(target: Target, folder: Path, *, progress: Progress | None = None, **options: Any) -> Filled:
    """Write the files of a folder or ZIP into a collection, as documents without queries."""
    return fill_with_files(target, open_documents(folder), options=ImportOptions.of(options), progress=progress)


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


def _folder_query(roles: Roles | None) -> str:
    """What the roles say of files without a table: the name of their folder as the query, or nothing."""
    given = {role: column for role, column in (roles or {}).items() if column}
    query = given.pop("query", "")
    if given:
        raise WorkbenchError(f"Files without a table have no column for the {next(iter(given))}. Leave the roles out.")
    return query if isinstance(query, str) else next(iter(query))


def _fill_with_rows(
    target: Target, source: Source, roles: Roles | None, options: ImportOptions, progress: Progress | None
) -> Filled:
    for table in source.tables:
        if isinstance(table, JoinedTable):
            table.prepare(progress)
    first = head(source)
    split_column = None if options.own_split else source.split_column(first)
    plan = plan_roles(source.kinds(first), roles, source.tables[0].label, ignored=split_column)
    if progress and sum(source.files.size(table.name) for table in source.tables) > SOON_COUNTED_BYTES:
        progress(0, 0, "Counting rows")
    total = source.count_rows()
    rows = _Rows(source, plan, target, options, split_column)
    steps = Steps(progress, total, "Reading rows")
    for table, row in source.rows():
        steps.step()
        rows.write(table, row)
    for number, reason in source.left_out():
        rows.skipped.add(number, reason)
    steps.end()
    check_enough(source.label, target, rows.skipped, total)
    return Filled(
        labels={"query": _label(plan, plan.query), "document": _label(plan, plan.document)},
        source={"file": source.label, "rows": total or source.count_rows(), "roles": _roles_of(plan)},
        skipped=rows.skipped.lines(),
    )


class _Rows:
    """Rows on their way into a collection, each as a whole or not at all."""

    def __init__(
        self, source: Source, plan: Plan, target: Target, options: ImportOptions, split_column: str | None
    ) -> None:
        self.skipped = Skipped()
        self._source, self._plan, self._target = source, plan, target
        self._reader = ItemReader(source.files, target, options.page_dpi)
        self._splits = {} if options.own_split else source.splits
        self._split_column = split_column

    def write(self, table: Table, row: Row) -> None:
        """Write a row, or tell what is wrong with it."""
        try:
            self._write(table, row)
        except WorkbenchError as error:
            self.skipped.add(row.number, f"{self._source.where(table, row)}: {error.message}")

    def _write(self, table: Table, row: Row) -> None:
        """Everything in a row is read before anything is written, so that a bad row leaves no orphan."""
        if row.problem:
            raise WorkbenchError(row.problem)
        plan, reader, target = self._plan, self._reader, self._target
        split = self._split(table, row)
        score = 1.0 if plan.score is None else score_of(row.cells.get(plan.score), plan.score)
        meta = {column: value for column in plan.meta if (value := plain_cell(row.cells.get(column))) is not None}
        queries = reader.items("queries", table, row.cells, plan.query, plan.kinds)
        documents = reader.items("corpus", table, row.cells, plan.document, plan.kinds, meta)
        negatives: list[Item] = []
        for column in plan.negative:
            if cell_values(row.cells.get(column)):
                negatives += reader.items("corpus", table, row.cells, [column], plan.kinds)
        query_ids = [target.add("queries", item) for item in queries]
        for items, worth in ((documents, score), (negatives, 0.0)):
            for document_id in [target.add("corpus", item) for item in items]:
                for query_id in query_ids:
                    target.judge(query_id, document_id, worth, split)

    def _split(self, table: Table, row: Row) -> str:
        """train, eval, or "" where the source does not say."""
        if self._split_column is None:
            return self._splits.get(table.name, "")
        cell = row.cells.get(self._split_column)
        split = split_of_word(cell)
        if split is None and cell_values(cell):
            raise WorkbenchError(f"the split “{str(cell)[:40]}” is neither train nor test. Write one of them.")
        return split or ""


def _label(plan: Plan, columns: list[str]) -> str:
    """The user's words for one side: the columns' names, or what they hold where the name says no more than "file"."""
    nameless = ("file_name", "filename", "file", "path")
    return " + ".join(NOUNS.get(plan.kinds[name], name) if name.lower() in nameless else name for name in columns)


def _roles_of(plan: Plan) -> dict[str, Any]:
    return {"query": plan.query, "document": plan.document, "negative": plan.negative, "score": plan.score}
