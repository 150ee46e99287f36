"""Will it fit: estimates from configuration, dry runs in a real process, and what a run makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes
from workbench import jobs
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import processes
from workbench.settings import check_settings
from workbench.training import dry_run, fit
from workbench.training.longest import item_sizes, longest_pairs, write_part
from workbench.training.measurements import (
    Measurement,
    configuration,
    device_name,
    keep,
    known,
    with_measured_mini_batch,
)
from workbench.training.run import count_steps, run_training
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, new_folder, read_json, write_json

SMALL = {"batch_size": 8, "evaluation_queries": 10, "max_steps": 4, "evaluations": 1}


def spec_of(workspace: Workspace, **wanted: Any) -> dict[str, Any]:
    overrides = SMALL | wanted.pop("overrides", {})
    return train_spec(workspace, overrides=overrides, **{"collection": "demo", "model": "starter"} | wanted)


def measurement(**changes: Any) -> Measurement:
    usual: dict[str, Any] = {
        "peak_bytes": 9,
        "seconds_per_batch": 0.5,
        "mini_batch_size": 4,
        "scoring_seconds": 3.0,
        "quick_seconds": 1.0,
        "points": [[2, 5], [4, 9]],
        "device": device_name(),
        "device_bytes": 100,
        "measured_at": 1.0,
    }
    return Measurement(**usual | changes)


# The estimate


def test_an_estimate_is_a_range_and_knows_no_seconds(demo_workspace: Workspace) -> None:
    found = fit.fit(demo_workspace, spec_of(demo_workspace), measured=False)
    low, high = found["peak_range"]
    assert 0 < low < found["peak_bytes"] < high
    assert (found["seconds_per_step"], found["run_seconds"], found["measured"]) == (None, None, False)
    assert "estimated" in found["words"]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"mini_batch_size": 2}, {"mini_batch_size": 8}),
        ({"gradient_checkpointing": True}, {}),
        ({"precision": "bf16"}, {"precision": "fp32"}),
        ({"optimizer": "adafactor"}, {"optimizer": "adamw"}),
        ({"lora_rank": 4}, {}),
    ],
)
def test_an_estimate_follows_the_settings(
    demo_workspace: Workspace, less: dict[str, Any], more: dict[str, Any]
) -> None:
    sizes = [
        fit.fit(demo_workspace, spec_of(demo_workspace, overrides=changes), measured=False)["peak_range"][1]
        for changes in (less, more)
    ]
    assert sizes[0] < sizes[1]


def test_a_model_of_unknown_size_is_said_to_be_unknown(demo_workspace: Workspace) -> None:
    found = fit.fit(demo_workspace, spec_of(demo_workspace, model="somebody/some-model"), measured=False)
    assert found["peak_bytes"] is None and "Measure" in found["words"]


def test_a_large_model_of_the_catalogue_is_estimated_without_fetching_it(demo_workspace: Workspace) -> None:
    with new_folder(demo_workspace.collection("pictures")) as folder, CollectionWriter(folder) as writer:
        for number in range(8):
            query = writer.add("queries", Item(text=f"a picture, number {number}"))
            writer.judge(query, writer.add("corpus", Item(image=png_bytes((number * 9, 3, 3)))))
        writer.finish("pictures", labels={"query": "q", "document": "d"}, source={"kind": "test"})
    spec = spec_of(demo_workspace, collection="pictures", model="Qwen/Qwen3-VL-Embedding-2B")
    low, high = fit.fit(demo_workspace, spec, measured=False)["peak_range"]
    # 16 bytes a parameter before any activation.
    assert 30e9 < low < high < 400e9
    smaller = spec_of(demo_workspace, collection="pictures", model=spec["model"], overrides={"max_pixels": 200_000})
    assert fit.fit(demo_workspace, smaller, measured=False)["peak_range"][1] < high


# What is tried


def test_the_longest_pairs_of_each_kind_are_those_that_are_tried(workspace: Workspace, tmp_path: Path) -> None:
    with new_folder(workspace.collection("lengths")) as folder, CollectionWriter(folder) as writer:
        for number in range(12):
            query = writer.add("queries", Item(text="word " * (1 + number)))
            writer.judge(query, writer.add("corpus", Item(image=png_bytes(size=(10 + number, 10)))))
            writer.judge(query, writer.add("corpus", Item(text="answer " * (30 - number))))
        writer.finish("lengths", labels={"query": "q", "document": "d"}, source={"kind": "test"})
    collection = open_collection(workspace, "lengths")
    assert item_sizes(collection, "corpus")[0] == 100
    positions = longest_pairs(collection, 2)
    judged = collection.judged("train")
    chosen = {kind: judged.documents[positions][collection.document_modalities[judged.documents[positions]] == kind]
              for kind in ("image", "text")}  # fmt: skip
    assert all(len(rows) == 2 for rows in chosen.values())
    sizes = item_sizes(collection, "corpus")
    images = np.unique(judged.documents[collection.document_modalities[judged.documents] == "image"])
    assert sizes[chosen["image"]].min() >= np.sort(sizes[images])[-2]
    part = write_part(collection, positions, tmp_path / "part")
    assert part.card.counts["train"] == 4 and part.card.counts["eval"] > 0


def test_the_line_through_two_sizes_tells_the_largest_that_fits() -> None:
    points = [[2, 1_200], [8, 1_800]]  # 1,000 and 100 a pair
    assert fit.largest_that_fits(points, budget=4_000, at_most=64) == 30
    assert fit.largest_that_fits(points, budget=40_000, at_most=64) == 64
    assert fit.largest_that_fits(points, budget=900, at_most=64) == 1
    assert fit.largest_that_fits([[8, 100], [32, 90]], budget=1_000, at_most=64) == 64
    assert fit.largest_that_fits([[2, 100]], budget=1_000, at_most=64) == 2


@pytest.mark.parametrize(
    ("at_most", "small_model", "sizes"),
    [(64, False, (2, 8)), (64, True, (8, 32)), (3, True, (1, 3)), (1, False, (1, 1))],
)
def test_the_first_sizes_stay_within_the_batch(at_most: int, small_model: bool, sizes: tuple[int, int]) -> None:
    assert fit.first_sizes(at_most, 1, small_model) == sizes


@pytest.mark.parametrize(("holds", "found"), [(1000, 64), (40, 32), (9, 9), (3, 3), (1, 1)])
def test_what_the_line_promises_is_tried_and_lowered_until_it_is_seen_to_fit(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, holds: int, found: int
) -> None:
    """A device whose memory ends suddenly: the line of the small sizes promises more than there is."""
    tried = dry_run.DryRun.__new__(dry_run.DryRun)
    tried.spec, tried.workspace, tried.at_most = spec_of(demo_workspace), demo_workspace, 64
    tried.told = {"points": []}

    class Device:
        budget = 10_000
        last = 0

        def peak(self) -> int:
            return 50 * self.last

    tried.meter = device = Device()  # type: ignore[assignment]

    def survives(collection: Any, size: int) -> bool:
        device.last = size
        return size <= holds

    monkeypatch.setattr(tried, "_survives", survives)
    monkeypatch.setattr(tried, "_tell", lambda **fields: tried.told.update(fields))
    largest = tried._largest(None)  # type: ignore[arg-type]
    assert largest <= holds and largest >= min(found, holds) // 2 + (holds == 1)
    assert largest in dict(map(tuple, tried.told["points"]))


def test_a_device_that_holds_nothing_is_said_so(demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = dry_run.DryRun.__new__(dry_run.DryRun)
    tried.spec, tried.workspace, tried.at_most = spec_of(demo_workspace), demo_workspace, 64
    tried.told = {"points": []}
    monkeypatch.setattr(tried, "_fits", lambda collection, size: False)
    with pytest.raises(WorkbenchError, match="Not even one pair"):
        tried._largest(None)  # type: ignore[arg-type]


# What is kept


def test_a_measurement_is_of_one_configuration(demo_workspace: Workspace) -> None:
    same = spec_of(demo_workspace)
    assert configuration(demo_workspace, same) == configuration(demo_workspace, spec_of(demo_workspace))
    weightless: list[dict[str, Any]]
    weightless = [{"learning_rate": 0.1}, {"epochs": 9.0}, {"seed": 5}]
    for changes in weightless:
        other = spec_of(demo_workspace, overrides=changes)
        assert configuration(demo_workspace, other) == configuration(demo_workspace, same), changes
    weighty: list[dict[str, Any]]
    weighty = [{"batch_size": 16}, {"mini_batch_size": 3}, {"precision": "bf16"}, {"lora_rank": 4}]
    for changes in weighty:
        other = spec_of(demo_workspace, overrides=changes)
        assert configuration(demo_workspace, other) != configuration(demo_workspace, same), changes


def test_a_run_that_may_choose_takes_the_measured_mini_batch(demo_workspace: Workspace) -> None:
    spec = spec_of(demo_workspace, overrides={"batch_size": 12})
    settings = check_settings(spec["settings"])
    assert with_measured_mini_batch(demo_workspace, spec, settings) is settings
    keep(demo_workspace, spec, measurement(device="another computer's", mini_batch_size=2))
    assert with_measured_mini_batch(demo_workspace, spec, settings) is settings
    keep(demo_workspace, spec, measurement(mini_batch_size=3))
    assert with_measured_mini_batch(demo_workspace, spec, settings).mini_batch_size == 3
    told = settings.model_copy(update={"mini_batch_size": 6})
    assert with_measured_mini_batch(demo_workspace, spec, told).mini_batch_size == 6
    job = create_job_folder(demo_workspace.run("measured"), "train", spec, {})
    run_training(demo_workspace, job)
    started = job.last_event("started")
    assert started is not None and started["mini_batch_size"] == 3


def test_a_damaged_measurement_counts_as_none(demo_workspace: Workspace) -> None:
    spec = spec_of(demo_workspace, overrides={"batch_size": 10})
    keep(demo_workspace, spec, measurement())
    assert known(demo_workspace, spec) == measurement()
    for path in demo_workspace.fits.glob(f"{configuration(demo_workspace, spec)}-*"):
        path.write_text("{")
    assert known(demo_workspace, spec) is None


def test_the_time_of_a_run_is_its_steps_and_its_scorings(demo_workspace: Workspace) -> None:
    spec = spec_of(demo_workspace, overrides={"gradient_accumulation": 2, "batch_size": 6})
    found = fit.as_answer(demo_workspace, spec, measurement())
    assert (found["steps"], found["seconds_per_step"]) == (4, 1.0)
    assert found["run_seconds"] == 4 * 1.0 + 2 * 3.0 + 1 * 1.0


@pytest.mark.parametrize(("kind", "model"), [("embedder", "starter"), ("reranker", "starter-reranker")])
def test_the_steps_are_foretold(demo: Collection, demo_workspace: Workspace, kind: str, model: str) -> None:
    from workbench.training.kinds import RECIPES

    more = {} if kind == "embedder" else {"first_stage": "starter"}
    spec = spec_of(demo_workspace, kind=kind, model=model, overrides={"max_steps": 0, "epochs": 3.0}, **more)
    settings = check_settings(spec["settings"])
    recipe: Any = RECIPES[kind](demo_workspace, demo, spec, settings)  # type: ignore[index]
    real = count_steps(recipe, recipe.datasets(), settings)
    told = fit.expected_steps(demo, spec)
    # A reranker that reads no sound leaves those pairs out, which is not known without loading it.
    assert told == pytest.approx(real, rel=0.1 if kind == "embedder" else 1.1)


# The dry run itself


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def begin(workspace: Workspace, name: str, **wanted: Any) -> JobFolder:
    return jobs.start(workspace, "fit", name, {"collection": "demo", "run": spec_of(workspace, **wanted)})


@pytest.mark.slow
def test_a_dry_run_measures_and_leaves_nothing_behind(demo_workspace: Workspace) -> None:
    job = begin(demo_workspace, "fit-demo")
    assert jobs.wait(job, timeout=400).state == "finished", (job.path / "log.txt").read_text()
    found = job.result()
    assert found is not None and found["measured"]
    assert 1e6 < found["peak_bytes"] < found["device_bytes"]
    assert found["seconds_per_step"] > 0 and found["run_seconds"] >= 4 * found["seconds_per_step"]
    assert found["mini_batch_size"] == 8  # the whole batch of the small starter
    assert fit.fit(demo_workspace, spec_of(demo_workspace)) == found
    assert not (job.path / "dry-run").exists() and not processes.tagged(job.path)


def test_a_dry_run_can_be_stopped(demo_workspace: Workspace) -> None:
    job = begin(demo_workspace, "fit-stopped", overrides={"batch_size": 14})
    wait_for(lambda: (job.path / "dry-run" / "log.txt").exists())
    jobs.stop(job)
    assert jobs.wait(job, timeout=60).state == "stopped"
    assert not (job.path / "dry-run").exists()
    wait_for(lambda: not processes.tagged(job.path))  # the worker itself leaves after its last word
    assert known(demo_workspace, spec_of(demo_workspace, overrides={"batch_size": 14})) is None


def test_a_dry_run_that_the_system_ends_is_tried_again_with_less(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process says what it is about to try, so that its death tells that this was too much."""
    job = create_job_folder(demo_workspace.job("fit-killed"), "fit", {}, {})
    asked: list[dict[str, Any]] = []

    def dry(job: JobFolder, folder: Path) -> int:
        asked.append(read_json(folder / "ask.json"))
        (folder / "log.txt").write_text("")
        if len(asked) < 3:
            write_json(folder / "told.json", {"trying": 64 // 2 ** len(asked), "points": [[2, 5], [64, 9]]})
            return -9
        write_json(folder / "told.json", asdict(measurement()))
        return 0

    monkeypatch.setattr(fit, "_dry_run", dry)
    assert fit._measure(demo_workspace, job, spec_of(demo_workspace), tmp_path) == measurement()
    assert [ask["at_most"] for ask in asked] == [None, 16, 8]
    assert asked[2]["points"] == [[2, 5]]


def test_a_dry_run_that_fails_for_another_reason_says_it(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = create_job_folder(demo_workspace.job("fit-broken"), "fit", {}, {})

    def dry(job: JobFolder, folder: Path) -> int:
        (folder / "log.txt").write_text("Traceback\nValueError: it is broken\n")
        return 1

    monkeypatch.setattr(fit, "_dry_run", dry)
    with pytest.raises(WorkbenchError, match="ValueError: it is broken"):
        fit._measure(demo_workspace, job, spec_of(demo_workspace), tmp_path)
