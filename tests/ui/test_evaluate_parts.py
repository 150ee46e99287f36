"""The parts of the Evaluate tab, without a browser: the size chooser with its prices, and how sure the verdicts are."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import pytest

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.evaluation.costs import Prices, read_prices
from workbench.evaluation.results import save_evaluation
from workbench.evaluation.statistics import compare, correct_for_many, mean_interval
from workbench.ui.evaluate import size as size_part
from workbench.ui.evaluate.tab import EvaluateTab
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.runs import start_index
from workbench.workspace import Workspace

PLACE = Place(tab="evaluate", evaluation="made")
QUERIES = 60
# Mean NDCG@10 of each cell: the tuned model at 8 × int8 loses half a percent of its best.
CELLS = {
    ("starter", 32, "float32"): 0.30, ("starter", 8, "int8"): 0.25,
    ("run:tuned", 32, "float32"): 0.800, ("run:tuned", 32, "int8"): 0.799, ("run:tuned", 8, "int8"): 0.796,
    ("run:tuned", 8, "rescored"): 0.70, ("run:tuned", 16, "float32"): 0.75,
}  # fmt: skip


class Pressed:
    """What a button of our HTML sends."""

    def __init__(self, **data: str) -> None:
        self._data = data


def ids(names: list[str]) -> np.ndarray:
    return np.frombuffer("\n".join(names).encode(), np.uint8)


@pytest.fixture
def tab(workspace: Workspace) -> EvaluateTab:
    noise = np.random.default_rng(0).normal(0, 0.02, QUERIES)
    values = {cell: np.clip(mean + noise - noise.mean(), 0, 1) for cell, mean in CELLS.items()}
    rows = [
        {
            "model": model, "dimension": dimension, "precision": precision, "direction": "all", "queries": QUERIES,
            "documents": 90, "metrics": {"ndcg@10": float(scores.mean())}, "interval": list(mean_interval(scores)),
        }
        for (model, dimension, precision), scores in values.items()
    ]  # fmt: skip
    arrays = [("ids/all", ids([f"q{n}" for n in range(QUERIES)])), ("documents/all", ids(["d0", "d1"]))]
    for number, model in enumerate(("starter", "run:tuned")):
        arrays.append((f"found/{number}/all", np.tile(np.arange(2, dtype=np.uint32), (QUERIES, 1))))
        for (name, dimension, precision), scores in values.items():
            if name == model:
                place = f"{number}/{dimension}/{precision}/all"
                arrays += [(f"ndcg/{place}", scores), (f"first/{place}", np.ones(QUERIES, np.uint8))]
    told = compare(values["starter", 32, "float32"], values["run:tuned", 32, "float32"])
    told |= {"a": "starter", "b": "run:tuned", "direction": "all", "metric": "ndcg@10"}
    save_evaluation(
        workspace,
        {
            "evaluation": "made", "collection": "gone", "results": rows, "comparisons": correct_for_many([told]),
            "models": [{"reference": "starter"}, {"reference": "run:tuned"}], "created": 1.0, "seconds": 1.0,
            "directions": {"all": {"source_side": "queries", "target_side": "corpus"}},
        },
        arrays,
    )  # fmt: skip
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("evaluate") as opened:
            return EvaluateTab(page, opened)


def part(tab: EvaluateTab, name: str) -> Any:
    return next(one for one in tab.parts if one.name == name)


def test_the_smallest_size_within_the_tolerance_is_recommended_with_what_it_costs(tab: EvaluateTab) -> None:
    size = part(tab, "size")
    drawn = tab.refresh(PLACE)
    advice = drawn[size.advice]
    assert "8 × int8" in advice and "99.5 %" in advice and "16 times smaller" in advice
    assert "at 8 dimensions, float16" in advice and "keeps float16 at the smallest" in advice
    assert "export run:tuned --to FOLDER --dimension 8" in advice
    assert "8 MB" in advice and "128 MB" in advice, "a million vectors of 8 and of 128 bytes"
    assert [drawn[one] for one in size.prices] == [1_000_000, 3.0, 0.1, 1.0]


def test_a_price_or_a_tolerance_changes_what_is_said_and_is_kept(tab: EvaluateTab, workspace: Workspace) -> None:
    size = part(tab, "size")
    drawn = size.set_prices(PLACE, 2_000_000, 10, 0, 0)
    assert "32 × float32" in drawn[size.advice], "nothing may be lost, so nothing smaller will do"
    assert "2.56" in drawn[size.table], "two million vectors of 128 bytes at ten a gigabyte"
    assert read_prices(workspace) == Prices(2_000_000, 10.0, 0.0, 0.0)
    assert size.set_prices(PLACE, 2_000_000, 10, 0, 0) is None, "a field that was only left draws nothing"
    with pytest.raises(WorkbenchError, match="number"):
        size.set_prices(PLACE, 0, None, None, None)
    assert read_prices(workspace).items == 2_000_000


def test_the_plot_of_bytes_shows_of_each_model_what_none_of_its_own_beats(tab: EvaluateTab) -> None:
    size = part(tab, "size")
    lines = {line["name"]: line for line in tab.refresh(PLACE)[size.bytes_plot]["lines"]}
    assert lines["tuned"]["x"] == [1, 8, 32, 128]
    assert lines["starter"]["x"] == [8, 128]


def test_the_recommended_size_is_used_once(tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "start", lambda workspace, work, name, spec: started.append(spec))
    moved = part(tab, "size").use_size(PLACE, Pressed(act="use-size"))
    assert [(spec["model"], spec["dimension"], spec["precision"]) for spec in started] == [("run:tuned", 8, "float16")]
    place = moved[tab.page.place]
    assert (place.tab, place.index) == ("search", "tuned-8")
    assert part(tab, "size").use_size(PLACE, Pressed(act="zoom")) is None


def test_no_document_is_sent_to_an_address_by_one_press(tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "start", lambda *_: pytest.fail("an index was started"))
    with pytest.raises(WorkbenchError, match="sends every document to its address"):
        start_index(tab.page, "gone", "remote:toy", 8)


def test_verdicts_say_what_so_many_queries_can_show(tab: EvaluateTab) -> None:
    drawn = tab.refresh(PLACE.at(part="verdicts"))
    told = drawn[part(tab, "verdicts").told]
    assert "Better" in told and "0.0001" in told
    assert "60 queries show a difference of" in told and "To see one of 0.02 takes" in told


def test_only_the_chosen_part_is_drawn(tab: EvaluateTab) -> None:
    drawn = tab.refresh(PLACE.at(part="queries"))
    shown = [one.name for one in tab.parts if drawn[one.column].visible]
    assert shown == ["queries"]
    assert "Gained most" in drawn[part(tab, "queries").changes]


def test_of_very_many_sizes_those_worth_a_look_come_first(tab: EvaluateTab, monkeypatch: pytest.MonkeyPatch) -> None:
    size = part(tab, "size")
    assert "All 7 sizes" not in tab.refresh(PLACE)[size.table]
    monkeypatch.setattr(size_part, "MOST_SIZES", 3)
    first, _, rest = tab.refresh(PLACE)[size.table].partition("<details>")
    assert "All 7 sizes" in rest and rest.count("<tr") - first.count("<tr") == 1
    assert "0.750" in rest and "0.750" not in first, "16 × float32 is larger than 32 × int8, and worse"
