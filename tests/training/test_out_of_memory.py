"""Real runs of the starter that run out of memory, or whose loss is no number any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.settings import TrainSettings
from workbench.training.out_of_memory import is_out_of_memory, piece_of, reads, told_smaller
from workbench.training.pieces import pieces_a_batch
from workbench.training.report import curves
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace

pytestmark = pytest.mark.slow

SHORT = {"max_steps": 6, "batch_size": 16, "evaluations": 3, "evaluation_queries": 10}


def started(workspace: Workspace, name: str, **wanted: Any) -> JobFolder:
    overrides = SHORT | wanted.pop("overrides", {})
    spec = train_spec(workspace, collection="demo", overrides=overrides, **{"model": "starter"} | wanted)
    return create_job_folder(workspace.run(name), "train", spec, {})


@pytest.fixture(scope="module")
def whole(demo_workspace: Workspace) -> JobFolder:
    """A run that reads its batches whole."""
    job = started(demo_workspace, "whole")
    run_training(demo_workspace, job)
    return job


def losses(job: JobFolder) -> list[float]:
    return [loss for _, loss in curves(list(job.events()))["loss"]]


def last(job: JobFolder, kind: str) -> dict[str, Any]:
    event = job.last_event(kind)
    assert event is not None
    return event


def score(job: JobFolder) -> float:
    return float(json.loads((job.path / "summary.json").read_text())["metrics"]["ndcg@10"])


@pytest.fixture
def device_that_holds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """device_that_holds(4, from_step=3): larger mini-batches raise the error of a full GPU, from that step on."""
    steps = {"done": 0}
    after_step = RunCallback.on_step_end

    def count(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        steps["done"] = state.global_step
        return after_step(self, args, state, control, **more)

    def holds(pairs: int, from_step: int = 0) -> None:
        from sentence_transformers import SentenceTransformer

        forward = SentenceTransformer.forward

        def full(self: Any, features: dict[str, Any], **more: Any) -> Any:
            count = next(len(value) for value in features.values() if torch.is_tensor(value))
            if self.training and count > pairs and steps["done"] >= from_step:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return forward(self, features, **more)

        monkeypatch.setattr(RunCallback, "on_step_end", count)
        monkeypatch.setattr(SentenceTransformer, "forward", full)

    return holds


def test_a_run_that_runs_out_of_memory_goes_on_with_half_the_mini_batch(
    whole: JobFolder, demo_workspace: Workspace, device_that_holds: Callable[..., None]
) -> None:
    device_that_holds(4)
    job = started(demo_workspace, "halved")
    run_training(demo_workspace, job)
    told = [(event["was"], event["value"]) for event in job.events("advice")]
    assert told == [(16, 8), (8, 4)]
    assert all(event["applied"] and "goes on with" in event["words"] for event in job.events("advice"))
    assert last(job, "started")["mini_batch_size"] == 4
    assert losses(job) == pytest.approx(losses(whole), abs=1e-4)
    assert score(job) == pytest.approx(score(whole), abs=0.01)


def test_it_goes_on_from_its_last_checkpoint(
    whole: JobFolder, demo_workspace: Workspace, device_that_holds: Callable[..., None]
) -> None:
    device_that_holds(8, from_step=3)
    job = started(demo_workspace, "later")
    run_training(demo_workspace, job)
    again = last(job, "started")
    assert again["resumed"] and again["step"] == 2 and again["mini_batch_size"] == 8
    assert losses(job) == pytest.approx(losses(whole), abs=1e-4)


def test_what_a_run_came_down_to_holds_also_after_a_resume(
    demo_workspace: Workspace, device_that_holds: Callable[..., None]
) -> None:
    device_that_holds(8)
    job = started(demo_workspace, "resumed", overrides={"max_steps": 2, "evaluations": 1})
    run_training(demo_workspace, job)
    (job.path / "summary.json").unlink()
    run_training(demo_workspace, job)  # as a second start of the same folder
    assert [event["value"] for event in job.events("advice")] == [8]


def test_a_resumed_run_keeps_the_mini_batch_that_it_chose(demo_workspace: Workspace) -> None:
    job = started(demo_workspace, "chosen")
    settings = TrainSettings(**job.spec["settings"])
    measured = settings.model_copy(update={"mini_batch_size": 2})
    assert told_smaller(job, measured).mini_batch_size == 2
    job.emit("started", mini_batch_size=8)
    assert told_smaller(job, measured).mini_batch_size == 8
    job.emit("advice", about="out of memory", applied=True, value=4)
    assert told_smaller(job, measured).mini_batch_size == 4


def test_a_run_that_cannot_hold_one_pair_fails_in_words(
    demo_workspace: Workspace, device_that_holds: Callable[..., None]
) -> None:
    device_that_holds(0)
    job = started(demo_workspace, "nothing-fits", overrides={"mini_batch_size": 2})
    with pytest.raises(torch.OutOfMemoryError):
        run_training(demo_workspace, job)
    assert [event["value"] for event in job.events("advice")] == [1]


def test_a_cross_encoder_learns_the_same_from_batches_read_in_pieces(demo_workspace: Workspace) -> None:
    found = {}
    for size in (0, 5):
        job = started(
            demo_workspace,
            f"pieces-{size}",
            model="starter-reranker",
            kind="reranker",
            first_stage="starter",
            first_stage_dimension=16,
            overrides={"mini_batch_size": size, "max_steps": 3, "evaluations": 1},
        )
        run_training(demo_workspace, job)
        found[size] = job
    assert [last(job, "started")["mini_batch_size"] for job in found.values()] == [16, 4]
    assert losses(found[5]) == pytest.approx(losses(found[0]), abs=1e-4)


def test_pieces_divide_the_batch_evenly() -> None:
    assert [piece_of(30, wanted) for wanted in (64, 30, 16, 7, 1, 0)] == [30, 30, 15, 6, 1, 1]


def test_a_loss_that_compares_the_whole_batch_is_not_read_in_pieces() -> None:
    settings = TrainSettings(batch_size=16, mini_batch_size=5)
    assert pieces_a_batch("reranker", "bce", settings) == 4
    assert pieces_a_batch("embedder", "contrastive", settings) == 1
    assert [reads("embedder", name) for name in ("contrastive", "similarity", "margin")] == [
        "mini-batches",
        "whole",
        "whole",
    ]


def test_a_loss_that_is_no_number_ends_the_run_in_words(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    forward = MultipleNegativesRankingLoss.forward

    def diverge(self: Any, *given: Any, **named: Any) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return forward(self, *given, **named) * (float("nan") if self.calls > 20 else 1.0)

    monkeypatch.setattr(MultipleNegativesRankingLoss, "forward", diverge)
    job = started(demo_workspace, "diverged", overrides={"learning_rate": 0.01})
    with pytest.raises(WorkbenchError, match=r"is not a number.*learning rate of 0.001 in place of 0.01"):
        run_training(demo_workspace, job)
    advice = last(job, "advice")
    assert advice["changes"] == {"learning_rate": 0.001}


def test_memory_errors_are_told_from_others() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert not is_out_of_memory(ValueError("the memory mapping is out of range"))
