"""``python -m workbench map E``: where the items of an evaluation lie, and the gap between its modalities."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, do_job, in_words
from workbench.cli_words import table
from workbench.workspace import open_workspace


def draw_map(
    evaluation: Annotated[str, typer.Argument(metavar="E", help="The evaluation's name.")],
    umap: Annotated[bool, typer.Option("--umap", help="Also lay it out with UMAP, in the background.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Map the items of an evaluation, and measure the gap between modalities."""
    with in_words(debug):
        from workbench.evaluation.map import make_map, told

        opened = open_workspace(workspace)
        found = told(opened, make_map(opened, evaluation))
        if umap and "umap" not in found["layouts"]:
            name = jobs.free_name(opened, f"map-{evaluation}")
            found = do_job(opened, "map", name, {"evaluation": evaluation, "umap": True})
    answer(found, as_json, map_words(found))


def map_words(found: dict[str, Any]) -> str:
    """The gaps as a table, what is drawn, and where it is kept."""
    rows = [[row["model"], " – ".join(row["between"]), f"{row['gap']:.3f}", f"{row['chance']:.3f}", *row["items"]]
            for row in found["gaps"]]  # fmt: skip
    shares = " and ".join(f"{100 * share:.0f} %" for share in found["variance"])
    lines = [
        table(["model", "between", "gap", "by chance", "items", "items"], rows),
        "The gap is the distance between the mean unit vectors of the two; by chance is what so many items of one "
        "region would show.",
        f"{found['points']:,} items, laid out by {' and '.join(found['layouts'])}; the axes of the first hold {shares} "
        "of the variance.",
        f"Kept in {found['file']}",
    ]
    return "\n".join(lines)


def add_command(app: typer.Typer) -> None:
    """Make the command of this module one of `app`."""
    app.command("map")(draw_map)
