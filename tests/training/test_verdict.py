"""What a finished run says of itself: its scores in every direction, what it forgot, and how long it took."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.collection.demo import make_demo
from workbench.collection.store import open_collection, remove_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.training.report import run_summary
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.verdict import directions_compared, worked_seconds
from workbench.workspace import Workspace, open_workspace, write_json

SHORT = {"max_steps": 4, "batch_size": 16, "evaluations": 1, "evaluation_queries": 10}


def run_of(workspace: Workspace, name: str, **wanted: Any) -> JobFolder:
    spec = train_spec(workspace, collection="demo", overrides=SHORT, **{"model": "starter"} | wanted)
    return create_job_folder(workspace.run(name), "train", spec, {})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    opened = open_workspace(tmp_path_factory.mktemp("verdict"))
    make_demo(opened, scenes=120)
    make_demo(opened, "other", scenes=60, seed=5)
    return opened


@pytest.fixture(scope="module")
def told(workspace: Workspace) -> dict[str, Any]:
    run_training(workspace, run_of(workspace, "told", second_collection="other"))
    return run_summary(workspace, "told")


def test_every_direction_has_its_verdict(told: dict[str, Any]) -> None:
    assert 0 < told["p"] <= 1
    assert told["p"] == told["comparison"]["p"]
    rows = {row["direction"]: row for row in told["directions"]}
    assert {"all", "text->image", "image->text", "audio->image"} <= set(rows)
    assert rows["all"]["before"] == pytest.approx(told["baseline"]["ndcg@10"])
    assert rows["all"]["after"] == pytest.approx(told["metrics"]["ndcg@10"])
    for row in rows.values():
        assert row["verdict"] in ("better", "no real change", "worse")
        assert row["interval"][0] <= row["difference"] <= row["interval"][1]
        assert row["difference"] == pytest.approx(row["after"] - row["before"])


def test_what_was_forgotten_is_told_of_a_second_collection(told: dict[str, Any], workspace: Workspace) -> None:
    second = told["second"]
    assert second["collection"] == "other"
    assert second["queries"] == len(np.unique(open_collection(workspace, "other").judged("eval").queries))
    change = second["metrics"]["ndcg@10"] - second["baseline"]["ndcg@10"]
    assert second["comparison"]["difference"] == pytest.approx(change)
    assert second["comparison"]["verdict"] in ("better", "no real change", "worse")
    assert {"all", "text->image"} <= {row["direction"] for row in second["directions"]}


def test_a_second_collection_that_is_deleted_meanwhile_costs_no_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_demo(workspace, "gone", scenes=40, seed=6)
    job = run_of(workspace, "bereft", second_collection="gone")
    monkeypatch.setattr("workbench.training.run.train", lambda *_: remove_collection(workspace, "gone"))
    assert "second" not in run_training(workspace, job)


@pytest.mark.parametrize(
    ("name", "words"), [("nobody", "no collection named “nobody”"), ("../x", "cannot be the name")]
)
def test_a_second_collection_that_is_not_there_is_told_before_the_start(
    workspace: Workspace, name: str, words: str
) -> None:
    with pytest.raises(WorkbenchError, match=words):
        run_of(workspace, "never", second_collection=name)


def test_a_planted_gain_is_better_and_its_mirror_worse() -> None:
    generator = np.random.default_rng(0)
    before = generator.uniform(0.2, 0.5, 80)
    gain, same = before + generator.uniform(0.0, 0.4, 80), before + generator.normal(0, 0.1, 80)
    rows = directions_compared({"up": before, "down": gain, "same": before}, {"up": gain, "down": before, "same": same})
    assert [row["verdict"] for row in rows] == ["better", "worse", "no real change"]


def test_the_time_between_two_parts_of_a_run_does_not_count(tmp_path: Path) -> None:
    worker = {"event": "progress", "work": "train", "step": 0}
    events = [
        worker | {"time": 100.0},
        {"event": "started", "time": 110.0, "resumed": False},
        {"event": "metrics", "time": 130.0},
        worker | {"time": 1000.0},
        {"event": "started", "time": 1007.0, "resumed": True},
        {"event": "metrics", "time": 1010.0},
    ]
    assert worked_seconds(events) == 40.0
    assert worked_seconds([event for event in events if "work" not in event]) == 20.0 + 3.0


def test_a_resumed_run_took_the_sum_of_its_parts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run_of(workspace, "parts")
    began = 1_000_000_000.0
    lines = [("evaluation", 0.0, {"untouched": True}), ("started", 50.0, {"resumed": False}), ("stopped", 70.0, {})]
    for kind, seconds, fields in lines:
        job.emit(kind, **fields)
        text = (job.path / "events.jsonl").read_text().splitlines()
        start, _, rest = text[-1].partition('"time": ')
        text[-1] = f'{start}"time": {began + seconds}{rest[rest.index(",") :]}'
        (job.path / "events.jsonl").write_text("\n".join(text) + "\n")
    write_json(job.path / "baseline.json", {"ndcg@10": 0.5, "per_query": [0.5, 0.5], "rows": []})
    scored = {"ndcg": 0.5, "per_query": np.full(2, 0.5), "rows": [], "by_direction": {}, "more": {}, "followed": None}
    monkeypatch.setattr("workbench.training.run.train", lambda *_: None)
    monkeypatch.setattr("workbench.training.kinds.EmbedderRecipe.score", lambda *_, **__: SimpleNamespace(**scored))
    assert 70 < run_training(workspace, job)["seconds"] < 70 + 60
