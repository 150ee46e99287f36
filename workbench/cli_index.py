"""``python -m workbench index``: make a collection or a folder searchable, and keep indexes in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_index_away import export_index, verify_index
from workbench.cli_index_life import COMMANDS
from workbench.cli_remote import tell_previews
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    WorkspaceOption,
    answer,
    do_job,
    in_words,
    known_collection,
    lasting,
)
from workbench.cli_words import index_words
from workbench.workspace import check_name, open_workspace

index = typer.Typer(help="Make something searchable; keep indexes in order.", invoke_without_command=True)
for word, command in COMMANDS.items():
    index.command(word)(command)
index.command("verify")(verify_index)
index.command("export")(export_index)


@index.callback()
def make_index(
    context: typer.Context,
    name: Annotated[str, typer.Option(metavar="I", help="The index's name.")] = "",
    model: Annotated[str, typer.Option("--model", metavar="M", help=MODEL_HELP)] = "",
    collection: Annotated[str, typer.Option(metavar="N", help="The collection to index.")] = "",
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Index the files of a folder instead.")] = None,
    dimension: Annotated[
        int | None, typer.Option(min=1, help="Matryoshka dimension; else the model's full size.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="float32, float16 in half the space, or rescored: found by signs.")
    ] = "float32",
    recall: Annotated[
        float, typer.Option(help="Share of the true first ten that a large index finds: 0.95 or 0.99.")
    ] = 0.95,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a collection or a folder searchable; with a word after it, keep an index in order."""
    if context.invoked_subcommand is not None:
        return
    if not (name and model):
        raise typer.BadParameter("Give --name and --model, and --collection or --folder.")
    if bool(collection) == bool(folder):
        raise typer.BadParameter("Give either --collection or --folder.")
    with in_words(debug):
        from workbench.evaluation.remote_cost import preview_index

        opened = open_workspace(workspace)
        check_name(name, "index")
        if folder is not None:
            collection = name
            documents = {"name": name, "source": str(folder.absolute()), "documents": True}
            do_job(opened, "import", jobs.free_name(opened, f"import-{name}"), documents)
        spec: dict[str, Any] = {"name": name, "collection": collection, "model": lasting(model), "dimension": dimension}
        spec |= {"precision": precision, "recall": recall}
        known_collection(opened, collection)
        tell_previews(preview_index(opened, collection, model))
        result = do_job(opened, "index", jobs.free_name(opened, f"index-{name}"), spec)
    answer(result, as_json, index_words(result))
