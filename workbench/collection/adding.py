"""Add to a collection that is there: new rows join, known items are recognised, and what is held out stays held out.

What is brought is read into a folder aside first, so that the collection can be used and changed meanwhile; it joins
as one change that can be undone. A failure, a stop or a kill leaves the collection as it was.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from workbench.collection.editing import Edit, edit_collection
from workbench.collection.filling import Filled, Progress
from workbench.collection.importing import fill, fill_documents, import_lock
from workbench.collection.joining import KnownJudgements, NewJudgement, new_splits
from workbench.collection.opening import read_table
from workbench.collection.roles import Roles
from workbench.collection.source import Opened, open_source
from workbench.collection.store import (
    SIDES,
    Card,
    Collection,
    Item,
    item_features,
    item_from_row,
    open_collection,
    row_from_item,
)
from workbench.collection.summary import import_summary
from workbench.collection.writing import TableWriter
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, disk_full_in_words

# What a person said of a pair is not overruled by a table.
SAID_BY_PEOPLE = ("reviewed", "feedback")
SKIPPED_ON_CARD = 100


def add_to_collection(
    workspace: Workspace,
    name: str,
    source: Path | Opened,
    roles: Roles | None = None,
    *,
    documents: bool = False,
    progress: Progress | None = None,
    job: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Add whatever `open_source` opens to the collection `name`, as one change that can be undone.

    roles: as `import_collection` takes them; where they are None and the columns have the names of the first import's,
    that one's. documents: add the files of a folder or ZIP as documents without queries. options: see `ImportOptions`.
    Items are recognised by their content. A judgement that is there keeps its split; a new one of a held-out query, or
    (where whole components are held out) of a held-out document, joins what is held out; every other one is to train.
    Returns what `import_collection` returns, for the collection as it is then, with the rows left out of this source,
    and "added" and "known": {"queries", "documents", "judgements"} that were new, and that were there.
    Raises WorkbenchError as `import_collection` does, or if there is no such collection.
    """
    collection = open_collection(workspace, name)
    with import_lock(workspace, name), _aside(workspace, name) as folder:
        with Addition(collection, folder) as addition:
            if documents:
                filled = fill_documents(addition, Path(str(source)), progress=progress, **options)
            else:
                roles = roles or _same_roles(collection.card, source)
                filled = fill(addition, source, roles, progress=progress, **options)
            addition.finish()
        if progress:
            progress(0, 0, "Joining the collection")
        with edit_collection(workspace, name, f"Added {filled.source['file']}") as edit:
            told = addition.join(edit)
            if any(told["added"].values()):
                edit.what = f"Added {added_words(told['added'])} from “{filled.source['file']}”"
                _note_on_card(edit, filled, told, job)
    return import_summary(open_collection(workspace, name).card) | told | {"skipped": filled.skipped}


def added_before(card: Card, job: str) -> dict[str, Any] | None:
    """The result of an addition that this job has made already; None if it has not."""
    for entry in card.source.get("added", []):
        if entry.get("job") == job:
            told = {key: entry.get(key, {}) for key in ("added", "known")}
            return import_summary(card) | told | {"skipped": entry.get("skipped", [])}
    return None


def added_words(counts: dict[str, int]) -> str:
    """Counts of {"queries", "documents", "judgements"} in words: 2 queries, 1 document and 3 judgements."""
    one = {"queries": "query", "documents": "document", "judgements": "judgement"}
    parts = [f"{count:,} {one[noun] if count == 1 else noun}" for noun, count in counts.items() if count]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing new"


