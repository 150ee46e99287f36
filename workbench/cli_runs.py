"""``python -m workbench runs``: list, show, stop, resume and remove what works in the background."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_terminal import (
    DebugOption,
    JsonOption,
    WorkspaceOption,
    ago,
    answer,
    confirm,
    fail,
    follow,
    in_words,
    not_finished,
    say,
)
from workbench.cli_words import run_words, table
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, Status
from workbench.workspace import Workspace, open_workspace

runs = typer.Typer(help="List, show, stop, resume and remove runs.", invoke_without_command=True)
NameArgument = Annotated[str, typer.Argument(metavar="R", help="The name of the run or job.")]
AllOption = Annotated[bool, typer.Option("--all", help="Also imports, evaluations and indexing.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")]


@runs.callback()
def runs_without_a_word(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    everything: AllOption = False,
) -> None:
    """List, show, stop, resume and remove runs. Without a word after it: list."""
    if context.invoked_subcommand is None:
        list_runs(workspace, as_json, debug, everything)


@runs.command("list")
def list_runs(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    everything: AllOption = False,
) -> None:
    """List the runs, the newest first."""
    with in_words(debug):
        opened = open_workspace(workspace)
        found = {"runs": [_line(job) for job in jobs.list_runs(opened)]}
        if everything:
            found["jobs"] = [_line(job) for job in jobs.list_jobs(opened)]
    lines = [line for group in found.values() for line in group]
    rows = [
        [line["run"], line["state"], f"{line['step']:,}/{line['steps']:,}", line["work"], ago(line["created"])]
        for line in lines
    ]
    none = "There are no runs yet. To start one: python -m workbench train --collection N --model starter"
    answer(found, as_json, table(["name", "state", "step", "work", "started"], rows) if rows else none)


@runs.command()
def show(
    name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show one run: its state, its scores, and why it ended."""
    with in_words(debug):
        summary = summary_of(opened := open_workspace(workspace), jobs.find(opened, name))
    answer(summary, as_json, "\n".join(filter(None, [run_words(summary), summary.get("waits")])))


@runs.command()
def stop(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    wait: WaitOption = False,
    grace: Annotated[float, typer.Option(min=0, help="Seconds after which it is ended if it does not leave.")] = 120.0,
) -> None:
    """Ask a run to save a checkpoint and stop."""
    with in_words(debug):
        opened = open_workspace(workspace)
        job = jobs.find(opened, name)
        if (status := jobs.watch(job)).ended:
            raise WorkbenchError(f"“{name}” is not running: it is {status.state}.")
        jobs.stop(job, grace)
        if wait:
            follow(job)
        summary = summary_of(opened, job)
    answer(summary, as_json, f"“{name}” is {summary['state']}.")


@runs.command()
def resume(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    wait: WaitOption = False,
) -> None:
    """Go on with a run from its last checkpoint."""
    with in_words(debug):
        opened = open_workspace(workspace)
        job = jobs.resume(opened, name)
    finish(opened, job, wait, as_json, debug)


@runs.command()
def remove(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run with its log, its checkpoints and its model."""
    with in_words(debug):
        opened = open_workspace(workspace)
        needy = _indexes_of(opened, name)
        confirm(f"Delete “{name}” with its log, its checkpoints and its model?{needy}", yes)
        jobs.remove(opened, name)
    answer({"run": name, "removed": True}, as_json, f"“{name}” is removed.{needy}")


def _indexes_of(workspace: Workspace, name: str) -> str:
    """A sentence on the indexes that need a run's model, beginning with a space; empty where there are none."""
    from workbench.index.registry import list_indexes

    needy = [f"“{card.name}”" for card in list_indexes(workspace) if card.model == f"run:{name}"]
    return f" What was indexed with it cannot be searched without it: {', '.join(needy)}." if needy else ""


def finish(workspace: Workspace, job: JobFolder, wait: bool, as_json: bool, debug: bool) -> None:
    """The end of `train` and `runs resume`: wait for the run if asked to, and tell how it is or how to follow it.

    Exit code 1 if the run was waited for and did not finish; its object is printed even so.
    """
    status: Status | None = None
    with in_words(debug):
        if wait:
            status = follow(job)
        summary = summary_of(workspace, job)
    hold = jobs.hold_now(workspace)
    started = (
        f"“{job.name}” {'waits' if hold else 'runs'} in the background.{f' {hold.words}' if hold else ''}\n"
        f"To follow it: python -m workbench runs show {job.name}\n"
        f"To stop it:   python -m workbench runs stop {job.name}"
    )
    if as_json or not wait or summary["state"] == "finished":
        answer(summary, as_json, run_words(summary) if wait else started)
    if status is not None and status.state != "finished":
        if status.state == "stopped":
            say(f"To go on: python -m workbench runs resume {job.name}")
        fail(str(not_finished(job, status)))


def summary_of(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The object of `runs show`; for a job that is no run, the same keys with what it has.

    "advice": {"about", "words", "press", "changes"} is there where something went wrong and can be mended; "waits",
    what for, where it waits.
    """
    from workbench.training.advice import advice_for

    status = jobs.watch(job)
    advice = advice_for(job)
    told: dict[str, Any] = {"advice": asdict(advice)} if advice else {}
    if status.state == "queued" and status.note:
        told["waits"] = status.note
    if job.work == "train":
        from workbench.training.report import run_summary

        return run_summary(workspace, job.name, status) | told
    return told | {
        "run": job.name,
        "state": status.state,
        "step": status.step,
        "steps": status.total,
        "seconds": _seconds(job, status),
        "baseline": {},
        "metrics": {},
        "model": None,
        "reason": status.reason,
    }


def _seconds(job: JobFolder, status: Status) -> float:
    began = job.last_event("started")
    return round(max(0.0, status.updated - began["time"]), 1) if began else 0.0


def _line(job: JobFolder) -> dict[str, Any]:
    status, described = jobs.watch(job), job.job
    spec = described["spec"]
    return {
        "run": job.name,
        "state": status.state,
        "step": status.step,
        "steps": status.total,
        "work": described["work"],
        "created": described["created"],
        "collection": spec.get("collection"),
        "model": spec.get("model"),
        "reason": status.reason,
    }
