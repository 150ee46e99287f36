"""Mend what the doctor found: each fix is one change of the collection that can be taken back.

A fix goes by the groups of the last check, and looks again before it acts: what has left the collection since, or has
been mended by hand, is passed over. So a fix that is asked for twice does its work once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.collection.editing import Edit, edit_collection
from workbench.collection.split import split_judgements
from workbench.doctor.balance import find_direction
from workbench.doctor.check import Check, read_check
from workbench.doctor.examined import Examined
from workbench.doctor.findings import KINDS, Finding, counted
from workbench.doctor.judgements import contradicting_rows, overruled_rows
from workbench.doctor.mended import note_mended
from workbench.doctor.personal import mask_personal
from workbench.doctor.texts import NOUNS
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

Pair = tuple[str, str]


def fix(workspace: Workspace, name: str, which: str | int) -> str:
    """Mend a finding of the last check, by its number there (from 0), or all of a kind; returns what was done.

    Raises WorkbenchError if the collection was not checked, has no such finding, or only the user can mend it.
    """
    chosen = _chosen(workspace, name, which)
    with edit_collection(workspace, name, "Mended") as edit:
        done = [said for finding in chosen if (said := FIXES[str(finding.detail.get("how"))](edit, finding))]
        edit.what = "; ".join(done) or edit.what
    numbers = [number for number, finding in enumerate(_check(workspace, name).findings) if finding in chosen]
    note_mended(workspace, name, numbers, bool(done))
    return "; ".join(done) + "." if done else "Nothing was left to mend."


def _chosen(workspace: Workspace, name: str, which: str | int) -> list[Finding]:
    check = _check(workspace, name)
    if isinstance(which, int):
        found = check.findings[which : which + 1] if which >= 0 else []
    elif which in KINDS:
        found = [finding for finding in check.findings if finding.kind == which]
    else:
        raise WorkbenchError(f"“{str(which)[:80]}” is no kind of finding. The kinds are: {', '.join(KINDS)}.")
    if not found:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in check.findings if finding.fixable))
        advice = f"It can mend: {kinds}." if kinds else "It found nothing to mend."
        raise WorkbenchError(f"The last check of “{name}” did not find that. {advice}")
    fixable = [finding for finding in found if finding.fixable and finding.detail.get("how") in FIXES]
    if not fixable:
        raise WorkbenchError(f"The workbench cannot mend this. {found[0].advice}".strip())
    return fixable


def _check(workspace: Workspace, name: str) -> Check:
    check = read_check(workspace, name)
    if check is None:
        raise WorkbenchError(f"“{name}” has not been checked yet. Check it first.")
    return check


def _merge(edit: Edit, finding: Finding) -> str:
    """Duplicates into the first of their group; what would then be in train and held out at once leaves train."""
    rows = _rows(edit, finding.side)
    kept: dict[str, str] = {}
    groups = []
    for group in finding.groups:
        there = [identifier for identifier in group if identifier in rows]
        if len(there) > 1:
            groups.append(there)
            first, *others = dict.fromkeys(_kept_for(one, kept) for one in there)
            kept.update(dict.fromkeys(others, first))
    if not kept:
        return ""
    leaking = _training_rows(edit, finding.side, groups)
    _forget(edit, [*leaking, *overruled_rows(Examined(edit.collection), finding.side, groups)])
    edit.merge(finding.side, kept)
    also = f", and took {counted(len(leaking), 'judgement')} that would leak out of train" if len(leaking) else ""
    return f"Merged {counted(len(kept), *_noun('duplicate', finding.side))}{also}"


def _kept_for(identifier: str, kept: dict[str, str]) -> str:
    """The one an item is merged into so far, itself if into none: groups may share members."""
    while identifier in kept:
        identifier = kept[identifier]
    return identifier


def _drop(edit: Edit, finding: Finding) -> str:
    """The items leave, and their judgements with them."""
    rows = _rows(edit, finding.side)
    ids = [identifier for group in finding.groups for identifier in group if identifier in rows]
    if not ids:
        return ""
    edit.drop(finding.side, ids)
    return f"Left out {counted(len(ids), *NOUNS[finding.side])}"


def _unjudge(edit: Edit, finding: Finding) -> str:
    """The negatives are forgotten; a judgement that has become relevant since stays."""
    pairs = {(query, document) for query, document in finding.groups}
    table = _Table(edit)
    rows = [row for row in table.of_pairs(pairs) if table.scores[row] <= 0]
    _forget(edit, rows, table)
    return f"Dropped {counted(len(rows), 'negative that is right', 'negatives that are right')}" if rows else ""


def _settle(edit: Edit, finding: Finding) -> str:
    """Of judgements that contradict each other those stay that count more."""
    stored = {(query, document) for query, document in finding.groups}
    table = _Table(edit)
    gone = [row for row in contradicting_rows(Examined(edit.collection)) if table.pair(row) in stored]
    _forget(edit, gone, table)
    return f"Dropped {counted(len(gone), 'judgement')} that contradicted another" if gone else ""


def _untrain(edit: Edit, finding: Finding) -> str:
    """What is held out leaves train, with its copies; the held-out judgements stay as they are."""
    known = _rows(edit, finding.side)
    groups = [[identifier for identifier in group if identifier in known] for group in finding.groups]
    rows = _training_rows(edit, finding.side, groups)
    _forget(edit, rows)
    return f"Took {counted(len(rows), 'judgement')} that leaked out of train" if len(rows) else ""


def _swap(edit: Edit, finding: Finding) -> str:
    """Queries become documents. Where the split would not hold the other way, it is drawn anew."""
    if not any(found.fixable for found in find_direction(Examined(edit.collection))):
        return ""
    edit.swap_sides()
    if edit.collection.card.split.get("method") != "component":
        _split_turned(edit)
    return "Turned the collection round: its documents are the queries now"


def _mask(edit: Edit, finding: Finding) -> str:
    """Texts get a copy with personal data masked, which takes their place."""
    rows, kept = _rows(edit, finding.side), {}
    for identifier in [identifier for group in finding.groups for identifier in group if identifier in rows]:
        item = edit.collection.item(finding.side, rows[identifier])
        masked = mask_personal(item.text or "")
        if masked != item.text:
            kept[identifier] = edit.add(finding.side, replace(item, id="", text=masked))
    edit.merge(finding.side, kept)
    return f"Masked personal data in {counted(len(kept), *NOUNS[finding.side])}" if kept else ""


# By `how` in a finding's detail. Each returns what it did in words, "" if nothing was left to do.
FIXES: dict[str, Callable[[Edit, Finding], str]] = {
    "merge": _merge,
    "drop": _drop,
    "unjudge": _unjudge,
    "settle": _settle,
    "untrain": _untrain,
    "swap": _swap,
    "mask": _mask,
}


class _Table:
    """The judgements as they were before the change, as columns."""

    def __init__(self, edit: Edit) -> None:
        table = edit.collection.judgements.with_format(None)[:]
        self.queries, self.documents = table["query"], table["document"]
        self.scores, self.splits, self.sources = table["score"], table["split"], table["source"]
        self.metas = table.get("meta") or [None] * len(self.scores)

    def pair(self, row: int) -> Pair:
        return self.queries[row], self.documents[row]

    def of_pairs(self, pairs: set[Pair]) -> list[int]:
        """The rows about any of these pairs."""
        return [row for row, pair in enumerate(zip(self.queries, self.documents, strict=True)) if pair in pairs]


def _forget(edit: Edit, rows: Iterable[int], table: _Table | None = None) -> None:
    """Remove single rows of the judgements; another judgement of the same pair stays."""
    gone = set(map(int, rows))
    if not gone:
        return
    table = table or _Table(edit)
    pairs = {table.pair(row) for row in gone}
    edit.unjudge(pairs)
    staying = [row for row in table.of_pairs(pairs) if row not in gone]
    for row in sorted(staying, key=lambda row: table.scores[row]):  # the highest last, which then counts
        meta: dict[str, Any] | None = json.loads(table.metas[row]) if table.metas[row] else None
        edit.judge(*table.pair(row), table.scores[row], table.splits[row], table.sources[row], meta)


def _training_rows(edit: Edit, side: str, groups: list[list[str]]) -> np.ndarray:
    """The rows of the judgements by which these groups train, for the groups of which something is held out.

    Documents train as right answers only, and only where the split keeps documents apart.
    """
    method = edit.collection.card.split.get("method")
    if side == "corpus" and method not in ("component", "given"):
        return np.zeros(0, np.int64)
    judged = edit.collection.judged()
    is_eval = np.array(edit.collection.judgements["split"][:], dtype=object) == "eval"
    known = _rows(edit, side)
    group_of = np.full(len(known), -1)
    for number, group in enumerate(groups):
        group_of[[known[identifier] for identifier in group]] = number
    mine = group_of[judged.queries if side == "queries" else judged.documents]
    counts = (mine >= 0) & ((judged.scores > 0) | (side == "queries"))
    return np.flatnonzero(counts & ~is_eval & np.isin(mine, mine[counts & is_eval]))


def _split_turned(edit: Edit) -> None:
    """Split the judgements anew for sides that change places, and say so on the card."""
    table, judged = _Table(edit), edit.collection.judged()
    card = edit.collection.card
    seed = int(card.split.get("seed", 0))
    ids = edit.collection.corpus["id"][:]
    queries, documents = edit.collection.query_rows, edit.collection.document_rows
    same_items = [(documents[one], queries[one]) for one in queries.keys() & documents.keys()]
    split = split_judgements(judged.documents, judged.queries, seed=seed, query_ids=ids, same_items=same_items)
    for row, label in enumerate(split.labels.tolist()):
        meta = table.metas[row]
        if label != table.splits[row]:
            edit.judge(
                *table.pair(row), table.scores[row], label, table.sources[row], json.loads(meta) if meta else None
            )
    edit.card(split={**card.split, **split.described(seed)})


def _rows(edit: Edit, side: str) -> dict[str, int]:
    return edit.collection.query_rows if side == "queries" else edit.collection.document_rows


def _noun(before: str, side: str) -> tuple[str, str]:
    one, many = NOUNS[side]
    return f"{before} {one}", f"{before} {many}"
