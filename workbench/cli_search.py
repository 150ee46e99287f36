"""``python -m workbench search``: ask an index from a terminal or a script."""

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
from workbench.cli_words import search_words
from workbench.errors import WorkbenchError
from workbench.workspace import open_workspace


def search(
    index: Annotated[str, typer.Argument(metavar="I", help="The index's name.")],
    text: Annotated[str | None, typer.Option(help="Search by words; with --image, by both together.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a picture.")] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a sound.")] = None,
    video: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a video.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many results.")] = 10,
    dimension: Annotated[int | None, typer.Option(min=1, help="Compare this many dimensions only.")] = None,
    modality: Annotated[str | None, typer.Option(help="Only text, image, audio or video.")] = None,
    model: Annotated[str | None, typer.Option(metavar="M", help="The model, if not the index's own.")] = None,
    reranker: Annotated[str | None, typer.Option(metavar="M", help="Put the first results in order with this.")] = None,
    rerank_first: Annotated[int, typer.Option(min=1, max=1000, help="How many of the first to rerank.")] = 50,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only documents with this metadata; COLUMN=LOW..HIGH for numbers."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search an index by words, a picture, a sound or a video."""
    files = {"image": image, "audio": audio, "video": video}
    given = [kind for kind, value in {"text": text, **files}.items() if value is not None]
    if len(given) != 1 and given != ["text", "image"]:
        raise typer.BadParameter("Give one of --text, --image, --audio and --video, or --text and --image together.")
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.collection.store import Item
        from workbench.index.fields import Condition
        from workbench.index.search import Searcher

        conditions = [Condition.read(words) for words in where or []]
        media: dict[str, Any] = {kind: _media(kind, path) for kind, path in files.items() if path is not None}
        found = Searcher(open_workspace(workspace)).search(
            index,
            Item(text=text, **media),
            model=lasting(model) if model else None,
            top=top,
            modality=modality,
            dimension=dimension,
            reranker=lasting(reranker) if reranker else None,
            rerank_first=rerank_first,
            where=conditions,
        )
        result = found.as_json()
    answer(result, as_json, search_words(result))


def _media(kind: str, path: Path) -> bytes:
    from workbench.media import check_media

    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkbenchError(f"The file “{path}” cannot be read: {error.strerror}.") from error
    try:
        check_media(kind, data)
    except WorkbenchError as error:
        raise WorkbenchError(f"“{path.name}”: {error.message}") from error
    return data
