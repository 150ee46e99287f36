"""Review: a person says which mined negatives are right after all, and which query should find a document.

Everything is read from disk: mined judgements carry why they were taken for wrong, reviewed ones that a person has seen
them, and the log (see `review_log`) what was decided last. Nothing here waits for a large collection to be written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.review_apply import apply_line, judgements_of
from workbench.collection.review_log import OF_PAIRS, Log, Pair, append, fold, writing
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.suspicion import Candidate, read_mined
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

VERDICTS = ("match", "not-a-match", "skip")
ATTEMPTS = 8
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Case:
    """A query, its right documents, and its mined negatives, the most suspicious first. All are ids."""

    query: str
    positives: list[str]
    candidates: list[Candidate]


@dataclass(frozen=True)
class Decision:
    """What was decided of a query and a document: match, not-a-match, skip, label, keep or drop."""

    query: str
    document: str
    verdict: str


@dataclass(frozen=True)
class Progress:
    """How far a review is: mined pairs looked at, of how many, and how many were skipped in this round."""

    reviewed: int
    total: int
    skipped: int


def suspicious(collection: Collection, *, limit: int = 20, skip: int = 0) -> list[Case]:
    """The queries whose mined negatives look most like right answers, the most suspicious query first.

    Suspicious is a similarity near to that of the right document, and, where a reranker screened, a score near to the
    right document's. Pairs that were skipped in this round, and those decided a moment ago, are left out.
    limit, skip: how many queries, after leaving out how many.
    """
    collection = mapped(collection)
    mined = read_mined(collection)
    log = Log.read(collection)
    left_out = {(line["query"], line["document"]) for line in log.pending if line["verdict"] != "undo"} | log.skipped
    first: dict[str, None] = {}
    for place in np.argsort(-mined.suspicion, kind="stable").tolist():
        pair = mined.pair(place)
        if pair not in left_out and pair[0] not in first:
            first[pair[0]] = None
            if len(first) == skip + limit:
                break
    shown = list(first)[skip:]
    candidates: dict[str, list[Candidate]] = {query: [] for query in shown}
    for place in mined.of_queries(shown):
        query, document = mined.pair(place)
        if (query, document) not in left_out:
            candidates[query].append(mined.candidate(place))
    positives = right_documents(collection, shown)
    return [Case(query, positives.get(query, []), candidates[query]) for query in shown]


def decide(workspace: Workspace, name: str, query_id: str, document_id: str, verdict: str) -> None:
    """Say of a mined negative: `match` (it is right), `not-a-match` (it is wrong), or `skip` (not now).

    A match becomes relevant in the split of its query, so that training and the score both count it; a wrong one stays
    a negative. Either is `reviewed` from now on, and mining anew leaves it alone.
    Raises WorkbenchError if the query or the document is not in the collection.
    """
    if verdict not in VERDICTS:
        raise WorkbenchError(f"“{str(verdict)[:40]}” is no verdict. Say {', '.join(VERDICTS)}.")
    with writing(workspace, name):
        collection = opened(workspace, name)
        _check_there(collection, "queries", query_id)
        _check_there(collection, "corpus", document_id)
        before = judgements_of(collection, query_id, document_id)
        _log(workspace, collection, {"query": query_id, "document": document_id, "verdict": verdict, "before": before})


def take_back(workspace: Workspace, name: str, pair: Pair | None = None) -> Decision:
    """Undo the last decision that stands, of any kind, or the last on this pair of a query and a document; returns it.

    Raises WorkbenchError if there is none.
    """
    with writing(workspace, name):
        collection = opened(workspace, name)
        log = Log.read(collection)
        last = log.last(pair)
        if last is None:
            raise WorkbenchError(f"Nothing has been reviewed in “{name}” that could be taken back.")
        append(collection, {"undo": last})
        if log.lines[last]["verdict"] != "skip":
            fold(workspace, collection, apply_line)
    line = log.lines[last]
    return Decision(line["query"], line["document"], line["verdict"])


def settle(workspace: Workspace, name: str) -> None:
    """Bring all that was decided into the judgements now: before something reads them that must see it."""
    fold(workspace, open_collection(workspace, name), apply_line, wait=True)


def new_round(workspace: Workspace, name: str) -> None:
    """Show again what was skipped."""
    with writing(workspace, name):
        append(opened(workspace, name), {"round": True})


def progress(collection: Collection) -> Progress:
    """How many mined pairs a person has looked at, of how many there are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    collection, log = mapped(collection), Log.read(collection)
    # Of pairs that were mined: what was sent to review from elsewhere is counted there.
    decided = {
        (line["query"], line["document"])
        for line in log.decisions.values()
        if line["verdict"] in OF_PAIRS and any(row["source"] == "mined" for row in line["before"])
    }
    table = collection.judgements.data.table
    mined = table.filter(pc.equal(table["source"], "mined"))
    queries = sorted({query for query, _ in decided | log.skipped})
    asked = mined.filter(pc.is_in(mined["query"], pa.array(queries, pa.string())))
    still = set(zip(asked["query"].to_pylist(), asked["document"].to_pylist(), strict=True))
    pending = {(line["query"], line["document"]) for line in log.pending}
    reviewed = len(decided - still) + len(decided & still & pending)
    return Progress(reviewed, len(mined) + len(decided - still), len(log.skipped & still))


