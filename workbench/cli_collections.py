"""``import``, and ``collections``: list, show, export, push and remove what was brought."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.cli_terminal import (
    DebugOption,
    JsonOption,
    NameArgument,
    WorkspaceOption,
    ago,
    answer,
    confirm,
    do_job,
    in_words,
    known_collection,
    quiet_libraries,
)
from workbench.cli_words import import_words, table
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, check_name, open_workspace, propose_name

collections = typer.Typer(help="List, show, export, push and remove collections.", invoke_without_command=True)

HUB, MTEB = "hub:", "mteb:"


def import_source(
    source: Annotated[
        str,
        typer.Argument(
            help="A table, a ZIP, a folder, hub:USER/NAME, a data set on the Hub, or mteb:NAME, a retrieval task."
        ),
    ],
    name: Annotated[str, typer.Option(help="The collection's name; else made from the file's.")] = "",
    query: Annotated[list[str] | None, typer.Option(metavar="COL", help="The column that asks.")] = None,
    document: Annotated[list[str] | None, typer.Option(metavar="COL", help="The column to be found.")] = None,
    negative: Annotated[list[str] | None, typer.Option(metavar="COL", help="A column of wrong answers.")] = None,
    score: Annotated[str | None, typer.Option(metavar="COL", help="The column that says how well they fit.")] = None,
    seed: Annotated[int, typer.Option(help="Which pairs are held out.")] = 0,
    add: Annotated[bool, typer.Option("--add", help="Add to the collection of this name.")] = False,
    page_dpi: Annotated[int | None, typer.Option(help="Dots an inch at which the pages of PDFs are drawn.")] = None,
    segment_seconds: Annotated[
        float | None, typer.Option(help="Cut videos into documents of this many seconds.")
    ] = None,
    own_split: Annotated[
        bool, typer.Option("--own-split", help="Hold out afresh, whatever train.csv and test.csv say.")
    ] = False,
    hub_config: Annotated[
        str, typer.Option(metavar="C", help="The data set's configuration, or the task's subset.")
    ] = "",
    hub_split: Annotated[
        str, typer.Option(metavar="S", help="The split; else the only one, or train (of a task: test).")
    ] = "",
    rows: Annotated[int, typer.Option(min=0, help="At most this many rows of a data set; 0 for all.")] = 0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Bring pairs in as a collection. Columns that are not named are recognised by what they hold."""
    hub, task = source.startswith(HUB), source.startswith(MTEB)
    if not hub and (rows or ((hub_config or hub_split) and not task)):
        raise typer.BadParameter("--hub-config, --hub-split and --rows go with hub:USER/NAME.")
    if add and not name:
        raise typer.BadParameter("--add needs --name, the collection to add to.")
    with in_words(debug):
        opened = open_workspace(workspace)
        if hub:
            brought: dict[str, Any] = {"hub": _hub_spec(source, hub_config, hub_split, rows)}
        elif task:
            brought = {"mteb": _task_spec(source, hub_config, hub_split)}
        else:
            brought = {"source": str(_existing(source))}
        named = Path(source.removeprefix(HUB).removeprefix(MTEB).rstrip("/"))
        name = check_name(name or propose_name(named.stem if Path(source).is_file() else named.name), "collection")
        if add:
            known_collection(opened, name)
        chosen = {"query": query, "document": document, "negative": negative, "score": score}
        roles = {role: _one_or_many(columns) for role, columns in chosen.items() if columns}
        options = {"page_dpi": page_dpi, "segment_seconds": segment_seconds, "own_split": own_split, "add": add}
        spec = {"name": name, **brought, "roles": roles or None, "seed": seed}
        spec |= {key: value for key, value in options.items() if value}
        result = do_job(opened, "import", jobs.free_name(opened, f"import-{name}"), spec)
    words = import_words(result)
    answer(result, as_json, _added_words(result) + words.replace("Imported ", "Now ", 1) if add else words)


