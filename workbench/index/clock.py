"""How long each stage of a search took."""

from __future__ import annotations

import time


class Clock:
    """Seconds of each stage, in turn, and how many items it went through."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[float, int]] = {}
        self._began = self._last = time.perf_counter()

    def stage(self, name: str, items: int) -> None:
        now = time.perf_counter()
        self._stages[name] = now - self._last, items
        self._last = now

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def milliseconds(self, queries: int) -> dict[str, float]:
        """Of one query."""
        seconds = {name: self._stages.get(name, (0.0, 0))[0] for name in ("encode", "search", "rerank")}
        return {name: round(1000 * value / queries, 3) for name, value in seconds.items()}

    @property
    def per_second(self) -> dict[str, float]:
        return {name: round(items / max(seconds, 1e-9), 1) for name, (seconds, items) in self._stages.items() if items}
