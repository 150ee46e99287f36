"""Runs of every kind, from spec to verdict, in this process; killing them is tested with the background jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.collection.editing import edit_collection, undo
from workbench.collection.scenes import render, sample_scenes
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models import load_embedder, load_reranker
from workbench.training.checkpoints import last_checkpoint
from workbench.training.report import curves, run_summary, speed
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace, new_folder

SHORT = {"max_steps": 6, "batch_size": 16, "evaluations": 3, "evaluation_queries": 10}


def started(workspace: Workspace, name: str, **wanted: Any) -> JobFolder:
    overrides = SHORT | wanted.pop("overrides", {})
    spec = train_spec(workspace, collection="demo", overrides=overrides, **wanted)
    return create_job_folder(workspace.run(name), "train", spec, {})


@pytest.fixture(scope="module")
def finished(demo_workspace: Workspace) -> JobFolder:
    job = started(demo_workspace, "finished", model="starter")
    run_training(demo_workspace, job)
    return job


def test_a_run_scores_before_trains_and_scores_after(finished: JobFolder, demo_workspace: Workspace) -> None:
    summary = run_summary(demo_workspace, "finished")
    assert summary["steps"] == 6
    assert set(summary["baseline"]) == set(summary["metrics"]) == {"ndcg@10"}
    assert summary["comparison"]["verdict"] in ("better", "no real change", "worse")
    drawn = curves(list(finished.events()))
    assert drawn["ndcg"][0] == [0, pytest.approx(summary["baseline"]["ndcg@10"], abs=1e-6)]
    assert [step for step, _ in drawn["ndcg"]] == [0, 2, 4, 6]
    assert len(drawn["loss"]) >= 5
    assert speed(finished, list(finished.events()))["peak_bytes"] > 0
    assert not (finished.path / "checkpoints").exists()


def test_the_result_loads_by_its_run_name_and_by_the_plain_library(
    finished: JobFolder, demo_workspace: Workspace
) -> None:
    from sentence_transformers import SentenceTransformer

    tuned = load_embedder(demo_workspace, "run:finished", device="cpu")
    plain = SentenceTransformer(str(finished.path / "model"), device="cpu")
    texts = [{"text": "a red heart"}]
    assert (plain.encode(texts) == tuned.model.encode(texts)).all()
    assert tuned.fingerprint != load_embedder(demo_workspace, "starter", device="cpu").fingerprint


def test_the_card_holds_nothing_of_the_users_data(finished: JobFolder, demo: Collection) -> None:
    card = (finished.path / "model" / "README.md").read_text()
    assert "SentenceTransformer" in card
    assert not any(text in card for text in demo.queries["text"])


def test_a_stopped_run_goes_on_and_ends_like_an_undisturbed_one(
    finished: JobFolder, demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(demo_workspace, "stopped", model="starter")
    after_step = RunCallback.on_step_end

    def stop_at_three(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == 3:
            (self.job.path / "STOP").touch()
        return after_step(self, args, state, control, **more)

    monkeypatch.setattr(RunCallback, "on_step_end", stop_at_three)
    with pytest.raises(Stopped):
        run_training(demo_workspace, job)
    assert last_checkpoint(job.path / "checkpoints").name == "checkpoint-3"
    monkeypatch.undo()
    (job.path / "STOP").unlink()
    resumed = run_training(demo_workspace, job)
    undisturbed = json.loads((finished.path / "summary.json").read_text())
    assert resumed["metrics"]["ndcg@10"] == pytest.approx(undisturbed["metrics"]["ndcg@10"], abs=1e-6)
    assert curves(list(job.events()))["loss"][-1] == pytest.approx(
        curves(list(finished.events()))["loss"][-1], abs=1e-4
    )


def test_a_half_written_checkpoint_is_swept_away(tmp_path: Path) -> None:
    for step, whole in ((2, True), (4, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{step}" / "complete").touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert not (tmp_path / "checkpoint-4").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reranker", "late-interaction"])
def test_a_second_stage_is_held_against_its_first_on_what_it_can_read(kind: str, demo_workspace: Workspace) -> None:
    job = started(
        demo_workspace,
        f"second-{kind}",
        model="starter-reranker" if kind == "reranker" else "starter",
        kind=kind,
        first_stage="starter",
        first_stage_dimension=16,
    )
    summary = run_training(demo_workspace, job)
    assert summary["against"] == "first stage"
    assert {row["direction"] for row in summary["rows"]} == {"text->image"}
    assert summary["baseline"]["ndcg@10"] > 0
    assert load_reranker(demo_workspace, f"run:second-{kind}").kind == kind


def test_a_version_of_the_collection_that_is_gone_is_not_trained_on(demo_workspace: Workspace) -> None:
    job = started(demo_workspace, "changed", model="starter")
    path = job.path / "job.json"
    path.write_text(path.read_text().replace(job.spec["collection_fingerprint"], "0" * 16))
    with pytest.raises(WorkbenchError, match="is no longer kept"):
        run_training(demo_workspace, job)


def test_a_run_goes_on_with_the_version_of_the_collection_it_began_with(demo_workspace: Workspace) -> None:
    job = started(demo_workspace, "earlier", model="starter", overrides={"max_steps": 2, "evaluations": 1})
    before = open_collection(demo_workspace, "demo")
    with edit_collection(demo_workspace, "demo", "Dropped a tenth") as edit:
        edit.drop("queries", before.queries["id"][:12])
    try:
        assert run_training(demo_workspace, job)["queries"] == len(np.unique(before.judged("eval").queries))
    finally:
        undo(demo_workspace, "demo")


def test_a_reranker_that_cannot_hear_is_told_before_the_start(demo_workspace: Workspace) -> None:
    with new_folder(demo_workspace.collection("tunes")) as folder, CollectionWriter(folder) as writer:
        for sentence, _, tune in render(sample_scenes(20, 1), 1):
            writer.judge(writer.add("queries", Item(text=sentence)), writer.add("corpus", Item(audio=tune)))
        writer.finish("tunes", labels={"query": "sentence", "document": "tune"}, source={}, fraction=0.2)
    with pytest.raises(WorkbenchError, match="cannot read sound"):
        train_spec(demo_workspace, collection="tunes", model="starter-reranker", kind="reranker", first_stage="starter")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"model": "starter", "kind": "poem"}, "There is no kind of run “poem”"),
        ({"model": "starter-reranker"}, "Choose an embedder, or the kind reranker"),
        ({"model": "run:nobody"}, "There is no run named “nobody”"),
        ({"model": "starter", "preset": "magic"}, "There is no preset “magic”"),
        ({"model": "starter", "overrides": {"epochs": -3}}, "Some settings cannot be used"),
    ],
)
def test_what_cannot_work_is_told_before_the_start(
    demo_workspace: Workspace, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(WorkbenchError, match=words):
        train_spec(demo_workspace, collection="demo", **wanted)


def test_a_run_killed_after_its_last_step_only_scores_and_ends_the_same(
    finished: JobFolder, demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(demo_workspace, "late", model="starter")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.training.run.judge", killed)
    with pytest.raises(KeyboardInterrupt):
        run_training(demo_workspace, job)
    monkeypatch.undo()
    losses = curves(list(job.events()))["loss"]
    resumed = run_training(demo_workspace, job)
    undisturbed = json.loads((finished.path / "summary.json").read_text())
    assert curves(list(job.events()))["loss"] == losses
    assert resumed["metrics"]["ndcg@10"] == pytest.approx(undisturbed["metrics"]["ndcg@10"], abs=1e-6)
