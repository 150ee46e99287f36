"""What a report of an evaluation says, as one object: its JSON form, from which the page and the tables are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.costs import Prices, cost, read_prices
from workbench.evaluation.held_out import ALL
from workbench.evaluation.queries import Queries
from workbench.evaluation.results import load_evaluation, open_queries
from workbench.workspace import Workspace

EXAMPLES = 5
FOUND_SHOWN = 5
TEXT_CHARACTERS = 2_000
KEPT = ("slices", "floors", "pipelines", "speeds")
"""Parts of an evaluation that a report shows as they are, where the evaluation has them."""


@dataclass(frozen=True)
class Content:
    """said: the report as `--format json` writes it. pictures: the thumbnail, as it is stored, of each item that the
    examples show, by (side, id). queries: what each query scored."""

    said: dict[str, Any]
    queries: Queries
    pictures: dict[tuple[str, str], bytes] = field(default_factory=dict)


def gather(workspace: Workspace, name: str) -> Content:
    """Read an evaluation, its per-query numbers, and its collection if that is still there.

    The collection is read as it was when the models were scored, if that version is kept. Raises WorkbenchError if
    there is no such evaluation.
    """
    evaluation = load_evaluation(workspace, name)
    queries, prices = open_queries(workspace, evaluation), read_prices(workspace)
    collection = _collection(workspace, evaluation)
    found = report.recommend(evaluation, queries, tolerance=prices.tolerance)
    said = {
        "evaluation": evaluation["evaluation"],
        "collection": evaluation["collection"],
        "collection_fingerprint": evaluation["collection_fingerprint"],
        "created": evaluation["created"],
        "seconds": evaluation["seconds"],
        "settings": evaluation["settings"],
        "models": evaluation["models"],
        "directions": evaluation["directions"],
        "shown": report.told_apart(evaluation),
        "data": _data(collection, evaluation),
        "prices": asdict(prices),
        "recommendation": asdict(found),
        "results": _results(evaluation, prices),
        "comparisons": [{**one, "words": report.verdict_words(one)} for one in evaluation["comparisons"]],
        **{key: evaluation[key] for key in KEPT if evaluation.get(key)},
    }
    shown = _Shown(collection)
    said["examples"] = _examples(evaluation, queries, shown)
    return Content(said, queries, shown.pictures)


def full_size(evaluation: dict[str, Any], model: str, direction: str = ALL) -> dict[str, Any]:
    """The result row of a model at its full size and the first precision."""
    rows = [row for row in report.rows_of(evaluation, direction) if row["model"] == model]
    return max(rows, key=lambda row: row["dimension"])


def pair_to_compare(evaluation: dict[str, Any]) -> tuple[str, str] | None:
    """The first model and the best of the others; None where there is but one. evaluation: or a report of it."""
    first, *others = [model["reference"] for model in evaluation["models"]]
    if not others:
        return None
    return first, max(others, key=lambda model: _ndcg(full_size(evaluation, model)))


def _ndcg(row: dict[str, Any]) -> float:
    """Of a row as it is kept, or as a report has it, with its measures beside the rest."""
    return float(row.get("metrics", row)["ndcg@10"])


def _collection(workspace: Workspace, evaluation: dict[str, Any]) -> Collection | None:
    for fingerprint in (evaluation["collection_fingerprint"], ""):
        try:
            return open_collection(workspace, evaluation["collection"], fingerprint)
        except WorkbenchError:
            continue
    return None


def _data(collection: Collection | None, evaluation: dict[str, Any]) -> dict[str, Any] | None:
    if collection is None:
        return None
    card = collection.card
    return {
        "labels": card.labels,
        "counts": card.counts,
        "modalities": card.modalities,
        "split": card.split,
        "skipped": len(card.skipped),
        "source": {key: card.source[key] for key in ("file", "kind", "mteb") if key in card.source},
        "as_scored": collection.fingerprint == evaluation["collection_fingerprint"],
    }


def _results(evaluation: dict[str, Any], prices: Prices) -> list[dict[str, Any]]:
    rows = []
    for direction in report.directions(evaluation):
        counts = {key: report.rows_of(evaluation, direction)[0][key] for key in ("queries", "documents")}
        for row in report.table(evaluation, direction):
            a_month = cost(row["dimension"], row["precision"], prices)["a_month"]
            rows.append({"direction": direction, **counts, **row, "a_month": a_month})
    return rows


class _Shown:
    """Items of a collection as an example shows them; gathers their thumbnails. Says only ids without a collection."""

    def __init__(self, collection: Collection | None) -> None:
        self.collection = collection
        self.pictures: dict[tuple[str, str], bytes] = {}

    def item(self, side: str, identifier: str) -> dict[str, Any]:
        """{"id", "modality", "text", "file", "meta"}; of a long text its beginning, and how long it is."""
        row = self._row(side, identifier)
        if self.collection is None or row is None:
            return {"id": identifier, "modality": "", "text": "", "file": ""}
        item = self.collection.item(side, row)
        if item.thumbnail:
            self.pictures[side, identifier] = item.thumbnail
        text = item.text or ""
        said: dict[str, Any] = {"id": identifier, "modality": item.modality, "text": text, "file": item.file}
        if len(text) > TEXT_CHARACTERS:
            said |= {"text": text[:TEXT_CHARACTERS], "characters": len(text)}
        return said | ({"meta": item.meta} if item.meta else {})

    def relevant(self, queries: Sequence[str]) -> dict[str, set[str]]:
        """The ids of what answers each of these queries, of the held-out judgements."""
        if self.collection is None:
            return {}
        judged = self.collection.judged("eval")
        rows = {row: query for query in queries if (row := self._row("queries", query)) is not None}
        chosen = np.flatnonzero(np.isin(judged.queries, list(rows)) & (judged.scores > 0))
        ids = self.collection.corpus["id"]
        found: dict[str, set[str]] = {}
        for place in chosen.tolist():
            found.setdefault(rows[int(judged.queries[place])], set()).add(ids[int(judged.documents[place])])
        return found

    def _row(self, side: str, identifier: str) -> int | None:
        if self.collection is None:
            return None
        rows = self.collection.query_rows if side == "queries" else self.collection.document_rows
        return rows.get(identifier)


def _examples(evaluation: dict[str, Any], queries: Queries, shown: _Shown) -> dict[str, Any] | None:
    """The queries that gained and lost most between the first model and the best other, with what each found first."""
    pair = pair_to_compare(evaluation)
    if pair is None:
        return None
    cells = [(row["model"], row["dimension"], row["precision"]) for row in (full_size(evaluation, m) for m in pair)]
    gained, lost = report.changes(evaluation, queries, cells[0], cells[1], count=EXAMPLES)
    places = {identifier: place for place, identifier in enumerate(queries.ids())}
    found = [queries.found(model) for model in pair]
    relevant = shown.relevant([change.id for change in gained + lost])

    def example(change: report.Change) -> dict[str, Any]:
        answers = relevant.get(change.id, set())
        firsts = [
            [shown.item("corpus", one) | {"relevant": one in answers} for one in ids[places[change.id]][:FOUND_SHOWN]]
            for ids in found
        ]
        return {
            "query": shown.item(change.side, change.id),
            "ndcg": [change.ndcg_before, change.ndcg_after],
            "first_rank": [change.rank_before, change.rank_after],
            "found": firsts,
            "answers": len(answers),
        }

    return {"models": list(pair), "gained": [example(one) for one in gained], "lost": [example(one) for one in lost]}
