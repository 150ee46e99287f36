"""Keep an index in order: follow its collection, move to another model, go back, compact.

Each of these makes a new table beside the live one, and one replacement of registry.json switches to it. Until then,
and after a kill at any moment, the index answers as it did before. One process at a time works on an index; another is
told so. What a killed update has embedded is gone on with by the next one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.build import build_index, with_documents
from workbench.index.filling import Difference, Progress, compare, fill
from workbench.index.finishing import count_modalities, full_disk_in_words, measure, publish_table, tidy
from workbench.index.location import check_place, files_gone
from workbench.index.registry import (
    IndexCard,
    building,
    forget_previous,
    get_index,
    publish,
    swap_with_previous,
)
from workbench.index.sweeping import begin_or_continue, drop_others, sweep
from workbench.index.table import Origin
from workbench.job_folder import JobFolder
from workbench.models import Embedder, load_embedder
from workbench.workspace import Workspace, disk_full_in_words

ACTIONS = ("build", "update", "reembed", "compact")
OF_THE_TABLE = ("table", "bytes", "seconds", "created", "previous")


@dataclass(frozen=True)
class Behind:
    """How far an index lags behind its collection: documents that came, and that went. gone: the collection itself."""

    more: int = 0
    fewer: int = 0
    gone: bool = False

    def __bool__(self) -> bool:
        return bool(self.more or self.fewer or self.gone)

    @property
    def words(self) -> str:
        """One sentence, or nothing where the index is up to date."""
        if self.gone:
            return "The collection is gone, so this index can be searched but not updated."
        changes = [f"{count:,} {word}" for count, word in ((self.more, "more"), (self.fewer, "fewer")) if count]
        return f"The collection has changed since: {', '.join(changes)}." if changes else ""


def behind(workspace: Workspace, card: IndexCard) -> Behind:
    """What the collection of an index has gained and lost since. Costs nothing while its fingerprint is the same."""
    import pyarrow.compute as pc

    try:
        opened = open_collection(workspace, card.collection)
    except WorkbenchError:
        return Behind(gone=True)
    if opened.fingerprint == card.collection_fingerprint:
        return Behind()
    wanted = opened.corpus.data["id"]
    held = table.connect(workspace).open_table(card.table).search().select(["id"]).to_arrow()["id"]
    both = pc.sum(pc.is_in(wanted.combine_chunks(), held.combine_chunks())).as_py() or 0
    return Behind(more=len(wanted) - both, fewer=len(held) - both)


def update_index(
    workspace: Workspace, name: str, *, progress: Progress | None = None, embedder: Embedder | None = None
) -> dict[str, Any]:
    """Bring an index up to what its collection holds now; what the command `index update` prints.

    Documents the collection has gained are embedded, those it lost are deleted, changed labels are written anew;
    nothing that the index or a killed update holds already is embedded again. Raises WorkbenchError in words as
    `build_index` does, and if the model is no longer the one that the index was built with.
    """
    started = time.perf_counter()
    report = progress or (lambda done, total, note: None)
    with building(workspace, name):
        check_place(workspace)
        sweep(workspace, name)
        card = get_index(workspace, name)
        opened = with_documents(workspace, card.collection)
        total = len(opened.corpus)
        report(0, total, "Comparing with the collection")
        difference = compare(_live(workspace, card), opened)
        if not difference:
            return _up_to_date(workspace, card, opened)
        report(0, total, "Loading the model")
        embedder = embedder or load_embedder(workspace, card.model, trust_remote_code=card.trust_remote_code)
        _check_same_model(card, embedder)
        embedder.check_supports(dict.fromkeys(opened.document_modalities.tolist()))
        part_name, part = _begin_update(workspace, card, opened, len(difference.missing))
        with full_disk_in_words(workspace, name, part, total):
            fill(part, opened, compare(part, opened), embedder, card.dimension, report)
            report(total, total, "Finishing")
            table.check_rows(part, total)
            tidied = tidy(part, total, card.dimension, card)
            measured = measure(part, tidied["kind"], card.dimension, (opened, embedder), card.wished)
            said = {
                "rows": total,
                "collection_fingerprint": opened.fingerprint,
                "modalities": count_modalities(opened),
                **tidied,
                **measured,
            }
            card = publish_table(workspace, part_name, started, **{**_kept(card), **said})
    return _as_json(card, difference)


def reembed(
    workspace: Workspace,
    name: str,
    model: str = "",
    *,
    dimension: int | None = None,
    precision: str = "",
    trust_remote_code: bool = False,
    progress: Progress | None = None,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """Embed the collection of an index with another model, size or precision beside the live one; switch when ready.

    Without `model` the one it has; without `dimension` the model's own size; without `precision` the one it has. What
    was live is kept to roll back to. Raises WorkbenchError as `build_index` does.
    """
    card = get_index(workspace, name)
    trusted = trust_remote_code or (card.trust_remote_code and model in ("", card.model))
    return build_index(
        workspace,
        name,
        card.collection,
        model or card.model,
        dimension=dimension,
        precision=precision or card.precision,
        wished_recall=card.wished,
        progress=progress,
        trust_remote_code=trusted,
        embedder=embedder,
    )


def roll_back(workspace: Workspace, name: str) -> IndexCard:
    """Make the state before the live one, at once; again, and it is as it was. The card that is live now.

    Raises WorkbenchError if there is no state before, or another process works on the index.
    """
    with building(workspace, name):
        return swap_with_previous(workspace, name)


def compact(
    workspace: Workspace,
    name: str,
    *,
    forget: bool = False,
    progress: Progress | None = None,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """Merge the chunks of an index, build its approximate index from nothing, and measure it again.

    What it answers stays the same, so this is no state to roll back from; the state before is kept, unless `forget`
    lets go of it and its disk. An update that was begun and killed begins anew afterwards.
    """
    started = time.perf_counter()
    report = progress or (lambda done, total, note: None)
    with building(workspace, name):
        check_place(workspace)
        sweep(workspace, name)
        card = get_index(workspace, name)
        report(0, card.rows, "Compacting")
        with disk_full_in_words(workspace.index):
            part_name, part = begin_or_continue(
                workspace, name, _origin(card), fits=lambda _: False, copied=_checked_table(workspace, card)
            )
            tidied = tidy(part, card.rows, card.dimension)
            report(card.rows, card.rows, "Measuring")
            asking = None if tidied["kind"] == "exact" else _asking(workspace, card, embedder)
            measured = measure(part, tidied["kind"], card.dimension, asking, card.wished)
            said = {**_kept(card), **tidied, **measured}
            card = publish_table(workspace, part_name, started, same_content=True, **said)
            if forget:
                forget_previous(workspace, name)
    return card.as_json()


def action_spec(workspace: Workspace, name: str, action: str, **options: Any) -> dict[str, Any]:
    """The spec of a job of work `index` that does one of `ACTIONS` with an index there is. `options`: those of the
    function, for `reembed` the model. Raises WorkbenchError if there is no such index."""
    card = get_index(workspace, name)
    said = {key: value for key, value in options.items() if value not in (None, "")}
    return {"action": action, "name": name, "collection": card.collection, "model": card.model, **said}


def run_action(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an index job whose spec has an `action`."""
    spec = job.spec
    action, name = spec["action"], spec["name"]
    if action == "update":
        return update_index(workspace, name, progress=job.progress)
    if action == "compact":
        return compact(workspace, name, forget=bool(spec.get("forget", False)), progress=job.progress)
    if action == "reembed":
        return reembed(
            workspace,
            name,
            spec.get("model") or "",
            dimension=spec.get("dimension"),
            precision=spec.get("precision") or "",
            trust_remote_code=bool(spec.get("trust_remote_code", False)),
            progress=job.progress,
        )
    raise WorkbenchError(f"An index job cannot “{str(action)[:40]}”. Known: {', '.join(ACTIONS)}.")


