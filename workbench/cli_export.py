"""``python -m workbench export R --to DIR``: take a model away, at the size that was chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words
from workbench.workspace import NAME_PATTERN, open_workspace


def export(
    model: Annotated[str, typer.Argument(metavar="R", help="A run's name, run:NAME@STEP, or any other model.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to make.")],
    dimension: Annotated[
        int | None, typer.Option(min=1, help="Cut the vectors to this size; else they keep their own.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Copy a model to a folder that Sentence Transformers loads."""
    with in_words(debug):
        from workbench.models.export import export_model

        opened = open_workspace(workspace)
        named = NAME_PATTERN.fullmatch(model) and opened.run(model).exists()
        found = export_model(opened, f"run:{model}" if named else model, to, dimension)
    size = f" Its vectors have {dimension} numbers." if dimension else ""
    answer(found, as_json, f"“{found['model']}” is in {found['folder']} ({found['bytes'] / 1e6:,.1f} MB).{size}")
