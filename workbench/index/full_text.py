"""Full text over some texts by BM25, in a LanceDB table that is thrown away: the floor that an embedder must beat.

What somebody wrote is split into words and nothing more: quotes, stars, colons and the words AND and NOT mean nothing
here, as no part of it is ever read as the syntax of a query. No word is stemmed and none left out, so that the floor is
the same in every language.

The tie rule is that of `evaluation.ranking`: the higher score first, and of equal scores the text at the earlier
position. The engine cuts off a tie wherever it happens to stand, so more is asked of it until the tie is whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

NOT_FOUND = -1
"""Stands behind the last text found, where fewer have a word in common with the query than are asked for."""
ROWS_AT_ONCE = 10_000
TIED = 64
WIDER = 4


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
        limit = top + TIED
        while True:
            scores, positions = self._found(query, limit)
            cut = len(scores) == limit and limit < self._count
            if not cut or scores.min() < np.partition(scores, -top)[-top]:
                return positions[np.lexsort((positions, -scores))][:top]
            limit = min(WIDER * limit, self._count)

    def _found(self, query: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        from lancedb.query import MatchQuery

        # Its defaults are fields of pydantic's, which the checker takes for arguments.
        search = self._table.search(MatchQuery(query, "text"), query_type="fts")  # type: ignore[call-arg]
        found = search.select(["position", "_score"]).limit(limit).to_arrow()
        return found["_score"].to_numpy(), found["position"].to_numpy()


@contextmanager
def full_text(texts: Iterable[str | None]) -> Iterator[FullText]:
    """Yield these texts, ready to be searched; a text goes by its position. An empty one is never found.

    The table lies in the system's folder for temporary files, and is gone when the block ends.
    """
    import lancedb
    from lancedb.index import FTS

    with tempfile.TemporaryDirectory(prefix="workbench-words-", ignore_cleanup_errors=True) as folder:
        table = lancedb.connect(folder).create_table("texts", data=_batches(texts), schema=_schema())
        count = table.count_rows()
        if count:
            # Longer words are indexed too: an address or a product's number is what full text is best at.
            words = FTS(base_tokenizer="icu", stem=False, remove_stop_words=False, max_token_length=None)
            table.create_index("text", config=words)
        yield FullText(table, count)


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