def unlabelled(collection: Collection, *, limit: int = 20) -> list[str]:
    """The ids of documents that answer no query yet, spread over the corpus: neighbours come far apart."""
    import pyarrow.compute as pc

    collection = mapped(collection)
    table = collection.judgements.data.table
    log = Log.read(collection)
    pending = {line["document"] for line in log.pending if line["verdict"] == "label"}
    known = set(table.filter(pc.greater(table["score"], 0))["document"].unique().to_pylist()) | pending
    known |= {document for query, document in log.skipped if not query}
    ids = collection.corpus["id"][:]
    order = np.argsort(np.arange(len(ids)) * GOLDEN % 1.0, kind="stable")
    found = []
    for row in order.tolist():
        if ids[row] not in known:
            found.append(ids[row])
            if len(found) == limit:
                break
    return found


def label(workspace: Workspace, name: str, document_id: str, text: str) -> str:
    """Add the query that a person typed for a document, and judge the document right for it; returns the query's id.

    About 15 % of such queries are held out for the score, chosen by what they say alone, so that the choice never
    depends on the order. A query that is there already keeps its split. Raises WorkbenchError for an empty text.
    """
    text = (text or "").strip()
    if not text:
        raise WorkbenchError("Write what somebody would ask to find this, then press Enter.")
    with writing(workspace, name):
        collection = opened(workspace, name)
        _check_there(collection, "corpus", document_id)
        query = Item(text=text).content_id()
        before = judgements_of(collection, query, document_id)
        line = {"query": query, "document": document_id, "verdict": "label", "text": text, "before": before}
        log = Log.read(collection)
        # What was typed a moment ago and is not folded in yet brings the query too.
        waits = any(one["query"] == query for number, one in log.decisions.items() if number >= log.folded)
        _log(workspace, collection, {**line, "new": not waits and not _is_there(collection, "queries", query)})
    return query


def skip_document(workspace: Workspace, name: str, document_id: str) -> None:
    """Leave a document without a query for this round."""
    with writing(workspace, name):
        collection = opened(workspace, name)
        _check_there(collection, "corpus", document_id)
        _log(workspace, collection, {"query": "", "document": document_id, "verdict": "skip", "before": []})


def generated(collection: Collection, *, limit: int = 20) -> list[Case]:
    """Queries that a model wrote and nobody has seen, each with the documents it was written for."""
    import pyarrow.compute as pc

    collection = mapped(collection)
    table = collection.judgements.data.table
    table = table.filter(pc.equal(table["source"], "generated"))
    log = Log.read(collection)
    gone = {line["query"] for line in log.pending if line["verdict"] in ("keep", "drop")}
    gone |= {query for query, _ in log.skipped}
    queries = [query for query in table["query"].unique().to_pylist() if query not in gone][:limit]
    positives = right_documents(collection, queries)
    return [Case(query, positives.get(query, []), []) for query in queries]


def decide_generated(workspace: Workspace, name: str, query_id: str, verdict: str) -> None:
    """Say of a query that a model wrote: `keep` (somebody would ask this), `drop`, or `skip` (not now).

    What is kept counts as reviewed, and may then be held out for the score; what is dropped leaves the collection.
    """
    if verdict not in ("keep", "drop", "skip"):
        raise WorkbenchError(f"“{str(verdict)[:40]}” is no verdict. Say keep, drop or skip.")
    with writing(workspace, name):
        collection = opened(workspace, name)
        _check_there(collection, "queries", query_id)
        before = judgements_of(collection, query_id)
        written = [row for row in before if row["source"] == "generated"]
        if not written:
            raise WorkbenchError("This query was not written by a model, or has been reviewed already. Take the next.")
        item = collection.item("queries", collection.query_rows[query_id])
        line = {"query": query_id, "document": written[0]["document"], "verdict": verdict}
        line["before"] = before if verdict == "drop" else written
        _log(workspace, collection, {**line, "item": {"text": item.text, "meta": item.meta}})


def _log(workspace: Workspace, collection: Collection, line: dict[str, Any]) -> None:
    append(collection, {**line, "when": round(time.time(), 3)})
    if line["verdict"] != "skip":
        fold(workspace, collection, apply_line)


def opened(workspace: Workspace, name: str) -> Collection:
    """The collection with its tables open."""
    return mapped(open_collection(workspace, name))


def mapped(collection: Collection) -> Collection:
    """The collection with its tables open. One that was changed since it was opened, by a decision, is opened anew."""
    for _ in range(ATTEMPTS):
        try:
            for table in (collection.queries, collection.corpus, collection.judgements):
                len(table)
            return collection
        except WorkbenchError:
            collection = Collection(collection.path)
    return collection


def _is_there(collection: Collection, side: str, identifier: str) -> bool:
    import pyarrow.compute as pc

    return pc.index(collection.side(side).data.table["id"], identifier).as_py() >= 0


def _check_there(collection: Collection, side: str, identifier: str) -> None:
    if not _is_there(collection, side, identifier):
        noun = "query" if side == "queries" else "document"
        raise WorkbenchError(f"This {noun} is no longer in the collection “{collection.name}”. Take the next.")


def right_documents(collection: Collection, queries: list[str]) -> dict[str, list[str]]:
    """The right documents of these queries, the most relevant first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = collection.judgements.data.table.select(["query", "document", "score"])
    table = table.filter(
        pc.and_(pc.greater(table["score"], 0), pc.is_in(table["query"], pa.array(queries, pa.string())))
    )
    found: dict[str, list[str]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: -row["score"]):
        found.setdefault(row["query"], []).append(row["document"])
    return found
