"""``python -m workbench train --sweep …`` and ``runs sweep``: several runs that differ in a few settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words
from workbench.cli_words import table
from workbench.errors import WorkbenchError
from workbench.jobs import sweeping
from workbench.workspace import Workspace, check_name, open_workspace

PICKED = "The first of several looks a little better than it is: the same held-out queries picked it."


def begin_sweep(
    workspace: Workspace,
    name: str,
    spec_of: Callable[[dict[str, Any]], dict[str, Any]],
    words: list[str],
    budget: int,
    wait: bool,
) -> tuple[dict[str, Any], str]:
    """`train --sweep`: queue the runs. Returns the answer as JSON and in words."""
    if wait:
        raise WorkbenchError("A sweep is several runs, so it is not waited for. Leave out --wait.")
    values = sweeping.read_sweep(words)
    chosen = sweeping.combinations(values, budget)
    begun = sweeping.sweep(workspace, name, spec_of, chosen)
    lines = [f"{job.name}: {sweeping.in_words(one)}" for job, one in zip(begun, chosen, strict=True)]
    total = sweeping.size_of(values)
    drawn = f"{len(chosen)} of {total:,} combinations, drawn at random. " if len(chosen) < total else ""
    lines.append(f"{drawn}They run in turn. To follow them: python -m workbench runs sweep {name}")
    return {"sweep": name, "runs": [job.name for job in begun], "combinations": total}, "\n".join(lines)


def sweep(
    name: Annotated[str, typer.Argument(metavar="S", help="The name that the sweep was begun under.")],
    stop: Annotated[bool, typer.Option("--stop", help="Ask those of its runs that have not ended to stop.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the runs of a sweep, the best first, or stop them all."""
    with in_words(debug):
        opened = open_workspace(workspace)
        stopped = sweeping.stop_sweep(opened, check_name(name, "sweep")) if stop else []
        found = {"sweep": name, "runs": sweeping.ranked(opened, name), "stopped": stopped}
    answer(found, as_json, sweep_words(found))


def sweep_words(found: dict[str, Any]) -> str:
    """The runs of a sweep as a table, the best first, and what became of those without a score."""
    rows = []
    for run in found["runs"]:
        compared = run.get("comparison") or {}
        change = f"{compared['difference']:+.3f} {compared['verdict']}" if compared else "–"
        rows.append([run["run"], run["note"], run["state"], run["metrics"].get(run["chosen_by"]), change])
    lines = [table(["run", "settings", "state", found["runs"][0]["chosen_by"], "change"], rows)]
    lines += [f"{run['run']}: {run['reason'].splitlines()[0]}" for run in found["runs"] if run["reason"]]
    if found["stopped"]:
        lines.append(f"Asked to stop: {', '.join(found['stopped'])}.")
    if sum(bool(run["metrics"]) for run in found["runs"]) > 1:
        lines.append(PICKED)
    return "\n".join(lines)
