"""What an explanation holds: the parts of a document and of its query, and by how much each carries the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

APPROXIMATION = "An approximation: parts are covered one by one and the score is taken again."
# What falls below this share of the strongest part is drawn as nothing: the noise of rounding, not a reason.
FAINT = 0.05
ROUNDING = 1e-6


@dataclass(frozen=True)
class Part:
    """One part that was covered. `drop`: by how much the score fell without it; negative where it rose.

    kind: `word` (`start` and `end` of every place in the text where it stands, in characters), `passage` (the same, of
    a sentence or several), `box` (`box` is left, top, width, height in shares of the picture), `second` (`span` in
    seconds of a sound). `strength` is `drop` against the strongest of its kind, −1 to 1.
    """

    kind: str
    drop: float
    label: str = ""
    places: tuple[tuple[int, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    span: tuple[float, float] | None = None
    strength: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The part as `explain --json` prints it: only what its kind has."""
        where = {"label": self.label, "places": self.places, "box": self.box, "span": self.span}
        return {
            "kind": self.kind,
            "drop": round(self.drop, 6),
            "strength": round(self.strength, 3),
            **{key: value for key, value in where.items() if value},
        }


@dataclass(frozen=True)
class Why:
    """Why a document has its score. `parts` are the document's and `query_parts` the query's, in reading order.

    `scored` counts how often a model was asked for a score; `text` and `query_text` are what words' places refer to.
    """

    score: float
    parts: list[Part]
    query_parts: list[Part]
    scored: int
    text: str = ""
    query_text: str = ""
    notes: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Part]:
        """The document's parts of these kinds, in reading order."""
        return [part for part in self.parts if part.kind in kinds]

    def strongest(self, *kinds: str, count: int = 5) -> list[Part]:
        """The parts of these kinds that carry most, the strongest first; none that carry nothing."""
        carrying = [part for part in self.of(*kinds) if part.strength > FAINT]
        return sorted(carrying, key=lambda part: -part.drop)[:count]

    def as_json(self) -> dict[str, Any]:
        """The object of `explain --json`, without what names the index and the document."""
        return {
            "score": self.score,
            "parts": [part.as_json() for part in self.parts],
            "query_parts": [part.as_json() for part in self.query_parts],
            "scored": self.scored,
            "about": APPROXIMATION,
            "notes": self.notes,
        }


def with_strengths(parts: Sequence[Part]) -> list[Part]:
    """The parts with `strength` filled in; zero for a kind of which nothing changes the score beyond rounding."""
    most: dict[str, float] = {}
    for part in parts:
        most[part.kind] = max(most.get(part.kind, ROUNDING), abs(part.drop))
    return [
        replace(part, strength=part.drop / most[part.kind] if most[part.kind] > ROUNDING else 0.0) for part in parts
    ]
