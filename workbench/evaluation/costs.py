"""What a size costs: memory and disk of an index of so many items, at prices that the user sets.

The prices are kept in the workspace's prices.json, so that every evaluation is read with the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.errors import WorkbenchError
from workbench.evaluation.precision import disk_bytes, vector_bytes
from workbench.workspace import Workspace, disk_full_in_words, read_json, write_json

MOST_ITEMS = 10_000_000_000


@dataclass(frozen=True)
class Prices:
    """items: how many will be searched. memory_price, disk_price: a gigabyte (10⁹ bytes) a month, in any currency.

    tolerance: the part of the best score that a smaller size may lose. The prices are an example, of the order that a
    cloud asks; nothing is fetched.
    """

    items: int = 1_000_000
    memory_price: float = 3.0
    disk_price: float = 0.1
    tolerance: float = 0.01


def read_prices(workspace: Workspace) -> Prices:
    """The prices that were set last, else the example. What cannot be read counts as not set."""
    try:
        return _checked(dict(read_json(workspace.root / "prices.json") or {}))
    except (ValueError, TypeError, WorkbenchError):
        return Prices()


def set_prices(workspace: Workspace, **given: float) -> Prices:
    """Keep these prices, each by its name; the others as they are. Raises WorkbenchError for what cannot be one."""
    prices = _checked(asdict(read_prices(workspace)) | given)
    with disk_full_in_words(workspace.root):
        write_json(workspace.root / "prices.json", asdict(prices))
    return prices


def _checked(given: dict[str, Any]) -> Prices:
    values = asdict(Prices()) | given
    items, memory, disk, tolerance = (float(values[key]) for key in asdict(Prices()))
    if not 1 <= items <= MOST_ITEMS:
        raise WorkbenchError(f"The number of items is a whole number from 1 to {MOST_ITEMS:,}.")
    if not (0 <= memory <= 1e6 and 0 <= disk <= 1e6):
        raise WorkbenchError("A price is a number from 0 to 1,000,000.")
    if not 0 <= tolerance <= 0.5:
        raise WorkbenchError("What may be lost is a number from 0 to 50 percent of the best score.")
    return Prices(int(items), memory, disk, tolerance)


def cost(dimension: int, precision: str, prices: Prices) -> dict[str, float]:
    """{"memory_bytes", "disk_bytes", "a_month"} of an index of `prices.items` vectors of this size.

    Vectors alone: ids, texts and the search structure come on top, alike for every size.
    """
    memory = vector_bytes(dimension, precision) * prices.items
    disk = disk_bytes(dimension, precision) * prices.items
    return {
        "memory_bytes": memory,
        "disk_bytes": disk,
        "a_month": (memory * prices.memory_price + disk * prices.disk_price) / 1e9,
    }


def pareto(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `report.table` that no other beats in both: none as small is better. The smallest first."""
    front: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row["bytes"], -row["ndcg@10"])):
        if not front or row["ndcg@10"] > front[-1]["ndcg@10"]:
            front.append(row)
    return front
