"""``python -m workbench searches``: the saved searches, and which of two ways to search people picked, blind."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli_terminal import DebugOption, JsonOption, WorkspaceOption, answer, in_words, quiet_libraries
from workbench.cli_words import search_words
from workbench.workspace import open_workspace

searches = typer.Typer(
    help="Searches that were saved on the page or here, and picks between two.", no_args_is_help=True
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The saved search's name, or its id.")]


@searches.command("list")
def list_saved(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the saved searches, the newest first."""
    with in_words(debug):
        from dataclasses import asdict

        from workbench.index.saved import saved_searches

        found = [asdict(one) for one in saved_searches(open_workspace(workspace))]
    lines = [f"{one['name']}  ({one['index']})" for one in found]
    answer({"searches": found}, as_json, "\n".join(lines) or "No searches are saved.")


@searches.command()
def save(
    index: Annotated[str, typer.Argument(metavar="I", help="The index's name.")],
    text: Annotated[str, typer.Option(help="The words to search for.")],
    name: Annotated[str, typer.Option(help="What to call it; else its words.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Save a search by words."""
    with in_words(debug):
        from dataclasses import asdict

        from workbench.index.registry import get_index
        from workbench.index.saved import save_search

        opened = open_workspace(workspace)
        kept = save_search(opened, get_index(opened, index).name, q=text, name=name)
    answer(asdict(kept), as_json, f"Saved: {kept.name}")


@searches.command()
def ask(
    name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Ask a saved search again."""
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.index.saved import get_saved
        from workbench.index.search import Searcher

        opened = open_workspace(workspace)
        result = get_saved(opened, name).ask(opened, Searcher(opened).search).as_json()
    answer(result, as_json, search_words(result))


@searches.command()
def remove(
    name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Forget a saved search."""
    with in_words(debug):
        from workbench.index.saved import remove_saved

        remove_saved(open_workspace(workspace), name)
    answer({"removed": name}, as_json, f"Removed: {name}")


@searches.command()
def picks(workspace: WorkspaceOption = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Which of two ways to search was picked how often, with its interval; see Side by side on the Search tab."""
    with in_words(debug):
        from workbench.index.preference import preferences

        found = preferences(open_workspace(workspace))
    answer({"picks": found}, as_json, "\n".join(map(_words, found)) or "Nobody has compared two ways to search yet.")


def _words(pair: dict[str, object]) -> str:
    said = f"{pair['a']}: {pair['a picked']}   {pair['b']}: {pair['b picked']}   no difference: {pair['no difference']}"
    shown = {"a": "the first is preferred", "b": "the second is preferred"}
    return f"{said}   ({shown.get(str(pair['preferred']), 'no difference shown yet')})"
