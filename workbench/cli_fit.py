"""``python -m workbench fit``: will a run fit into memory, and how long will it take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    KindOption,
    PresetOption,
    WorkspaceOption,
    answer,
    do_job,
    duration,
    in_words,
    lasting,
)
from workbench.workspace import open_workspace


def fit(
    collection: Annotated[str, typer.Option("--collection", metavar="N", help="The collection's name.")],
    model: Annotated[str, typer.Option("--model", metavar="M", help=MODEL_HELP)] = "starter",
    kind: KindOption = "embedder",
    preset: PresetOption = "balanced",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; give it again for more.")
    ] = None,
    how: Annotated[
        bool | None,
        typer.Option(
            "--measure/--estimate",
            help="A dry run on this device, anew; or an estimate at once. Else the last measurement, or a dry run.",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Will it fit: memory, seconds a step, the largest mini-batch."""
    with in_words(debug):
        from workbench.settings import parse_overrides
        from workbench.training import fit as fitting
        from workbench.training.spec import train_spec

        opened = open_workspace(workspace)
        spec = train_spec(
            opened,
            collection=collection,
            model=lasting(model),
            kind=kind,
            preset=preset,
            overrides=parse_overrides(settings or []),
            starts=False,
        )
        found = fitting.fit(opened, spec, measured=how is None)
        if how or (how is None and not found["measured"]):
            name = jobs.free_name(opened, f"fit-{collection}")
            found = do_job(opened, "fit", name, {"collection": collection, "run": spec})
            jobs.remove(opened, name)
    answer(found, as_json, fit_words(found))


def fit_words(found: dict[str, Any]) -> str:
    """The answer for a person."""
    if not found["measured"]:
        return str(found["words"])
    peak, free = found["peak_bytes"] / 1e9, found["device_bytes"] / 1e9
    return (
        f"{peak:,.2f} GB at the peak, of {free:,.1f} GB that {found['device']} has free, with a mini-batch of "
        f"{found['mini_batch_size']}.\n"
        f"{found['seconds_per_step']:.3g} s a step, so about {duration(found['run_seconds'])} for "
        f"{found['steps']:,} steps and the scoring."
    )
