"""All that a search asks for besides its index, as two short texts that an address or a saved search can carry.

`words` is what was typed. `how` holds the rest, `show=image&count=20`: only what is not as usual. Whatever else an
address says there is left out, so a stranger's address asks nothing that the page could not have asked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from workbench.collection.named import Named
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.fields import Condition
from workbench.index.results import SearchResult
from workbench.index.table import ALLOWED_MODALITIES

LONGEST_WORDS = 2000
LONGEST_HOW = 4000
MOST_CONDITIONS = 50
MOST = {"dimension": 100_000, "first": 1000, "count": 100, "offset": 900, "budget": 60_000}
LEAST = {"first": 2, "count": 1}


@dataclass(frozen=True)
class Question:
    """How a search is asked. Empty or 0: no wish. Fields are named as the address names them.

    show: only documents of this modality. dimension: compare so many vector components. reranker: a model that orders
    the `first` results anew, if it can within `budget` milliseconds (0: however long). count: results on a page;
    offset: results on the pages before. hybrid: the share of full text, 0 to 1. unlike: an item, as `Named` writes it,
    that the results shall be far from.
    """

    show: str = ""
    dimension: int = 0
    reranker: str = ""
    first: int = 50
    count: int = 10
    offset: int = 0
    budget: int = 0
    hybrid: float = 0.0
    unlike: str = ""
    where: tuple[Condition, ...] = ()

    @classmethod
    def read(cls, how: str) -> Question:
        """What `write` wrote; what is none of it is left out."""
        given = dict(parse_qsl(how[:LONGEST_HOW]))
        found = {name: _read(name, value) for name, value in given.items() if name in _NAMES}
        return cls(**{name: value for name, value in found.items() if value is not None})

    def write(self) -> str:
        """As an address carries it: only what differs from a plain search."""
        plain = Question()
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        told = {name: value for name, value in told.items() if value != getattr(plain, name)}
        if self.where:
            told["where"] = write_conditions(self.where)
        return urlencode(told)

    def at(self, **changes: Any) -> Question:
        """This question with some wishes changed."""
        return replace(self, **changes)

    def ask(
        self, search: Callable[..., SearchResult], index: str, query: Item, unlike: Item | None = None
    ) -> SearchResult:
        """Ask it of an index with `Searcher.search`; this page of what is found. Raises as that does."""
        how: dict[str, Any] = {
            "top": self.count,
            "offset": self.offset,
            "modality": self.show or None,
            "dimension": self.dimension or None,
            "reranker": self.reranker or None,
            "rerank_first": self.first,
            "where": self.where,
        }
        how |= {"hybrid": self.hybrid} if self.hybrid else {}
        how |= {"budget_ms": float(self.budget)} if self.budget and self.reranker else {}
        how |= {"unlike": unlike} if unlike is not None else {}
        return search(index, query, **how)


_NAMES = {field.name for field in fields(Question)}


def write_conditions(where: tuple[Condition, ...]) -> str:
    """Conditions as a JSON list of [field, value] and [field, low, high]; an open end is empty."""
    return json.dumps([_listed(condition) for condition in where], ensure_ascii=False, separators=(",", ":"))


def read_conditions(told: str) -> list[Condition]:
    """What `write_conditions` wrote, or the page's fields say. Raises WorkbenchError for a limit that is no number."""
    try:
        return [_condition(*entry) for entry in json.loads(told or "[]")[:MOST_CONDITIONS]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WorkbenchError("A limit is no number. Write numbers like 1995 or 2.5, or leave it empty.") from None


def _listed(condition: Condition) -> list[str]:
    if condition.value is not None:
        return [condition.field, condition.value]
    ends = (condition.low, condition.high)
    return [condition.field, *(f"{end:.12g}" if math.isfinite(end) else "" for end in ends)]


def _condition(field: str, *ends: str) -> Condition:
    if len(ends) == 1:
        return Condition(str(field), str(ends[0]))
    low, high = (float(end) if end else default for end, default in zip(ends, (-math.inf, math.inf), strict=True))
    if math.isnan(low) or math.isnan(high):
        raise ValueError("not a number")
    if low > high:
        raise WorkbenchError(f"“{field}” is to be from {low:g} to {high:g}: turn the two round.")
    return Condition(str(field), None, low, high)


def _read(name: str, value: str) -> Any:
    """One wish of an address; None if it is none."""
    if name in MOST:
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 9 else -1
        return number if LEAST.get(name, 0) <= number <= MOST[name] else None
    if name == "hybrid":
        try:
            share = float(value)
        except ValueError:
            return None
        return share if 0 <= share <= 1 else None
    if name == "show":
        return value if value in ALLOWED_MODALITIES else None
    if name == "unlike":
        return value if Named.read(value) else None
    if name == "where":
        try:
            return tuple(read_conditions(value))
        except WorkbenchError:
            return None
    return value if len(value) <= 500 else None