class Addition:
    """Rows on their way into a collection that is there. Only ids and judgements stay in memory."""

    def __init__(self, collection: Collection, folder: Path) -> None:
        self._folder = folder
        self._known = {"queries": collection.query_rows, "corpus": collection.document_rows}
        self._tables = {side: TableWriter(folder / side, item_features()) for side in SIDES}
        # The number of every item that was met, known ones among them, and how many of them were known.
        self._numbers: dict[str, dict[str, int]] = {side: {} for side in SIDES}
        self._recognised = dict.fromkeys(SIDES, 0)
        self._scores: dict[int, float] = {}
        self._given: dict[int, str] = {}
        self._stack = ExitStack()
        for table in self._tables.values():
            self._stack.callback(table.close)

    def __enter__(self) -> Addition:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def has(self, side: str, identifier: str) -> bool:
        """Whether an item with this id is in the collection, or among what is being added."""
        return identifier in self._known[side] or identifier in self._numbers[side]

    def add(self, side: str, item: Item) -> str:
        """Store an item on a side unless it is there; returns its id."""
        identifier = item.id or item.content_id()
        if identifier in self._numbers[side]:
            return identifier
        self._numbers[side][identifier] = len(self._numbers[side])
        if identifier in self._known[side]:
            self._recognised[side] += 1
        else:
            media = (item.image, item.audio, item.video, item.thumbnail)
            self._tables[side].write(row_from_item(item), sum(len(data) for data in media if data))
        return identifier

    def judge(self, query: str, document: str, score: float = 1.0, split: str = "") -> None:
        """As `CollectionWriter.judge`: of several scores for one pair the highest stays."""
        key = self._numbers["queries"][query] << 32 | self._numbers["corpus"][document]
        self._scores[key] = max(score, self._scores.get(key, score))
        if split:
            self._given[key] = "eval" if "eval" in (split, self._given.get(key)) else "train"

    @property
    def counts(self) -> dict[str, int]:
        """What was met so far, known or not: queries, documents, judgements, and relevant.

        An addition may bring known negatives alone, so every judgement counts as relevant where there were queries.
        """
        relevant = sum(score > 0 for score in self._scores.values())
        return {
            "queries": len(self._numbers["queries"]),
            "documents": len(self._numbers["corpus"]),
            "judgements": len(self._scores),
            "relevant": len(self._scores) if self._known["queries"] else relevant,
        }

    def finish(self) -> None:
        """Close the tables, so that they can be read."""
        for side, table in self._tables.items():
            table.finish(f"added-{side}")

    def join(self, edit: Edit) -> dict[str, Any]:
        """Put everything into a change of the collection; returns {"added": counts, "known": counts}."""
        added = {}
        for side in SIDES:
            before = edit.collection.query_rows if side == "queries" else edit.collection.document_rows
            added[side] = 0
            # The ids that are held already, rather than a copy of each: the rows lie in the order they came in.
            fresh = (identifier for identifier in self._numbers[side] if identifier not in self._known[side])
            # By batches of the file: row by row a data set takes ten times as long.
            for batch in read_table(self._folder / side).data.table.to_batches():
                for row, identifier in zip(batch.to_pylist(), fresh, strict=False):
                    if row["id"] != identifier:
                        raise ValueError(f"the rows of {side} are not in the order they came in")
                    added[side] += identifier not in before
                    edit.add(side, item_from_row({**row, "id": identifier}))
        judged = self._join_judgements(edit)
        known = {side: len(self._numbers[side]) - added[side] for side in SIDES}
        return {
            "added": {"queries": added["queries"], "documents": added["corpus"], "judgements": judged},
            "known": {
                "queries": known["queries"],
                "documents": known["corpus"],
                "judgements": len(self._scores) - judged,
            },
        }

    def _join_judgements(self, edit: Edit) -> int:
        """Judge every pair that is new, or that is better now than it was; returns how many are new."""
        old = KnownJudgements(edit.collection)
        ids = {side: list(numbers) for side, numbers in self._numbers.items()}
        new: list[NewJudgement] = []
        for key, score in self._scores.items():
            query, document = ids["queries"][key >> 32], ids["corpus"][key & 0xFFFFFFFF]
            # A fix may have taken an item away while the source was being read.
            if not (edit.has("queries", query) and edit.has("corpus", document)):
                continue
            row = old.row(query, document)
            if row is None:
                new.append((query, document, score, self._given.get(key, "")))
            elif score > old.scores[row] and old.sources[row] not in SAID_BY_PEOPLE:
                edit.judge(query, document, score, old.splits[row], "upload")
        for (query, document, score, _), split in zip(new, new_splits(edit, old, new), strict=True):
            edit.judge(query, document, score, split, "upload")
        return len(new)


def _same_roles(card: Card, source: Path | Opened) -> Roles | None:
    """The roles of the first import, if the source has all its columns."""
    roles = card.source.get("roles") or {}
    columns = [column for role in roles.values() for column in ([role] if isinstance(role, str) else role or [])]
    with suppress(WorkbenchError):
        opened = open_source(source) if isinstance(source, Path) else source
        if columns and set(columns) <= set(opened.columns()):
            return dict(roles)
    return None


def _note_on_card(edit: Edit, filled: Filled, told: dict[str, Any], job: str) -> None:
    card = edit.collection.card
    entry = {**filled.source, **told, "job": job, "when": time.time(), "skipped": filled.skipped[:SKIPPED_ON_CARD]}
    edit.card(source={**card.source, "added": [*card.source.get("added", []), entry]})
    if not card.counts["queries"] and told["added"]["queries"]:
        edit.card(labels=filled.labels)


@contextmanager
def _aside(workspace: Workspace, name: str) -> Iterator[Path]:
    """A folder to read into, removed in the end; what a killed addition left behind is removed too."""
    for left in workspace.collections.glob(f".{name}.adding-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=workspace.collections, prefix=f".{name}.adding-"))
    try:
        with disk_full_in_words(workspace.collections):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
