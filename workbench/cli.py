"""``python -m workbench``: every step of the journey from a terminal or a script.

Long work runs in the same background processes as from the page. Progress goes to stderr; ``--json`` prints one
object on stdout. Exit codes: 0 done, 1 the work failed (one plain sentence on stderr), 2 wrong usage.
Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_collections import collections, import_source
from workbench.cli_data import add_commands
from workbench.cli_explain import explain
from workbench.cli_export import export
from workbench.cli_fit import fit
from workbench.cli_index import index
from workbench.cli_map import add_command as add_map
from workbench.cli_models import models
from workbench.cli_pipeline import pipeline
from workbench.cli_queue import add_commands as add_queue
from workbench.cli_remote import tell_previews
from workbench.cli_report import report
from workbench.cli_runs import finish, runs
from workbench.cli_runs_kept import add_commands as add_more_of_runs
from workbench.cli_search import search
from workbench.cli_searches import searches
from workbench.cli_sweep import begin_sweep
from workbench.cli_terminal import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    KindOption,
    PresetOption,
    ProgressLine,
    WorkspaceOption,
    answer,
    do_job,
    in_words,
    known_collection,
    lasting,
    quiet_libraries,
)
from workbench.cli_words import demo_words, evaluation_words
from workbench.workspace import check_name, open_workspace

app = typer.Typer(
    help="Fine-tune multimodal embedding models and rerankers on your own pairs.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
add_more_of_runs(runs)
add_queue(runs)
app.add_typer(runs, name="runs")
app.add_typer(collections, name="collections")
app.add_typer(models, name="models")
app.add_typer(index, name="index")
app.add_typer(searches, name="searches")

CollectionOption = Annotated[str, typer.Option("--collection", metavar="N", help="The collection's name.")]
ModelOption = Annotated[str, typer.Option("--model", metavar="M", help=MODEL_HELP)]


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    app(prog_name="python -m workbench")


@app.command()
def demo(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """The whole journey on the built-in demo."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.demo import run_demo

        line = ProgressLine("demo")
        try:
            result = run_demo(open_workspace(workspace), line.step)
        finally:
            line.close()
    answer(result, as_json, demo_words(result))


app.command("import")(import_source)
app.command()(fit)
add_commands(app)


@app.command()
def train(
    collection: CollectionOption,
    model: ModelOption = "starter",
    name: Annotated[str, typer.Option(metavar="R", help="The run's name; else made from the collection's.")] = "",
    kind: KindOption = "embedder",
    preset: PresetOption = "balanced",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; give it again for more.")
    ] = None,
    also_score: Annotated[
        str, typer.Option(metavar="N", help="Another collection, scored before and after: what was forgotten.")
    ] = "",
    sweep: Annotated[
        list[str] | None, typer.Option("--sweep", metavar="KEY=V1,V2", help="A run for each value; again for more.")
    ] = None,
    budget: Annotated[int, typer.Option(min=0, help="At most so many runs of a sweep; 0 for all.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fine-tune a model in the background. Without --wait it returns at once."""
    if budget and not sweep:
        raise typer.BadParameter("--budget goes with --sweep.")
    with in_words(debug):
        from workbench.settings import parse_overrides
        from workbench.training.spec import train_spec

        opened = open_workspace(workspace)
        name = check_name(name, "run") if name else jobs.free_name(opened, f"{collection}-{preset}")
        overrides = parse_overrides(settings or [])

        def spec_of(values: dict[str, Any]) -> dict[str, Any]:
            return train_spec(
                opened,
                collection=collection,
                model=lasting(model),
                kind=kind,
                preset=preset,
                overrides=overrides | values,
                second_collection=also_score,
            )

        swept = begin_sweep(opened, name, spec_of, sweep, budget, wait) if sweep else None
        job = None if swept else jobs.start(opened, "train", name, spec_of({}))
    if swept:
        answer(swept[0], as_json, swept[1])
    if job:
        finish(opened, job, wait, as_json, debug)


@app.command()
def evaluate(
    collection: CollectionOption,
    model: Annotated[list[str], typer.Option("--model", metavar="M", help=f"{MODEL_HELP} Again for more.")],
    dims: Annotated[str, typer.Option(metavar="256,128", help="Matryoshka dimensions; else those of each model.")] = "",
    precisions: Annotated[str, typer.Option(help="Of float32, float16, int8, binary, rescored.")] = "float32",
    measures: Annotated[str, typer.Option(metavar="map@100,…", help="More than NDCG@10, at any rank to 100.")] = "",
    name: Annotated[
        str, typer.Option(metavar="E", help="The evaluation's name; else made from the collection's.")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score and compare models on held-out pairs."""
    dimensions = _numbers(dims)
    with in_words(debug):
        from workbench.evaluation.evaluate import check_embedders
        from workbench.evaluation.measures import check_measures
        from workbench.evaluation.remote_cost import preview_evaluation
        from workbench.evaluation.results import free_evaluation_name

        opened = open_workspace(workspace)
        known_collection(opened, collection)
        check_embedders(opened, [lasting(reference) for reference in model])
        tell_previews(preview_evaluation(opened, collection, model))
        spec = {
            "collection": collection,
            "models": [lasting(reference) for reference in model],
            "dimensions": dimensions or None,
            "precisions": [part.strip() for part in precisions.split(",") if part.strip()],
            "measures": check_measures(measures.split(",")),
            "name": check_name(name, "evaluation") if name else free_evaluation_name(opened, collection),
        }
        result = do_job(opened, "evaluate", jobs.free_name(opened, f"evaluate-{spec['name']}"), spec)
    answer(result, as_json, evaluation_words(result))


add_map(app)
app.command()(pipeline)

app.command()(search)
app.command()(explain)
app.command()(report)
app.command()(export)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise typer.BadParameter(f"“{text}” is no list of dimensions. Write whole numbers with commas: 256,128,64.")
    return numbers
