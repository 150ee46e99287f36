"""The effort of an approximate search: measured, kept whole on the card, and the cheapest that reaches the wish."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.index.test_build import FastToy
from tests.index.toys import make_collection, texts
from workbench.errors import WorkbenchError
from workbench.index import recall, table
from workbench.index.build import build_index
from workbench.index.registry import get_index
from workbench.workspace import Workspace


def effort(probes: int, found: float, sure: float) -> dict[str, Any]:
    return {"probes": probes, "refine": 10, "recall": found, "sure": sure, "milliseconds": 1.0}


def test_the_cheapest_that_surely_reaches_the_wish_is_chosen() -> None:
    efforts = [effort(20, 0.951, 0.944), effort(50, 0.962, 0.955), effort(100, 0.995, 0.993), effort(200, 0.9, 0.9)]
    assert recall.chosen(efforts, 0.95)["probes"] == 50
    assert recall.chosen(efforts, 0.99)["probes"] == 100
    assert recall.chosen(efforts[:1], 0.99)["probes"] == 20, "without one that reaches it, the best there is"


def test_a_wish_that_cannot_be_met_is_refused_before_anything_is_embedded(workspace: Workspace) -> None:
    make_collection(workspace, "some", texts(5))
    with pytest.raises(WorkbenchError, match=r"0\.95 or 0\.99, not 1\.5"):
        build_index(workspace, "some", "some", "toy", wished_recall=1.5, embedder=FastToy(16))  # type: ignore[arg-type]


def test_an_exact_index_has_nothing_to_choose(workspace: Workspace) -> None:
    make_collection(workspace, "some", texts(30))
    build_index(workspace, "some", "some", "toy", embedder=FastToy(16))  # type: ignore[arg-type]
    card = get_index(workspace, "some")
    assert (card.recall, card.efforts, card.wished, card.probes) == (1.0, [], 0.95, 0)


def test_the_whole_curve_is_kept_and_what_is_chosen_reaches_the_wish(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    monkeypatch.setattr(recall, "EFFORTS", ((1, 1), (2, 10), (50, 50), (60, 60)))
    make_collection(workspace, "some", texts(1500))
    build_index(workspace, "some", "some", "toy", wished_recall=0.99, embedder=FastToy(32))  # type: ignore[arg-type]
    card = get_index(workspace, "some")
    found = [effort["recall"] for effort in card.efforts]
    assert found == sorted(found) and found[0] < 0.95, "each effort finds at least what a smaller one does"
    assert all(one < recall.ALL_FOUND for one in found[:-1]), "what finds all ends the measuring"
    mine = next(effort for effort in card.efforts if effort["sure"] >= 0.99)
    assert (card.wished, card.probes, card.refine) == (0.99, mine["probes"], mine["refine"])
    assert card.recall == mine["recall"] >= 0.99


def test_the_measure_is_that_of_the_definition(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    monkeypatch.setattr(recall, "EFFORTS", ((1, 2),))
    make_collection(workspace, "some", texts(1200))
    build_index(workspace, "some", "some", "toy", embedder=FastToy(32))  # type: ignore[arg-type]
    opened = table.connect(workspace).open_table(get_index(workspace, "some").table)
    vectors = np.stack(opened.to_arrow().sort_by("row")["vector"].to_numpy())
    queries = np.random.default_rng(3).standard_normal((40, 32)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    right = []
    for query in queries:
        best = set(np.argsort(-(vectors @ query))[:10].tolist())
        # As it is measured: eleven are asked for, of which the first ten count.
        near = table.nearest(opened, query, 11, modality=None, probes=1, refine=2)
        right.append(len(best & {row["row"] for row in near[:10]}) / 10)
    told = recall.measure(opened, queries)[0]
    assert told["recall"] == pytest.approx(np.mean(right), abs=1e-4)
    assert told["sure"] == pytest.approx(np.mean(right) - np.std(right) / np.sqrt(40), abs=1e-3)
