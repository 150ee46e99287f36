"""``python -m workbench fit``, and the advice that `runs show` gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from workbench import cli
from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.job_folder import create_job_folder
from workbench.training.measurements import Measurement, keep
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, new_folder

OBJECT = {"peak_bytes", "seconds_per_step", "mini_batch_size", "run_seconds", "measured"}


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Any]:
    """run("fit", …): a command in this process, on a workspace with a small collection."""
    with new_folder(workspace.collection("words")) as folder, CollectionWriter(folder) as writer:
        for number in range(40):
            query = writer.add("queries", Item(text=f"query {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}")))
        writer.finish("words", labels={"query": "question", "document": "answer"}, source={})

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)])

    return run


def test_an_estimate_is_told_at_once(run: Callable[..., Any]) -> None:
    done = run("fit", "--collection", "words", "--model", "starter", "--estimate", "--json")
    found = json.loads(done.stdout)
    assert found.keys() >= OBJECT and found["measured"] is False and found["peak_bytes"] > 0
    assert "estimated" in run("fit", "--collection", "words", "--estimate").stdout


def test_what_was_measured_is_told_again_without_measuring(run: Callable[..., Any], workspace: Workspace) -> None:
    spec = train_spec(workspace, collection="words", model="starter", preset="balanced", overrides={"batch_size": 8})
    keep(workspace, spec, Measurement(10**9, 0.5, 8, 3.0, 1.0, [[2, 5]], "a device", 8 * 10**9, 1.0))
    words = ("fit", "--collection", "words", "--set", "batch_size=8")
    found = json.loads(run(*words, "--json").stdout)
    assert found.keys() >= OBJECT and (found["measured"], found["mini_batch_size"]) == (True, 8)
    assert "1.00 GB at the peak, of 8.0 GB that a device has free" in run(*words).stdout


@pytest.mark.slow
def test_a_dry_run_from_the_terminal_leaves_no_job(run: Callable[..., Any], workspace: Workspace) -> None:
    words = ("fit", "--collection", "words", "--set", "batch_size=4", "--set", "max_steps=2")
    done = run(*words, "--measure", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured"] and found["mini_batch_size"] == 4 and found["seconds_per_step"] > 0
    assert not list(workspace.jobs.iterdir())
    assert json.loads(run(*words, "--json").stdout) == found


def test_what_cannot_be_run_cannot_be_measured(run: Callable[..., Any]) -> None:
    done = run("fit", "--collection", "nothing", "--estimate")
    assert done.exit_code == 1 and "no collection named" in done.stderr


def test_a_failed_run_is_shown_with_what_to_do(run: Callable[..., Any], workspace: Workspace) -> None:
    settings = {"batch_size": 64, "mini_batch_size": 16}
    job = create_job_folder(workspace.run("large"), "train", {"kind": "embedder", "settings": settings}, {})
    job.emit("failed", reason="Memory ran out.", out_of_memory=True)
    job.write_status(state="failed", reason="Memory ran out.")
    shown = json.loads(run("runs", "show", "large", "--json").stdout)
    assert shown["advice"]["changes"] == {"mini_batch_size": 8}
    assert "python -m workbench runs clone large --set mini_batch_size=8" in run("runs", "show", "large").stdout
