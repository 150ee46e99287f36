"""The same spec and seed give the same run, also when it is stopped and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import Stopped
from workbench.job_folder import JobFolder, create_job_folder
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace

pytestmark = pytest.mark.slow

SHORT = {"max_steps": 6, "batch_size": 16, "evaluations": 3, "evaluation_queries": 10, "seed": 3}


def begun(workspace: Workspace, name: str) -> JobFolder:
    spec = train_spec(workspace, collection="demo", model="starter", overrides=SHORT)
    return create_job_folder(workspace.run(name), "train", spec, {})


def losses(job: JobFolder) -> dict[int, float]:
    """The loss of each step; of a step done twice, the later."""
    return {event["step"]: event["loss"] for event in job.events("metrics")}


def scores(job: JobFolder) -> dict[int, Any]:
    return {event["step"]: (event["metrics"], event["results"]) for event in job.events("evaluation")}


@pytest.fixture(scope="module")
def first(demo_workspace: Workspace) -> tuple[JobFolder, dict[str, Any]]:
    job = begun(demo_workspace, "first")
    return job, run_training(demo_workspace, job)


def test_the_same_spec_and_seed_give_the_same_figures_bit_for_bit(
    first: tuple[JobFolder, dict[str, Any]], demo_workspace: Workspace
) -> None:
    job, summary = first
    again = begun(demo_workspace, "again")
    other = run_training(demo_workspace, again)
    assert losses(again) == losses(job)
    assert scores(again) == scores(job)
    assert {key: value for key, value in other.items() if key != "seconds"} == {
        key: value for key, value in summary.items() if key != "seconds"
    }
    weights = [sorted((one.path / "model").rglob("*.safetensors")) for one in (job, again)]
    assert [path.read_bytes() for path in weights[0]] == [path.read_bytes() for path in weights[1]]


@pytest.mark.parametrize("step", [1, 4])
def test_a_resumed_run_has_the_losses_of_an_undisturbed_one(
    step: int, first: tuple[JobFolder, dict[str, Any]], demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begun(demo_workspace, f"stopped-{step}")
    after_step = RunCallback.on_step_end

    def stop(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == step:
            (self.job.path / "STOP").touch()
        return after_step(self, args, state, control, **more)

    monkeypatch.setattr(RunCallback, "on_step_end", stop)
    with pytest.raises(Stopped):
        run_training(demo_workspace, job)
    monkeypatch.undo()
    (job.path / "STOP").unlink()
    summary = run_training(demo_workspace, job)
    assert losses(job) == losses(first[0])
    assert summary["metrics"] == first[1]["metrics"]
    assert summary["directions"] == first[1]["directions"]
