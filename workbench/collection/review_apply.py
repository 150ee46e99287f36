"""What a decision of a review does to the judgements, and how it is taken back. Doing either twice does no harm."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from workbench.collection.editing import Edit
from workbench.collection.split import DEFAULT_FRACTION, split_sentence
from workbench.collection.store import Collection, Item

REVIEWED = "reviewed"
# So many queries must be there before one is held out for the score though its number would not have it.
ENOUGH_TO_HOLD_OUT = 6


def apply_line(edit: Edit, line: dict[str, Any]) -> None:
    """Bring one line of the log into a change. What has gone from the collection meanwhile is left alone."""
    verdict, query, document = line["verdict"], line["query"], line["document"]
    if verdict == "undo":
        _take_back(edit, line)
    elif verdict == "label":
        _label(edit, line)
    elif verdict == "drop":
        edit.drop("queries", [query])
    elif not edit.has("queries", query) or not edit.has("corpus", document):
        return
    elif verdict == "keep":
        split = _split_of_new(edit, query, document)
        for row in line["before"]:
            if not edit.has("corpus", row["document"]):
                continue
            meta = {**(json.loads(row["meta"] or "{}")), "when": line["when"], "was": row["source"]}
            edit.judge(query, row["document"], row["score"], split, REVIEWED, meta)
    else:
        before = line["before"][0] if line["before"] else {}
        relevant = max(1.0, before.get("score", 0.0))
        meta = {"when": line["when"], "was": before.get("source", "")}
        split = before.get("split") or split_of_query(edit.collection, query) or "train"
        edit.judge(query, document, relevant if verdict == "match" else 0.0, split, REVIEWED, meta)


def _label(edit: Edit, line: dict[str, Any]) -> None:
    document = line["document"]
    if not edit.has("corpus", document):
        return
    if not edit.has("queries", line["query"]):
        edit.add("queries", Item(text=line["text"], id=line["query"]))
    # Decisions are brought in many at a time: those before this one are not yet in the collection.
    split = split_of_query(edit.collection, line["query"]) or edit.judged_split("queries", line["query"])
    split = split or _split_of_new(edit, line["query"], document)
    edit.judge(line["query"], document, 1.0, split, REVIEWED, {"when": line["when"]})
    _say_split(edit, split)


def _take_back(edit: Edit, line: dict[str, Any]) -> None:
    query, pairs = line["query"], [(line["query"], line["document"])]
    if "item" in line and not edit.has("queries", query):  # dropped, and wanted again
        edit.add("queries", Item(text=line["item"]["text"], id=query, meta=line["item"]["meta"]))
    edit.unjudge(pairs, source=REVIEWED)
    for row in line["before"]:
        if edit.has("queries", query) and edit.has("corpus", row["document"]):
            meta = json.loads(row["meta"]) if row["meta"] else None
            edit.judge(query, row["document"], row["score"], row["split"], row["source"], meta)
    if line.get("new"):  # typed for this document, and for no other since
        others = [row for row in judgements_of(edit.collection, query) if row["document"] != line["document"]]
        if not others and edit.has("queries", query):
            edit.drop("queries", [query])


def judgements_of(collection: Collection, query: str, document: str | None = None) -> list[dict[str, Any]]:
    """The judgements of one query, or of one pair, as rows; found by a scan of the table."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    table = table.filter(pc.equal(table["query"], query))
    if document is not None:
        table = table.filter(pc.equal(table["document"], document))
    return [{"meta": None, **row} for row in table.to_pylist()]


def split_of_query(collection: Collection, query: str) -> str:
    """`eval` if the query is held out, `train` if it is not, and nothing if it is not judged at all."""
    return split_of(judgements_of(collection, query))


def split_of(rows: list[dict[str, Any]]) -> str:
    """The split of the query that these judgements are all about; nothing where there are none."""
    splits = {row["split"] for row in rows}
    return "eval" if "eval" in splits else "train" if splits else ""


def split_of_document(collection: Collection, document: str) -> str:
    """The split that a document belongs to where the split keeps documents apart; nothing where they are shared."""
    import pyarrow.compute as pc

    if collection.card.split.get("method") != "component":
        return ""
    table = collection.judgements.data.table
    splits = set(table.filter(pc.equal(table["document"], document))["split"].to_pylist())
    # A document that answers a held-out query must not be trained on.
    return "eval" if "eval" in splits else "train" if splits else ""


def _split_of_new(edit: Edit, query: str, document: str) -> str:
    """Whether a query that a person has seen is held out: about 15 % are, chosen by their ids alone.

    Where documents are kept apart it follows its document. The first few queries of all are not left without a score.
    """
    follows = split_of_document(edit.collection, document)
    if not follows and edit.collection.card.split.get("method") == "component":
        follows = edit.judged_split("corpus", document)
    if follows:
        return follows
    counts = edit.collection.card.counts
    if not counts.get("eval") and counts.get("train", 0) >= ENOUGH_TO_HOLD_OUT:
        return "eval"
    number = int.from_bytes(hashlib.blake2b(query.encode(), digest_size=7).digest(), "big")
    return "eval" if number < DEFAULT_FRACTION * (1 << 56) else "train"


def _say_split(edit: Edit, split: str) -> None:
    """A collection that came without queries has a split from its first label on; the card's figures follow it."""
    card = edit.collection.card
    if card.split.get("method") in (None, "none"):
        held = int(split == "eval")
        told = {"method": "query", "fraction": float(held), "seed": 0, "sentence": split_sentence("query", held, held)}
        edit.card(split={**card.split, **told})
