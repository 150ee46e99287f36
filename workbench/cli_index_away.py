"""``python -m workbench index verify I`` and ``index export I --to DIR``: look through an index, and take it away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli_terminal import (
    WORK_FAILED,
    DebugOption,
    JsonOption,
    WorkspaceOption,
    answer,
    in_words,
    quiet_libraries,
)
from workbench.cli_words import duration
from workbench.workspace import open_workspace

IndexArgument = Annotated[str, typer.Argument(metavar="I", help="The index's name.")]


def verify_index(
    name: IndexArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Look through every row of an index. Ends with 1 if something is wrong, not if its collection has only changed."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.index.verify import verify

        found = verify(open_workspace(workspace), name)
    answer(found, as_json, verify_words(found))
    if not found["ok"]:
        raise typer.Exit(WORK_FAILED)


def export_index(
    name: IndexArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to make.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write an index as Parquet, for Qdrant, Milvus, Weaviate, Pinecone or any script."""
    with in_words(debug):
        from workbench.index.export import export_index as export

        found = export(open_workspace(workspace), name, to)
    said = f"{found['rows']:,} rows of “{name}” are in {found['folder']} ({found['bytes'] / 1e6:,.1f} MB)."
    answer(found, as_json, f"{said} Its README.md says how other databases load it.")


def verify_words(found: dict[str, Any]) -> str:
    """What was found, one line each, with the ids of a few rows."""
    looked = f"{found['rows']:,} rows looked at in {duration(found['seconds'])}."
    lines = [f"Nothing is wrong with “{found['index']}”: {looked}" if found["ok"] else f"“{found['index']}”: {looked}"]
    for one in found["findings"]:
        lines.append(f"  {'wrong' if one['severity'] == 'wrong' else 'note '}  {one['words']}")
        if one["examples"]:
            lines.append(f"         for example {', '.join(one['examples'])}")
    return "\n".join(lines)
