"""``python -m workbench runs``, continued: what can be done with a run that is kept.

Show it as a script, clone it, note something about it, compare it with others, clean up after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_runs import NameArgument, WaitOption, finish
from workbench.cli_sweep import sweep
from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, confirm, in_words
from workbench.cli_words import table
from workbench.workspace import check_name, open_workspace


def script(
    name: NameArgument,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here instead of printing it.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a run as a plain Python script that uses Sentence Transformers alone."""
    with in_words(debug):
        from workbench.training.script import script_of

        text = script_of(jobs.find(open_workspace(workspace), name))
        if to is not None:
            to.write_text(text, encoding="utf-8")
    told = f"Written to {to}. To run it: python {to} WORKSPACE_FOLDER" if to is not None else text
    answer({"run": name, "script": text}, as_json, told)


def clone(
    name: NameArgument,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="What to change; give it again for more.")
    ] = None,
    new: Annotated[str, typer.Option("--name", metavar="S", help="The new run's name; else made from the old.")] = "",
    wait: WaitOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Start a run again under another name, with some settings changed."""
    with in_words(debug):
        from workbench.settings import parse_overrides

        opened = open_workspace(workspace)
        new = check_name(new, "run") if new else jobs.free_name(opened, name)
        job = jobs.clone(opened, name, new, parse_overrides(settings or []))
    finish(opened, job, wait, as_json, debug)


def note(
    name: NameArgument,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The note; it replaces the old one.")] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag to add; give it again for more.")
    ] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", metavar="TAG", help="A tag to take off.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Note something about a run, or show what was noted."""
    with in_words(debug):
        job = jobs.find(open_workspace(workspace), name)
        kept = jobs.read_notes(job)
        if text is not None or tags or untag:
            changed = [tag for tag in [*kept["tags"], *(tags or [])] if tag not in (untag or [])]
            kept = jobs.write_notes(job, text, changed)
    tagged = f"Tags: {', '.join(kept['tags'])}" if kept["tags"] else ""
    words = "\n".join(part for part in (kept["text"], tagged) if part) or f"Nothing is noted about “{name}”."
    answer({"run": name, **kept}, as_json, words)


def compare(
    names: Annotated[list[str], typer.Argument(metavar="R1 R2 …", help="The runs to compare.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show runs side by side: the settings that differ, their scores and their verdicts."""
    with in_words(debug):
        from workbench.training.comparing import compare_runs

        compared = compare_runs(open_workspace(workspace), names)
    answer(compared, as_json, compared_words(compared))


def clean(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Delete the checkpoints of an ended run. Its model, scores and log stay."""
    with in_words(debug):
        opened = open_workspace(workspace)
        job = jobs.find(opened, name)
        words = f"“{name}” has not finished. Without its checkpoints it would begin anew. Delete them?"
        confirm(words, yes or jobs.watch(job).state == "finished")
        freed = jobs.clean(opened, name)
        used = jobs.disk_use(job)
    words = f"Freed {_megabytes(freed)}. “{name}” takes {_megabytes(used['total'])} now."
    answer({"run": name, "freed": freed, "bytes": used}, as_json, words)


def add_commands(runs: typer.Typer) -> None:
    """Add these commands to ``python -m workbench runs``."""
    for command in (script, clone, note, compare, clean, sweep):
        runs.command()(command)


def compared_words(compared: dict[str, Any]) -> str:
    """Runs side by side, as tables: their scores and verdicts, then the settings that differ."""
    rows = []
    for run in compared["runs"]:
        verdict = run.get("comparison") or {}
        low, high = verdict.get("interval") or (None, None)
        change = f"{verdict['difference']:+.3f} [{low:.3f}, {high:.3f}]" if verdict else "–"
        scores = [run[part].get("ndcg@10") for part in ("baseline", "metrics")]
        rows.append([run["run"], run["state"], *scores, change, verdict.get("verdict", "–")])
    lines = [table(["run", "state", "before", "after", "change", "verdict"], rows)]
    names = [run["run"] for run in compared["runs"]]
    if compared["settings"]:
        different = [[row["setting"], *map(_short, row["values"])] for row in compared["settings"]]
        lines += ["", table(["setting", *names], different)]
    else:
        lines += ["", "All settings are the same."]
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None or value == "" else str(value)


def _megabytes(count_of_bytes: int) -> str:
    return f"{count_of_bytes / 1e6:,.1f} MB"