def _begin_update(workspace: Workspace, card: IndexCard, opened: Collection, missing: int) -> tuple[str, Any]:
    """The table of a killed update that got further than the live one is, or a copy of the live one."""

    def is_further(part: Any) -> bool:
        return len(compare(part, opened).missing) < missing

    with disk_full_in_words(workspace.index):
        return begin_or_continue(workspace, card.name, _origin(card), is_further, _checked_table(workspace, card))


def _up_to_date(workspace: Workspace, card: IndexCard, opened: Collection) -> dict[str, Any]:
    """Nothing to do; only the fingerprint may have changed, with the judgements."""
    if card.collection_fingerprint != opened.fingerprint:
        card = publish(workspace, replace(card, collection_fingerprint=opened.fingerprint), same_content=True)
    drop_others(workspace, card.name)
    return _as_json(card, None)


def _as_json(card: IndexCard, difference: Difference | None) -> dict[str, Any]:
    counts = (0, 0, 0)
    if difference is not None:
        counts = (len(difference.missing), len(difference.gone), len(difference.changed))
    return {**card.as_json(), **dict(zip(("added", "removed", "changed"), counts, strict=True))}


def _live(workspace: Workspace, card: IndexCard) -> Any:
    return table.connect(workspace).open_table(_checked_table(workspace, card))


def _checked_table(workspace: Workspace, card: IndexCard) -> str:
    if not table.is_there(workspace, card.table):
        raise files_gone(workspace, card.name)
    return card.table


def _check_same_model(card: IndexCard, embedder: Embedder) -> None:
    if embedder.fingerprint != card.fingerprint:
        raise WorkbenchError(
            f"The model “{card.model}” has changed since the index “{card.name}” was built with it, so new documents "
            "cannot be compared with those that are there. Embed all again: reembed this index."
        )


def _origin(card: IndexCard) -> Origin:
    return Origin(**{name: getattr(card, name) for name in Origin.__dataclass_fields__})


def _kept(card: IndexCard) -> dict[str, Any]:
    """What a card says besides which table it names and how that was made."""
    return {key: value for key, value in vars(card).items() if key not in OF_THE_TABLE}


def _asking(workspace: Workspace, card: IndexCard, embedder: Embedder | None) -> tuple[Collection, Embedder] | None:
    """The collection and the model of an index, to ask with; None where one of them is no longer there."""
    try:
        opened = open_collection(workspace, card.collection)
        embedder = embedder or load_embedder(workspace, card.model, trust_remote_code=card.trust_remote_code)
    except WorkbenchError:
        return None
    return (opened, embedder) if embedder.fingerprint == card.fingerprint else None
