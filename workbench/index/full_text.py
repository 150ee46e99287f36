"""Full text by BM25: beside the vectors of an index, and over some texts alone, in a table that is thrown away.

The second is the floor that an embedder must beat.

What somebody wrote is split into words and nothing more: quotes, stars, colons and the words AND and NOT mean nothing
here, as no part of it is ever read as the syntax of a query. No word is stemmed and none left out, so that the floor is
the same in every language.

The tie rule is that of `evaluation.ranking`: the higher score first, and of equal scores the text at the earlier
position. The engine cuts off a tie wherever it happens to stand, so more is asked of it until the tie is whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.index.table import LISTED_ROWS, modality_filter, row_filter, rows_at

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

NOT_FOUND = -1
"""Stands behind the last text found, where fewer have a word in common with the query than are asked for."""
ROWS_AT_ONCE = 10_000
TIED = 64
WIDER = 4
LONGEST = 1000
"""Characters of a query that are read: each word costs time, and what comes behind so many tells no more."""


class FullText:
    """Texts that can be searched. Made by `full_text`."""

    def __init__(self, table: Any, count: int) -> None:
        self._table = table
        self._count = count

    def rank(self, query: str, top: int) -> np.ndarray:
        """The positions (top,) of the texts that have a word in common with the query, best first, then NOT_FOUND."""
        ranked = np.full(top, NOT_FOUND, np.int64)
        if self._count and query.strip():
            found = self._ranked(query, top)
            ranked[: len(found)] = found
        return ranked

    def _ranked(self, query: str, top: int) -> np.ndarray:
        return best(lambda limit: _found(self._table, "position", query, limit), top, self._count)[1]


def _found(table: Any, key: str, query: str, limit: int, where: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Scores and keys (a column of whole numbers) of the texts that have a word in common with the query."""
    from lancedb.query import MatchQuery

    # Its defaults are fields of pydantic's, which the checker takes for arguments.
    search = table.search(MatchQuery(query, "text"), query_type="fts")  # type: ignore[call-arg]
    if where:
        search = search.where(where, prefilter=True)
    found = search.select([key, "_score"]).limit(limit).to_arrow()
    return found["_score"].to_numpy(), found[key].to_numpy()


def best(found: Callable[[int], tuple[np.ndarray, np.ndarray]], top: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `top` scores and keys of `found(limit)`, which cuts off a tie wherever it stands: whole ties are read.

    count: how many keys there are at all.
    """
    limit = top + TIED
    while True:
        scores, keys = found(limit)
        cut = len(scores) == limit and limit < count
        if not cut or scores.min() < np.partition(scores, -top)[-top]:
            order = np.lexsort((keys, -scores))[:top]
            return scores[order], keys[order]
        limit = min(WIDER * limit, count)


def add_full_text(table: Table) -> int:
    """Index the words of a table's texts if that is not done; how many documents have any. Without any, no index."""
    count = int(table.count_rows("text != ''"))
    if count and not any(index.index_type == "FTS" for index in table.list_indices()):
        table.create_index("text", config=_words())
    return count


def nearest_in_words(
    table: Table,
    query: str,
    limit: int,
    columns: Sequence[str],
    *,
    modality: str | None = None,
    among: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """The rows of an index's table with a word of the query: `columns` and `text_score`, best first.

    Of a long query the first `LONGEST` characters are read. among: only these row numbers, ascending. Raises
    ValueError for a modality that is none of the fixed list.
    """
    query = query[:LONGEST]
    if not query.strip() or (among is not None and not len(among)):
        return []
    kind = [] if modality is None else [modality_filter(modality)]
    total = table.count_rows()
    if among is not None and len(among) <= LISTED_ROWS:
        where = " AND ".join([*kind, row_filter(among)])
        scores, rows = best(lambda wide: _found(table, "row", query, wide, where), limit, total)
    elif among is not None:
        scores, rows = best(lambda wide: _picked(table, query, wide, " AND ".join(kind), among, total), limit, total)
    else:
        scores, rows = best(lambda wide: _found(table, "row", query, wide, " AND ".join(kind)), limit, total)
    found = rows_at(table, rows, columns)
    return [{**found[row], "text_score": score} for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]


def _picked(
    table: Table, query: str, limit: int, where: str, among: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `_found`, of many row numbers: a long list of them costs the engine more than a wider search to pick from."""
    wider = min(total, 2 * limit * total // len(among))
    while True:
        scores, rows = _found(table, "row", query, wider, where)
        picked = np.isin(rows, among, assume_unique=True)
        if picked.sum() >= limit or len(rows) < wider or wider == total:
            order = np.argsort(-scores[picked], kind="stable")[:limit]
            return scores[picked][order], rows[picked][order]
        wider = min(total, 8 * wider)


@contextmanager
def full_text(texts: Iterable[str | None]) -> Iterator[FullText]:
    """Yield these texts, ready to be searched; a text goes by its position. An empty one is never found.

    The table lies in the system's folder for temporary files, and is gone when the block ends.
    """
    import lancedb

    with tempfile.TemporaryDirectory(prefix="workbench-words-", ignore_cleanup_errors=True) as folder:
        table = lancedb.connect(folder).create_table("texts", data=_batches(texts), schema=_schema())
        count = table.count_rows()
        if count:
            table.create_index("text", config=_words())
        yield FullText(table, count)


def _words() -> Any:
    from lancedb.index import FTS

    # Longer words are indexed too: an address or a product's number is what full text is best at.
    return FTS(base_tokenizer="icu", stem=False, remove_stop_words=False, max_token_length=None)


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field("position", pa.int64(), nullable=False), pa.field("text", pa.string(), nullable=False)])


def _batches(texts: Iterable[str | None]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    kept = ((position, text) for position, text in enumerate(texts) if text and text.strip())
    some = list(islice(kept, ROWS_AT_ONCE))
    while True:  # at least once: without any batch no table can be made
        columns = [pa.array([row[0] for row in some], pa.int64()), pa.array([row[1] for row in some], pa.string())]
        yield pa.record_batch(columns, schema=_schema())
        some = list(islice(kept, ROWS_AT_ONCE))
        if not some:
            return
