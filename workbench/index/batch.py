"""Thousands of queries against one index at once, and a file of what was found: JSON lines or a TREC run.

Queries are read, asked and written block by block, so memory holds one block however many there are. The file comes
into being under its name when it is whole.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.asking import Asked, Skipped
from workbench.index.registry import IndexCard
from workbench.index.results import SearchResult
from workbench.index.search import Searcher
from workbench.index.wish import MOST_HITS
from workbench.workspace import disk_full_in_words

BLOCK = 256
BLOCK_BYTES = 64 << 20
MOST_NAMED = 100
FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".trec": "trec", ".run": "trec"}

Progress = Callable[[int, int], None]


def format_of(to: Path | None, chosen: str = "") -> str:
    """`jsonl` or `trec`: the one that was chosen, else what the file's ending says, else `jsonl`."""
    if chosen:
        if chosen not in ("jsonl", "trec"):
            raise WorkbenchError(f"“{chosen[:40]}” is no format of results. Choose jsonl or trec.")
        return chosen
    if to is None:
        return "jsonl"
    if to.suffix.lower() not in FORMATS:
        raise WorkbenchError(f"What is to be written to “{to.name}”? Let it end in .jsonl or .trec, or give --format.")
    return FORMATS[to.suffix.lower()]


def answer_queries(
    searcher: Searcher,
    card: IndexCard,
    queries: Iterable[Asked | Skipped],
    out: TextIO,
    form: str,
    *,
    top: int = 10,
    among: Collection[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Ask an index every query and write what it finds, a line for each query (jsonl) or for each hit (trec).

    among: only documents with these ids count, of up to the first 1,000 found. `options`: those of `Searcher.search`.
    progress(asked, left out) is told after each block. Returns {"index", "queries", "skipped", "seconds"}; of what was
    left out, the first MOST_NAMED are named. Raises WorkbenchError as a search does, and where not one query could be
    asked.
    """
    started = time.perf_counter()
    skipped: list[Skipped] = []
    left_out = asked = 0
    for block in _blocks(queries):
        bad = [one for one in block if isinstance(one, Skipped)]
        good = [one for one in block if isinstance(one, Asked)]
        if form == "trec":
            bad += [_spaced(one) for one in good if _is_spaced(one.id)]
            good = [one for one in good if not _is_spaced(one.id)]
        for one, found in zip(good, _search(searcher, card, good, top, among, dict(options)), strict=True):
            out.write(trec_lines(one.id, found, card.name) if form == "trec" else _json_line(one.id, found))
        asked, left_out = asked + len(good), left_out + len(bad)
        skipped = [*skipped, *bad][:MOST_NAMED]
        if progress is not None:
            progress(asked, left_out)
    if not asked:
        problems = [f"Line {one.line}: {one.reason}" for one in skipped]
        raise WorkbenchError("There is not one query that can be asked.", problems)
    return {
        "index": card.name,
        "queries": asked,
        "skipped": [one.as_json() for one in skipped],
        "left_out": left_out,
        "seconds": round(time.perf_counter() - started, 3),
    }


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Yield a file that is at `path` when the block has ended well, and not at all when it has not."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with disk_full_in_words(path.parent), open(part, "x", encoding="utf-8", newline="\n") as out:
            yield out
        os.replace(part, path)
    except OSError as error:
        raise WorkbenchError(f"“{path}” cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def trec_lines(query: str, hits: SearchResult, tag: str) -> str:
    """A run as trec_eval reads it: `query Q0 document rank score tag`.

    trec_eval orders by the score alone. Where scores do not fall from rank to rank (equal ones, or those behind what a
    reranker has judged), the ranks count down instead, so that the order is the one that was shown.
    Raises WorkbenchError for a document whose id holds a space: the format has no place for one.
    """
    shown = hits.hits
    if any(_is_spaced(hit.id) for hit in shown):
        raise WorkbenchError("Some documents have spaces in their ids, which a TREC run cannot hold. Write .jsonl.")
    # trec_eval keeps them in single precision, in which a seventh digit may be lost.
    scores = [float(f"{hit.score:.6g}") for hit in shown]
    if any(after >= before for before, after in pairwise(scores)):
        scores = [float(len(shown) - place) for place in range(len(shown))]
    lines = (f"{query} Q0 {hit.id} {hit.rank} {score:.6g} {tag}\n" for hit, score in zip(shown, scores, strict=True))
    return "".join(lines)


def _json_line(query: str, found: SearchResult) -> str:
    """The object of `search --json` with the query's id before it."""
    return json.dumps({"id": query, **found.as_json()}, ensure_ascii=False) + "\n"


def _search(
    searcher: Searcher,
    card: IndexCard,
    asked: Sequence[Asked],
    top: int,
    among: Collection[str] | None,
    options: dict[str, Any],
) -> list[SearchResult]:
    if not asked:
        return []
    items = [one.item for one in asked]
    if among is None:
        return searcher.search_many(card.name, items, top=top, **options)
    first = options.pop("offset", 0)
    last = first + top
    for wanted in (min(MOST_HITS, 2 * last * card.rows // max(1, len(among)) + last), MOST_HITS):
        found = searcher.search_many(card.name, items, top=wanted, **options)
        enough = [len(one.hits) < wanted or sum(hit.id in among for hit in one.hits) >= last for one in found]
        if all(enough):
            break
    return [_only(one, among, first, last) for one in found]


def _only(found: SearchResult, among: Collection[str], first: int, last: int) -> SearchResult:
    hits = [replace(hit, rank=rank) for rank, hit in enumerate((h for h in found.hits if h.id in among), start=1)]
    return replace(found, hits=hits[first:last])


def _blocks(queries: Iterable[Asked | Skipped]) -> Iterator[list[Asked | Skipped]]:
    """BLOCK lines at a time, fewer where their media are large."""
    block: list[Asked | Skipped] = []
    held = 0
    for one in queries:
        block.append(one)
        held += _bytes_of(one.item) if isinstance(one, Asked) else 0
        if len(block) == BLOCK or held >= BLOCK_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block


def _bytes_of(item: Item) -> int:
    return sum(len(data) for data in (item.image, item.audio, item.video) if data)


def _is_spaced(identifier: str) -> bool:
    return identifier.split() != [identifier]


def _spaced(asked: Asked) -> Skipped:
    return Skipped(asked.line, f"its id “{asked.id[:60]}” holds a space, which a TREC run cannot. Write .jsonl.")
