"""``python -m workbench explain``: which parts of a document carry the score that a search gave it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli_terminal import (
    DebugOption,
    JsonOption,
    WorkspaceOption,
    answer,
    in_words,
    lasting,
    quiet_libraries,
)
from workbench.cli_words import why_words
from workbench.workspace import open_workspace


def explain(
    index: Annotated[str, typer.Argument(metavar="I", help="The index's name.")],
    document: Annotated[str, typer.Option("--id", metavar="DOC", help="The document's id, as search --json tells it.")],
    text: Annotated[str | None, typer.Option(help="The words that were searched for.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture that was searched with.")] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="The sound that was searched with.")] = None,
    dimension: Annotated[int | None, typer.Option(min=1, help="Compare this many dimensions only.")] = None,
    reranker: Annotated[str | None, typer.Option(metavar="M", help="Explain this reranker's score instead.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Tell which words, places or seconds of a document carry its score, and which words of the query."""
    files = {"image": image, "audio": audio}
    given = [kind for kind, value in {"text": text, **files}.items() if value is not None]
    if len(given) != 1 and given != ["text", "image"]:
        raise typer.BadParameter("Give one of --text, --image and --audio, or --text and --image together.")
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.collection.store import Item
        from workbench.explain import why_result
        from workbench.index.asking import read_media
        from workbench.index.search import Searcher

        media: dict[str, Any] = {kind: read_media(kind, path) for kind, path in files.items() if path is not None}
        found = why_result(
            Searcher(open_workspace(workspace)),
            index,
            Item(text=text, **media),
            document,
            reranker=lasting(reranker) if reranker else None,
            dimension=dimension,
        )
        result = {"index": index, "id": document, **found.as_json()}
    answer(result, as_json, why_words(result))
