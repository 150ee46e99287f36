"""Judgements that contradict each other: one pair both right and wrong, a right answer marked as a negative.

Items that are the same, or nearly, count as one here. `wrong_negatives_among` takes such groups from any modality, so
that a picture saved twice is caught as a text is; `leaks.leaks_among` does the same for train and eval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.texts import exact_groups, near_groups

# Whose word counts more where two judgements of one pair differ; at a tie the pair stays relevant.
TRUST = {"mined": 0, "generated": 1, "upload": 2, "feedback": 3, "reviewed": 4}
BLOCKING_SHARE = 0.2  # where so many judgements contradict each other, scores or columns were mixed up

Pair = tuple[str, str]
Groups = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Conflict:
    """Judgement rows about one query text and one document: those that should stay, and those that should go."""

    stay: list[int]
    go: list[int]
    relevant: bool


def find_contradictions(examined: Examined) -> Iterator[Finding]:
    """The same query text and the same document, judged relevant once and not relevant another time.

    Where the query that says no has a right answer of its own it is a false negative: see `find_false_negatives`.
    """
    pairs = _pairs(examined, contradicting_rows(examined))
    if pairs:
        queries = len({query for query, _ in pairs})
        share = len(pairs) / max(1, len(examined.judged))
        yield Finding(
            "contradiction",
            "blocks" if share >= BLOCKING_SHARE else "hurts",
            f"{counted(len(pairs), 'pair is', 'pairs are')} judged both relevant and not relevant, "
            f"so {counted(queries, 'query', 'queries')} cannot be answered rightly.",
            side="judgements",
            groups=[list(pair) for pair in pairs],
            fix="Keep one judgement",
            advice="What a person reviewed counts more than what was uploaded; otherwise the pair stays relevant.",
            detail={"queries": queries, "how": "settle"},
        )


def find_false_negatives(examined: Examined) -> Iterator[Finding]:
    """Documents marked as wrong for a query, though they answer a query of the same, or nearly the same, text.

    Also documents marked as wrong that are copies, or nearly, of a right answer.
    """
    contradicting, wrong = (_pairs(examined, rows) for rows in _among_equal_texts(examined))
    classes = [text_classes(examined, side) for side in SIDES]
    near = _negatives_that_go(examined, _conflicts(examined, *classes))
    known = set(contradicting)
    pairs = list(dict.fromkeys([*wrong, *(pair for pair in near if pair not in known)]))
    if pairs:
        yield _wrong_negatives(pairs, "to the same question under another id, or as a copy of one")


def wrong_negatives_among(examined: Examined, side: str, groups: Groups, how: str) -> list[Finding]:
    """The finding that copies of one item are judged differently for a query; empty if none are.

    groups: ids of items of `side` that are one content, of any modality. how: as in “2 negatives are right answers:
    as a copy of the right picture”. What is known from the texts alone is left out.
    """
    classes = {one: text_classes(examined, one) for one in SIDES}
    known = set(_negatives_that_go(examined, _conflicts(examined, *classes.values())))
    known.update(_pairs(examined, contradicting_rows(examined)))
    classes[side] = joined(examined, side, classes[side], groups)
    found = _negatives_that_go(examined, _conflicts(examined, *classes.values()))
    pairs = [pair for pair in dict.fromkeys(found) if pair not in known]
    return [_wrong_negatives(pairs, how)] if pairs else []


def overruled_rows(examined: Examined, side: str, groups: Groups) -> list[int]:
    """The judgement rows that must go when each of these groups of a side's ids becomes one item.

    Where its members were judged differently, the judgement that counts more stays.
    """
    classes = {one: np.arange(len(examined.ids(one))) for one in SIDES}
    classes[side] = joined(examined, side, classes[side], groups)
    mine = examined.judged.queries if side == "queries" else examined.judged.documents
    rows = examined.rows(side)
    merged = {rows[identifier] for group in groups for identifier in group}
    conflicts = _conflicts(examined, *classes.values())
    return [row for conflict in conflicts for row in conflict.go if int(mine[row]) in merged]


def text_classes(examined: Examined, side: str, near: bool = True) -> np.ndarray:
    """The number of the text of each item of a side, (items,): equal for texts that are the same (or nearly)."""
    classes = joined(examined, side, np.arange(len(examined.ids(side))), exact_groups(examined, side))
    return joined(examined, side, classes, near_groups(examined, side)) if near else classes


def joined(examined: Examined, side: str, classes: np.ndarray, groups: Groups) -> np.ndarray:
    """The classes of a side's items after each group of ids has become one class, with all that is in theirs."""
    rows, to = examined.rows(side), np.arange(len(classes))
    for group in groups:
        firsts = [_first(to, int(classes[rows[identifier]])) for identifier in group]
        to[firsts] = min(firsts)
    while not np.array_equal(to, to[to]):
        to = to[to]
    return to[classes]


