"""registry.json names the live table of each index; what it does not name is not an index.

    index/registry.json   {"schema", "generation", "indexes": {NAME: card}, "gone": [TABLE]}
    index/NAME-7.lance    a table; the number grows with every build of any index and is never used twice

A table is built beside the live one and published by replacing registry.json, so a search meets the old index or the
new one, never half of either. LanceDB cannot rename a table; the registry is why it need not. A published table is
never written again. A card also names the state before it, to roll back to; tables that no card names any more are
written down as `gone` in the same moment, so that whoever comes after a kill can finish deleting them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from workbench.errors import WorkbenchError
from workbench.index.table import all_tables, drop_table, index_and_number, is_there, tables_of
from workbench.workspace import Workspace, check_name, read_json, write_json

SCHEMA_VERSION = 1
UNFINISHED = ".registry.json.*"


class BeingBuilt(WorkbenchError):
    """Another process builds or removes this index just now."""


@dataclass(frozen=True)
class IndexCard:
    """What is known of an index. `kind`: exact, IVF_RQ or IVF_FLAT. `modalities`: rows of each. `seconds`: of the
    build (its last part, if it was continued). `recall`: recall@10 against exact search, measured on its own vectors.

    `probes` and `refine` are the effort of an approximate search that reached that recall. `fields`: what the documents
    can be filtered by, as `describe_fields` gives it. `built_rows`: rows when the approximate index was last built from
    nothing. `previous`: the card of the state before, without its own `previous`; empty if there is none.
    """

    name: str
    table: str
    collection: str
    collection_fingerprint: str
    model: str
    fingerprint: str
    rows: int
    dimension: int
    model_dimension: int
    precision: str
    kind: str
    recall: float
    bytes: int
    seconds: float
    created: float
    modalities: dict[str, int] = field(default_factory=dict)
    probes: int = 0
    refine: int = 0
    trust_remote_code: bool = False
    fields: list[dict[str, Any]] = field(default_factory=list)
    full_text: int = 0
    wished: float = 0.95
    efforts: list[dict[str, Any]] = field(default_factory=list)
    built_rows: int = 0
    previous: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def before(self) -> IndexCard | None:
        """The state that `roll_back` would make the live one."""
        return _card(self.previous) if self.previous else None

    def as_json(self) -> dict[str, Any]:
        """The object that the command `index` prints."""
        return {
            "index": self.name,
            "rows": self.rows,
            "dimension": self.dimension,
            "precision": self.precision,
            "bytes": self.bytes,
            "kind": self.kind,
            "recall@10": self.recall,
            "full_text": self.full_text,
            "seconds": self.seconds,
        }


def list_indexes(workspace: Workspace) -> list[IndexCard]:
    """All complete indexes, the newest first."""
    cards = [_card(value) for value in _read(workspace)["indexes"].values()]
    return sorted(cards, key=lambda card: -card.created)


def get_index(workspace: Workspace, name: str) -> IndexCard:
    """The card of one index. Raises WorkbenchError if there is none of this name."""
    value = _read(workspace)["indexes"].get(check_name(name, "index"))
    if value is None:
        raise WorkbenchError(f"There is no index named “{name}”. Build one first, or choose another.")
    return _card(value)


def remove_index(workspace: Workspace, name: str) -> None:
    """Delete an index, the state before it, and what an unfinished build of it left. Collection and model stay.

    Raises WorkbenchError if there is no such index or it is being built just now.
    """
    with building(workspace, name):
        leftovers = tables_of(workspace, name)
        with _changing(workspace) as registry:
            known = registry["indexes"].pop(name, None)
            registry["gone"] = sorted({*registry["gone"], *leftovers})
        if known is not None or leftovers:
            drop_gone(workspace)
        drop_lock(workspace, name)
    if known is None and not leftovers:
        raise WorkbenchError(f"There is no index named “{name}”.")


def publish(workspace: Workspace, card: IndexCard, *, same_content: bool = False) -> IndexCard:
    """Make a finished table the live one of its index; the card as it is kept.

    What was live is kept to roll back to. With `same_content` (a compacted table) it is not: what was kept stays so.
    """
    with _changing(workspace) as registry:
        live = registry["indexes"].get(card.name, {})
        before = live.get("previous", {}) if same_content else {**live, "previous": {}} if live else {}
        card = replace(card, previous=before)
        _put(registry, card)
    drop_gone(workspace)
    return card


def forget_previous(workspace: Workspace, name: str) -> None:
    """Let go of the state before the live one, and of its disk."""
    with _changing(workspace) as registry:
        _put(registry, replace(_card(registry["indexes"][name]), previous={}))
    drop_gone(workspace)


def swap_with_previous(workspace: Workspace, name: str) -> IndexCard:
    """Make the state before the live one, and the live one the state before; the card that is live now.

    Raises WorkbenchError if there is no state before, or its files are gone.
    """
    with _changing(workspace) as registry:
        live = get_index(workspace, name)
        before = live.before
        if before is None:
            raise WorkbenchError(f"The index “{name}” has no earlier state to go back to.")
        if not is_there(workspace, before.table):
            raise WorkbenchError(f"The files of the earlier state of the index “{name}” are gone. Build it again.")
        card = replace(before, previous={**asdict(live), "previous": {}})
        _put(registry, card)
    return card


def drop_gone(workspace: Workspace) -> None:
    """Delete the tables that no card names any more, and what else a kill left half written or half deleted."""
    if any(workspace.index.glob(UNFINISHED)):
        with FileLock(workspace.locks / "indexes.lock"):
            _drop_unfinished(workspace)
    gone = _read(workspace)["gone"]
    for found in gone:
        drop_table(workspace, found)
    left = [found for found in gone if is_there(workspace, found)]
    if gone != left:
        with _changing(workspace) as registry:
            registry["gone"] = [found for found in registry["gone"] if found not in gone or found in left]


def _put(registry: dict[str, Any], card: IndexCard) -> None:
    """Set a card, and write down as gone what the one it replaces named and it does not."""
    old = registry["indexes"].get(card.name, {})
    named = {value["table"] for value in (old, old.get("previous")) if value}
    kept = {value["table"] for value in (asdict(card), card.previous) if value}
    registry["indexes"][card.name] = asdict(card)
    registry["gone"] = sorted({*registry["gone"], *(named - kept)})


def new_table_name(workspace: Workspace, name: str) -> str:
    """A name for a new table of an index, never given before: readers may still hold an older one open."""
    with _changing(workspace) as registry:
        numbers = [index_and_number(table)[1] for table in all_tables(workspace)]
        registry["generation"] = max([registry["generation"], *numbers]) + 1
        return f"{check_name(name, 'index')}-{registry['generation']}"


def named_tables(workspace: Workspace, name: str) -> list[str]:
    """The tables that the card of an index names: the live one, and the one of the state before."""
    value = _read(workspace)["indexes"].get(name) or {}
    return [card["table"] for card in (value, value.get("previous")) if card]


def live_table(workspace: Workspace, name: str) -> str | None:
    """The table that searches of this index use now, or None if it has not been built."""
    value = _read(workspace)["indexes"].get(name)
    return None if value is None else str(value["table"])


@contextmanager
def building(workspace: Workspace, name: str) -> Iterator[None]:
    """Hold the right to build or remove one index; the system takes it back from a killed process.

    Raises BeingBuilt if another process holds it.
    """
    lock = FileLock(_lock_path(workspace, name))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BeingBuilt(f"The index “{name}” is being built just now. Wait for it, or stop it first.") from None
    try:
        yield
    finally:
        lock.release()


def drop_lock(workspace: Workspace, name: str) -> None:
    """Delete the lock file of an index that is no more. Only for whoever holds it: who waits for it opens a new one."""
    _lock_path(workspace, name).unlink(missing_ok=True)


def _lock_path(workspace: Workspace, name: str) -> Path:
    return workspace.locks / f"index-{check_name(name, 'index')}.lock"


@contextmanager
def _changing(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """Yield the registry, and write it when the block ends well. One process at a time."""
    with FileLock(workspace.locks / "indexes.lock"):
        _drop_unfinished(workspace)
        registry = _read(workspace)
        yield registry
        write_json(workspace.index / "registry.json", registry)


def _drop_unfinished(workspace: Workspace) -> None:
    """Delete unfinished registries. Only who holds the lock writes one: these are of processes that were killed."""
    for unfinished in workspace.index.glob(UNFINISHED):
        unfinished.unlink(missing_ok=True)


def _read(workspace: Workspace) -> dict[str, Any]:
    path = workspace.index / "registry.json"
    try:
        registry = read_json(path)
    except ValueError as error:
        raise WorkbenchError(
            f"The list of indexes, {path}, cannot be read. Move it away, then build the indexes again."
        ) from error
    if registry is None:
        return {"schema": SCHEMA_VERSION, "generation": 0, "indexes": {}, "gone": []}
    if registry.get("schema") != SCHEMA_VERSION:
        raise WorkbenchError(
            f"The list of indexes, {path}, has format {registry.get('schema')}, and this version reads format "
            f"{SCHEMA_VERSION}. Update the workbench."
        )
    return {"gone": [], **registry}


def _card(value: dict[str, Any]) -> IndexCard:
    return IndexCard(**{key: value[key] for key in IndexCard.__dataclass_fields__ if key in value})
