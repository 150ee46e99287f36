"""``python -m workbench models``: search the catalogue, look a model over, add one of your own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench.cli_remote import remote
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    WorkspaceOption,
    answer,
    confirm,
    fail,
    in_words,
    lasting,
    quiet_libraries,
)
from workbench.cli_words import table
from workbench.workspace import open_workspace

models = typer.Typer(help="Search the catalogue of models, look one over, add your own.", invoke_without_command=True)
models.add_typer(remote, name="remote")
ReferenceArgument = Annotated[str, typer.Argument(metavar="M", help=MODEL_HELP)]
TrustOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let it run the program code in its repository, with your rights.")
]
GIGA = 1_000_000_000


@models.callback()
def search_models(
    context: typer.Context,
    modality: Annotated[
        list[str] | None, typer.Option(help="Reads text, image, audio or video; give it again for more.")
    ] = None,
    kind: Annotated[str, typer.Option(help="embedder, reranker or late-interaction.")] = "",
    licence: Annotated[str, typer.Option(help="Part of the licence's name.")] = "",
    size: Annotated[float, typer.Option(min=0, metavar="MILLIONS", help="At most so many million parameters.")] = 0,
    fits: Annotated[bool, typer.Option("--fits", help="Only what can be trained in this device's memory.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search the catalogue and your own models. Without a word after it: list."""
    if context.invoked_subcommand is not None:
        return
    with in_words(debug):
        from workbench.models.listing import device_memory, find_models

        rows = find_models(
            open_workspace(workspace),
            modalities=modality,
            kind=kind,
            licence=licence,
            most_parameters=size * 1e6,
            device_bytes=device_memory() if fits else None,
        )
    answer({"models": rows}, as_json, _rows_in_words(rows))


@models.command()
def check(
    reference: ReferenceArgument,
    trust: TrustOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Load a model and say what it can do, or why it cannot be used."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.models.examine import examine

        found = examine(open_workspace(workspace), lasting(reference), trust_remote_code=trust)
    if found["problem"]:
        if as_json:
            answer(found, True, "")
        fail(found["problem"])
    answer(found, as_json, found_words(found))


@models.command()
def add(
    reference: ReferenceArgument,
    query_prompt: Annotated[str | None, typer.Option(help="Put before each query, instead of its own prompt.")] = None,
    document_prompt: Annotated[str | None, typer.Option(help="Put before each document.")] = None,
    trust: TrustOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Add a model of the Hub or of a folder to those that can be chosen, after a check."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.models.examine import add as add_to

        told = {"query": query_prompt, "document": document_prompt}
        prompts = {side: prompt for side, prompt in told.items() if prompt is not None}
        found = add_to(open_workspace(workspace), lasting(reference), trust_remote_code=trust, prompts=prompts)
    answer(found, as_json, f"Added as {found['reference']}.\n{found_words(found)}")


@models.command()
def join(
    text: Annotated[str, typer.Option(metavar="M", help="The text embedder. " + MODEL_HELP)],
    name: Annotated[str, typer.Option(help="What the joined model is called.")],
    image: Annotated[str, typer.Option(metavar="M", help="A model whose picture encoder is taken.")] = "",
    audio: Annotated[str, typer.Option(metavar="M", help="A model whose sound encoder is taken.")] = "",
    audio_seconds: Annotated[float, typer.Option(help="How much of each sound is heard, 0.5 to 30 seconds.")] = 10.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make one model of a text embedder and encoders of pictures and sound, to be trained next."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.models.join import join_models

        found = join_models(
            open_workspace(workspace),
            text=lasting(text),
            image=lasting(image) if image else "",
            audio=lasting(audio) if audio else "",
            name=name,
            audio_seconds=audio_seconds,
            say=lambda words: typer.echo(f"{words} …", err=True),
        )
    answer(found, as_json, f"Joined as {found['reference']}.\n{found_words(found)}")


@models.command()
def remove(
    reference: Annotated[str, typer.Argument(metavar="M", help="The reference under which it was added.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget an added model. Its files stay; those of a joined one are deleted."""
    with in_words(debug):
        from workbench.models.added import added_model, remove_model, was_joined

        opened = open_workspace(workspace)
        found = added_model(opened, reference)
        made_here = found is not None and was_joined(opened, found)
        confirm(f"Delete “{reference}” with its files? Runs that started from it keep theirs.", yes or not made_here)
        remove_model(opened, reference)
    files = "Its files are deleted." if made_here else "Its files stay."
    answer({"removed": reference}, as_json, f"“{reference}” is no longer among your models. {files}")


def found_words(found: dict[str, Any]) -> str:
    """What a check found, a line for each thing."""
    size = f"{found['parameters'] / 1e6:,.1f} million parameters"
    dimensions = f", vectors of {found['dimension']} dimensions" if found["dimension"] else ""
    memory = found["bytes"]
    lines = [
        f"{found['reference']} ({found['kind']}) reads {', '.join(found['modalities'])}.",
        f"{size}{dimensions}.",
        f"Memory: about {memory['use'] / GIGA:.1f} GB to use it; from {memory['train'] / GIGA:.1f} GB to train all of "
        "it, more with large batches.",
        *(f"Before each {side}: “{prompt}”" for side, prompt in found["prompts"].items()),
        *([f"Licence: {found['licence']}."] if found["licence"] else []),
        *(["It runs program code from its own repository."] if found["own_code"] else []),
        *found["notes"],
    ]
    return "\n".join(lines)


def _rows_in_words(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No model fits all of that. Ask for less, or add one: python -m workbench models add M"
    lines = [
        [row["reference"], row["kind"], ", ".join(row["modalities"]), f"{row['parameters'] / 1e6:,.0f}", row["licence"]]
        for row in rows
    ]
    return table(["model", "kind", "reads", "million parameters", "licence"], lines)
