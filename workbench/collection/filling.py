"""What importing, adding and reading share: where items and judgements go, and what is told of the rows left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from workbench.collection.archive import storable
from workbench.collection.store import Item
from workbench.errors import WorkbenchError

Progress = Callable[[int, int, str], None]
SKIPPED_KEPT = 10_000
PROBLEMS_SHOWN = 20
ROWS_PER_PROGRESS = 8


class Target(Protocol):
    """What rows are written into: a new collection (`CollectionWriter`), or one that is there (`adding.Addition`)."""

    def has(self, side: str, identifier: str) -> bool: ...

    def add(self, side: str, item: Item) -> str: ...

    def judge(self, query: str, document: str, score: float = 1.0, split: str = "") -> None: ...

    @property
    def counts(self) -> dict[str, int]: ...


@dataclass(frozen=True)
class Filled:
    """What was written: words for the two sides, where it came from (for the card), and the rows left out."""

    labels: dict[str, str]
    source: dict[str, Any]
    skipped: list[dict[str, Any]]


class Skipped:
    """The rows and files that were left out, each with a sentence; beyond SKIPPED_KEPT they are only counted."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[dict[str, Any]] = []

    def add(self, row: int | None, reason: str) -> None:
        """Tell one. row: its number, None for a file; reason: a whole sentence that says which row or file it is."""
        self.count += 1
        if len(self._kept) < SKIPPED_KEPT:
            self._kept.append({"row": row, "reason": storable(reason)})

    def lines(self) -> list[dict[str, Any]]:
        """At most SKIPPED_KEPT of {"row", "reason"}; where there are more, the last one says how many."""
        if self.count <= SKIPPED_KEPT:
            return list(self._kept)
        more = self.count - SKIPPED_KEPT + 1
        return [*self._kept[:-1], {"row": None, "reason": f"{more:,} more were left out; mend these first."}]

    def problems(self) -> list[str]:
        """The first PROBLEMS_SHOWN sentences, for an error message."""
        shown = [line["reason"] for line in self._kept[:PROBLEMS_SHOWN]]
        return shown + ([f"… and {self.count - PROBLEMS_SHOWN:,} more."] if self.count > PROBLEMS_SHOWN else [])


class Steps:
    """Progress told every few rows: cheap for a million of them, and soon enough for one that asks to stop."""

    def __init__(self, progress: Progress | None, total: int, note: str, every: int = ROWS_PER_PROGRESS) -> None:
        self._progress, self._total, self._note, self._every = progress, total, note, every
        self._done = 0

    def step(self, note: str = "") -> None:
        """Tell of one more row, before it is read."""
        if self._progress and self._done % self._every == 0:
            self._progress(self._done, max(self._total, self._done), note or self._note)
        self._done += 1

    def end(self) -> None:
        """Tell that all rows are read and the rest begins."""
        if self._progress:
            self._progress(max(self._total, self._done), max(self._total, self._done), "Writing the collection")


def check_enough(label: str, target: Target, skipped: Skipped, total: int) -> None:
    """Raise WorkbenchError if there is not one judgement, or none that says what is relevant."""
    counts = target.counts
    if not counts["judgements"]:
        raise WorkbenchError(
            f"None of the {total:,} rows of “{label}” can be used, so nothing was imported. Mend these first:",
            skipped.problems(),
        )
    if not counts["relevant"]:
        raise WorkbenchError(
            f"“{label}” has no row whose score is above 0, so nothing says what is relevant. "
            "Choose another column as the score, or none.",
            skipped.problems(),
        )
