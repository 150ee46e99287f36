"""Whether the two sides of a collection look turned round: what asks should be short, what is found should be rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Passages have at least so many words; a query this long is rare, unless its documents are still longer.
LONG_WORDS, LONGER_TIMES = 30, 3.0
# A query that returns is worth a look even when it is not quite so long.
REPEATED_PAIRS, REPEATED_LONGER_TIMES, REPEATED_WORDS = 2.0, 2.0, 12
LABEL_WORDS, LABEL_PAIRS, MOST_LABELS = 2, 10.0, 200
LEAST_PAIRS = 5


def looks_turned(queries: Sequence[str], documents: Sequence[str]) -> str:
    """`turned` if the sides look turned round, `labels` if the queries look like class labels, else "".

    queries, documents: the text of each side for each pair, so that a text that returns is there several times;
    empty where a side holds no text. Turned: texts of many words that ask for far shorter ones, or that return and are
    still longer than what they ask for. Labels: a few texts of one or two words, each for many documents.
    """
    pairs = len(queries)
    if pairs < LEAST_PAIRS:
        return ""
    each = pairs / len({text.casefold() for text in queries})
    words = _median_words(queries)
    if documents:
        longer = words / max(1.0, _median_words(documents))
        repeated = each >= REPEATED_PAIRS and longer >= REPEATED_LONGER_TIMES and words >= REPEATED_WORDS
        if repeated or (words >= LONG_WORDS and longer >= LONGER_TIMES):
            return "turned"
    few = pairs / each <= MOST_LABELS
    return "labels" if few and words <= LABEL_WORDS and each >= LABEL_PAIRS else ""


def direction_warning(rows: list[dict[str, Any]], kinds: dict[str, str], roles: dict[str, str | None]) -> str:
    """One sentence if the first rows of a table look turned round under these roles, else "".

    rows: column to cell. kinds: column to text, image, …; roles: `query` and `document` to their columns.
    """
    query, document = roles.get("query"), roles.get("document")
    if not query or not document or kinds.get(query) not in ("text", "number"):
        return ""
    asked = [str(row[query]).strip() for row in rows if row.get(query) not in (None, "")]
    has_texts = kinds.get(document) in ("text", "number")
    found = [str(row[document]).strip() for row in rows if row.get(document) not in (None, "")] if has_texts else []
    if (verdict := looks_turned(asked, found)) == "turned":
        return turned_sentence(_median_words(asked), _median_words(found), query, document)
    return labels_sentence(len({text.casefold() for text in asked}), len(asked), "row") if verdict == "labels" else ""


def turned_sentence(query_words: float, document_words: float, query: str = "query", document: str = "document") -> str:
    """What is said of sides that look turned round."""
    return (
        f"This looks turned round: the usual {query} has {query_words:,.0f} words and the usual {document} "
        f"{document_words:,.0f}. People ask in few words and look for long texts."
    )


def labels_sentence(labels: int, pairs: int, noun: str) -> str:
    """What is said of queries that look like class labels."""
    texts = "1 short text asks" if labels == 1 else f"{labels:,} short texts ask"
    return (
        f"{texts} for {pairs:,} {noun}s: that looks like class labels, not captions. "
        "A caption of its own for each would teach a model more."
    )


def _median_words(texts: Sequence[str]) -> float:
    return float(np.median([len(text.split()) for text in texts])) if texts else 0.0