@collections.callback()
def collections_without_a_word(
    context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """List, show, export, push and remove collections. Without a word after it: list."""
    if context.invoked_subcommand is None:
        list_all(workspace, as_json, debug)


@collections.command("list")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the collections, the newest first."""
    with in_words(debug):
        from workbench.collection.store import list_collections
        from workbench.collection.summary import import_summary

        cards = list_collections(open_workspace(workspace))
    found = {"collections": [import_summary(card) | {"created": card.created} for card in cards]}
    rows = [
        [card.name, card.counts["queries"], card.counts["documents"], card.counts["train"], card.counts["eval"],
         ", ".join(card.modalities["document"]), ago(card.created)]
        for card in cards
    ]  # fmt: skip
    header = ["name", "queries", "documents", "to train", "held out", "of", "made"]
    none = "There are no collections yet. To bring one: python -m workbench import FILE --name N"
    answer(found, as_json, table(header, rows) if rows else none)


@collections.command()
def show(
    name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show one collection: what it holds, what is held out, and the changes that can be taken back."""
    with in_words(debug):
        from workbench.collection.editing import changes
        from workbench.collection.store import open_collection
        from workbench.collection.summary import import_summary

        opened = open_workspace(workspace)
        collection = open_collection(opened, name)
        card, made = collection.card, changes(opened, name)
        path = str(collection.path)
    more = {"labels": card.labels, "split": card.split, "fingerprint": card.fingerprint, "created": card.created}
    listed = [{"number": change.number, "what": change.what, "when": change.when} for change in made]
    lines = [
        f"Given {card.labels['query']}, find {card.labels['document']}. {card.split.get('sentence', '')}",
        import_words(import_summary(card)).replace("Imported ", "", 1),
        *(f"Changed {ago(change.when)}: {change.what}" for change in made),
        f"It lies in {path}",
    ]
    answer(import_summary(card) | more | {"changes": listed, "path": path}, as_json, "\n".join(lines))


@collections.command()
def export(
    name: NameArgument,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; else the workspace's exports.")] = None,
    form: Annotated[str, typer.Option(help="mteb (Parquet with the media inside) or csv (a ZIP).")] = "mteb",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a collection as Parquet in MTEB's retrieval layout, or as a ZIP of pairs.csv and its media."""
    with in_words(debug):
        opened = open_workspace(workspace)
        known_collection(opened, name)
        spec = {"collection": name, "form": form, "to": str(to.expanduser().absolute()) if to else None}
        result = do_job(opened, "export", jobs.free_name(opened, f"export-{name}"), spec)
    judged = sum(result["judgements"].values())
    lines = [
        f"Wrote {result['queries']:,} queries, {result['documents']:,} documents and {judged:,} judgements "
        f"({result['bytes'] / 1e6:,.1f} MB) to {result['path']}",
        *result["notes"],
    ]
    answer(result, as_json, "\n".join(lines))


@collections.command()
def push(
    name: NameArgument,
    repo: Annotated[str, typer.Option(metavar="USER/NAME", help="The data set on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it; else it is private.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also where personal data was found.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Push a collection to the Hugging Face Hub as a data set, private unless --public."""
    with in_words(debug):
        from workbench.collection.hub_words import check_repo_id

        opened = open_workspace(workspace)
        known_collection(opened, name)
        spec = {"collection": name, "repo": check_repo_id(repo), "public": public, "anyway": anyway}
        result = do_job(opened, "push", jobs.free_name(opened, f"push-{name}"), spec)
    seen = "only you can see it" if result["private"] else "everybody can see it"
    lines = [f"Pushed “{name}” ({result['bytes'] / 1e6:,.1f} MB) to {result['url']}; {seen}.", *result["notes"]]
    answer(result, as_json, "\n".join(lines))


@collections.command()
def remove(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a collection with its media and its history. Runs, indexes and evaluations made from it stay."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.collection.store import remove_collection

        opened = open_workspace(workspace)
        known_collection(opened, name)
        confirm(f"Delete “{name}” with its media and its history?{_needy(opened, name)}", yes)
        remove_collection(opened, name)
    answer({"collection": name, "removed": True}, as_json, f"“{name}” is removed.")


def _needy(workspace: Workspace, name: str) -> str:
    """A sentence on what was made from a collection and stays, beginning with a space; empty where there is nothing."""
    from workbench.index.registry import list_indexes

    made = [f"the index “{card.name}”" for card in list_indexes(workspace) if card.collection == name]
    made += [f"the run “{job.name}”" for job in jobs.list_runs(workspace) if job.spec.get("collection") == name]
    return f" Made from it, and staying: {', '.join(made)}." if made else ""


def _hub_spec(source: str, config: str, split: str, rows: int) -> dict[str, Any]:
    from workbench.collection.hub_words import check_repo_id

    return {"repo": check_repo_id(source.removeprefix(HUB)), "config": config, "split": split, "rows": rows}


def _task_spec(source: str, subset: str, split: str) -> dict[str, Any]:
    from workbench.collection.standard_sets import check_task_name

    return {"task": check_task_name(source.removeprefix(MTEB)), "subset": subset, "split": split}


def _existing(source: str) -> Path:
    path = Path(source).expanduser()
    if not path.exists():
        raise WorkbenchError(f"There is no file or folder “{source}”. Check how it is spelled.")
    return path.absolute()


def _added_words(result: dict[str, Any]) -> str:
    """What an addition brought, as a line of its own; nothing for a new collection."""
    if "added" not in result:
        return ""
    from workbench.collection.adding import added_words

    known = result["known"]
    there = added_words(known) if any(known.values()) else ""
    return f"Added {added_words(result['added'])}{f'; {there} were there already' if there else ''}.\n"


def _one_or_many(columns: list[str] | str) -> list[str] | str:
    return columns[0] if isinstance(columns, list) and len(columns) == 1 else columns
