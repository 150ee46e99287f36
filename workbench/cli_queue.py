"""``python -m workbench runs``, continued: the queue in which they wait. Show it, reorder it, pause it, keep hours."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_runs import NameArgument
from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words
from workbench.cli_words import table
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, open_workspace


def queue(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show what computes, what waits and in which order, and whether the queue is paused."""
    with in_words(debug):
        told = queue_object(open_workspace(workspace))
    answer(told, as_json, queue_words(told))


def move(
    name: NameArgument,
    first: Annotated[bool, typer.Option("--first", help="Before all others.")] = False,
    up: Annotated[bool, typer.Option("--up", help="Before the one before it.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Behind the one behind it.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Behind all others.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Move a waiting run in the queue."""
    with in_words(debug):
        chosen: list[jobs.Where] = []
        chosen += ["first"] if first else []
        chosen += ["up"] if up else []
        chosen += ["down"] if down else []
        chosen += ["last"] if last else []
        if len(chosen) != 1:
            raise WorkbenchError("Say where to: one of --first, --up, --down, --last.")
        names = jobs.move(open_workspace(workspace), name, chosen[0])
    answer({"run": name, "waiting": names}, as_json, f"They start in this order: {', '.join(names)}.")


def pause(
    until: Annotated[
        str, typer.Option("--until", metavar="07:00", help="When it goes on by itself; a date may stand before it.")
    ] = "",
    now: Annotated[
        bool, typer.Option("--now", help="What runs saves a checkpoint and waits too, instead of ending first.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Pause the queue: nothing new starts."""
    with in_words(debug):
        opened = open_workspace(workspace)
        jobs.pause(opened, until, at_once=now)
        told = queue_object(opened)
    answer(told, as_json, "\n".join([*state_words(told), *_first_words(told)]))


def go_on(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Go on with the queue: end a pause, and outside its hours work until they come again."""
    with in_words(debug):
        opened = open_workspace(workspace)
        jobs.go_on(opened)
        told = queue_object(opened)
    answer(told, as_json, "\n".join(state_words(told)))


def hours(
    begin: Annotated[str, typer.Argument(metavar="[20:00]", help="When the queue begins, every day.")] = "",
    end: Annotated[str, typer.Argument(metavar="[07:00]", help="When what runs is set aside until the next day.")] = "",
    always: Annotated[bool, typer.Option("--always", help="Work at all hours again.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show or set the hours of the day in which the queue works."""
    with in_words(debug):
        opened = open_workspace(workspace)
        if always:
            jobs.work_always(opened)
        elif begin or end:
            jobs.work_between(opened, begin, end)
        told = queue_object(opened)
    answer(told, as_json, "\n".join([*state_words(told), *_first_words(told)]))


def queue_object(workspace: Workspace) -> dict[str, Any]:
    """The object of `runs queue`: {"paused": {"until", "at_once", "words"} or null, "hours": {"begin", "end",
    "goes_on_before"} or null, "computing", "waiting": a row each, in order}."""
    rules, hold = jobs.read_rules(workspace), jobs.hold_now(workspace)
    computing, waiting = jobs.the_line(workspace)
    hours = rules.hours
    before = hours is not None and hold is None and not hours.hold(time.time())
    return {
        "paused": {"until": hold.until, "at_once": hold.at_once, "words": hold.words} if hold else None,
        "hours": {"begin": hours.begin, "end": hours.end, "goes_on_before": before} if hours else None,
        "computing": [_row(one) for one in computing],
        "waiting": [_row(one) for one in waiting],
    }


def _row(one: jobs.InLine) -> dict[str, Any]:
    return {
        "run": one.name,
        "work": one.work,
        "state": one.status.state,
        "device": one.status.device or one.wanted,
        "step": one.status.step,
        "steps": one.status.total,
        "note": one.status.note,
        "goes_on": one.goes_on,
    }


def queue_words(told: dict[str, Any]) -> str:
    """The queue as a table, below what holds it."""
    rows = [["at work", *_cells(row)] for row in told["computing"]]
    rows += [[f"{place}.", *_cells(row)] for place, row in enumerate(told["waiting"], 1)]
    listed = table(["place", "name", "work", "device", "step", "doing"], rows) if rows else "Nothing runs or waits."
    return "\n".join([*state_words(told), *_first_words(told), listed])


def _cells(row: dict[str, Any]) -> list[str]:
    return [row["run"], row["work"], row["device"] or "any", f"{row['step']:,}/{row['steps']:,}", row["note"]]


def state_words(told: dict[str, Any]) -> list[str]:
    """Whether the queue is paused, and which hours it keeps, a line each."""
    lines = [told["paused"]["words"]] if told["paused"] else []
    if told["paused"]:
        lines.append("To go on: python -m workbench runs go-on")
    if kept := told["hours"]:
        before = "; this time it goes on before they begin" if kept["goes_on_before"] else ""
        lines.append(f"The queue keeps hours, from {kept['begin']} to {kept['end']}{before}.")
        lines.append("To work at all hours: python -m workbench runs hours --always")
    return lines or ["The queue is open at all hours."]


def _first_words(told: dict[str, Any]) -> list[str]:
    """What ends before a pause begins for it."""
    if not told["paused"]:
        return []
    ending = [row["run"] for row in told["computing"] if not (told["paused"]["at_once"] and row["goes_on"])]
    return [f"What runs is finished first: {', '.join(ending)}."] if ending else []


def add_commands(runs: typer.Typer) -> None:
    """Add these commands to ``python -m workbench runs``."""
    for command in (queue, move, pause, hours):
        runs.command()(command)
    runs.command("go-on")(go_on)
