"""``python -m workbench report``: an evaluation as a file to keep, to send, or to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words, quiet_libraries
from workbench.workspace import check_name, open_workspace


def report(
    name: Annotated[str, typer.Argument(metavar="E", help="The evaluation's name.")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR_OR_FILE", help="Where to; else the workspace's exports (a card: into the runs)."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="html, json, csv, mteb (its TaskResult), or card (of the models).")
    ] = "html",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write an evaluation as one page, as an object or tables, as results of mteb, or into the cards of its models."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.evaluation.report_file import write_report

        opened = open_workspace(workspace)
        written = write_report(opened, check_name(name, "evaluation"), form, to and to.expanduser().absolute())
        lines = [f"Wrote {path} ({path.stat().st_size / 1e3:,.0f} kB)" for path in written]
    answer({"evaluation": name, "format": form, "files": [str(path) for path in written]}, as_json, "\n".join(lines))
