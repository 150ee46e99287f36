"""``python -m workbench pipeline``: is a second stage worth it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workbench import jobs
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
from workbench.cli_words import table
from workbench.workspace import open_workspace


def pipeline(
    collection: Annotated[str, typer.Option("--collection", metavar="N", help="The collection's name.")],
    model: Annotated[str, typer.Option("--model", metavar="M", help=f"The first stage: {MODEL_HELP}")],
    reranker: Annotated[str, typer.Option(metavar="R", help="Put the first results in order with this model.")] = "",
    fuse: Annotated[bool, typer.Option("--fuse", help="Full text beside the first stage.")] = False,
    direction: Annotated[str, typer.Option(metavar="D", help="For example text->image; all as uploaded.")] = "all",
    queries: Annotated[int, typer.Option(help="Ask at most so many of the held-out queries.")] = 200,
    dimension: Annotated[
        int | None, typer.Option(min=2, help="Compare this many dimensions in the first stage.")
    ] = None,
    evaluation: Annotated[str, typer.Option(metavar="E", help="Keep the result in this evaluation.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Is a second stage worth it: an embedder alone, with full text, and with a reranker, against time."""
    with in_words(debug):
        from workbench.evaluation.pipelines import pipeline_spec
        from workbench.evaluation.remote_cost import preview_second_stage

        opened = open_workspace(workspace)
        known_collection(opened, collection)
        spec = pipeline_spec(
            opened,
            collection=collection,
            model=lasting(model),
            reranker=lasting(reranker) if reranker else None,
            fuse=fuse,
            direction=direction,
            queries=queries,
            evaluation=evaluation or None,
            dimension=dimension,
        )
        tell_previews(preview_second_stage(opened, spec))
        result = do_job(opened, "pipeline", jobs.free_name(opened, f"pipeline-{collection}"), spec)
    answer(result, as_json, pipeline_table(result))


def pipeline_table(result: dict[str, Any]) -> str:
    """The answer for a person: a row a stage, and what they come to."""
    rows = []
    for row in result["rows"]:
        gain, time = row["gain"], row["milliseconds"]["total"]
        low, high = gain["interval"] if gain else (0.0, 0.0)
        rows.append(
            [
                stage_words(row),
                row["metrics"]["ndcg@10"],
                f"{gain['difference']:+.3f} [{low:+.3f}, {high:+.3f}]" if gain else "",
                gain["verdict"] if gain else "",
                "–" if time is None else f"{time:,.1f}",
            ]
        )
    asked = f"{result['queries']:,} queries of “{result['collection']}” ({result['direction']})"
    lines = [f"{result['model']} at {result['dimension']:,} dimensions, {asked}, {result['documents']:,} documents"]
    lines.append(table(["stage", "ndcg@10", "gain", "", "ms a query"], rows))
    return "\n".join([*lines, result["words"]])


def stage_words(row: dict[str, Any]) -> str:
    """A row's stage in words."""
    fixed = {"embedder": "embedder alone", "full_text": "full text alone", "fused": "both fused"}
    return fixed.get(row["stage"]) or f"+ reranker, first {row['top']}"
