"""Whether a collection leans to one side: a few items hold most judgements, or the sides are turned round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.collection.direction import MOST_LABELS as MOST_CLASS_LABELS
from workbench.collection.direction import labels_sentence, looks_turned, turned_sentence
from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.doctor.judgements import text_classes
from workbench.doctor.texts import NOUNS

# An item is heavy if it has so many times the usual number of judgements, and so many at least.
HEAVY_TIMES, HEAVY_COUNT = 20.0, 50
LABEL_TIMES, MOST_LABELS, LABEL_USUAL = 5.0, 100, 5.0  # few labels of many items each lean sooner
HEAVY_SHARE = 0.2
SAMPLE_PAIRS = 20_000


def find_imbalance(examined: Examined) -> Iterator[Finding]:
    """A few queries, or a few documents, that hold a fifth of all relevant judgements or more between them."""
    judged = examined.judged
    relevant = judged.scores > 0
    for side, rows in zip(SIDES, (judged.queries[relevant], judged.documents[relevant]), strict=True):
        if not len(rows):
            continue
        classes, counts = np.unique(text_classes(examined, side, near=False)[rows], return_counts=True)
        usual = float(np.median(counts))
        few = len(classes) <= MOST_LABELS and usual >= LABEL_USUAL
        heavy = (counts >= HEAVY_COUNT) & (counts > (LABEL_TIMES if few else HEAVY_TIMES) * usual)
        share = counts[heavy].sum() / counts.sum()
        if share < HEAVY_SHARE or heavy.all():
            continue
        order = np.argsort(-counts[heavy], kind="stable")
        one, many = NOUNS[side]
        what = f"1 {one} holds" if heavy.sum() == 1 else f"{heavy.sum():,} {many} hold"
        yield Finding(
            "imbalance",
            "note",
            f"{what} {share:.0%} of the relevant judgements, up to {counts.max():,} each, "
            f"where the usual {one} has {usual:,.0f}: a model learns mostly these.",
            side=side,
            groups=[[str(examined.ids(side)[row])] for row in classes[heavy][order]],
            advice="Bring more of the others, or fewer of these.",
            detail={"share": round(float(share), 4), "counts": counts[heavy][order].tolist(), "usual": usual},
        )


def find_direction(examined: Examined) -> Iterator[Finding]:
    """Sides that look turned round, or class labels in place of captions: see `collection.direction`."""
    judged = examined.judged
    rows = relevant = np.flatnonzero(judged.scores > 0)
    if set(examined.modalities("queries")) != {"text"} or not len(rows):
        return
    if len(rows) > SAMPLE_PAIRS:
        # Whole queries, or one that returns would seem to return less often.
        order = np.random.default_rng(0).permutation(len(examined.query_ids))
        taken = np.cumsum(np.bincount(judged.queries[rows], minlength=len(order))[order]) <= SAMPLE_PAIRS
        rows = rows[np.isin(judged.queries[rows], order[taken] if taken.any() else order[:1])]
    queries = examined.texts("queries")[1]
    asked = [queries[query] for query in judged.queries[rows]]
    found = []
    if set(examined.modalities("corpus")) == {"text"}:
        documents = examined.texts("corpus")[1]
        found = [documents[document] for document in judged.documents[rows]]
    verdict = looks_turned(asked, found)
    if verdict == "turned":
        words = [float(np.median([len(text.split()) for text in texts])) for texts in (asked, found)]
        names = examined.collection.card.labels
        yield Finding(
            "direction",
            "hurts",
            turned_sentence(words[0], words[1], names.get("query", "query"), names.get("document", "document")),
            side="judgements",
            groups=[
                [
                    str(examined.query_ids[judged.queries[rows[0]]]),
                    str(examined.document_ids[judged.documents[rows[0]]]),
                ]
            ],
            fix="Turn it round",
            advice="Turning it round makes queries of the documents and documents of the queries.",
            detail={"query_words": words[0], "document_words": words[1], "how": "swap"},
        )
    elif verdict == "labels":
        # The pairs that were looked at are a sample; what is said is about all of them.
        mine = np.unique(judged.queries[relevant])
        labels = len({queries[query].casefold() for query in mine})
        if labels > MOST_CLASS_LABELS:
            return
        yield Finding(
            "direction",
            "note",
            labels_sentence(labels, len(np.unique(judged.documents[relevant])), "document"),
            side="queries",
            groups=[[str(identifier)] for identifier in examined.query_ids[mine]],
            advice="It can be trained all the same; a batch then holds each label once.",
            detail={"labels": labels, "how": ""},
        )
