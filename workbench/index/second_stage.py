"""The second stage of a search: a reranker reads the first candidates, if the time allows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.loaded import Loaded
from workbench.index.results import Hit

SAMPLE = 4
"""So many candidates are scored to learn a reranker's pace."""
BELIEVED_SECONDS = 60.0
"""So long a pace that was too slow keeps a reranker out. Then it is measured again: the machine may have been busy."""


@dataclass(frozen=True)
class Pace:
    """Seconds a document, and when that was measured."""

    seconds: float
    measured: float


class Paces:
    """The pace of each reranker at the documents of each index, as it was last. Thread-safe."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self._paces: dict[tuple[str, str], Pace] = {}
        self._lock = threading.Lock()

    def last(self, key: tuple[str, str]) -> Pace | None:
        with self._lock:
            return self._paces.get(key)

    def learn(self, key: tuple[str, str], seconds: float) -> None:
        with self._lock:
            self._paces[key] = Pace(seconds, self.now())


@dataclass(frozen=True)
class SecondStage:
    """Puts candidates in the order of a reranker. items: makes the items of these hits, with their media."""

    judge: Loaded
    table: str
    paces: Paces
    items: Callable[[Sequence[Hit]], list[Item]]

    def hits(
        self, query: Item, hits: list[Hit], first: int, seconds_left: float | None = None
    ) -> tuple[list[Hit], int, str]:
        """The first so many hits in the reranker's order, those behind as they were; how many were read; a note.

        A hit of a modality that the reranker cannot read keeps its place. With `seconds_left` nothing is reranked that
        would take longer by the reranker's last pace, or at first by that of a small sample: then the note says why.
        """
        readable = getattr(self.judge.model, "modalities", None)
        places = [place for place, hit in enumerate(hits[:first]) if readable is None or hit.modality in readable]
        if not places:
            places = list(range(len(hits[:first])))  # the reranker says in words what it cannot read
        items = self.items([hits[place] for place in places])
        if seconds_left is not None and items:
            began = self.paces.now()
            note = self._too_long(query, items, lambda: seconds_left - (self.paces.now() - began))
            if note:
                return hits, 0, note
        scores = self._timed(query, items) if items else np.zeros(0)
        moved = list(hits)
        for place, best in zip(places, np.argsort(-scores, kind="stable"), strict=True):
            score = float(scores[best])
            moved[place] = replace(hits[places[best]], score=score, rerank_score=score)
        return [replace(hit, rank=rank) for rank, hit in enumerate(moved, start=1)], len(items), ""

    @property
    def _key(self) -> tuple[str, str]:
        return self.judge.model.reference, self.table

    def _too_long(self, query: Item, items: list[Item], seconds_left: Callable[[], float]) -> str:
        """Why reranking does not fit, in a sentence; empty if it fits."""
        known = self.paces.last(self._key)
        fits = known is not None and known.seconds * len(items) <= seconds_left()
        old = known is None or self.paces.now() - known.measured > BELIEVED_SECONDS
        if not fits and old and seconds_left() > 0:
            self._timed(query, items[:SAMPLE])
            known = self.paces.last(self._key)
            fits = known is not None and known.seconds * len(items) <= seconds_left()
        if fits:
            return ""
        left = max(0.0, seconds_left()) * 1000
        if known is None:
            return "The results are not reranked: the time for the search was over before."
        return (
            f"The results are not reranked: reading {len(items)} of them would take about "
            f"{known.seconds * len(items) * 1000:,.0f} ms, and {left:,.0f} ms were left."
        )

    def _timed(self, query: Item, items: list[Item]) -> np.ndarray:
        with self.judge.lock:
            began = self.paces.now()
            scores = np.asarray(self.judge.model.score(query, items), dtype=np.float64)
            seconds = self.paces.now() - began
        if not np.isfinite(scores).all():
            raise WorkbenchError(
                f"The reranker “{self.judge.model.reference}” gave scores that are not numbers. Search without it."
            )
        self.paces.learn(self._key, seconds / len(items))
        return scores
