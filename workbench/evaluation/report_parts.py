"""What the sections of a report are made of, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Cells are plain text. A header that begins with ">" marks a column of numbers; marked: rows that stand out."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    title: str = ""
    marked: frozenset[int] = frozenset()


@dataclass
class Section:
    """One section. lines: the legend of its charts, {"name", "tone"}; charts: {"title", "svg"}."""

    title: str
    lead: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: list[dict[str, str]] = field(default_factory=list)
    charts: list[dict[str, Any]] = field(default_factory=list)
    examples: list[Any] = field(default_factory=list)
    name: str = ""
