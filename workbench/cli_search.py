"""``python -m workbench search``: ask an index from a terminal or a script."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli_batch import (
    Batch,
    ColumnOption,
    FormatOption,
    HeldOutOption,
    QueriesOption,
    ToOption,
    run_batch,
    tell_batch,
)
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
from workbench.workspace import open_workspace


def search(
    index: Annotated[str, typer.Argument(metavar="I", help="The index's name.")],
    text: Annotated[str | None, typer.Option(help="Search by words; with --image, by both together.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a picture.")] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a sound.")] = None,
    video: Annotated[Path | None, typer.Option(metavar="FILE", help="Search by a video.")] = None,
    unlike_text: Annotated[str | None, typer.Option(help="Keep away from what these words say.")] = None,
    unlike_image: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep away from this picture.")] = None,
    unlike_audio: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep away from this sound.")] = None,
    unlike_video: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep away from this video.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many results.")] = 10,
    offset: Annotated[int, typer.Option(min=0, max=999, help="Leave out so many of the first: the next page.")] = 0,
    hybrid: Annotated[
        float, typer.Option(min=0, max=1, help="Share of full text: 0 for vectors only, 1 for words only.")
    ] = 0.0,
    dimension: Annotated[int | None, typer.Option(min=1, help="Compare this many dimensions only.")] = None,
    modality: Annotated[str | None, typer.Option(help="Only text, image, audio or video.")] = None,
    model: Annotated[str | None, typer.Option(metavar="M", help="The model, if not the index's own.")] = None,
    reranker: Annotated[str | None, typer.Option(metavar="M", help="Put the first results in order with this.")] = None,
    rerank_first: Annotated[int, typer.Option(min=1, max=1000, help="How many of the first to rerank.")] = 50,
    budget_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Rerank only if the whole answer fits into so many milliseconds.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only documents with this metadata; COLUMN=LOW..HIGH for numbers."),
    ] = None,
    queries: QueriesOption = None,
    collection_queries: HeldOutOption = False,
    to: ToOption = None,
    form: FormatOption = "",
    column: ColumnOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search an index by words, a picture, a sound or a video; or by very many of them, with --queries."""
    files = {"image": image, "audio": audio, "video": video}
    given = [kind for kind, value in {"text": text, **files}.items() if value is not None]
    batch = Batch(queries, collection_queries, to, form, column)
    batch.check(given)
    if not batch.is_asked and len(given) != 1 and given != ["text", "image"]:
        raise typer.BadParameter("Give one of --text, --image, --audio and --video, or --text and --image together.")
    out = sys.stdout
    with in_words(debug):
        quiet_libraries(debug)
        from workbench.collection.store import Item
        from workbench.index.asking import read_media
        from workbench.index.fields import Condition
        from workbench.index.search import Searcher

        def item(text: str | None, files: dict[str, Path | None]) -> Item:
            media: dict[str, Any] = {kind: read_media(kind, path) for kind, path in files.items() if path is not None}
            return Item(text=text, **media)

        opened = open_workspace(workspace)
        away = {"image": unlike_image, "audio": unlike_audio, "video": unlike_video}
        options: dict[str, Any] = {
            "model": lasting(model) if model else None,
            "top": top,
            "offset": offset,
            "hybrid": hybrid,
            "budget_ms": budget_ms,
            "unlike": item(unlike_text, away) if unlike_text or any(away.values()) else None,
            "modality": modality,
            "dimension": dimension,
            "reranker": lasting(reranker) if reranker else None,
            "rerank_first": rerank_first,
            "where": [Condition.read(words) for words in where or []],
        }
        if batch.is_asked:
            done = run_batch(opened, index, batch, out, **options)
        else:
            result = Searcher(opened).search(index, item(text, files), **options).as_json()
    if batch.is_asked:
        tell_batch(done, as_json)
    else:
        answer(result, as_json, search_words(result))
