"""What is compared in the Evaluate tab: two models in one direction, and one query of it with what both found.

The address names models and direction by their numbers in the evaluation (`compared=0-2-1`), and a query by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.collection.review_log import Pair
from workbench.collection.review_sent import Found, Said, judged_now
from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.ui.evaluate.views import Shown

SHOWN = 10


@dataclass(frozen=True)
class Compared:
    """Two models, by reference, in one direction."""

    before: str
    after: str
    direction: str

    @classmethod
    def read(cls, evaluation: dict[str, Any], told: str) -> Compared | None:
        """What the address says, else the first model against the last; None where there are no two models."""
        models, directions = models_of(evaluation), report.directions(evaluation)
        if len(models) < 2:
            return None
        try:
            before, after, direction = (int(part) for part in told.split("-"))
            return cls(models[before], models[after], directions[direction])
        except (ValueError, IndexError):
            return cls(models[0], models[-1], directions[0])

    def write(self, evaluation: dict[str, Any]) -> str:
        """What `read` reads back."""
        models, directions = models_of(evaluation), report.directions(evaluation)
        numbers = (models.index(self.before), models.index(self.after), directions.index(self.direction))
        return "-".join(map(str, numbers))


@dataclass(frozen=True)
class Opened:
    """A query with what both models found, all ids, the best first.

    sides: of the query and of what is found (`queries` or `corpus`). first: rank of the first right answer before and
    after, None beyond the first 100. right: ids that are right by the judgements as they are now. said: what people
    say of each id by now; empty where two documents are joined by a query, and no judgement is about them alone.
    listed: what is right, and what was until a review said otherwise, which can be taken back where it was said.
    """

    id: str
    sides: tuple[str, str]
    models: tuple[str, str]
    before: list[str]
    after: list[str]
    ndcg: tuple[float, float]
    first: tuple[int | None, int | None]
    right: list[str] = field(default_factory=list)
    said: dict[str, Said] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)

    def pair(self, identifier: str) -> Pair | None:
        """The query and the document that a judgement of this answer would be about; None where it is about neither."""
        if "queries" not in self.sides:
            return None
        return (self.id, identifier) if self.sides[0] == "queries" else (identifier, self.id)

    @property
    def shown(self) -> list[str]:
        """Every id of the panel: what was found, and what is right."""
        return list(dict.fromkeys([*self.before, *self.after, *self.listed]))

    @property
    def unjudged(self) -> list[Found]:
        """What was found that nobody has judged, as pairs with the rank that each model gave it."""
        found = []
        for identifier in dict.fromkeys([*self.after, *self.before]):
            pair = self.pair(identifier)
            if pair is not None and identifier not in self.said:
                ranks = {model: ids.index(identifier) + 1 for model, ids in self._rankings() if identifier in ids}
                found.append(Found(*pair, ranks))
        return found

    def _rankings(self) -> list[tuple[str, list[str]]]:
        return list(zip(self.models, (self.before, self.after), strict=True))


def models_of(evaluation: dict[str, Any]) -> list[str]:
    """The references of the models, in the order of the evaluation."""
    return list(dict.fromkeys(row["model"] for row in evaluation["results"]))


def full_size(evaluation: dict[str, Any], model: str) -> report.Cell:
    """The cell of a model at its full size and the first precision, which is what its rankings are of."""
    row = next(row for row in evaluation["results"] if row["model"] == model)
    return model, row["dimension"], row["precision"]


def open_query(shown: Shown, compared: Compared, identifier: str) -> Opened:
    """A query of the evaluation with what both models found. Raises WorkbenchError if it has no such query."""
    ids = shown.queries.ids(compared.direction)
    if identifier not in ids:
        raise WorkbenchError(
            "This query is not in the evaluation that is shown. Reload the page, then choose it again."
        )
    place = ids.index(identifier)
    about = shown.evaluation["directions"][compared.direction]
    cells = [
        shown.queries.cell(*full_size(shown.evaluation, model), compared.direction)
        for model in (compared.before, compared.after)
    ]
    before, after = (
        shown.queries.found(model, compared.direction)[place][:SHOWN] for model in (compared.before, compared.after)
    )
    sides = (about["source_side"], about["target_side"])
    right, said = _right(shown.collection, sides, identifier) if shown.collection else ([], {})
    if sides[1] == "queries":  # those that training saw are not among what is searched
        right = sorted(set(right) & set(shown.queries.ids()))
    right = _of_direction(shown.collection, compared.direction, sides[1], right)
    struck = [one for one, told in said.items() if told.struck and told.score <= 0]
    return Opened(
        id=identifier,
        sides=sides,
        models=(compared.before, compared.after),
        before=before,
        after=after,
        ndcg=(float(cells[0][0][place]), float(cells[1][0][place])),
        first=(int(cells[0][1][place]) or None, int(cells[1][1][place]) or None),
        right=right,
        said=said,
        listed=_in_order([*after, *before], [*right, *struck]),
    )


def _right(collection: Collection, sides: tuple[str, str], identifier: str) -> tuple[list[str], dict[str, Said]]:
    """The ids that are right for an item, and what people say of all that they have judged for it."""
    if sides[0] == "queries":
        said = {pair[1]: one for pair, one in judged_now(collection, queries={identifier}).items()}
    else:
        said = {pair[0]: one for pair, one in judged_now(collection, documents={identifier}).items()}
    right = [key for key, one in said.items() if one.score > 0]
    if "queries" in sides:
        return right, said
    joined = judged_now(collection, queries=set(right))
    return [document for (_, document), one in joined.items() if one.score > 0 and document != identifier], {}


def _of_direction(collection: Collection | None, direction: str, side: str, ids: list[str]) -> list[str]:
    """Those of the modality that the direction looks for, and that are still there."""
    if collection is None or not ids:
        return []
    rows = collection.query_rows if side == "queries" else collection.document_rows
    kinds = collection.query_modalities if side == "queries" else collection.document_modalities
    wanted = direction.partition("->")[2]
    return [one for one in ids if one in rows and wanted in ("", kinds[rows[one]])]


def _in_order(found: list[str], ids: list[str]) -> list[str]:
    """What was found first comes first; the same order whatever is said of them."""
    places = {one: place for place, one in reversed(list(enumerate(found)))}
    return sorted(set(ids), key=lambda one: (places.get(one, len(found)), one))
