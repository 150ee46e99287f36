"""A second opinion on mined negatives: a reranker says which of them are likely to be right after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workbench.collection.store import Collection, Item
from workbench.enrich.hard_negatives import Known, Mined, MiningSettings, Progress
from workbench.errors import WorkbenchError

SCREENED = 4  # times as many candidates as are wanted are shown to a reranker
POSITIVES_SHOWN = 4


class RerankerLike(Protocol):
    """What mining needs of a reranker; `models.Reranker` is one."""

    @property
    def reference(self) -> str: ...
    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray: ...


@dataclass(frozen=True)
class Screened:
    """What a reranker thought of each mined pair, in parallel to it: its score, and that of the right document."""

    scores: np.ndarray
    positives: np.ndarray


def screen(
    collection: Collection,
    mined: Mined,
    right: Known,
    reranker: RerankerLike,
    settings: MiningSettings,
    progress: Progress | None = None,
) -> tuple[Mined, Screened]:
    """Leave out what a reranker takes for right: all that it scores above the right document less the margin.

    mined, right: rows. Of several right documents the one that the reranker likes least counts. Of what stays, each
    query keeps as many of a kind as the settings want.
    """
    order = np.argsort(right.queries, kind="stable")
    starts = np.searchsorted(right.queries[order], mined.queries, "left")
    ends = np.searchsorted(right.queries[order], mined.queries, "right")
    groups = _groups(mined, collection.document_modalities)
    scores, positives = np.full(len(mined), np.nan, np.float32), np.full(len(mined), np.nan, np.float32)
    keep = np.zeros(len(mined), bool)
    for number, group in enumerate(groups):
        if progress is not None:
            progress(number, len(groups), "Screening with the reranker")
        answers = right.documents[order[starts[group[0]] : ends[group[0]]]]
        same = collection.document_modalities[answers] == collection.document_modalities[mined.documents[group[0]]]
        answers = answers[same][:POSITIVES_SHOWN]
        shown = collection.items("corpus", [*answers.tolist(), *mined.documents[group].tolist()])
        query = collection.item("queries", int(mined.queries[group[0]]))
        found = np.asarray(reranker.score(query, shown), np.float32)
        if not np.isfinite(found).all():
            raise WorkbenchError(
                f"“{reranker.reference}” gave scores that are not numbers. Mine without it, or choose another reranker."
            )
        least, scores[group] = found[: len(answers)].min(), found[len(answers) :]
        positives[group] = least
        keep[group[scores[group] <= least - settings.reranker_margin][: settings.per_query]] = True
    return mined.only(keep), Screened(scores[keep], positives[keep])


def _groups(mined: Mined, kinds: np.ndarray) -> list[np.ndarray]:
    """Places in `mined` of each query and kind of document, the most similar first."""
    _, kind = np.unique(kinds[mined.documents].astype(str), return_inverse=True)
    key = mined.queries * (int(kind.max(initial=0)) + 1) + kind
    order = np.argsort(key, kind="stable")
    _, starts = np.unique(key[order], return_index=True)
    return np.split(order, starts[1:]) if len(order) else []


def check_reranker(
    reranker: RerankerLike, collection: Collection, query_rows: np.ndarray, document_rows: np.ndarray
) -> None:
    """Raise WorkbenchError if the reranker cannot read one of the kinds of item among these rows."""
    check = getattr(reranker, "check_supports", None)
    if check is not None:
        kinds = [*collection.query_modalities[query_rows], *collection.document_modalities[document_rows]]
        check(dict.fromkeys(kinds))
