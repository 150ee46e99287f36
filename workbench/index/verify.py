"""Look through every row of an index: is it whole, can each vector be searched, does it say what its card says?

Nothing is mended here. What is found is told in words, with how many rows it concerns and the ids of a few.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench import models
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.loaded import Loader
from workbench.index.location import files_gone
from workbench.index.reading import in_slices, reading
from workbench.index.registry import IndexCard, get_index
from workbench.index.row_checks import AGAIN, COLUMNS, NOTE, WRONG, Documents, Finding, Rows
from workbench.job_folder import JobFolder
from workbench.models.remote import PREFIX as REMOTE
from workbench.models.source import is_here
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table

ORIGIN_WORDS = {
    "model": "fingerprint",
    "size of a vector": "dimension",
    "precision": "precision",
    "collection": "collection",
}
# Only its fingerprint is asked for, and a training may have the device.
ON_PROCESSOR = partial(models.load_embedder, device="cpu")
Report = Callable[[int, int, str], None]


def verify(
    workspace: Workspace,
    name: str,
    *,
    progress: Report | None = None,
    load_embedder: Loader = ON_PROCESSOR,
) -> dict[str, Any]:
    """What is wrong with an index: the object that `index verify` prints.

    {"index", "table", "rows", "ok", "findings": [{"kind", "severity", "words", "count", "examples"}], "seconds"}; `ok`:
    nothing is `wrong`. A collection that has changed since is no fault of the index, and only a `note`.
    progress: gets rows done, rows in all, and what is being done.
    Raises WorkbenchError if there is no such index, or if it was replaced while it was being read.
    """
    started = time.perf_counter()
    card = get_index(workspace, name)
    report = progress or (lambda done, total, note: None)
    with reading(workspace, card) as opened:
        if opened is None:
            rows, findings = 0, [Finding("table", WRONG, files_gone(workspace, name).message)]
        else:
            rows = opened[0].count_rows()
            findings = [*_origin(card, *opened), *_contents(workspace, card, opened[0], report)]
    report(rows, rows, "Loading the model")
    findings += _model(workspace, card, load_embedder)
    return {
        "index": name,
        "table": card.table,
        "rows": rows,
        "ok": all(found.severity != WRONG for found in findings),
        "findings": [asdict(found) for found in findings],
        "seconds": round(time.perf_counter() - started, 3),
    }


def run_verify(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a verify-index job. Its spec: index, a name."""
    return verify(workspace, str(job.spec["index"]), progress=job.progress)


def _origin(card: IndexCard, opened: Table, origin: table.Origin) -> Iterator[Finding]:
    """Whether the table says of itself what the card says of it."""
    for called, key in ORIGIN_WORDS.items():
        said, expected = getattr(origin, key), getattr(card, key)
        if said != expected:
            yield Finding(key, WRONG, f"The {called} is {said} in its files and {expected} in its card.{AGAIN}")
    held = table.precision_of(opened), opened.schema.field("vector").type.list_size
    if held != (card.precision, card.dimension):
        yield Finding(
            "columns",
            WRONG,
            f"A vector is kept as {held[1]} numbers of {held[0]}; its card says {card.dimension} of {card.precision}."
            + AGAIN,
        )
    structures = {column for index in opened.list_indices() for column in index.columns}
    if card.full_text and "text" not in structures:
        yield Finding("full-text", WRONG, f"Its full text is gone, so words are not searched.{AGAIN}", card.full_text)
    if card.kind.startswith("IVF") and "vector" not in structures:
        yield Finding("structure", WRONG, f"Its search structure ({card.kind}) is gone, so a search is slow.{AGAIN}")


def _contents(workspace: Workspace, card: IndexCard, opened: Table, report: Report) -> Iterator[Finding]:
    """What is found in the rows."""
    total = opened.count_rows()
    rows = Rows(opened.schema.field("vector").type.list_size, table.precision_of(opened))
    columns = [*COLUMNS, *(name for name in ("bits",) if name in opened.schema.names)]
    for batch in in_slices(opened, columns):
        report(rows.total, total, "Looking at every row")
        rows.take(batch)
    yield from rows.findings()
    if (rows.total, rows.modalities) != (card.rows, card.modalities):
        said = f"{card.rows:,} rows ({_of_each(card.modalities)})"
        found = f"{rows.total:,} ({_of_each(rows.modalities)})"
        wrong = f"Its card speaks of {said}; there are {found}.{AGAIN}"
        yield Finding("count", WRONG, wrong, abs(rows.total - card.rows))
    documents = Documents.open(workspace, card)
    if documents is not None:
        yield from documents.findings(card, rows.all_ids())
        return
    yield Finding(
        "no-collection",
        NOTE,
        f"The collection “{card.collection}” is gone: what is found can be named, but not played or put in order by a "
        "reranker.",
        rows.total,
    )


def _of_each(modalities: dict[str, int]) -> str:
    return ", ".join(f"{kind}: {count:,}" for kind, count in sorted(modalities.items())) or "none"


def _model(workspace: Workspace, card: IndexCard, load_embedder: Loader) -> Iterator[Finding]:
    """Whether the model that reads the queries is still the one that made the vectors."""
    if card.model.startswith(REMOTE) or not is_here(card.model):
        return  # nothing is sent or fetched for a check
    try:
        found = load_embedder(workspace, card.model, trust_remote_code=card.trust_remote_code).fingerprint
    except WorkbenchError as error:
        yield Finding("model", WRONG, f"The model “{card.model}” cannot be loaded. {error.message}")
        return
    if found != card.fingerprint:
        words = f"The model “{card.model}” has changed since, so queries cannot be compared with what it made before."
        yield Finding("model", WRONG, words + AGAIN)
