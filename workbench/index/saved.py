"""Searches that somebody wants to keep: a name, the index, what is asked and how, in index/saved.json.

What is kept is what the address of the search says, so a saved search can be opened as long as its index is there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from filelock import FileLock

from workbench.collection.named import Named
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.question import LONGEST_HOW, LONGEST_WORDS, Question
from workbench.index.results import SearchResult
from workbench.workspace import Workspace, check_name, read_json, write_json

SCHEMA_VERSION = 1
MOST = 200
LONGEST_NAME = 120


@dataclass(frozen=True)
class Saved:
    """A saved search. It asks with the words `q`, or with the item `asked` as `Named` writes it."""

    id: str
    name: str
    index: str
    q: str
    asked: str
    how: str
    created: float

    def ask(self, workspace: Workspace, search: Callable[..., SearchResult]) -> SearchResult:
        """Ask it again, with `Searcher.search`. Raises WorkbenchError as that does, or if its item is gone."""
        question = Question.read(self.how)
        query, unlike = item_named(workspace, self.asked), item_named(workspace, question.unlike)
        return question.ask(search, self.index, query or Item(text=self.q), unlike)


def item_named(workspace: Workspace, told: str) -> Item | None:
    """The item that `Named` wrote, None where it wrote nothing. Raises WorkbenchError if it is there no more."""
    named = Named.read(told)
    if named is None:
        return None
    collection, row = named.find(workspace)
    return collection.item(named.side, row)


def saved_searches(workspace: Workspace) -> list[Saved]:
    """All saved searches, the newest first."""
    return [Saved(**{key: one[key] for key in Saved.__dataclass_fields__}) for one in reversed(_read(workspace))]


def save_search(
    workspace: Workspace, index: str, *, q: str = "", asked: str = "", how: str = "", name: str = ""
) -> Saved:
    """Keep a search under a name, else under its words; the same one is kept once, under its newest name.

    Raises WorkbenchError if it asks nothing that can be kept, or there are too many.
    """
    if not (q.strip() or Named.read(asked)) or len(q) > LONGEST_WORDS or len(how) > LONGEST_HOW:
        raise WorkbenchError("Only a search by words, or by an item of a collection, can be saved.")
    how = Question.read(how).at(offset=0).write()
    said = " ".join((name or q or _named(workspace, asked)).split())[:LONGEST_NAME]
    kept = Saved(secrets.token_hex(8), said, check_name(index, "index"), q, asked, how, round(time.time(), 3))
    with _changing(workspace) as listed:
        same = (kept.index, q, asked, how)
        listed[:] = [one for one in listed if (one["index"], one["q"], one["asked"], one["how"]) != same]
        if len(listed) >= MOST:
            raise WorkbenchError(f"{MOST} searches are saved already. Remove one first.")
        listed.append(asdict(kept))
    return kept


def get_saved(workspace: Workspace, identifier: str) -> Saved:
    """One saved search, by its id or its name. Raises WorkbenchError if there is none."""
    for one in saved_searches(workspace):
        if identifier in (one.id, one.name):
            return one
    raise WorkbenchError("This saved search is no longer there. It may have been removed in another window.")


def remove_saved(workspace: Workspace, identifier: str) -> None:
    """Forget a saved search. Raises WorkbenchError if there is none."""
    gone = get_saved(workspace, identifier)
    with _changing(workspace) as listed:
        listed[:] = [one for one in listed if one["id"] != gone.id]


def _named(workspace: Workspace, asked: str) -> str:
    item = item_named(workspace, asked)
    return f"like {item.text or item.file or item.id}" if item else ""


@contextmanager
def _changing(workspace: Workspace) -> Iterator[list[dict[str, Any]]]:
    """Yield the list, and write it when the block ends well. One process at a time."""
    with FileLock(workspace.locks / "saved-searches.lock"):
        listed = _read(workspace)
        yield listed
        write_json(workspace.index / "saved.json", {"schema": SCHEMA_VERSION, "searches": listed})


def _read(workspace: Workspace) -> list[dict[str, Any]]:
    path = workspace.index / "saved.json"
    try:
        told = read_json(path) or {"schema": SCHEMA_VERSION, "searches": []}
    except ValueError as error:
        raise WorkbenchError(f"The saved searches, {path}, cannot be read. Move the file away.") from error
    if told.get("schema") != SCHEMA_VERSION:
        raise WorkbenchError(f"The saved searches, {path}, are of a newer version. Update the workbench.")
    return list(told["searches"])
