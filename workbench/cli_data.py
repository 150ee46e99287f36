"""Commands for a collection that is there: ``check``, ``fix``, ``undo``, ``mine`` and ``generate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_remote import tell_previews
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    NameArgument,
    ProgressLine,
    WorkspaceOption,
    answer,
    do_job,
    in_words,
    known_collection,
    lasting,
    quiet_libraries,
)
from workbench.cli_words import check_words, generation_words, mining_words, preview_words
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, open_workspace


def check(
    name: NameArgument,
    model: Annotated[
        str, typer.Option(metavar="M", help=f"Also look for what this model would cut, and hubs: {MODEL_HELP}")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Look a collection over: duplicates, leaks, contradictions, unreadable media and more (the data doctor)."""
    with in_words(debug):
        opened = open_workspace(workspace)
        known_collection(opened, name)
        if model:
            spec = {"collection": name, "model": lasting(model)}
            result = do_job(opened, "check", jobs.free_name(opened, f"check-{name}"), spec)
        else:
            # Without a model nothing waits for the device, so a check can run beside a training.
            result = _check_here(opened, name, debug)
        words = "" if as_json else _check_words(opened, name)
    answer(result, as_json, words)


def fix(
    name: NameArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind of finding, or its number in the list.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Mend what the last check found. `undo` takes it back."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.doctor.fixes import fix as mend

        opened = open_workspace(workspace)
        known_collection(opened, name)
        done = mend(opened, name, int(kind) - 1 if kind.isdecimal() else kind)
    answer({"collection": name, "kind": kind, "done": done}, as_json, done)


def undo(
    name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Take back the last change of a collection."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.collection.editing import changes
        from workbench.collection.editing import undo as take_back

        opened = open_workspace(workspace)
        known_collection(opened, name)
        change = take_back(opened, name)
        left = len(changes(opened, name))
    more = f" {left:,} earlier {'change' if left == 1 else 'changes'} can be taken back too." if left else ""
    answer({"collection": name, "undone": change.what, "left": left}, as_json, f"Taken back: {change.what}.{more}")


def mine(
    name: NameArgument,
    model: Annotated[str, typer.Option("--model", metavar="M", help=MODEL_HELP)] = "",
    per_query: Annotated[int, typer.Option(min=1, max=100, help="How many for each query.")] = 4,
    first_rank: Annotated[int, typer.Option(min=1, help="Skip what ranks before this: it may be right.")] = 1,
    last_rank: Annotated[int, typer.Option(min=1, help="How far down to look.")] = 100,
    margin: Annotated[
        float, typer.Option(help="At most this share of the positive's similarity; 0 for no limit.")
    ] = 0.95,
    absolute_margin: Annotated[
        float | None, typer.Option(help="At least this much less similar than the positive.")
    ] = None,
    reranker: Annotated[str, typer.Option(metavar="M", help="Leave out what this reranker takes for right.")] = "",
    drop: Annotated[bool, typer.Option("--drop", help="Remove what was mined before, and mine nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Add wrong answers that look right (hard negatives), in place of those mined before."""
    if not drop and not model:
        raise typer.BadParameter("Give --model M, or --drop to remove what was mined before.")
    with in_words(debug):
        quiet_libraries(debug)
        opened = open_workspace(workspace)
        known_collection(opened, name)
        from workbench.enrich.mining import mining_spec
        from workbench.evaluation.remote_cost import preview_whole

        spec = mining_spec(
            opened,
            collection=name,
            model=lasting(model) if model else None,
            reranker=lasting(reranker) if reranker else None,
            drop=drop,
            per_query=per_query,
            first_rank=first_rank,
            last_rank=last_rank,
            margin=margin or None,
            absolute_margin=absolute_margin,
        )
        tell_previews(preview_whole(opened, name, [model]))
        result = do_job(opened, "mine", jobs.free_name(opened, f"mine-{name}"), spec)
    answer(result, as_json, mining_words(result))


def generate(
    name: NameArgument,
    endpoint: Annotated[str, typer.Option(metavar="URL", help="An OpenAI-compatible server.")] = "",
    endpoint_model: Annotated[str, typer.Option(metavar="NAME", help="The model's name there.")] = "",
    prompt: Annotated[str, typer.Option(help="What to ask; {count} and {document} are filled in.")] = "",
    count: Annotated[int, typer.Option(min=1, max=20, help="How many queries for each document.")] = 3,
    limit: Annotated[int, typer.Option(min=0, help="So many documents at most, drawn by lot; 0 for all.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="Also documents that have a query already.")] = False,
    round_trip: Annotated[str, typer.Option(metavar="M", help="Keep a query only if this finds its document.")] = "",
    round_trip_rank: Annotated[int, typer.Option(min=1, help="… among so many.")] = 10,
    seed: Annotated[int, typer.Option(help="Which documents are drawn.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how much it would be, and send nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Let a language model of your choice write queries for documents that have none."""
    if not dry_run and not (endpoint and endpoint_model):
        raise typer.BadParameter("Give --endpoint URL and --endpoint-model NAME, or --dry-run to see how much it is.")
    with in_words(debug):
        quiet_libraries(debug)
        opened = open_workspace(workspace)
        known_collection(opened, name)
        from workbench.enrich.generating import generation_settings, generation_spec, preview_generation
        from workbench.evaluation.remote_cost import preview_whole

        settings: dict[str, Any] = {
            "endpoint": endpoint,
            "endpoint_model": endpoint_model,
            "per_document": count,
            "limit": limit,
            "which": "all" if every else "unqueried",
            "round_trip": lasting(round_trip) if round_trip else None,
            "round_trip_rank": round_trip_rank,
            "seed": seed,
            "dry_run": dry_run,
        }
        settings |= {"prompt": prompt} if prompt else {}
        if dry_run:
            result = preview_generation(opened, name, generation_settings(settings))
        else:
            spec = generation_spec(opened, collection=name, **settings)
            tell_previews(preview_whole(opened, name, [round_trip]))
            result = do_job(opened, "generate", jobs.free_name(opened, f"generate-{name}"), spec)
    answer(result, as_json, preview_words(result) if dry_run else generation_words(result))


def add_commands(app: typer.Typer) -> None:
    """Make the commands of this module commands of `app`."""
    for command in (check, fix, undo, mine, generate):
        app.command()(command)


def _check_here(opened: Workspace, name: str, debug: bool) -> dict[str, Any]:
    quiet_libraries(debug)
    from workbench.doctor.check import check_collection

    line = ProgressLine("check")
    try:
        return check_collection(opened, name, progress=line.step)
    finally:
        line.close()


def _check_words(opened: Workspace, name: str) -> str:
    """What the check that was just made says, with examples that can be read."""
    from workbench.collection.store import open_collection
    from workbench.doctor.check import read_check
    from workbench.doctor.examples import in_words as examples_in_words

    check_made, collection = read_check(opened, name), open_collection(opened, name)
    if check_made is None:
        raise WorkbenchError(f"The check of “{name}” could not be read back. Check the disk, then try again.")
    told = [{**finding.as_json(), "shown": examples_in_words(collection, finding)} for finding in check_made.findings]
    return check_words(name, told)
