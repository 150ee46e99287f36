"""registry.json names the live table of each index; what it does not name is not an index.

    index/registry.json   {"schema", "generation", "indexes": {NAME: card}}
    index/NAME-7.lance    a table; the number grows with every build of any index and is never used twice

A table is built beside the live one and published by replacing registry.json, so a search meets the old index or the
new one, never half of either. LanceDB cannot rename a table; the registry is why it need not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from filelock import FileLock, Timeout

from workbench.errors import WorkbenchError
from workbench.index.table import all_tables, drop_table, index_and_number, tables_of
from workbench.workspace import Workspace, check_name, read_json, write_json

SCHEMA_VERSION = 1


class BeingBuilt(WorkbenchError):
    """Another process builds or removes this index just now."""


@dataclass(frozen=True)
class IndexCard:
    """What is known of an index. `kind`: exact, IVF_RQ or IVF_FLAT. `modalities`: rows of each. `seconds`: of the
    build (its last part, if it was continued). `recall`: recall@10 against exact search, measured on its own vectors.

    `probes` and `refine` are the effort of an approximate search that reached that recall. `fields`: what the documents
    can be filtered by, as `describe_fields` gives it. `full_text`: documents whose words can be searched.
    `wished`: the recall@10 that was asked for; `efforts`: what each effort reached, from the cheapest on, as
    `recall.measure` gives it (of an exact search none).
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
    """Delete an index, and what an unfinished build of it left. Collection and model stay.

    Raises WorkbenchError if there is no such index or it is being built just now.
    """
    with building(workspace, name):
        leftovers = tables_of(workspace, name)
        with _changing(workspace) as registry:
            known = registry["indexes"].pop(name, None)
        if known is None and not leftovers:
            raise WorkbenchError(f"There is no index named “{name}”.")
        for table in leftovers:
            drop_table(workspace, table)


def publish(workspace: Workspace, card: IndexCard) -> None:
    """Make a finished table the live one of its index."""
    with _changing(workspace) as registry:
        registry["indexes"][card.name] = asdict(card)


def new_table_name(workspace: Workspace, name: str) -> str:
    """A name for a new table of an index, never given before: readers may still hold an older one open."""
    with _changing(workspace) as registry:
        numbers = [index_and_number(table)[1] for table in all_tables(workspace)]
        registry["generation"] = max([registry["generation"], *numbers]) + 1
        return f"{check_name(name, 'index')}-{registry['generation']}"


def live_table(workspace: Workspace, name: str) -> str | None:
    """The table that searches of this index use now, or None if it has not been built."""
    value = _read(workspace)["indexes"].get(name)
    return None if value is None else str(value["table"])


@contextmanager
def building(workspace: Workspace, name: str) -> Iterator[None]:
    """Hold the right to build or remove one index; the system takes it back from a killed process.

    Raises BeingBuilt if another process holds it.
    """
    lock = FileLock(workspace.locks / f"index-{check_name(name, 'index')}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BeingBuilt(f"The index “{name}” is being built just now. Wait for it, or stop it first.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _changing(workspace: Workspace) -> Iterator[dict[str, Any]]:
    """Yield the registry, and write it when the block ends well. One process at a time."""
    with FileLock(workspace.locks / "indexes.lock"):
        registry = _read(workspace)
        yield registry
        write_json(workspace.index / "registry.json", registry)


def _read(workspace: Workspace) -> dict[str, Any]:
    path = workspace.index / "registry.json"
    try:
        registry = read_json(path)
    except ValueError as error:
        raise WorkbenchError(
            f"The list of indexes, {path}, cannot be read. Move it away, then build the indexes again."
        ) from error
    if registry is None:
        return {"schema": SCHEMA_VERSION, "generation": 0, "indexes": {}}
    if registry.get("schema") != SCHEMA_VERSION:
        raise WorkbenchError(
            f"The list of indexes, {path}, has format {registry.get('schema')}, and this version reads format "
            f"{SCHEMA_VERSION}. Update the workbench."
        )
    return dict(registry)


def _card(value: dict[str, Any]) -> IndexCard:
    return IndexCard(**{key: value[key] for key in IndexCard.__dataclass_fields__ if key in value})
