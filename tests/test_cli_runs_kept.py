"""The commands for runs that are kept: script, clone, note, compare, clean; and what `train` and `evaluate` say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from workbench import cli, jobs
from workbench.cli_words import evaluation_words, run_words
from workbench.collection.importing import import_collection
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import cloning, sweeping
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, write_json


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Any]:
    def run(*words: str) -> Any:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)])

    return run


@pytest.fixture
def numbers(workspace: Workspace, tmp_path: Path) -> str:
    rows = "\n".join(f"question {number},answer {number}" for number in range(40))
    (tmp_path / "pairs.csv").write_text(f"query,document\n{rows}\n")
    import_collection(workspace, "numbers", tmp_path / "pairs.csv")
    return "numbers"


def ended(
    workspace: Workspace, name: str, spec: dict[str, Any], state: str = "finished", gain: float = 0.1
) -> JobFolder:
    job = create_job_folder(workspace.run(name), "train", spec, {})
    job.write_status(state=state, step=6, total=6)
    compared = {"difference": gain, "interval": [gain - 0.05, gain + 0.05], "p": 0.01, "verdict": "better"}
    scores = {"baseline": {"ndcg@10": 0.5}, "metrics": {"ndcg@10": 0.5 + gain}, "steps": 6, "seconds": 3.0}
    write_json(job.path / "summary.json", scores | {"comparison": compared | {"queries": 8}, "queries": 8})
    for part, size in (("checkpoints/checkpoint-6", 5000), ("model", 2000)):
        (job.path / part).mkdir(parents=True)
        (job.path / part / "weights").write_bytes(b"x" * size)
    return job


def test_a_note_and_tags_are_kept_and_can_be_taken_off(run, workspace):
    job = ended(workspace, "one", {})
    assert "Nothing is noted" in run("runs", "note", "one").stdout
    done = run("runs", "note", "one", "a <b>bold</b> try", "--tag", "paper", "--tag", " night  run ", "--json")
    assert json.loads(done.stdout) == {"run": "one", "text": "a <b>bold</b> try", "tags": ["paper", "night run"]}
    assert "a <b>bold</b> try\nTags: night run" in run("runs", "note", "one", "--untag", "paper").stdout
    assert jobs.read_notes(job) == {"text": "a <b>bold</b> try", "tags": ["night run"]}
    assert run("runs", "note", "one", "x" * 20_000).exit_code == 1
    assert run("runs", "note", "one", "--tag", "y" * 60).exit_code == 1
    (job.path / "notes.json").write_text("{half")
    assert jobs.read_notes(job) == {"text": "", "tags": []}


def test_clean_frees_the_checkpoints_of_an_ended_run_alone(run, workspace):
    job = ended(workspace, "one", {})
    done = json.loads(run("runs", "clean", "one", "--json").stdout)
    assert done["freed"] == 5000 and done["bytes"]["checkpoints"] == 0 and done["bytes"]["model"] == 2000
    assert not (job.path / "checkpoints").exists() and (job.path / "summary.json").exists()
    assert run("runs", "clean", "nobody").exit_code == 1
    halfway = ended(workspace, "halfway", {})
    halfway.write_status(state="stopped")
    refused = run("runs", "clean", "halfway")
    assert refused.exit_code == 2 and "Add --yes" in refused.stderr and (halfway.path / "checkpoints").exists()
    assert run("runs", "clean", "halfway", "--yes").exit_code == 0


def test_a_clone_has_the_settings_of_its_run_but_for_the_changes(run, workspace, numbers, monkeypatch):
    old = train_spec(workspace, collection=numbers, model="starter", preset="quick", overrides={"batch_size": 8})
    ended(workspace, "one", old)
    begun: list[Any] = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        begun.append(spec)
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(cloning, "start", start)
    done = run("runs", "clone", "one", "--set", "learning_rate=1e-4", "--name", "two", "--json")
    assert json.loads(done.stdout)["run"] == "two"
    [spec] = begun
    assert spec["settings"] == old["settings"] | {"learning_rate": 1e-4}
    same = {key: value for key, value in spec.items() if key not in ("settings", "cloned_from")}
    assert same == {key: value for key, value in old.items() if key != "settings"} and spec["cloned_from"] == "one"

    done = run("runs", "clone", "one", "--set", "learning_rate=fast")
    assert done.exit_code == 1 and "learning_rate" in done.stderr and len(begun) == 1
    assert run("runs", "clone", "one", "--json").exit_code == 0 and workspace.run("one-2").is_dir()


def test_runs_are_compared_by_what_was_set_differently(run, workspace):
    settings = {"learning_rate": 1e-3, "epochs": 3.0, "matryoshka_dimensions": [64, 32]}
    ended(workspace, "one", {"model": "starter", "settings": settings}, gain=0.1)
    ended(workspace, "two", {"model": "starter", "settings": settings | {"learning_rate": 1e-4}}, gain=0.2)
    compared = json.loads(run("runs", "compare", "one", "two", "--json").stdout)
    assert compared["settings"] == [{"setting": "learning_rate", "values": [1e-3, 1e-4]}]
    assert [run["metrics"]["ndcg@10"] for run in compared["runs"]] == [0.6, 0.7]
    shown = run("runs", "compare", "one", "two").stdout
    assert "learning_rate" in shown and "+0.200 [0.150, 0.250]" in shown
    done = run("runs", "compare", "one", "one")
    assert done.exit_code == 1 and "2 to 8 different runs" in done.stderr


def test_a_script_is_refused_in_words_where_there_is_none(run, workspace):
    ended(workspace, "one", {})
    done = run("runs", "script", "one")
    assert done.exit_code == 1 and "has not written down what it learns from" in done.stderr


def test_a_second_collection_is_scored_too(run, workspace, numbers, monkeypatch):
    begun: list[Any] = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        begun.append(spec)
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    assert run("train", "--collection", numbers, "--also-score", numbers, "--name", "a").exit_code == 0
    assert begun[0]["second_collection"] == numbers
    done = run("train", "--collection", numbers, "--also-score", "nobody")
    assert done.exit_code == 1 and "no collection named “nobody”" in done.stderr


def test_a_sweep_queues_a_run_for_each_value_under_one_tag(run, workspace, numbers, monkeypatch):
    begun: list[Any] = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        begun.append(spec["settings"])
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(sweeping, "start", start)
    words = ("train", "--collection", numbers, "--name", "try", "--sweep", "learning_rate=1e-5,2e-5")
    result = run(*words, "--sweep", "batch_size=4,8", "--json")
    assert result.exit_code == 0, result.stderr
    done = json.loads(result.stdout)
    assert done["runs"] == ["try-1", "try-2", "try-3", "try-4"]
    found = [(one["learning_rate"], one["batch_size"]) for one in begun]
    assert found == [(1e-5, 4), (1e-5, 8), (2e-5, 4), (2e-5, 8)]
    notes = jobs.read_notes(JobFolder(workspace.run("try-2")))
    assert notes == {"text": "learning_rate=1e-5, batch_size=8", "tags": ["sweep try"]}

    shown = run(*words, "--sweep", "batch_size=4,8", "--budget", "3").stdout
    assert len(begun) == 7 and "try-5: " in shown and "try-7: " in shown and "try-8" not in shown
    assert "3 of 4 combinations, drawn at random" in shown and "runs sweep try" in shown
    for wrong in ("learning_rate=1e-5,fast", "learning_rate=1e-5", "nothing=1,2"):
        assert run("train", "--collection", numbers, "--sweep", wrong).exit_code == 1
    assert run(*words, "--sweep", "learning_rate=1,0.1").exit_code == 1
    assert run(*words, "--wait").exit_code == 1 and len(begun) == 7


def test_a_sweep_names_every_combination_that_cannot_work_and_starts_none(run, workspace, numbers):
    words = ("train", "--collection", numbers, "--name", "v1.2", "--sweep", "learning_rate=1e-5,fast")
    done = run(*words, "--sweep", "batch_size=4,8")
    assert done.exit_code == 1 and "2 of 4 runs of the sweep cannot work, so none was started" in done.stderr
    assert "(learning_rate=fast, batch_size=4 | learning_rate=fast, batch_size=8)" in done.stderr
    assert done.stderr.count("unable to parse") == 1
    assert not list(workspace.runs.iterdir())


def test_a_sweep_goes_over_settings_that_are_lists(run, workspace, numbers, monkeypatch):
    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(sweeping, "start", start)
    words = ("train", "--collection", numbers, "--name", "v1.2", "--sweep", "matryoshka_dimensions=64+32,64", "--json")
    assert json.loads(run(*words).stdout)["runs"] == ["v1.2-1", "v1.2-2"]
    first = JobFolder(workspace.run("v1.2-1"))
    assert first.spec["settings"]["matryoshka_dimensions"] == [64, 32]
    assert jobs.read_notes(first)["text"] == "matryoshka_dimensions=64+32"


def test_the_runs_of_a_sweep_are_shown_the_best_first_and_stopped_together(run, workspace, numbers, monkeypatch):
    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        return create_job_folder(workspace.run(name), work, spec, {})

    monkeypatch.setattr(sweeping, "start", start)
    run("train", "--collection", numbers, "--name", "try", "--sweep", "learning_rate=1e-5,2e-5,3e-5")
    for name, value in (("try-1", 0.4), ("try-3", 0.6)):
        job = JobFolder(workspace.run(name))
        job.emit("evaluation", step=3, metrics={"ndcg@10": value}, chosen_by="ndcg@10")
        job.write_status(state="finished")
    shown = run("runs", "sweep", "try").stdout
    assert [shown.index(name) for name in ("try-3", "try-1", "try-2")] == sorted(
        shown.index(name) for name in ("try-3", "try-1", "try-2")
    )
    assert "the same held-out queries picked it" in shown
    assert json.loads(run("runs", "sweep", "try", "--stop", "--json").stdout)["stopped"] == ["try-2"]
    assert JobFolder(workspace.run("try-2")).stop_requested() and not JobFolder(workspace.run("try-1")).stop_requested()
    assert run("runs", "sweep", "nobody").exit_code == 1


def test_the_words_of_a_run_tell_its_verdict_in_every_direction():
    compared = {"difference": 0.1, "interval": [0.05, 0.15], "p": 0.0001, "verdict": "better"}
    summary = {
        "run": "one", "state": "finished", "step": 6, "steps": 6, "comparison": compared, "against": "untouched model",
        "directions": [{"direction": "all", **compared}, {"direction": "text->image", **compared}],
        "second": {"collection": "old", "comparison": compared | {"verdict": "worse", "difference": -0.1}},
    }  # fmt: skip
    words = run_words(summary)
    assert "Against the untouched model: better (+0.100 [+0.050, +0.150], p = 0.0001)" in words
    assert "  text->image: better" in words and "On old, which it was not trained on: worse (-0.100" in words


def test_a_size_that_a_model_lacks_is_told(run):
    note = "“starter” has 128 dimensions, so its full size stands in for 9999."
    result = {"evaluation": "e", "collection": "c", "results": [], "models": [{"notes": [note]}, {"notes": [note]}]}
    assert evaluation_words(result).count(note) == 1
