"""The commands of the queue: show it, reorder it, pause it, keep hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from workbench import cli, jobs
from workbench.job_folder import JobFolder, create_job_folder
from workbench.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Any]:
    def run(*words: str) -> Any:
        return CliRunner().invoke(cli.app, ["runs", *words, "--workspace", str(workspace.root)])

    return run


def waiting(workspace: Workspace, *names: str, **spec: Any) -> list[JobFolder]:
    """Jobs that wait; nothing runs. A job just made needs no process for half a minute."""
    return [create_job_folder(workspace.run(name), "train", {"settings": {}, **spec}, {}) for name in names]


def test_the_queue_is_shown_in_order_with_what_is_at_work(run, workspace):
    assert run("queue").stdout == "The queue is open at all hours.\nNothing runs or waits.\n"
    learning, *_ = waiting(workspace, "learning", "b")
    waiting(workspace, "c", device="cuda:1")
    learning.write_status(state="running", device="cuda:0", step=3, total=9, note="Training")
    told = json.loads(run("queue", "--json").stdout)
    assert (told["paused"], told["hours"]) == (None, None)
    assert [(row["run"], row["device"]) for row in told["computing"]] == [("learning", "cuda:0")]
    assert [(row["run"], row["device"]) for row in told["waiting"]] == [("b", ""), ("c", "cuda:1")]
    lines = run("queue").stdout.splitlines()
    assert "3/9" in lines[2] and "Training" in lines[2] and lines[3].startswith("1.") and "any" in lines[3]


def test_a_waiting_run_is_moved_and_what_cannot_be_is_told(run, workspace):
    waiting(workspace, "a", "b", "c")
    assert json.loads(run("move", "c", "--first", "--json").stdout) == {"run": "c", "waiting": ["c", "a", "b"]}
    assert "in this order: a, c, b" in run("move", "c", "--down").stdout
    assert "in this order: c, a, b" in run("move", "c", "--up").stdout
    assert "in this order: a, b, c" in run("move", "c", "--last").stdout
    for words, why in (
        (("move", "a"), "Say where to"),
        (("move", "a", "--up", "--down"), "Say where to"),
        (("move", "nobody", "--up"), "no run or job named “nobody”"),
    ):
        done = run(*words)
        assert done.exit_code == 1 and why in done.stderr


def test_a_pause_says_what_ends_first_and_going_on_ends_it(run, workspace):
    [learning] = waiting(workspace, "learning")
    learning.write_status(state="running")
    create_job_folder(workspace.job("mining"), "mine", {}, {}).write_status(state="running")
    done = run("pause", "--until", "23:59")
    assert done.stdout.startswith("Paused until 23:59") and "finished first: learning, mining." in done.stdout
    assert "finished first: mining." in run("pause", "--now").stdout
    assert json.loads(run("queue", "--json").stdout)["paused"]["at_once"] is True
    learning.write_status(state="queued", note=jobs.hold_now(workspace).words)
    assert "Paused. The queue goes on when you say so." in run("show", "learning").stdout
    assert "Paused" not in run("go-on").stdout and jobs.hold_now(workspace) is None
    for words, why in ((("--until", "soon"), "is no time"), (("--until", "2020-01-01 07:00"), "has passed")):
        done = run("pause", *words)
        assert done.exit_code == 1 and why in done.stderr and jobs.hold_now(workspace) is None


def test_hours_are_kept_passed_over_and_taken_back(run, workspace, monkeypatch):
    import time

    noon = time.mktime(time.strptime("2026-05-04 12:00", "%Y-%m-%d %H:%M"))
    monkeypatch.setattr("workbench.jobs.rules.time.time", lambda: noon)
    assert "Paused until 20:00. The queue works between 20:00 and 07:00." in run("hours", "20:00", "7:00").stdout
    assert "goes on before they begin" in run("go-on").stdout
    assert json.loads(run("hours", "--json").stdout)["hours"] == {
        "begin": "20:00", "end": "07:00", "goes_on_before": True
    }  # fmt: skip
    assert run("hours", "--always").stdout == "The queue is open at all hours.\n"
    assert run("hours", "20:00").exit_code == 1 and run("hours", "8:00", "08:00").exit_code == 1
