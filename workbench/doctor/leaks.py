"""Leaks between train and eval: what is scored has been seen in training, so the score is too good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.judgements import Groups, joined, text_classes

BLOCKING_SHARE = 0.5  # where half of what is scored was trained on, the score means nothing
# Where most held-out documents answer train queries too, the tables that were brought share them on purpose.
SHARED_SHARE, SHARED_DOCUMENTS = 0.5, 10


def find_leaked_queries(examined: Examined) -> Iterator[Finding]:
    """Held-out queries that train as well: by id, by the same text, or by nearly the same."""
    yield from _text_leaks(examined, "queries")


def find_leaked_documents(examined: Examined) -> Iterator[Finding]:
    """Documents that answer held-out and train queries, where the split keeps documents apart.

    Held out by query the documents are shared, and this finds nothing.
    """
    yield from _text_leaks(examined, "corpus")


def leaks_among(examined: Examined, side: str, groups: Groups, how: str) -> list[Finding]:
    """The finding that copies of one item are on both sides of the split; empty if none are.

    groups: ids of items of `side` that are one content, of any modality. how: as in “2 held-out documents are in
    train as well: {how}”. What leaks under one and the same id is left to the checks of this module.
    """
    alone = np.arange(len(examined.ids(side)))
    leaking = _leaking(examined, side, joined(examined, side, alone, groups))
    found = [group for group in leaking if len(set(group[0]) | set(group[1])) > 1]
    return [_finding(examined, side, found, how, {"copies": len(found)})] if found else []


def _text_leaks(examined: Examined, side: str) -> Iterator[Finding]:
    leaking = _leaking(examined, side, text_classes(examined, side))
    if not leaking:
        return
    same_text, rows = text_classes(examined, side, near=False), examined.rows(side)
    figures = {"the very same": 0, "the same text": 0, "nearly the same text": 0}
    for held_out, trained in leaking:
        texts = [{int(same_text[rows[identifier]]) for identifier in ids} for ids in (held_out, trained)]
        same = bool(set(held_out) & set(trained))
        how = "the very same" if same else "the same text" if texts[0] & texts[1] else "nearly the same text"
        figures[how] += 1
    how = ", ".join(f"{number:,} {words}" for words, number in figures.items() if number)
    yield _finding(examined, side, leaking, how, figures)


def _leaking(examined: Examined, side: str, classes: np.ndarray) -> list[tuple[list[str], list[str]]]:
    """(ids that are held out, ids that train) for each class that is on both sides of the split.

    A query trains by any judgement; a document only as a right answer, and only where the split keeps them apart.
    """
    judged = examined.judged
    counts = np.ones(len(judged), bool)
    if side == "corpus":
        if examined.split_method not in ("component", "given"):
            return []
        counts = judged.scores > 0
    rows = judged.queries if side == "queries" else judged.documents
    is_eval = examined.splits == "eval"
    held_out, trained = np.unique(rows[counts & is_eval]), np.unique(rows[counts & ~is_eval])
    both = np.intersect1d(classes[held_out], classes[trained])
    found: dict[int, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for place, members in enumerate((held_out, trained)):
        for row in members[np.isin(classes[members], both)]:
            found[int(classes[row])][place].append(str(examined.ids(side)[row]))
    return list(found.values())


def _finding(
    examined: Examined, side: str, leaking: list[tuple[list[str], list[str]]], how: str, figures: dict[str, int]
) -> Finding:
    judged = examined.judged
    is_eval = (examined.splits == "eval") & ((judged.scores > 0) | (side == "queries"))
    all_held_out = len(np.unique((judged.queries if side == "queries" else judged.documents)[is_eval]))
    held_out = sum(len(ids) for ids, _ in leaking)
    share = held_out / max(1, all_held_out)
    groups = [list(dict.fromkeys([*ids, *trained])) for ids, trained in leaking]
    if side == "queries":
        kind, severity = "leaked-query", "blocks" if share >= BLOCKING_SHARE else "hurts"
        what = counted(held_out, "held-out query is", "held-out queries are")
        sentence = f"{what} in train as well ({how}), so the score is better than the model."
    else:
        on_purpose = examined.split_method == "given" and share >= SHARED_SHARE and all_held_out >= SHARED_DOCUMENTS
        kind, severity = "leaked-document", "note" if on_purpose else "hurts"
        what = counted(held_out, "held-out document answers", "held-out documents answer")
        sentence = f"{what} train queries as well ({how}), so a model can know what it should find."
    return Finding(
        kind,
        severity,
        sentence,
        side=side,
        groups=groups,
        fix="Take them out of train",
        advice="The judgements that leak leave train. What is held out stays as it is, so scores stay comparable.",
        detail={**figures, "held_out": all_held_out, "share": round(share, 4), "how": "untrain"},
    )
