"""The round trip: a query that was written for a document must find it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from workbench.collection.store import Collection, Item
from workbench.evaluation.vectors import EmbedderLike, encode_side

QUERIES_AT_ONCE, DOCUMENTS_AT_ONCE = 256, 32_768
ALIKE = 1e-6  # a duplicate of the document, or rounding, does not push it down


def ranks_of_documents(
    embedder: EmbedderLike,
    collection: Collection,
    queries: Sequence[str],
    documents: np.ndarray,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> np.ndarray:
    """The rank, from 1, at which each query finds its document among all documents of its kind.

    documents: the row of each query's document, (queries,). By kind, since a model ranks pictures and texts apart.
    Exact, in blocks. Raises WorkbenchError if the model cannot read those documents.
    """
    ranks = np.zeros(len(queries), np.int64)
    kinds = collection.document_modalities
    for kind in dict.fromkeys(kinds[documents].tolist()):
        mine = np.flatnonzero(kinds[documents] == kind)
        rows = np.flatnonzero(kinds == kind)
        vectors = encode_side(embedder, collection, "corpus", rows=rows, cache=cache, progress=progress)
        places = np.searchsorted(rows, documents[mine])
        for start in range(0, len(mine), QUERIES_AT_ONCE):
            block = mine[start : start + QUERIES_AT_ONCE]
            if progress is not None:
                progress(start, len(mine), "Asking the generated queries")
            asked = np.asarray(embedder.encode_queries([Item(text=queries[number]) for number in block]))
            ranks[block] = _ranks(asked, vectors, places[start : start + QUERIES_AT_ONCE])
    return ranks


def _ranks(queries: np.ndarray, documents: np.ndarray, right: np.ndarray) -> np.ndarray:
    own = np.einsum("qd,qd->q", queries, np.asarray(documents[right]))
    ranks = np.ones(len(queries), np.int64)
    for start in range(0, len(documents), DOCUMENTS_AT_ONCE):
        scores = queries @ np.asarray(documents[start : start + DOCUMENTS_AT_ONCE]).T
        # Written so that what is not a number counts as better: such a query finds nothing.
        ranks += (~(scores <= own[:, None] + ALIKE)).sum(axis=1)
    return ranks
