"""Feedback: what a person says of a search result becomes a judgement in a collection of their choice.

A pair of a query and a document counts once, however often it is clicked; another verdict takes the place of the first.
Who said it, when, which model had found the document and for which words stay with the judgement. A judgement that came
from elsewhere is kept in the meta, and comes back when the feedback is withdrawn. The corpus only ever grows at its
end, so the rows that a search index knows stay right.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from workbench.collection.editing import Edit, edit_collection
from workbench.collection.review_apply import judgements_of, split_of, split_of_document
from workbench.collection.split import split_sentence
from workbench.collection.store import Collection, Item
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.media import thumbnail
from workbench.workspace import Workspace, check_name, new_folder

SCORES = {"up": 1.0, "first": 2.0, "down": 0.0}
SOURCE = "feedback"
ENOUGH = 50
"""Thumbs from which training again is worth a try. A rule of thumb, not a measurement: fewer move a model little."""
WORDS = "Feedback from Search"


def give_feedback(
    workspace: Workspace,
    collection: str,
    query: Item,
    document: Item | str,
    verdict: str,
    *,
    by: str,
    model: str,
    query_text: str = "",
    when: float | None = None,
) -> str:
    """Keep one verdict on a search result; returns the id of the query.

    collection: its name; it is made if there is none. query: what was searched with, of any modality. document: an
    item, or the id of one that is in the collection. verdict: `up` (score 1), `first`, it should have been first (2),
    or `down` (0). by, model: who said it, and the model that searched. query_text: what was typed, if anything.
    when: Unix seconds.
    The query is for training, unless it is held out already, or the document is and may not be trained on.
    Raises WorkbenchError for a verdict that is none, or a document that is not in the collection.
    """
    if verdict not in SCORES:
        raise WorkbenchError(f"“{str(verdict)[:40]}” is no verdict. Say {', '.join(SCORES)}.")
    if not query.modality:
        raise WorkbenchError("There is no query to judge this result for. Search for something first.")
    _make_if_new(workspace, collection)
    with edit_collection(workspace, collection, WORDS, coalesce=True) as edit:
        document_id = _document(edit, document)
        query_id, is_new = _query(edit, query)
        of_query = judgements_of(edit.collection, query_id)
        rows = [row for row in of_query if row["document"] == document_id]
        split = split_of(of_query) or split_of_document(edit.collection, document_id) or "train"
        before = _said_before(rows)
        meta = {
            "by": by,
            "when": round(time.time() if when is None else when, 3),
            "model": model,
            "verdict": verdict,
            "query": query_id,
            **({"text": query_text} if query_text else {}),
            **({"before": before} if before else {}),
            **({"new": True} if is_new or _brought(of_query) else {}),
        }
        if rows and rows[0]["source"] == SOURCE and _same(_meta(rows[0]), meta):
            return query_id  # clicked again: nothing is new
        score = SCORES[verdict]
        edit.judge(query_id, document_id, max(score, before.get("score", 0.0)) if score else 0.0, split, SOURCE, meta)
        _say_split(edit)
    return query_id


def withdraw(workspace: Workspace, collection: str, query: Item | str, document: Item | str) -> bool:
    """Take back what was said of a result; returns whether there was anything.

    What the pair was judged before comes back. The query leaves with its last judgement if feedback brought it.
    """
    query_id = query if isinstance(query, str) else query.id or query.content_id()
    document_id = document if isinstance(document, str) else document.id or document.content_id()
    with edit_collection(workspace, collection, WORDS, coalesce=True) as edit:
        of_query = judgements_of(edit.collection, query_id)
        rows = [row for row in of_query if row["document"] == document_id and row["source"] == SOURCE]
        if not rows:
            return False
        edit.unjudge([(query_id, document_id)], source=SOURCE)
        before = _meta(rows[0]).get("before")
        if before:
            edit.judge(query_id, document_id, before["score"], before["split"], before["source"], before["meta"])
        elif _brought(of_query) and len(of_query) == 1:
            edit.drop("queries", [query_id])
    return True


def count_feedback(collection: Collection, since: float = 0.0) -> int:
    """How many verdicts on search results a collection holds that were given after a moment (Unix seconds)."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    if "meta" not in table.column_names:
        return 0
    found = table.filter(pc.equal(table["source"], SOURCE))["meta"].to_pylist()
    return sum(float(json.loads(meta or "{}").get("when", 0.0)) > since for meta in found)


def _query(edit: Edit, query: Item) -> tuple[str, bool]:
    """The id of a query in the collection, and whether it is new there. A text is known by what it says, too."""
    identifier = query.id or query.content_id()
    if edit.has("queries", identifier):
        return identifier, False
    if query.modality == "text":
        import pyarrow.compute as pc

        table = edit.collection.queries.data.table.select(["id", "text", "modality"])
        same = table.filter(pc.and_(pc.equal(table["text"], query.text), pc.equal(table["modality"], "text")))
        if len(same):
            return str(same["id"][0]), False
    small = query.thumbnail
    for kind in ("image", "audio", "video"):
        data = getattr(query, kind)
        if data is not None and small is None:
            small = thumbnail(kind, data)
    return edit.add("queries", replace(query, thumbnail=small)), True


def _document(edit: Edit, document: Item | str) -> str:
    if isinstance(document, Item):
        return edit.add("corpus", document)
    if not edit.has("corpus", document):
        raise WorkbenchError(
            f"This document is not in the collection “{edit.collection.name}”, so nothing can be said of it there. "
            "Search again, or choose another collection."
        )
    return document


def _meta(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["meta"] or "{}"))


def _said_before(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What was said of a pair before anybody gave feedback on it; empty if nothing was."""
    for row in rows:
        if row["source"] == SOURCE:
            return dict(_meta(row).get("before", {}))
        return {"score": row["score"], "split": row["split"], "source": row["source"], "meta": _meta(row) or None}
    return {}


def _brought(rows: list[dict[str, Any]]) -> bool:
    """Whether feedback brought the query that these judgements are about."""
    return any(row["source"] == SOURCE and _meta(row).get("new") for row in rows)


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(old.get(key) == new.get(key) for key in (old.keys() | new.keys()) - {"when", "before", "new"})


def _say_split(edit: Edit) -> None:
    if edit.collection.card.split.get("method") in (None, "none"):
        told = {"method": "query", "fraction": 0.0, "seed": 0, "sentence": split_sentence("query", 0, 0)}
        edit.card(split={**edit.collection.card.split, **told})


def _make_if_new(workspace: Workspace, name: str) -> None:
    """An empty collection of this name, unless there is one."""
    from filelock import FileLock

    check_name(name, "collection")
    with FileLock(workspace.locks / f"feedback-{name}.lock"):
        if (workspace.collection(name) / "card.json").exists():
            return
        with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
            writer.finish(name, labels={"query": "query", "document": "result"}, source={"file": "feedback"})
