"""``search I --queries FILE``: many queries at once, and a file of what was found."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from workbench.cli_terminal import ProgressLine, answer, say
from workbench.cli_words import batch_words
from workbench.workspace import Workspace

QueriesOption = Annotated[
    Path | None,
    typer.Option("--queries", metavar="FILE", help="Ask all of a .jsonl, .csv or .tsv, or one text on each line."),
]
HeldOutOption = Annotated[
    bool, typer.Option("--collection-queries", help="Ask the held-out queries of the index's collection.")
]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Write what was found there: .jsonl, or .trec for a run.")
]
FormatOption = Annotated[str, typer.Option("--format", metavar="F", help="jsonl or trec, whatever the file's ending.")]
ColumnOption = Annotated[str, typer.Option("--column", metavar="NAME", help="The column of a CSV with the queries.")]


@dataclass(frozen=True)
class Batch:
    """What the options of a batch say. `to`: None for stdout."""

    queries: Path | None
    held_out: bool
    to: Path | None
    form: str
    column: str

    @property
    def is_asked(self) -> bool:
        """Whether a batch was asked for at all."""
        return self.queries is not None or self.held_out

    def check(self, given: list[str]) -> None:
        """Refuse options that do not go together, as wrong usage. given: the options of a single query."""
        if not self.is_asked and (self.to or self.form or self.column):
            raise typer.BadParameter("--to, --format and --column go with --queries or --collection-queries.")
        if self.is_asked and (given or (self.queries is not None and self.held_out)):
            raise typer.BadParameter("Give either one query, or --queries, or --collection-queries.")


def run_batch(workspace: Workspace, index: str, batch: Batch, out: TextIO, **options: Any) -> dict[str, Any]:
    """Ask an index every query of a batch, with progress on stderr. The lines go to the batch's file, else to `out`.

    Returns what was done, as `--json` prints it where there is a file.
    """
    from workbench.evaluation.asked import held_out_queries
    from workbench.index.asking import read_queries
    from workbench.index.batch import answer_queries, format_of, whole_file
    from workbench.index.registry import get_index
    from workbench.index.search import Searcher

    form, card = format_of(batch.to, batch.form), get_index(workspace, index)
    queries: Iterable[Any]
    among: set[str] | None = None
    if batch.queries is not None:
        queries = read_queries(batch.queries, batch.column)
    else:
        queries, among = held_out_queries(workspace, card.collection)
    line = ProgressLine("search")

    def show(asked: int, left_out: int) -> None:
        line.step(asked, 0, f"{asked:,} queries asked" + (f", {left_out:,} left out" if left_out else ""))

    try:
        with whole_file(batch.to) if batch.to else nullcontext(out) as file:
            done = answer_queries(Searcher(workspace), card, queries, file, form, among=among, progress=show, **options)
    finally:
        line.close()
    return {**done, **({"to": str(batch.to), "format": form} if batch.to else {})}


def tell_batch(done: dict[str, Any], as_json: bool) -> None:
    """What was left out, line by line, and what was done: on stdout only where the results are not there."""
    for skipped in done["skipped"]:
        say(f"Line {skipped['row']} was left out: {skipped['reason']}")
    if "to" in done:
        answer(done, as_json, batch_words(done))
    else:
        say(batch_words(done))
