"""How well an embedder's cosines follow the scores that people gave, and whether they do so better than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection, Judged
from workbench.models import Embedder
from workbench.models.items import LazyItems

RESAMPLES = 999


@dataclass(frozen=True)
class Followed:
    """The held-out pairs: the row of each one's query, the score people gave it, and the model's cosine of it."""

    queries: np.ndarray
    scores: np.ndarray
    cosines: np.ndarray

    @property
    def spearman(self) -> float:
        return spearman(self.cosines, self.scores)


def follow(embedder: Embedder, collection: Collection, limit: int | None = None) -> Followed:
    """The held-out judgements and the model's cosines; limit: at most so many, the same ones in every call."""
    judged = collection.judged("eval")
    if limit is not None and limit < len(judged):
        rows = np.sort(np.random.default_rng(0).permutation(len(judged))[:limit])
        judged = Judged(judged.queries[rows], judged.documents[rows], judged.scores[rows], judged.sources[rows])
    return Followed(judged.queries, judged.scores, cosines(embedder, collection, judged))


def spearman(cosines: np.ndarray, scores: np.ndarray) -> float:
    """Spearman's rank correlation, from -1 to 1; 0.0 where nothing can be told, as all of one side are alike."""
    from scipy.stats import rankdata

    ranks = rankdata(cosines), rankdata(scores)
    if any(len(one) < 2 or np.ptp(one) == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def cosines(embedder: Embedder, collection: Collection, judged: Judged) -> np.ndarray:
    """The cosine of each judgement's query and document: (judgements,)."""
    asked, asked_places = np.unique(judged.queries, return_inverse=True)
    found, found_places = np.unique(judged.documents, return_inverse=True)
    queries = embedder.encode_queries(LazyItems(collection, "queries", asked))[asked_places]
    documents = embedder.encode_documents(LazyItems(collection, "corpus", found))[found_places]
    return np.einsum("ij,ij->i", queries, documents)


def correlations_compared(before: np.ndarray, after: Followed, seed: int = 0) -> dict[str, Any]:
    """What training did to the correlation: {"before", "after", "difference", "interval", "verdict", "pairs"}.

    before: the untouched model's cosines of the same pairs. The interval is a 95 % percentile bootstrap of the
    difference that draws whole queries, whose pairs are no separate witnesses; the verdict is "better" or "worse" where
    it lies wholly on one side of zero. Fewer than two queries prove nothing: the interval is [-2, 2].
    """
    old, new = spearman(before, after.scores), after.spearman
    groups = np.split(np.argsort(after.queries, kind="stable"), np.unique(np.sort(after.queries), return_index=True)[1])
    groups = [group for group in groups if len(group)]
    low, high = -2.0, 2.0
    if len(groups) > 1:
        generator, drawn = np.random.default_rng(seed), []
        for _ in range(RESAMPLES):
            rows = np.concatenate([groups[place] for place in generator.integers(len(groups), size=len(groups))])
            scores = after.scores[rows]
            drawn.append(spearman(after.cosines[rows], scores) - spearman(before[rows], scores))
        low, high = (float(edge) for edge in np.percentile(drawn, [2.5, 97.5]))
    verdict = "better" if low > 0 else "worse" if high < 0 else "no real change"
    found = {"before": old, "after": new, "difference": new - old, "interval": [low, high], "verdict": verdict}
    return found | {"pairs": len(after.scores)}
