"""``python -m workbench index list``, ``show``, ``update``, ``reembed``, ``rollback``, ``compact``, ``remove``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import jobs
from workbench.cli_remote import tell_previews
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    WorkspaceOption,
    answer,
    confirm,
    do_job,
    in_words,
    lasting,
)
from workbench.cli_words import duration, table
from workbench.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from workbench.index.registry import IndexCard

IndexArgument = Annotated[str, typer.Argument(metavar="I", help="The index's name.")]


def list_indexes(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the indexes, the newest first."""
    with in_words(debug):
        from workbench.index.registry import list_indexes as listed

        cards = listed(open_workspace(workspace))
    rows = [[card.name, f"{card.rows:,}", card.collection, card.model, card.dimension, card.kind] for card in cards]
    words = table(["index", "rows", "collection", "model", "dimension", "kind"], rows) if rows else "No index yet."
    found = [card.as_json() | {"collection": card.collection, "model": card.model} for card in cards]
    answer({"indexes": found}, as_json, words)


def show_index(
    name: IndexArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show one index: what it holds, whether its collection has changed since, and what can be rolled back to."""
    with in_words(debug):
        found = described(open_workspace(workspace), name)
    answer(found, as_json, _card_words(found))


def update_index(
    name: IndexArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Embed what the collection has gained, delete what it has lost. The index answers meanwhile."""
    with in_words(debug):
        result = _do(open_workspace(workspace), name, "update")
    counts = {word: result[word] for word in ("added", "removed", "changed")}
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    words = f"Updated “{name}”: {told}; {result['rows']:,} documents now." if told else f"“{name}” was up to date."
    answer(result, as_json, words)


def reembed_index(
    name: IndexArgument,
    model: Annotated[str, typer.Option("--model", metavar="M", help=MODEL_HELP + " Else the one it has.")] = "",
    dimension: Annotated[
        int | None, typer.Option(min=1, help="Matryoshka dimension; else the model's full size.")
    ] = None,
    precision: Annotated[str, typer.Option(help="As of index; else the one it has.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Embed the collection of an index with another model, size or precision, and switch when it is ready."""
    with in_words(debug):
        from workbench.evaluation.remote_cost import preview_index
        from workbench.index.registry import get_index

        opened = open_workspace(workspace)
        card = get_index(opened, name)
        tell_previews(preview_index(opened, card.collection, model or card.model))
        chosen = lasting(model) if model else ""
        result = _do(opened, name, "reembed", model=chosen, dimension=dimension, precision=precision)
    words = (
        f"“{name}” answers with {result['dimension']} dimensions now. To go back: python -m workbench index rollback"
    )
    answer(result, as_json, f"{words} {name}")


def roll_back_index(
    name: IndexArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Go back to the state before, at once; the same again goes forth."""
    with in_words(debug):
        from workbench.index.life import roll_back

        card = roll_back(opened := open_workspace(workspace), name)
        found = described(opened, name)
    answer(found, as_json, f"“{name}” is as it was {_ago(card)}: {card.rows:,} documents, by {card.model}.")


def compact_index(
    name: IndexArgument,
    forget: Annotated[bool, typer.Option("--forget", help="Also let go of the state before, and its disk.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Merge the pieces of an index and measure it again. What it answers stays the same."""
    with in_words(debug):
        result = _do(open_workspace(workspace), name, "compact", forget=forget)
    answer(result, as_json, f"Compacted “{name}”: {result['rows']:,} documents, {result['bytes'] / 1e6:.1f} MB.")


def remove_index(
    name: IndexArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an index and the state before it. Collection and model stay."""
    with in_words(debug):
        from workbench.index.registry import remove_index as remove

        opened = open_workspace(workspace)
        confirm(f"Delete the index “{name}”? Its collection and its model stay.", yes)
        remove(opened, name)
    answer({"index": name, "removed": True}, as_json, f"“{name}” is removed.")


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_indexes,
    "show": show_index,
    "update": update_index,
    "reembed": reembed_index,
    "rollback": roll_back_index,
    "compact": compact_index,
    "remove": remove_index,
}


def described(workspace: Workspace, name: str) -> dict[str, Any]:
    """What `index show` prints of one index."""
    from workbench.index.life import Behind, behind
    from workbench.index.registry import get_index
    from workbench.index.state import state

    card = get_index(workspace, name)
    files = state(workspace, card)
    lag = behind(workspace, card) if files.there else Behind()
    before = card.before
    return {
        **card.as_json(),
        "collection": card.collection,
        "model": card.model,
        "modalities": card.modalities,
        "created": card.created,
        "files": vars(files),
        "behind": {"more": lag.more, "fewer": lag.fewer, "gone": lag.gone},
        "advice": lag.words,
        "before": None if before is None else {**before.as_json(), "model": before.model, "created": before.created},
    }


def _do(workspace: Workspace, name: str, action: str, **options: Any) -> dict[str, Any]:
    from workbench.index.life import action_spec

    spec = action_spec(workspace, name, action, **options)
    return do_job(workspace, "index", jobs.free_name(workspace, f"{action}-{name}"), spec)


def _card_words(found: dict[str, Any]) -> str:
    held = ", ".join(f"{count:,} {kind}" for kind, count in found["modalities"].items())
    lines = [
        f"“{found['index']}”: {found['rows']:,} documents ({held}) of “{found['collection']}”, by {found['model']}.",
        f"{found['dimension']} dimensions, {found['precision']}, {found['kind']}, {found['bytes'] / 1e6:.1f} MB.",
    ]
    if found["kind"] != "exact":
        lines.append(f"Recall@10 against exact search: {found['recall@10']:.3f}.")
    files = found["files"]
    if files["there"]:
        lines.append(f"In {files['place']}: pieces {files['fragments']:,}, versions kept {files['versions']:,}.")
    else:
        lines.append(f"Its files are not in {files['place']}: build it again, or look where indexes lie.")
    if found["advice"]:
        lines.append(f"{found['advice']} To follow it: python -m workbench index update {found['index']}")
    if found["before"]:
        lines.append(f"Before: {found['before']['rows']:,} documents, by {found['before']['model']}.")
    return "\n".join(lines)


def _ago(card: IndexCard) -> str:
    return f"{duration(max(0.0, time.time() - card.created))} ago"
