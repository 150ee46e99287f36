"""Hard negatives: documents that look right to a model and are not known to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCK_BYTES = 256 * 1024 * 1024


def hard_negatives(
    query_vectors: np.ndarray,
    document_vectors: np.ndarray,
    positives: Sequence[np.ndarray],
    *,
    count: int = 8,
    skip: int = 0,
    margin: float = 0.95,
) -> list[np.ndarray]:
    """The best-ranked documents that are not positives, for each query: arrays of at most `count` document positions.

    query_vectors (queries, dimension), document_vectors (documents, dimension): unit vectors. positives: the positions
    of each query's right documents. skip: leave out so many of the first ranks, which may be right answers nobody
    marked. margin: leave out documents that score above this share of the query's best positive, for the same reason.
    Ranks in blocks, so that memory does not grow with the number of queries.
    """
    if len(positives) != len(query_vectors):
        raise ValueError(f"there are {len(query_vectors)} queries and {len(positives)} lists of positives")
    if not len(document_vectors):
        return [np.zeros(0, np.int64) for _ in positives]
    most = max((len(known) for known in positives), default=0)
    depth = min(len(document_vectors), 4 * count + skip + most)
    block = max(1, BLOCK_BYTES // (4 * len(document_vectors)))
    found = []
    for start in range(0, len(query_vectors), block):
        scores = query_vectors[start : start + block] @ document_vectors.T
        top = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        for row, candidates in enumerate(top):
            known = positives[start + row]
            ranked = candidates[np.argsort(-scores[row, candidates], kind="stable")]
            keep = ~np.isin(ranked, known)
            best = float(scores[row, known].max()) if len(known) else 0.0
            if best > 0:
                keep &= scores[row, ranked] <= margin * best
            found.append(ranked[keep][skip : skip + count])
    return found
