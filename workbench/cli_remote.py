"""``python -m workbench models remote``: describe models behind an address, try them, see what they would cost."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words, say
from workbench.cli_words import table
from workbench.workspace import open_workspace

remote = typer.Typer(help="Describe models behind an address, try one, forget one.", no_args_is_help=True)
RemoteName = Annotated[str, typer.Argument(metavar="NAME", help="Used as remote:NAME from then on.")]
SidesOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Put into each request; query.KEY or document.KEY for one side."),
]


@remote.command()
def add(
    name: RemoteName,
    shape: Annotated[
        str,
        typer.Option(help="openai, cohere, tei or ollama; to rerank cohere-rerank, jina-rerank or tei-rerank."),
    ],
    url: Annotated[str, typer.Option(metavar="URL", help="Its address; else that of the service itself.")] = "",
    model: Annotated[str, typer.Option(metavar="M", help="The model's name there.")] = "",
    key_variable: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable that holds the key. Never the key.")
    ] = "",
    dimension: Annotated[int | None, typer.Option(min=1, help="Ask for vectors of so many numbers.")] = None,
    modality: Annotated[list[str] | None, typer.Option(help="What it reads: text, image, text+image.")] = None,
    query_prompt: Annotated[str, typer.Option(help="Put before each query.")] = "",
    document_prompt: Annotated[str, typer.Option(help="Put before each document.")] = "",
    settings: SidesOption = None,
    batch: Annotated[int, typer.Option(min=0, help="Inputs of a request; 0 for what is usual there.")] = 0,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Requests at the same time.")] = 4,
    a_minute: Annotated[int, typer.Option(min=0, help="Requests a minute at most; 0 for any.")] = 0,
    longest_text: Annotated[int, typer.Option(min=0, help="Cut texts to so many characters; 0 for never.")] = 0,
    price: Annotated[float | None, typer.Option(min=0, help="Of a million tokens, in any currency.")] = None,
    unencrypted: Annotated[
        bool, typer.Option("--allow-unencrypted", help="Send over http to a machine that is not near.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Describe a model behind an address. Sends nothing."""
    with in_words(debug):
        from workbench.models.remote import add_remote, described
        from workbench.models.remote_keys import key_variable as variable_of
        from workbench.models.remote_shapes import shape_named

        values: dict[str, Any] = {
            "name": name,
            "shape": shape,
            "address": url or shape_named(shape).address,
            "model": model,
            "dimension": dimension,
            "modalities": tuple(modality or ["text"]),
            "prompts": {"query": query_prompt, "document": document_prompt},
            "fields": _fields(settings or []),
            "batch_size": batch,
            "at_once": at_once,
            "a_minute": a_minute,
            "longest_text": longest_text,
            "price": price,
            "key_variable": key_variable,
            "unencrypted": unencrypted,
        }
        added = add_remote(open_workspace(workspace), values)
        variable = variable_of(added)
    told = f"Its key is read from {variable}." if variable else "No key is sent to it; for one give --key-variable."
    answer(
        described(added) | {"host": added.host, "key_variable": variable},
        as_json,
        f"Added as {added.reference}. {added.host} gets what is sent to it. {told}\n"
        f"Try it: python -m workbench models remote check {name}",
    )


@remote.command("list")
def list_remotes(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """The models behind an address that this workspace knows."""
    with in_words(debug):
        from workbench.models.remote import described, remotes
        from workbench.models.remote_keys import key_variable as variable_of

        found = remotes(open_workspace(workspace))
        rows = [described(one) | {"host": one.host, "key_variable": variable_of(one)} for one in found]
        lines = [
            [one.reference, one.kind, one.host, one.model, ", ".join(one.modalities), variable_of(one) or "none"]
            for one in found
        ]
    words = table(["model", "kind", "host", "its name there", "reads", "key from"], lines) if lines else NO_REMOTES
    answer({"remotes": rows}, as_json, words)


@remote.command()
def remove(
    name: RemoteName, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Forget a remote model; its evaluations stay."""
    with in_words(debug):
        from workbench.models.remote import PREFIX, remove_remote

        name = name.removeprefix(PREFIX)
        remove_remote(open_workspace(workspace), name)
    answer({"removed": PREFIX + name}, as_json, f"“{PREFIX}{name}” is forgotten. Its evaluations stay.")


@remote.command()
def check(
    name: RemoteName, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Make one tiny call with a made-up text, and say what came."""
    with in_words(debug):
        from workbench.models.remote import PREFIX
        from workbench.models.remote_check import check_remote

        found = check_remote(open_workspace(workspace), name.removeprefix(PREFIX))
    answer(found, as_json, _check_words(found))


@remote.command()
def preview(
    name: RemoteName,
    collection: Annotated[str, typer.Option(metavar="N", help="The collection to be evaluated or indexed.")],
    index: Annotated[bool, typer.Option("--index", help="All documents, instead of what is held out.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say what an evaluation would send to it, and what that would cost. Sends nothing."""
    with in_words(debug):
        from workbench.evaluation.remote_cost import preview_evaluation, preview_index
        from workbench.models.remote import PREFIX
        from workbench.models.remote_check import preview_words

        opened, reference = open_workspace(workspace), PREFIX + name.removeprefix(PREFIX)
        found = (
            preview_index(opened, collection, reference)
            if index
            else preview_evaluation(opened, collection, [reference])
        )[0]
    answer(found, as_json, preview_words(found))


def tell_previews(previews: list[dict[str, Any]]) -> None:
    """Say on stderr who gets how much, before anything is sent; somebody at a terminal is asked whether to go on."""
    from workbench.models.remote_check import preview_words

    for one in previews:
        say(preview_words(one))
    if previews and sys.stdin.isatty():
        typer.confirm("Go on?", default=True, abort=True, err=True)


NO_REMOTES = "No remote model is described. To add one: python -m workbench models remote add NAME --shape S --url URL"


def _check_words(found: dict[str, Any]) -> str:
    what = "two scores"
    if found["dimension"]:
        length = "of unit length" if found["normalised"] else "not of unit length, which the workbench sees to"
        what = f"a vector of {found['dimension']:,} numbers, {length}"
    return f"{found['reference']} answers: {found['host']} gave {what}, in {found['milliseconds']:,} ms."


def _fields(settings: list[str]) -> dict[str, dict[str, Any]]:
    """``query.task=x`` and ``truncate=END`` as fields by side. Values are JSON where they can be read as such."""
    fields: dict[str, dict[str, Any]] = {"query": {}, "document": {}}
    for setting in settings:
        name, equals, value = setting.partition("=")
        side, dot, inner = name.partition(".")
        if not equals or not name:
            raise typer.BadParameter(f"“{setting}” is no setting. Write KEY=VALUE, or query.KEY=VALUE for one side.")
        sides = [side] if dot and side in fields else list(fields)
        for one in sides:
            fields[one][inner if dot and side in fields else name] = _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
