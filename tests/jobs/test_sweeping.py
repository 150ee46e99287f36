"""A sweep with real runs: all of them are tried in turn, ranked, and stopped together."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from workbench import jobs
from workbench.collection.demo import make_demo
from workbench.errors import WorkbenchError
from workbench.jobs import sweeping
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, open_workspace

FEW = {"max_steps": 2, "evaluations": 1, "evaluation_queries": 10, "batch_size": 8}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("sweep"))
    make_demo(workspace, scenes=60)
    return workspace


def spec_in(workspace: Workspace, **more: Any) -> Any:
    return lambda values: train_spec(workspace, collection="demo", model="starter", overrides=FEW | more | values)


@pytest.mark.slow
def test_a_sweep_runs_in_turn_and_ranks_what_it_tried(place: Workspace) -> None:
    values = sweeping.read_sweep(["learning_rate=1e-3,1", "batch_size=8,16"])
    chosen = sweeping.combinations(values, budget=2)
    begun = sweeping.sweep(place, "try", spec_in(place), chosen)
    assert [job.name for job in begun] == ["try-1", "try-2"]
    for job in begun:
        assert jobs.wait(job, timeout=600).state == "finished", (job.path / "log.txt").read_text()
    found = sweeping.ranked(place, "try")
    scores = [run["metrics"]["ndcg@10"] for run in found]
    assert scores == sorted(scores, reverse=True)
    assert {run["note"] for run in found} == {sweeping.in_words(one) for one in chosen}
    assert all(run["comparison"]["verdict"] in ("better", "no real change", "worse") for run in found)


@pytest.mark.slow
def test_a_sweep_is_stopped_in_the_middle(place: Workspace) -> None:
    chosen = sweeping.combinations(sweeping.read_sweep(["learning_rate=1e-3,1e-4,1e-5"]), budget=0)
    begun = sweeping.sweep(place, "halt", spec_in(place, max_steps=500), chosen)
    jobs.wait(begun[0], timeout=5)  # it is at work, the others wait for it
    assert sweeping.stop_sweep(place, "halt") == ["halt-1", "halt-2", "halt-3"]
    assert {jobs.wait(job, timeout=300).state for job in begun} == {"stopped"}
    assert sweeping.stop_sweep(place, "halt") == []


def test_every_combination_comes_once_and_a_budget_is_drawn_without_making_them_all() -> None:
    values: dict[str, list[Any]] = {"a": [1, 2, 3], "b": ["x", "y"]}
    every = [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]
    assert sweeping.combinations(values, budget=0) == every
    endless = {str(number): list(range(10)) for number in range(15)}
    assert len(sweeping.combinations(endless, budget=5)) == 5


def test_a_budget_draws_the_same_combinations_each_time() -> None:
    values: dict[str, list[Any]] = {"a": ["1", "2", "3"], "b": ["4", "5", "6"]}
    drawn = sweeping.combinations(values, budget=4)
    assert len(drawn) == 4 and drawn == sweeping.combinations(values, budget=4)
    assert len(sweeping.combinations(values, budget=20)) == sweeping.size_of(values) == 9
    with pytest.raises(WorkbenchError, match="Set a budget"):
        sweeping.combinations({"a": list(range(9)), "b": list(range(9))}, budget=0)


def test_runs_that_were_begun_before_a_failure_are_told(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.job_folder import create_job_folder

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> Any:
        if name == "try-2":
            raise WorkbenchError("The disk is full.")
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(sweeping, "start", start)
    with pytest.raises(WorkbenchError, match="1 of 2 runs of the sweep were begun before that"):
        sweeping.sweep(workspace, "try", lambda values: dict(values), [{"a": "1"}, {"a": "2"}])
