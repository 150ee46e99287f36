"""What a size costs, and which sizes no other beats."""

from __future__ import annotations

import errno
import math

import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.costs import Prices, cost, pareto, read_prices, set_prices
from workbench.workspace import Workspace


def test_a_month_costs_memory_and_disk_at_their_prices() -> None:
    prices = Prices(items=1_000_000, memory_price=2.0, disk_price=0.5)
    assert cost(256, "float32", prices) == {"memory_bytes": 1.024e9, "disk_bytes": 1.024e9, "a_month": 2.56}
    rescored = cost(256, "rescored", prices)
    assert rescored["memory_bytes"] == 32e6
    assert rescored["a_month"] == pytest.approx(0.032 * 2 + 1.056 * 0.5)


def test_prices_are_kept_for_the_workspace(workspace: Workspace) -> None:
    assert read_prices(workspace) == Prices()
    set_prices(workspace, items=5e7, memory_price=4, disk_price=0)
    set_prices(workspace, tolerance=0.05)
    assert read_prices(workspace) == Prices(50_000_000, 4.0, 0.0, 0.05)
    (workspace.root / "prices.json").write_text('{"items": "many"}')
    assert read_prices(workspace) == Prices()


@pytest.mark.parametrize(
    "given",
    [
        {"items": 0}, {"items": 1e12}, {"items": math.nan}, {"memory_price": -1}, {"disk_price": math.inf},
        {"tolerance": 0.6}, {"tolerance": math.nan},
    ],
)  # fmt: skip
def test_what_cannot_be_a_price_or_a_number_of_items_is_refused(workspace: Workspace, given: dict[str, float]) -> None:
    with pytest.raises(WorkbenchError, match="number"):
        set_prices(workspace, **given)
    assert read_prices(workspace) == Prices()


def test_the_front_holds_each_size_that_nothing_smaller_equals() -> None:
    rows = [
        {"bytes": size, "ndcg@10": score}
        for size, score in [(512, 0.90), (128, 0.90), (16, 0.70), (64, 0.85), (32, 0.69), (256, 0.91), (64, 0.80)]
    ]
    assert [(row["bytes"], row["ndcg@10"]) for row in pareto(rows)] == [(16, 0.7), (64, 0.85), (128, 0.9), (256, 0.91)]
    assert pareto([]) == []


def test_a_full_disk_is_told_and_the_prices_stay(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("workbench.evaluation.costs.write_json", full)
    with pytest.raises(WorkbenchError, match="disk"):
        set_prices(workspace, items=5)
    assert read_prices(workspace) == Prices()
