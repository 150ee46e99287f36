"""Queries sent to review: pairs of a query and a document that models found and that no person has judged.

They are kept in the log of the review (see `review_log`), and decided like every other pair, by `review.decide`.
"""

from __future__ import annotations

import time
from collections.abc import Collection as Container
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.collection.review import Case, Progress, mapped, opened, right_documents
from workbench.collection.review_log import OF_PAIRS, Log, Pair, append, writing
from workbench.collection.store import Collection
from workbench.collection.suspicion import Candidate
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

MINED = "mined"


@dataclass(frozen=True)
class Found:
    """A pair that models found. ranks: of the document among those of the query, by model, from 1."""

    query: str
    document: str
    ranks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What people say of a pair: its score, 0 for no answer.

    decided: when a review said so (Unix seconds), else 0. struck: whether it said so of what had been right.
    """

    score: float
    decided: float = 0.0
    struck: bool = False


def send(workspace: Workspace, name: str, found: Sequence[Found]) -> int:
    """Send pairs to the review of a collection; returns how many. What is judged or gone already is left out.

    Raises WorkbenchError if nothing is left to look at.
    """
    with writing(workspace, name):
        collection = opened(workspace, name)
        there, said = _there(collection, [(one.query, one.document) for one in found]), _said_of(collection, found)
        wanted = [one for one in found if (one.query, one.document) in there - said.keys()]
        if not wanted:
            raise WorkbenchError("Everything that was found for it has been judged already. There is nothing to send.")
        lines = [{"query": one.query, "document": one.document, "ranks": one.ranks} for one in wanted]
        append(collection, {"sent": lines, "when": round(time.time(), 3)})
    return len(wanted)


def take_out(workspace: Workspace, name: str, pairs: Iterable[Pair]) -> None:
    """Pairs that were sent need not be looked at after all; what was decided of them stays."""
    with writing(workspace, name):
        append(opened(workspace, name), {"unsent": [list(pair) for pair in pairs]})


def sent(collection: Collection, *, limit: int = 20) -> list[Case]:
    """The queries sent to review with what is still to be decided of each, in the order in which they were sent.

    A candidate is what somebody sent, no person has judged, and nobody has skipped in this round; the best found first.
    """
    collection = mapped(collection)
    log = Log.read(collection)
    waiting: dict[str, list[Candidate]] = {}
    for query, document in waiting_pairs(collection, log):
        ranks = log.sent[query, document]
        candidate = Candidate(document, float("nan"), _reason(ranks), 1 / min(ranks.values(), default=1))
        waiting.setdefault(query, []).append(candidate)
    shown = list(waiting)[:limit]
    positives = right_documents(collection, shown)
    ordered = {query: sorted(waiting[query], key=lambda one: -one.suspicion) for query in shown}
    return [Case(query, positives.get(query, []), ordered[query]) for query in shown]


def waiting_pairs(collection: Collection, log: Log | None = None) -> list[Pair]:
    """The pairs sent to review that are still to be decided, in the order in which they were sent."""
    log = log or Log.read(collection)
    there = _there(collection, log.sent)
    judged = judged_now(collection, queries={query for query, _ in there}, log=log)
    return [pair for pair in log.sent if pair in there and pair not in judged and pair not in log.skipped]


def sent_progress(collection: Collection) -> Progress:
    """How many of the pairs sent to review have been judged, of how many, and how many were skipped in this round."""
    collection = mapped(collection)
    log = Log.read(collection)
    there = _there(collection, log.sent)
    judged = there & judged_now(collection, queries={query for query, _ in there}, log=log).keys()
    return Progress(len(judged), len(there), len((there & log.skipped) - judged))


def judged_now(
    collection: Collection,
    *,
    queries: Container[str] | None = None,
    documents: Container[str] | None = None,
    log: Log | None = None,
) -> dict[Pair, Said]:
    """What people say of the pairs of some queries, or of some documents; also what is not in the judgements yet.

    Mined negatives are left out: a model said so.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    log = log or Log.read(collection)
    table = collection.judgements.data.table.select(["query", "document", "score", "source"])
    for column, wanted in (("query", queries), ("document", documents)):
        if wanted is not None:
            table = table.filter(pc.is_in(table[column], pa.array(sorted(wanted), pa.string())))
    scores = _scores(table.to_pylist())
    for line in log.pending:
        pair = (line["query"], line["document"])
        if _among(pair, queries, documents):
            _overlay(scores, pair, line)
    found = {pair: Said(score) for pair, score in scores.items()}
    for line in log.decisions.values():
        pair = (line["query"], line["document"])
        if line["verdict"] in OF_PAIRS and pair in found:
            struck = line["verdict"] == "not-a-match" and any(row["score"] > 0 for row in line["before"])
            found[pair] = Said(scores[pair], float(line.get("when", 0.0)), struck)
    return found


def _scores(rows: Iterable[dict[str, Any]]) -> dict[Pair, float]:
    """The highest score of each pair that a person gave."""
    found: dict[Pair, float] = {}
    for row in rows:
        if row["source"] != MINED:
            pair = (row["query"], row["document"])
            found[pair] = max(row["score"], found.get(pair, row["score"]))
    return found


def _overlay(scores: dict[Pair, float], pair: Pair, line: dict[str, Any]) -> None:
    """Bring a decision that is not in the judgements yet into the scores."""
    if line["verdict"] == "match":
        scores[pair] = max([1.0, *(row["score"] for row in line["before"])])
    elif line["verdict"] == "not-a-match":
        scores[pair] = 0.0
    elif line["verdict"] == "undo":
        scores.pop(pair, None)
        scores.update(_scores(row for row in line["before"] if (row["query"], row["document"]) == pair))


def _among(pair: Pair, queries: Container[str] | None, documents: Container[str] | None) -> bool:
    return (queries is None or pair[0] in queries) and (documents is None or pair[1] in documents)


def _said_of(collection: Collection, found: Sequence[Found]) -> dict[Pair, Said]:
    return judged_now(collection, queries={one.query for one in found})


def _there(collection: Collection, pairs: Iterable[Pair]) -> set[Pair]:
    """Those of the pairs whose two sides are both in the collection."""
    wanted = list(pairs)
    queries = _present(collection, "queries", {query for query, _ in wanted})
    documents = _present(collection, "corpus", {document for _, document in wanted})
    return {pair for pair in wanted if pair[0] in queries and pair[1] in documents}


def _present(collection: Collection, side: str, ids: set[str]) -> set[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = collection.side(side).data.table["id"]
    return set(column.filter(pc.is_in(column, pa.array(sorted(ids), pa.string()))).to_pylist())


def _reason(ranks: dict[str, int]) -> str:
    """Found at 1 by digits-1 and at 4 by starter."""
    told = [f"at {rank} by {model.removeprefix('run:')}" for model, rank in sorted(ranks.items(), key=lambda e: e[1])]
    return f"Found {' and '.join(told)}." if told else ""
