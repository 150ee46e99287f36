"""On which side of the split new judgements fall when they join a collection: what is held out stays held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.collection.editing import Edit
from workbench.collection.split import given_split, split_judgements
from workbench.collection.store import Collection

# Query id, document id, score, and the split that the source gives ("" if none).
NewJudgement = tuple[str, str, float, str]


class KnownJudgements:
    """The judgements that are there, to look pairs up in: 16 bytes and two words a judgement, not a dictionary."""

    def __init__(self, collection: Collection) -> None:
        table = collection.judgements.with_format(None)[:]
        self.query_rows, self.document_rows = collection.query_rows, collection.document_rows
        self.queries, self.documents = table["query"], table["document"]
        self.scores, self.splits, self.sources = table["score"], table["split"], table["source"]
        pairs = zip(self.queries, self.documents, strict=True)
        keys = (self.query_rows[query] << 32 | self.document_rows[document] for query, document in pairs)
        keyed = np.fromiter(keys, dtype=np.int64, count=len(self.queries))
        self._order = np.argsort(keyed, kind="stable")
        self._sorted = keyed[self._order]

    def row(self, query: str, document: str) -> int | None:
        """The row of the judgement of a pair of ids, None if there is none."""
        left, right = self.query_rows.get(query), self.document_rows.get(document)
        if left is None or right is None:
            return None
        at = int(np.searchsorted(self._sorted, left << 32 | right))
        found = at < len(self._sorted) and self._sorted[at] == left << 32 | right
        return int(self._order[at]) if found else None


def new_splits(edit: Edit, old: KnownJudgements, new: Sequence[NewJudgement]) -> list[str]:
    """The split of each new judgement: held out if it belongs to what is held out, else to train.

    What belongs: a held-out query's own judgements; where the split is by whole components, also what hangs together
    with a held-out item and is new; and what the source itself holds out, if training has not had its query.
    """
    if not new:
        return []
    if not old.splits:
        return _first_split(edit, new)
    whole = edit.collection.card.split.get("method") == "component"
    seen: dict[str, set[str]] = {"train": set(), "eval": set()}
    for query, document, split in zip(old.queries, old.documents, old.splits, strict=True):
        seen[split].add(query)
        if whole:
            seen[split].add(document)
    held_out = seen["eval"] | {query for query, _, _, given in new if given == "eval" and query not in seen["train"]}
    if not whole:
        return ["eval" if query in held_out else "train" for query, _, _, _ in new]
    _spread(held_out, seen["train"], new)
    return ["eval" if query in held_out or document in held_out else "train" for query, document, _, _ in new]


def _spread(held_out: set[str], trained: set[str], new: Sequence[NewJudgement]) -> None:
    """Hold out what is new and hangs together with what is held out, unless training has it already.

    The ids of both sides are of their content, so an item that is query here and document there is one node.
    """
    neighbours: dict[str, list[str]] = {}
    for query, document, _, _ in new:
        neighbours.setdefault(query, []).append(document)
        neighbours.setdefault(document, []).append(query)
    waiting = [identifier for identifier in neighbours if identifier in held_out]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other not in held_out and other not in trained:
                held_out.add(other)
                waiting.append(other)


def _first_split(edit: Edit, new: Sequence[NewJudgement]) -> list[str]:
    """The split of the first judgements of a collection that had documents only, as an import makes it."""
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    query_rows = [queries.setdefault(query, len(queries)) for query, _, _, _ in new]
    document_rows = [documents.setdefault(document, len(documents)) for _, document, _, _ in new]
    both = queries.keys() & documents.keys()
    seed = int(edit.collection.card.split.get("seed") or 0)
    given = [split for _, _, _, split in new]
    if "eval" in given:
        split = given_split(query_rows, document_rows, [label or "train" for label in given])
    else:
        split = split_judgements(
            query_rows,
            document_rows,
            seed=seed,
            query_ids=list(queries),
            same_items=[(queries[same], documents[same]) for same in both],
        )
    edit.card(split=split.described(seed))
    return [str(label) for label in split.labels]
