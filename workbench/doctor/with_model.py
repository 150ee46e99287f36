"""What only a chosen model can tell: texts that it would cut, and documents that crowd the results of every query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.texts import NOUNS
from workbench.evaluation.vectors import encode_side

HURTING_SHARE = 0.05  # of the texts of a side cut
TOKENISED_AT_ONCE = 1000
LONGEST_TEXT = 1 << 20  # letters; more of a text says nothing more about its being cut

NEAREST = 10
# Below so many documents or queries, ten neighbours are no choice, and chance makes favourites.
LEAST_DOCUMENTS, LEAST_QUERIES = 50, 50
QUERIES_LOOKED_AT = 10_000
BLOCK, DOCUMENT_BLOCK = 256, 1 << 16
# A hub is wrongly near to this share of all queries at least, to so many more than the most favoured of the others
# (all but one in a hundred), and to more than chance gives with this probability.
HUB_SHARE, HUB_TIMES, HUB_CHANCE = 0.05, 3.5, 1e-9
RIVALS_LEFT_OUT = 0.01


def find_truncated_texts(examined: Examined) -> Iterator[Finding]:
    """Texts longer than the model reads, by its own tokenizer and with its prompt; nothing without a model."""
    reads = _reading(examined)
    if reads is None:
        return
    tokenizer, most, prompts = reads
    for side in SIDES:
        ids, texts = examined.texts(side, mixed=True)
        if not ids:
            continue
        prompt = prompts.get("query" if side == "queries" else "document") or ""
        rows, tokens = _too_long(examined, tokenizer, [prompt, *texts], most)
        if len(rows):
            yield _cut(side, [ids[row] for row in rows], tokens, most, len(ids))


def _reading(examined: Examined) -> tuple[Any, int, dict[str, str]] | None:
    """The tokenizer, the most tokens that are read and the prompts; None without a model that cuts texts."""
    model = getattr(examined.embedder, "model", None)
    tokenizer, most = getattr(model, "tokenizer", None), getattr(model, "max_seq_length", None)
    # Tokenizers of no limit say 1e30.
    if model is None or not callable(tokenizer) or not most or most > 1 << 24:
        return None
    return tokenizer, int(most), dict(getattr(model, "prompts", None) or {})


def _too_long(examined: Examined, tokenizer: Any, texts: list[str], most: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the texts (after the first, the prompt before each) that are cut, and how many tokens each has.

    No tokenizer makes more tokens of a text than it has bytes, a few marks at its ends aside: short ones are not tried.
    """
    prompt, *texts = texts
    room = most - len(prompt.encode()) - 8
    maybe = [row for row, text in enumerate(texts) if len(text) > room // 4 and len(text.encode()) > room]
    rows, tokens = [], []
    for start in range(0, len(maybe), TOKENISED_AT_ONCE):
        examined.progress(start, len(maybe), "Counting tokens")
        some = maybe[start : start + TOKENISED_AT_ONCE]
        encoded = tokenizer([prompt + texts[row][:LONGEST_TEXT] for row in some], truncation=False, verbose=False)
        for row, found in zip(some, encoded["input_ids"], strict=True):
            if len(found) > most:
                rows.append(row)
                tokens.append(len(found))
    return np.array(rows, np.int64), np.array(tokens, np.int64)


def _cut(side: str, ids: list[str], tokens: np.ndarray, most: int, texts: int) -> Finding:
    share = len(ids) / texts
    lost = 1 - most / tokens
    order = np.argsort(-tokens, kind="stable")
    are = "is" if len(ids) == 1 else "are"
    return Finding(
        "truncated-text",
        "hurts" if share >= HURTING_SHARE else "note",
        f"{counted(len(ids), *NOUNS[side])} ({_percent(share)}) {are} longer than the {most:,} tokens that the model "
        f"reads. Of the usual one of them {_percent(float(np.median(lost)))} is cut off.",
        side=side,
        groups=[[ids[row]] for row in order],
        advice="Choose a model that reads longer texts, or cut the texts into passages and import them again.",
        detail={
            "share": round(share, 4),
            "most_tokens": most,
            "median_tokens": int(np.median(tokens)),
            "longest_tokens": int(tokens.max()),
            "median_lost": round(float(np.median(lost)), 4),
            "how": "",
        },
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1f} %"


def find_hubs(examined: Examined) -> Iterator[Finding]:
    """Documents among the nearest of implausibly many queries that they do not answer; nothing without a model.

    Counted for each modality of documents: the k-occurrence N_10 of Radovanović et al. 2010, JMLR 11, without the
    queries that a document is judged to answer.
    """
    if examined.embedder is None:
        return
    query_rows, document_rows = _read_rows(examined, "queries"), _read_rows(examined, "corpus")
    modalities = examined.modalities("corpus")[document_rows]
    enough = [kind for kind in dict.fromkeys(modalities) if (modalities == kind).sum() >= LEAST_DOCUMENTS]
    if len(query_rows) < LEAST_QUERIES or not enough:
        return
    queries, documents = _vectors(examined, "queries", query_rows), _vectors(examined, "corpus", document_rows)
    if len(query_rows) > QUERIES_LOOKED_AT:
        chosen = np.sort(np.random.default_rng(0).choice(len(query_rows), QUERIES_LOOKED_AT, replace=False))
        query_rows, queries = query_rows[chosen], queries[chosen]
    for modality in enough:
        places = np.flatnonzero(modalities == modality)
        yield from _hubs(examined, query_rows, np.asarray(queries), document_rows[places], documents, places)


def _read_rows(examined: Examined, side: str) -> np.ndarray:
    """The rows of a side that the model reads."""
    modalities = examined.modalities(side)
    known = getattr(examined.embedder, "modalities", None)
    return np.arange(len(modalities)) if known is None else np.flatnonzero(np.isin(modalities, known))


def _vectors(examined: Examined, side: str, rows: np.ndarray) -> np.ndarray:
    """The vectors of these rows, all that the model reads."""
    if len(rows) == len(examined.modalities(side)):
        return examined.vectors(side)
    assert examined.embedder is not None
    return encode_side(examined.embedder, examined.collection, side, rows=rows, progress=examined.progress)


def _hubs(
    examined: Examined,
    query_rows: np.ndarray,
    queries: np.ndarray,
    document_rows: np.ndarray,
    vectors: np.ndarray,
    places: np.ndarray,
) -> Iterator[Finding]:
    nearest = min(NEAREST, len(document_rows) // 10)
    found = _nearest(examined, queries, vectors, places, nearest)
    wrong = ~_answered(examined, query_rows, document_rows[found])
    counts = np.bincount(found[wrong], minlength=len(document_rows))
    limit = hub_limit(counts, len(queries), nearest)
    hubs = np.flatnonzero(counts >= limit)
    if not len(hubs):
        return
    hubs = hubs[np.argsort(-counts[hubs], kind="stable")]
    share = counts[hubs[0]] / len(queries)
    are = "is" if len(hubs) == 1 else "are each"
    yield Finding(
        "hub",
        "hurts",
        f"{counted(len(hubs), 'document')} {are} among the {nearest} nearest of far more queries than they answer, the "
        f"worst of {_percent(share)} of all. So does a document look that was made to turn up everywhere.",
        side="corpus",
        groups=[[str(examined.document_ids[document_rows[hub]])] for hub in hubs],
        fix="Leave them out",
        advice="Look at them first: a document that is about everything may be meant to be there.",
        detail={
            "how": "drop",
            "occurrences": counts[hubs].tolist(),
            "queries": len(queries),
            "expected": round(nearest * len(queries) / len(document_rows), 2),
            "limit": int(limit),
            "nearest": nearest,
        },
    )


def hub_limit(counts: np.ndarray, queries: int, nearest: int) -> float:
    """From how many queries on a document is a hub.

    counts: (documents,), how many of `queries` have each among their `nearest` without being answered by it.
    """
    from scipy.stats import binom

    chance = float(binom.isf(HUB_CHANCE, queries, min(1.0, nearest / len(counts))))
    rivals = np.sort(counts)[: len(counts) - max(1, round(RIVALS_LEFT_OUT * len(counts)))]
    return max(chance, HUB_SHARE * queries, HUB_TIMES * float(rivals[-1]))


def _nearest(
    examined: Examined, queries: np.ndarray, vectors: np.ndarray, places: np.ndarray, nearest: int
) -> np.ndarray:
    """(queries, nearest): the positions in `places` of the nearest documents of each query, by exact search."""
    best = np.full((len(queries), nearest), -np.inf, np.float32)
    found = np.zeros((len(queries), nearest), np.int64)
    for low in range(0, len(places), DOCUMENT_BLOCK):
        documents = np.asarray(vectors[places[low : low + DOCUMENT_BLOCK]], np.float32)
        for start in range(0, len(queries), BLOCK):
            some = slice(start, start + BLOCK)
            scores = queries[some] @ documents.T
            top = np.argpartition(-scores, min(nearest, scores.shape[1]) - 1, axis=1)[:, :nearest]
            scores = np.hstack([best[some], np.take_along_axis(scores, top, axis=1)])
            numbers = np.hstack([found[some], top + low])
            keep = np.argpartition(-scores, nearest - 1, axis=1)[:, :nearest]
            best[some], found[some] = np.take_along_axis(scores, keep, 1), np.take_along_axis(numbers, keep, 1)
        examined.progress(min(len(places), low + DOCUMENT_BLOCK), len(places), "Looking for hubs")
    return found


def _answered(examined: Examined, query_rows: np.ndarray, document_rows: np.ndarray) -> np.ndarray:
    """Whether each document answers its query: (queries, nearest) bool for document rows of that shape."""
    judged = examined.judged
    relevant = judged.scores > 0
    width = len(examined.document_ids)
    known = judged.queries[relevant] * width + judged.documents[relevant]
    return np.isin(query_rows[:, None] * width + document_rows, known)
