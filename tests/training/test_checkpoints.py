"""Checkpoints: when one is written, which count, which are kept, and what a stop or a kill at any moment leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.training.tiny import begun, encoder, houses
from workbench.errors import Stopped
from workbench.job_folder import JobFolder, create_job_folder
from workbench.settings import TrainSettings
from workbench.training import trainer
from workbench.training.checkpoints import last_checkpoint, mark_complete, throw_away, throw_away_all_but
from workbench.training.evaluator import RunEvaluator
from workbench.training.kinds import EmbedderRecipe
from workbench.training.recipe import Scored
from workbench.training.run import run_training
from workbench.training.trainer import EarlyStopping, RunCallback, evaluated_steps, is_over
from workbench.workspace import Workspace, open_workspace, write_json

STEPS = {"max_steps": 6, "evaluations": 3, "seed": 3}


def written(folder: Path, *steps: int) -> None:
    for step in steps:
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        (folder / f"checkpoint-{step}" / "weights").touch()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_older_checkpoints_go_only_when_the_new_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 2, 4, 10)
    seen: list[bool] = []
    remove = shutil.rmtree

    def watch(path: Path, **more: Any) -> None:
        seen.append((tmp_path / "checkpoint-10" / "complete").exists())
        remove(path, **more)

    monkeypatch.setattr(shutil, "rmtree", watch)
    mark_complete(tmp_path / "checkpoint-10", str(tmp_path / "checkpoint-2"))
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-2"] and seen == [True]
    mark_complete(tmp_path / "checkpoint-10", str(tmp_path / "checkpoint-10"))
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-2"]


def test_a_kill_while_one_is_thrown_away_leaves_none_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "checkpoints", 4)
    checkpoint = tmp_path / "checkpoints" / "checkpoint-4"
    (checkpoint / "complete").touch()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        throw_away(checkpoint)
    monkeypatch.undo()
    assert last_checkpoint(tmp_path / "checkpoints") is None
    written(tmp_path / "checkpoints", 6)
    throw_away_all_but(tmp_path, 0)
    assert not names(tmp_path)


def test_a_run_with_its_summary_is_not_done_again(workspace: Workspace) -> None:
    job = create_job_folder(workspace.run("done"), "train", {"kind": "embedder", "settings": {}}, {})
    written(job.path / "checkpoints", 4)
    write_json(job.path / "summary.json", {"steps": 4})
    assert run_training(workspace, job) == {"steps": 4}
    assert not (job.path / "checkpoints").exists()


@pytest.mark.parametrize(("total", "wanted"), [(11, 10), (6, 3), (2_000, 7), (3, 5), (1, 1)])
def test_a_run_is_scored_as_often_as_asked_and_at_its_end(total: int, wanted: int) -> None:
    steps = evaluated_steps(total, wanted)
    assert len(set(steps)) == min(total, wanted) and steps[-1] == total and steps[0] >= 1


def state(*scores: float, step: int = 4) -> Any:
    return SimpleNamespace(global_step=step, log_history=[{f"eval_{trainer.METRIC}": score} for score in scores])


def test_a_run_that_waited_long_enough_is_over_also_when_it_is_resumed() -> None:
    settings = TrainSettings(early_stopping=2)
    assert not is_over(state(0.5, 0.6, 0.4), settings, 10)
    assert is_over(state(0.6, 0.5, 0.4), settings, 10)
    assert is_over(state(0.5, step=10), settings, 10)
    assert EarlyStopping.waited(state()) == 0


def test_a_score_that_is_no_number_is_worse_than_any(workspace: Workspace) -> None:
    job = create_job_folder(workspace.run("nan"), "train", {"kind": "embedder", "settings": {}}, {})
    scored = Scored(float("nan"), np.zeros(3))
    recipe = SimpleNamespace(settings=TrainSettings(), score=lambda **_: scored, chosen_by="ndcg@10")
    assert RunEvaluator(job, recipe, 4)(None, steps=2) == {trainer.METRIC: -1.0}


class Told:
    should_save = should_evaluate = should_training_stop = False


@pytest.mark.parametrize("asked", [False, True])
def test_a_stop_between_a_look_and_the_next_line_is_answered_with_a_checkpoint(
    asked: bool, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = create_job_folder(workspace.run("asked"), "train", {}, {})
    progress = JobFolder.progress

    def late(self: JobFolder, *given: Any) -> None:
        if asked:
            (self.path / "STOP").touch()
        progress(self, *given)

    monkeypatch.setattr(JobFolder, "progress", late)
    control = RunCallback(job, 10, [3]).on_step_end(None, SimpleNamespace(global_step=3), Told())
    assert control.should_save and control.should_training_stop == asked and control.should_evaluate != asked


def test_a_checkpoint_is_due_by_the_clock_where_the_loss_is_logged(workspace: Workspace) -> None:
    listening = RunCallback(create_job_folder(workspace.run("due"), "train", {}, {}), 100)
    arguments = SimpleNamespace(logging_steps=5)

    def due(step: int) -> bool:
        return listening._checkpoint_is_due(arguments, step)

    assert not due(5)
    listening.saved_at -= trainer.SAVE_SECONDS + 1
    assert due(5) and not due(6)
    listening.saving_seconds = trainer.SAVE_SECONDS
    assert not due(5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    workspace = open_workspace(tmp_path_factory.mktemp("checkpoints"))
    houses(workspace)
    return workspace, encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def undisturbed(place: tuple[Workspace, str]) -> tuple[JobFolder, dict[str, Any]]:
    workspace, model = place
    job = begun(workspace, "undisturbed", model, **STEPS)
    return job, run_training(workspace, job)


def curve(job: JobFolder, kind: str) -> dict[int, Any]:
    """What was told of each step; of a step done twice, the later."""
    key = "loss" if kind == "metrics" else "metrics"
    return {event["step"]: event[key] for event in job.events(kind)}


def like(job: JobFolder, summary: dict[str, Any], other: tuple[JobFolder, dict[str, Any]]) -> bool:
    weights = [(one.path / "model" / "model.safetensors").read_bytes() for one in (job, other[0])]
    same = [curve(job, kind) == curve(other[0], kind) for kind in ("metrics", "evaluation")]
    return weights[0] == weights[1] and all(same) and summary["metrics"] == other[1]["metrics"]


def test_a_stop_during_a_scoring_loses_no_step_and_no_score(
    place: tuple[Workspace, str], undisturbed: tuple[JobFolder, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, model = place
    job = begun(workspace, "stopped", model, **STEPS)
    score, scorings = EmbedderRecipe.score, []

    def stopping(self: Any, *, quick: bool, **more: Any) -> Any:
        scorings.append(quick)
        if scorings.count(True) == 2:
            (job.path / "STOP").touch()
        return score(self, quick=quick, **more)

    monkeypatch.setattr(EmbedderRecipe, "score", stopping)
    with pytest.raises(Stopped):
        run_training(workspace, job)
    monkeypatch.undo()
    (job.path / "STOP").unlink()
    checkpoint = last_checkpoint(job.path / "checkpoints")
    assert checkpoint is not None and checkpoint.name == "checkpoint-4"
    assert sorted(curve(job, "evaluation")) == [0, 2]
    summary = run_training(workspace, job)
    assert [event["step"] for event in job.events("started")] == [0, 4]
    assert like(job, summary, undisturbed)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_crash_goes_on_from_a_checkpoint_written_by_the_clock(
    step: int,
    place: tuple[Workspace, str],
    undisturbed: tuple[JobFolder, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace, model = place
    job = begun(workspace, f"crashed-{step}", model, **STEPS)
    after_step = RunCallback.on_step_end

    def crash(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == step + 1:
            raise KeyboardInterrupt
        return after_step(self, args, state, control, **more)

    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "SAVING_SHARE", 0)
    monkeypatch.setattr(RunCallback, "on_step_end", crash)
    with pytest.raises(KeyboardInterrupt):
        run_training(workspace, job)
    monkeypatch.undo()
    assert len(list((job.path / "checkpoints").glob("checkpoint-*"))) <= 2
    summary = run_training(workspace, job)
    assert [event["step"] for event in job.events("started")] == [0, step]
    assert like(job, summary, undisturbed)


def test_the_model_is_there_before_it_is_judged(
    place: tuple[Workspace, str], undisturbed: tuple[JobFolder, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, model = place
    job = begun(workspace, "judged", model, **STEPS)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.training.run.judge", killed)
    with pytest.raises(KeyboardInterrupt):
        run_training(workspace, job)
    monkeypatch.undo()
    assert json.loads((job.path / "model" / "modules.json").read_text())
    summary = run_training(workspace, job)
    assert like(job, summary, undisturbed)