def _first(to: np.ndarray, number: int) -> int:
    while to[number] != number:
        number = int(to[number])
    return number


def trust_of(source: str, score: float) -> tuple[int, bool]:
    """How much a judgement counts against another of the same pair."""
    return TRUST.get(source, TRUST["upload"]), score > 0


def _conflicts(examined: Examined, query_classes: np.ndarray, document_classes: np.ndarray) -> list[Conflict]:
    """Where the judgements about one class of queries and one of documents differ on whether it is relevant."""
    judged = examined.judged
    if not len(judged):
        return []
    keys = query_classes[judged.queries] * np.int64(len(document_classes)) + document_classes[judged.documents]
    relevant = judged.scores > 0
    rows = np.flatnonzero(np.isin(keys, np.intersect1d(keys[relevant], keys[~relevant])))
    groups: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        groups[int(keys[row])].append(int(row))
    found = []
    for group in groups.values():
        best = max(group, key=lambda row: trust_of(str(judged.sources[row]), float(judged.scores[row])))
        stay = [row for row in group if relevant[row] == relevant[best]]
        go = [row for row in group if relevant[row] != relevant[best]]
        found.append(Conflict(stay, go, bool(relevant[best])))
    return found


def contradicting_rows(examined: Examined) -> list[int]:
    """The judgement rows that contradict another of equal texts which counts more, and should go."""
    return _among_equal_texts(examined)[0]


def _among_equal_texts(examined: Examined) -> tuple[list[int], list[int]]:
    """The judgement rows that should go among equal texts: contradictions, and false negatives."""

    def make() -> tuple[list[int], list[int]]:
        classes = [text_classes(examined, side, near=False) for side in SIDES]
        conflicts = _conflicts(examined, *classes)
        judged = examined.judged
        asked = {int(judged.queries[row]) for conflict in conflicts for row in conflict.go}
        answers: dict[int, set[int]] = defaultdict(set)
        for row in np.flatnonzero(np.isin(judged.queries, list(asked)) & (judged.scores > 0)).tolist():
            answers[int(judged.queries[row])].add(int(classes[1][judged.documents[row]]))
        contradicting: list[int] = []
        wrong: list[int] = []
        for conflict in conflicts:
            others = {int(judged.queries[row]) for row in conflict.stay}
            for row in conflict.go:
                query = int(judged.queries[row])
                has_other_answer = bool(answers[query] - {int(classes[1][judged.documents[row]])})
                is_false_negative = conflict.relevant and query not in others and has_other_answer
                (wrong if is_false_negative else contradicting).append(row)
        return contradicting, wrong

    found: tuple[list[int], list[int]] = examined.kept(("judgements", "equal"), make)
    return found


def _negatives_that_go(examined: Examined, conflicts: list[Conflict]) -> list[Pair]:
    return _pairs(examined, [row for conflict in conflicts if conflict.relevant for row in conflict.go])


def _pairs(examined: Examined, rows: list[int]) -> list[Pair]:
    """The (query id, document id) of judgement rows, each once."""
    judged = examined.judged
    queries, documents = examined.query_ids[judged.queries[rows]], examined.document_ids[judged.documents[rows]]
    return list(dict.fromkeys(zip(map(str, queries), map(str, documents), strict=True)))


def _wrong_negatives(pairs: list[Pair], how: str) -> Finding:
    return Finding(
        "false-negative",
        "hurts",
        f"{counted(len(pairs), 'negative is a right answer', 'negatives are right answers')}: {how}. "
        f"Training would push {'it' if len(pairs) == 1 else 'them'} away.",
        side="judgements",
        groups=[list(pair) for pair in pairs],
        fix="Drop these negatives",
        advice="Dropping them forgets that they were marked as wrong; the right answers stay.",
        detail={"how": "unjudge"},
    )
