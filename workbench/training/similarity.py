"""How well an embedder's cosines follow the scores that people gave."""

from __future__ import annotations

import numpy as np

from workbench.collection.store import Collection
from workbench.models import Embedder
from workbench.models.items import LazyItems


def spearman(embedder: Embedder, collection: Collection, limit: int | None = None) -> float:
    """Spearman's rank correlation of the cosines with the held-out scores, from -1 to 1.

    limit: at most so many judgements, the same ones in every call. 0.0 where nothing can be told: fewer than two
    judgements, or all of one score.
    """
    from scipy.stats import spearmanr

    judged = collection.judged("eval")
    rows = np.arange(len(judged))
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:limit])
    scores = judged.scores[rows]
    if len(np.unique(scores)) < 2:
        return 0.0
    asked, asked_places = np.unique(judged.queries[rows], return_inverse=True)
    found, found_places = np.unique(judged.documents[rows], return_inverse=True)
    queries = embedder.encode_queries(LazyItems(collection, "queries", asked))[asked_places]
    documents = embedder.encode_documents(LazyItems(collection, "corpus", found))[found_places]
    cosines = np.einsum("ij,ij->i", queries, documents)
    return float(spearmanr(cosines, scores).statistic) if len(np.unique(cosines)) > 1 else 0.0
