"""The documents' metadata as fields to filter by: what an index offers, and which of its rows match.

No condition of a user ever reaches the engine: it is compared here, in Python, and what the engine gets is a list of
row numbers. So a value may hold quotes, brackets or SQL, and a field may be called anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.columns import as_number
from workbench.errors import WorkbenchError
from workbench.index.table import scan

if TYPE_CHECKING:
    from lancedb.table import Table

MOST_VALUES = 40
LONGEST_VALUE = 120
MOST_FIELDS = 24


@dataclass(frozen=True)
class Condition:
    """What a field must hold: the text `value`, or, if that is None, a number from `low` to `high`, both included."""

    field: str
    value: str | None = None
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def read(cls, words: str) -> Condition:
        """``COLUMN=VALUE``, or ``COLUMN=LOW..HIGH`` where one end may be left out. Raises WorkbenchError otherwise."""
        name, equals, value = words.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise WorkbenchError(f"“{words[:80]}” is no condition. Write COLUMN=VALUE or COLUMN=LOW..HIGH.")
        low, dots, high = value.strip().partition("..")
        ends = [as_number(end) if end.strip() else missing for end, missing in ((low, -math.inf), (high, math.inf))]
        if dots and value.strip() != ".." and ends[0] is not None and ends[1] is not None:
            return cls(name.strip(), None, ends[0], ends[1])
        return cls(name.strip(), value.strip())


@dataclass(frozen=True)
class Column:
    """One field of all documents that have it. rows: (documents,) row numbers; codes: (documents,) into `values`."""

    rows: np.ndarray
    codes: np.ndarray
    values: list[str]

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.codes.nbytes + sum(map(len, self.values)) + 64 * len(self.values)

    def matching(self, condition: Condition) -> np.ndarray:
        """The row numbers that meet a condition, in ascending order."""
        fits = np.array([_fits(value, condition) for value in self.values], dtype=bool)
        return np.sort(self.rows[fits[self.codes]]) if len(fits) else self.rows


def load_column(table: Table, name: str) -> Column:
    """Read one field of the documents of a table. Raises WorkbenchError if none of them has it."""
    rows, codes = [], []
    known: dict[str, int] = {}
    for row, meta in _metadata(table):
        if meta.get(name) is not None:
            rows.append(row)
            codes.append(known.setdefault(as_words(meta[name]), len(known)))
    if not rows:
        raise WorkbenchError(f"No document of this index has a field “{name[:80]}”, so it cannot be filtered by.")
    return Column(np.array(rows, np.int64), np.array(codes, np.int32), list(known))


def describe_fields(table: Table) -> list[dict[str, Any]]:
    """The fields worth filtering by, as an index card keeps them, by name.

    A number has `low`, `high` and `whole`; a text with few different values has `values`, the most frequent first,
    with the documents of each. `count` is how many documents have the field.
    """
    found: dict[str, _Summary] = {}
    total = 0
    for _, meta in _metadata(table):
        total += 1
        for name, value in meta.items():
            if value is not None and (name in found or len(found) < MOST_FIELDS):
                found.setdefault(name, _Summary()).add(value)
    described = ((name, summary.describe(total)) for name, summary in sorted(found.items()))
    return [{"name": name, **description} for name, description in described if description]


def matching_rows(columns: dict[str, Column], conditions: Sequence[Condition]) -> np.ndarray:
    """The rows that meet all conditions, in ascending order. Several of one field are alternatives: any will do."""
    rows: np.ndarray | None = None
    for name in dict.fromkeys(condition.field for condition in conditions):
        fitting = [columns[name].matching(condition) for condition in conditions if condition.field == name]
        either = np.unique(np.concatenate(fitting))
        rows = either if rows is None else np.intersect1d(rows, either, assume_unique=True)
    return np.zeros(0, np.int64) if rows is None else rows


def count_values(
    columns: dict[str, Column],
    name: str,
    values: Sequence[str],
    conditions: Sequence[Condition] = (),
    kind: np.ndarray | None = None,
) -> dict[str, int]:
    """How many documents have each of these values of a field and meet the conditions of all other fields.

    kind: only these row numbers.
    """
    column = columns[name]
    kept = np.ones(len(column.rows), bool) if kind is None else np.isin(column.rows, kind)
    others = [condition for condition in conditions if condition.field != name]
    if others:
        kept &= np.isin(column.rows, matching_rows(columns, others))
    found = np.bincount(column.codes[kept], minlength=len(column.values))
    numbers = {value: int(count) for value, count in zip(column.values, found, strict=True)}
    return {value: numbers.get(value, 0) for value in values}


def rows_of_modality(table: Table, modality: str) -> np.ndarray:
    """The row numbers of the documents of one modality, ascending."""
    found = [
        batch["row"].to_numpy()[np.array(batch["modality"].to_pylist()) == modality]
        for batch in scan(table, ["row", "modality"])
    ]
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def as_words(value: Any) -> str:
    """A value of the metadata as text: what is shown, and what a condition is compared with."""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Summary:
    """What one field holds, gathered document by document in little memory."""

    def __init__(self) -> None:
        self.count = 0
        self.low, self.high, self.whole = math.inf, -math.inf, True
        self.numbers = True
        self.values: dict[str, int] | None = {}

    def add(self, value: Any) -> None:
        self.count += 1
        number = None if isinstance(value, bool) else as_number(value)
        if number is None or not math.isfinite(number):
            self.numbers = False
        else:
            self.low, self.high = min(self.low, number), max(self.high, number)
            self.whole = self.whole and number.is_integer()
        if self.values is not None:
            words = as_words(value)
            self.values[words] = self.values.get(words, 0) + 1
            if len(self.values) > MOST_VALUES or len(words) > LONGEST_VALUE:
                self.values = None

    def describe(self, total: int) -> dict[str, Any] | None:
        """The description, or None where choosing a value would choose nothing or one document."""
        if self.numbers:
            ends = {"low": self.low, "high": self.high, "whole": self.whole}
            return {"kind": "number", "count": self.count, **ends} if self.low < self.high else None
        if self.values is None or len(self.values) == self.count > 1:
            return None
        if len(self.values) == 1 and self.count == total:
            return None
        return {
            "kind": "text",
            "count": self.count,
            "values": dict(sorted(self.values.items(), key=lambda one: (-one[1], one[0]))),
        }


def _metadata(table: Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number and metadata of every document that has any, and an empty one for those without."""
    for batch in scan(table, ["row", "meta"]):
        for row, meta in zip(batch["row"].to_pylist(), batch["meta"].to_pylist(), strict=True):
            found = json.loads(meta) if meta else {}
            yield row, found if isinstance(found, dict) else {}


def _fits(words: str, condition: Condition) -> bool:
    number = as_number(words)
    if condition.value is None:
        return number is not None and condition.low <= number <= condition.high
    if words == condition.value:
        return True
    wanted = as_number(condition.value)
    return number is not None and number == wanted
