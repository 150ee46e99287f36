"""Change a collection, one step at a time, so that every step can be taken back.

A change is prepared beside the collection and moved into place when it is whole: a kill leaves the collection as it
was, or as it was meant to be. What does not change is shared with the earlier version by hard links, so that a version
costs no more than what the change rewrote.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.collection.opening import read_table
from workbench.collection.split import split_sentence
from workbench.collection.store import (
    DECIDED,
    SIDES,
    STAGED,
    Card,
    Collection,
    Item,
    fingerprint_tables,
    finish_change,
    item_features,
    judgement_features,
    open_collection,
    row_from_item,
    save_card,
    versions,
)
from workbench.collection.writing import TableWriter, data_files, sorted_modalities
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, disk_full_in_words, read_json, write_json

KEPT_VERSIONS = 20
COALESCE_SECONDS = 3600.0
# A table of many small files is written anew as one file: many labelled documents add a file each.
MANY_FILES, SMALL_BYTES, MOST_FILES = 8, 64 << 20, 64
CHANGE = "change.json"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """One step that can be taken back: its number, what it did in words, and when (Unix seconds)."""

    number: int
    what: str
    when: float


class Edit:
    """What a change is made of. Nothing is written into the collection before the change is whole.

    `collection` is the collection as it was. `what` says in words what the change does.
    """

    def __init__(self, collection: Collection, staged: Path, what: str) -> None:
        self.collection, self.what = collection, what
        self._staged = staged
        self._judged: dict[Pair, tuple[float, str, str, str | None]] = {}
        self._unjudged: dict[Pair, str | None] = {}
        self._dropped: dict[str, set[str]] = {side: set() for side in SIDES}
        self._merged: dict[str, dict[str, str]] = {side: {} for side in SIDES}
        self._added: dict[str, dict[str, str]] = {side: {} for side in SIDES}
        self._writers: dict[str, TableWriter] = {}
        self._card: dict[str, Any] = {}
        self._swap = False

    def has(self, side: str, identifier: str) -> bool:
        """Whether an item with this id is on a side (`queries` or `corpus`), or has been added by this change."""
        return identifier not in self._dropped[side] and (
            identifier in self._rows(side) or identifier in self._added[side]
        )

    def add(self, side: str, item: Item) -> str:
        """Add an item to a side unless it is there; returns its id. Its bytes go to disk at once."""
        row = row_from_item(item)
        identifier = str(row["id"])
        if identifier in self._rows(side) or identifier in self._added[side]:
            self._dropped[side].discard(identifier)
            return identifier
        if side not in self._writers:
            self._writers[side] = TableWriter(self._staged / f"added-{side}", item_features())
        media = (item.image, item.audio, item.video, item.thumbnail)
        self._writers[side].write(row, sum(len(data) for data in media if data) + len(item.text or ""))
        self._added[side][identifier] = item.modality
        return identifier

    def judge(
        self,
        query: str,
        document: str,
        score: float = 1.0,
        split: str = "train",
        source: str = "upload",
        meta: dict[str, Any] | None = None,
    ) -> None:
        """Say how relevant a document is for a query (ids). It takes the place of what was said of that pair before."""
        if split not in ("train", "eval"):
            raise ValueError(f"split must be train or eval, not {split!r}")
        pair = (query, document)
        self._judged[pair] = (
            float(score),
            split,
            source,
            json.dumps(meta, ensure_ascii=False) if meta else None,
        )

    def judged_split(self, side: str, identifier: str) -> str:
        """The split in which this change has judged an item of the side `queries` or `corpus`; "" if in none."""
        at = SIDES.index(side)
        splits = {row[1] for pair, row in self._judged.items() if pair[at] == identifier}
        return "eval" if "eval" in splits else "train" if splits else ""

    def unjudge(self, pairs: Iterable[Pair], source: str | None = None) -> None:
        """Forget what was said of these (query id, document id) pairs; with `source`, only what has that source."""
        for pair in pairs:
            if pair in self._judged and source in (None, self._judged[pair][2]):
                del self._judged[pair]
                self._unjudged[pair] = None  # what it had taken the place of goes too
            self._unjudged.setdefault(pair, source)

    def drop(self, side: str, ids: Iterable[str]) -> None:
        """Items leave; the judgements about them go with them."""
        self._dropped[side].update(ids)

    def merge(self, side: str, kept: dict[str, str]) -> None:
        """Duplicates leave and their judgements move: id of the duplicate to the id of the one that is kept.

        Where both had a judgement for the same pair the higher score stays, and held out stays held out.
        """
        self._merged[side].update({old: new for old, new in kept.items() if old != new})
        self._dropped[side].update(old for old, new in kept.items() if old != new)

    def swap_sides(self) -> None:
        """Queries become documents and documents queries."""
        self._swap = not self._swap

    def card(self, **fields: Any) -> None:
        """Change fields of the card, `labels` for example."""
        self._card.update(fields)

    def _rows(self, side: str) -> dict[str, int]:
        return self.collection.query_rows if side == "queries" else self.collection.document_rows

    def _write(self, folder: Path) -> Card:
        """Write the changed parts and the card into `folder`; returns the card."""
        for side, writer in self._writers.items():
            writer.finish(f"{side}-{time.time_ns()}")
        tables = {side: self._write_side(side, folder) for side in SIDES}
        judgements = self._judgements(tables)
        changed = self._judged or self._unjudged or any(self._dropped.values()) or self._swap
        if self._swap:
            judgements = judgements.rename_columns(["document", "query", *judgements.column_names[2:]])
            judgements = judgements.select(list(judgement_features()))
            for side, other in (SIDES, SIDES[::-1]):
                if not (folder / side).exists():
                    _link(self.collection.path / side, folder / f"swapped-{other}")
                else:
                    (folder / side).rename(folder / f"swapped-{other}")
            for side in SIDES:
                (folder / f"swapped-{side}").rename(folder / side)
            tables = {"queries": tables["corpus"], "corpus": tables["queries"]}
        if changed:
            writer = TableWriter(folder / "judgements", judgement_features())
            writer.write_columns({name: judgements[name] for name in judgements.column_names})
            writer.finish(f"judgements-{time.time_ns()}")
        return self._new_card(tables, judgements)

    def _write_side(self, side: str, folder: Path) -> tuple[Any, set[str]]:
        """Write one side if it changes; returns its ids, an Arrow column, and its modalities."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self.collection.side(side).data.table
        dropped = self._dropped[side] and self._dropped[side] & self._rows(side).keys()
        modalities = set(pc.unique(table["modality"]).to_pylist())
        ids = table["id"]
        added = [identifier for identifier in self._added[side] if identifier not in self._dropped[side]]
        if not dropped and side not in self._writers:
            return ids, modalities
        old, extra = self.collection.path / side, self._staged / f"added-{side}"
        if dropped or len(added) < len(self._added[side]) or self._too_many_files(old):
            modalities = _rewrite(table, extra, self._dropped[side], folder / side)
            ids = ids.filter(pc.invert(pc.is_in(ids, pa.array(sorted(dropped), pa.string()))))
            return pa.chunked_array([*ids.chunks, pa.array(added, pa.string())]), modalities
        _link(old, folder / side)
        _append(extra, folder / side)
        ids = pa.chunked_array([*ids.chunks, pa.array(added, pa.string())])
        return ids, modalities | set(self._added[side].values())

    def _too_many_files(self, folder: Path) -> bool:
        files = data_files(folder)
        size = sum((folder / name).stat().st_size for name in files)
        return len(files) >= MOST_FILES or (len(files) >= MANY_FILES and size < SMALL_BYTES)

    def _judgements(self, tables: dict[str, tuple[Any, set[str]]]) -> Any:
        """The judgements table as it will be, before the sides are swapped."""
        import pyarrow as pa
        import pyarrow.compute as pc

        schema = judgement_features().arrow_schema
        base = self.collection.judgements.data.table
        if "meta" not in base.column_names:
            base = base.append_column("meta", pa.nulls(len(base), pa.string()))
        base = base.select(schema.names).cast(schema)
        base = base.filter(self._stays(base)) if self._judged or self._unjudged else base
        if self._judged:
            pairs = list(self._judged)
            columns = [[query for query, _ in pairs], [document for _, document in pairs]]
            columns += [list(column) for column in zip(*self._judged.values(), strict=True)]
            base = pa.concat_tables([base, pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)])
        merged = {side: _final(kept) for side, kept in self._merged.items()}
        for side, column in zip(SIDES, ("query", "document"), strict=True):
            if merged[side]:
                moved = _moved(base[column], merged[side])
                base = base.set_column(base.column_names.index(column), schema.field(column), moved)
        if any(merged.values()):
            kept = [pa.array(sorted(set(merged[side].values())), pa.string()) for side in SIDES]
            met = pc.or_(pc.is_in(base["query"], kept[0]), pc.is_in(base["document"], kept[1]))
            base = pa.concat_tables([base.filter(pc.invert(met)), _highest(base.filter(met), schema)])
        for side, column in zip(SIDES, ("query", "document"), strict=True):
            if self._dropped[side]:
                base = base.filter(
                    pc.invert(pc.is_in(base[column], pa.array(sorted(self._dropped[side]), pa.string())))
                )
        self._check_known(base, tables)
        return base

    def _stays(self, base: Any) -> Any:
        """Which rows of the judgements are not taken back by this change, an Arrow array of bool."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        queries, documents = (
            pa.array(list({pair[at] for pairs in (self._judged, self._unjudged) for pair in pairs}), pa.string())
            for at in (0, 1)
        )
        near = pc.and_(pc.is_in(base["query"], queries), pc.is_in(base["document"], documents))
        stays = np.ones(len(base), bool)
        for row in np.flatnonzero(np.asarray(near)).tolist():
            pair = (base["query"][row].as_py(), base["document"][row].as_py())
            forgotten = pair in self._unjudged and self._unjudged[pair] in (None, base["source"][row].as_py())
            stays[row] = not forgotten and pair not in self._judged
        return pa.array(stays)

    def _check_known(self, judgements: Any, tables: dict[str, tuple[Any, set[str]]]) -> None:
        import pyarrow.compute as pc

        for side, column in zip(SIDES, ("query", "document"), strict=True):
            known = pc.is_in(judgements[column], tables[side][0].combine_chunks())
            if not pc.all(known, min_count=0).as_py():
                row = known.to_pylist().index(False)
                raise ValueError(f"a judgement names the {column} {judgements[column][row]}, which is not there")

    def _new_card(self, tables: dict[str, tuple[Any, set[str]]], judgements: Any) -> Card:
        import pyarrow.compute as pc

        old = self.collection.card
        held = judgements.filter(pc.equal(judgements["split"], "eval"))
        split = dict(old.split)
        if split.get("method") in ("component", "query", "given") and len(judgements):
            asked, found = (pc.count_distinct(held[column]).as_py() for column in ("query", "document"))
            split["sentence"] = split_sentence(split["method"], asked, found)
            split["fraction"] = round(asked / pc.count_distinct(judgements["query"]).as_py(), 4)
        labels = {"query": old.labels["document"], "document": old.labels["query"]} if self._swap else old.labels
        roles, source = old.source.get("roles"), old.source
        if self._swap and roles:  # what is added later by these roles falls on the sides as they are now
            turned = {**roles, "query": roles.get("document"), "document": roles.get("query")}
            source = {**source, "roles": turned}
        card = replace(
            old,
            labels=labels,
            source=source,
            split=split,
            counts={
                "queries": len(tables["queries"][0]),
                "documents": len(tables["corpus"][0]),
                "train": len(judgements) - len(held),
                "eval": len(held),
                "wrong": pc.sum(pc.less_equal(judgements["score"], 0)).as_py() or 0,
            },
            modalities={
                "query": sorted_modalities(tables["queries"][1]),
                "document": sorted_modalities(tables["corpus"][1]),
            },
            fingerprint=fingerprint_tables(
                tables["queries"][0],
                tables["corpus"][0],
                {name: judgements[name] for name in ("query", "document", "score", "split")},
            ),
        )
        return replace(card, **self._card)

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()


@contextmanager
def edit_collection(workspace: Workspace, name: str, what: str, *, coalesce: bool = False) -> Iterator[Edit]:
    """Change a collection inside a with statement; `what` says in words what is done, for the list of changes.

    coalesce: many small changes of the same words within an hour are one step to take back, not one each.
    Changes wait for one another. Nothing is written if the block raises, or if it changes nothing.
    Raises WorkbenchError if there is no such collection, or the disk is full.
    """
    with _changing(workspace, name) as (path, staged):
        edit = Edit(Collection(path), staged, what)
        try:
            yield edit
            with disk_full_in_words(path):
                (staged / "new").mkdir()
                card = edit._write(staged / "new")
        finally:
            edit._close()
        if card == edit.collection.card and not any((staged / "new").iterdir()):
            return
        before = versions(path)
        newest = (read_json(before[0] / CHANGE) or {}) if before else {}
        joins = coalesce and newest.get("joins") == edit.what and newest["when"] > time.time() - COALESCE_SECONDS
        needed = _needed(workspace, name)
        joins = joins and edit.collection.fingerprint not in needed
        decision: dict[str, Any] = {}
        if not joins:
            number = int(before[0].name) + 1 if before else 1
            _keep_version(path, staged / "old", edit.what, edit.what if coalesce else "")
            forget = [old.name for old in before[KEPT_VERSIONS - 1 :] if _fingerprint(old) not in needed]
            decision = {"history": f"{number:04d}", "forget": forget}
        _decide(path, staged, card, decision)


def changes(workspace: Workspace, name: str) -> list[Change]:
    """The changes that can be taken back, the newest first."""
    found = []
    for folder in versions(open_collection(workspace, name).path):
        told = read_json(folder / CHANGE) or {}
        found.append(Change(int(folder.name), str(told.get("what", "")), float(told.get("when", 0.0))))
    return found


def undo(workspace: Workspace, name: str) -> Change:
    """Take back the newest change; returns it. Raises WorkbenchError if there is none."""
    with _changing(workspace, name) as (path, staged):
        kept = versions(path)
        if not kept:
            raise WorkbenchError(f"Nothing has been changed in “{name}” that could be taken back.")
        told = read_json(kept[0] / CHANGE) or {}
        with disk_full_in_words(path):
            _link(kept[0], staged / "new")
            (staged / "new" / CHANGE).unlink(missing_ok=True)
        _decide(path, staged, None, {"forget": [kept[0].name]})
    return Change(int(kept[0].name), str(told.get("what", "")), float(told.get("when", 0.0)))


@contextmanager
def _changing(workspace: Workspace, name: str) -> Iterator[tuple[Path, Path]]:
    """The folders of a collection and of the change in the making, while nobody else changes it."""
    from filelock import FileLock

    path = workspace.collection(name)
    with FileLock(workspace.locks / f"change-{name}.lock"):
        open_collection(workspace, name)  # finishes what a killed process had decided
        staged = path / STAGED
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            yield path, staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _needed(workspace: Workspace, name: str) -> set[str]:
    """The fingerprints of the versions that runs which have not finished began with: they may yet be resumed."""
    found = set()
    for folder in workspace.runs.iterdir():
        if not (folder / "summary.json").exists():
            try:
                spec = (read_json(folder / "job.json") or {}).get("spec") or {}
            except (ValueError, AttributeError):  # a damaged run needs nothing
                continue
            if spec.get("collection") == name:
                found.add(str(spec.get("collection_fingerprint")))
    return found


def _fingerprint(version: Path) -> str:
    return str((read_json(version / "card.json") or {}).get("fingerprint"))


def _keep_version(path: Path, folder: Path, what: str, joins: str) -> None:
    folder.mkdir()
    for part in (*SIDES, "judgements"):
        _link(path / part, folder / part)
    shutil.copyfile(path / "card.json", folder / "card.json")
    write_json(folder / CHANGE, {"what": what, "when": time.time(), "joins": joins})


def _decide(path: Path, staged: Path, card: Card | None, decision: dict[str, Any]) -> None:
    """Say that the staged parts are whole, and move them into place; from here on a kill cannot undo it."""
    if card is not None:
        save_card(staged / "new", card)
    write_json(staged / DECIDED, decision)
    finish_change(path)


def _link(source: Path, target: Path) -> None:
    """Copy a folder without copying its files, where the disk can share them."""

    def copy(old: str, new: str) -> None:
        try:
            os.link(old, new)
        except OSError:
            shutil.copyfile(old, new)

    shutil.copytree(source, target, copy_function=copy)


def _append(extra: Path, folder: Path) -> None:
    """Move the file of a table that was written aside behind the files of a linked one."""
    state = read_json(folder / "state.json")
    names = [entry["filename"] for entry in state["_data_files"]]
    for added in data_files(extra):
        number = len(names)
        while (folder / f"data-{number:05d}.arrow").exists():
            number += 1
        (extra / added).rename(folder / f"data-{number:05d}.arrow")
        names.append(f"data-{number:05d}.arrow")
    state["_data_files"] = [{"filename": name} for name in names]
    write_json(folder / "state.json", state | {"_fingerprint": f"{state['_fingerprint'][:32]}{len(names)}"})


def _rewrite(table: Any, extra: Path, dropped: set[str], folder: Path) -> set[str]:
    """Write the rows that stay, batch by batch, into a new table; returns their modalities."""
    import pyarrow as pa
    import pyarrow.compute as pc

    writer = TableWriter(folder, item_features())
    schema = item_features().arrow_schema
    gone = pa.array(sorted(dropped), pa.string())
    modalities: set[str] = set()
    try:
        for one in (table, read_table(extra).data.table) if extra.exists() else (table,):
            for batch in one.to_batches():
                batch = batch.filter(pc.invert(pc.is_in(batch["id"], gone)))
                if len(batch):
                    modalities.update(pc.unique(batch["modality"]).to_pylist())
                    writer.write_batch(batch.select(schema.names).cast(schema))
        writer.finish(f"rewritten-{time.time_ns()}")
    finally:
        writer.close()
    return modalities


def _final(kept: dict[str, str]) -> dict[str, str]:
    """The duplicate's id to the one that stays in the end, where the kept one was merged itself."""
    final = {}
    for old in kept:
        new, seen = old, {old}
        while new in kept and kept[new] not in seen:
            new = kept[new]
            seen.add(new)
        final[old] = new
    return final


def _moved(ids: Any, final: dict[str, str]) -> Any:
    """Ids with every duplicate replaced by the one that is kept."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at = pc.index_in(ids, pa.array(list(final), pa.string()))
    return pc.coalesce(pc.take(pa.array(list(final.values()), pa.string()), at), ids)


def _highest(table: Any, schema: Any) -> Any:
    """One judgement a pair: the highest score stays, and held out stays held out."""
    import pyarrow as pa

    best: dict[Pair, dict[str, Any]] = {}
    for row in table.to_pylist():
        pair = (row["query"], row["document"])
        other = best.get(pair)
        if other is not None:
            held_out = "eval" in (row["split"], other["split"])
            row = max(other, row, key=lambda one: one["score"]) | {"split": "eval" if held_out else "train"}
        best[pair] = row
    return pa.Table.from_pylist(list(best.values()), schema=schema)
