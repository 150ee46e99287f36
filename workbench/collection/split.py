"""Hold some of a collection out for the score, so that nothing scored has been seen in training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DEFAULT_FRACTION = 0.15
LEAST_QUERIES, MOST_QUERIES = 50, 2000
LARGEST_FRACTION = 0.3  # small collections keep most of what they have for training
GIANT_SHARE = 0.5


@dataclass(frozen=True)
class Split:
    """labels: (judgements,) of "train" or "eval". sentence: what was held out, for the page."""

    labels: np.ndarray
    method: str
    fraction: float
    sentence: str

    def described(self, seed: int) -> dict[str, Any]:
        """What a card keeps of it, as its `split`."""
        return {"method": self.method, "fraction": self.fraction, "seed": seed, "sentence": self.sentence}


def held_out_count(queries: int, fraction: float | None = None) -> int:
    """How many of `queries` to hold out: `fraction` of them, or by default about 15 %, 50 to 2,000, at most 30 %."""
    if fraction is not None:
        return min(round(queries * fraction), max(0, queries - 1))
    wanted = min(max(round(queries * DEFAULT_FRACTION), LEAST_QUERIES), MOST_QUERIES)
    return min(wanted, max(1, round(queries * LARGEST_FRACTION)), max(0, queries - 1))


def split_judgements(
    query_rows: Sequence[int] | np.ndarray,
    document_rows: Sequence[int] | np.ndarray,
    *,
    seed: int = 0,
    fraction: float | None = None,
    query_ids: Sequence[str] | None = None,
    same_items: Sequence[tuple[int, int]] = (),
) -> Split:
    """Label each judgement train or eval.

    query_rows, document_rows: (judgements,) row numbers of both sides.
    query_ids: id of each query row; with it the split depends on the content and not on the order of the rows.
    same_items: (query row, document row) of items that are on both sides and may not be seen on both either.

    By connected components, so that no query and no document is on both sides; by query (the documents are then
    shared) where one component holds more than half of all judgements, or no set of components comes near the
    wanted fraction. `fraction` is of queries; see `held_out_count` for its default.
    """
    queries, query_of = np.unique(np.asarray(query_rows, dtype=np.int64), return_inverse=True)
    wanted = held_out_count(len(queries), fraction)
    if wanted == 0:
        few = {0: "There are no queries", 1: "There is only one query"}
        reason = few.get(len(queries), "The fraction that was asked for is less than one query")
        sentence = f"{reason}, so nothing is held out and no score can be measured."
        return Split(np.full(len(query_of), "train", dtype=object), "query", 0.0, sentence)
    names = [query_ids[row] if query_ids is not None else str(row) for row in queries]
    component = _components(queries, query_of, np.asarray(document_rows, dtype=np.int64), same_items)
    held_out = _whole_components(component, query_of, names, seed, wanted)
    method = "query" if held_out is None else "component"
    if held_out is None:
        held_out = np.zeros(len(queries), bool)
        held_out[np.argsort([_key(seed, name) for name in names])[:wanted]] = True
    is_eval = held_out[query_of]
    documents = len(np.unique(np.asarray(document_rows)[is_eval]))
    count = int(held_out.sum())
    return Split(
        np.where(is_eval, "eval", "train").astype(object),
        method,
        round(count / len(queries), 4),
        split_sentence(method, count, documents),
    )


def given_split(
    query_rows: Sequence[int] | np.ndarray, document_rows: Sequence[int] | np.ndarray, labels: Sequence[str]
) -> Split:
    """The split that the user's own tables make, told as `split_judgements` tells its own."""
    array = np.array(labels, dtype=object)
    is_eval = array == "eval"
    queries = len(np.unique(np.asarray(query_rows)[is_eval]))
    share = queries / max(1, len(np.unique(np.asarray(query_rows))))
    documents = len(np.unique(np.asarray(document_rows)[is_eval]))
    return Split(array, "given", round(share, 4), split_sentence("given", queries, documents))


def split_sentence(method: str, queries: int, documents: int) -> str:
    """What is held out, for the page. method: `component`, `query` or `given`; counts are of the held-out ones."""
    if not queries:
        return "Nothing is held out, so no score can be measured."
    asked = f"{queries:,} queries" if queries != 1 else "1 query"
    are = "are" if queries != 1 else "is"
    if method == "given":
        return f"{asked} {are} held out for the score, as the tables that were brought say."
    if method == "query":
        return (
            f"{asked} {are} held out for the score; the documents are shared, so some of theirs are seen in training."
        )
    found = f"{documents:,} documents" if documents != 1 else "1 document"
    their = "their" if queries != 1 else "its"
    return f"{asked} and {their} {found} are held out for the score; none of them is seen in training."


def _key(seed: int, name: str) -> int:
    """A pseudo-random number that depends on the seed and the name alone, so that the order of rows plays no part."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=7).digest(), "big")


def _components(
    queries: np.ndarray, query_of: np.ndarray, document_rows: np.ndarray, same_items: Sequence[tuple[int, int]]
) -> np.ndarray:
    """The number of the connected component of each query, (queries,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    documents, document_of = np.unique(document_rows, return_inverse=True)
    left, right = query_of, document_of + len(queries)
    if len(same_items):
        pairs = np.asarray(same_items, dtype=np.int64)
        pairs = pairs[np.isin(pairs[:, 0], queries) & np.isin(pairs[:, 1], documents)]
        left = np.concatenate([left, np.searchsorted(queries, pairs[:, 0])])
        right = np.concatenate([right, np.searchsorted(documents, pairs[:, 1]) + len(queries)])
    nodes = len(queries) + len(documents)
    graph = coo_matrix((np.ones(len(left), bool), (left, right)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1][: len(queries)]


def _whole_components(
    component: np.ndarray, query_of: np.ndarray, names: Sequence[str], seed: int, wanted: int
) -> np.ndarray | None:
    """Which queries to hold out, as whole components up to `wanted`; None where that cannot be done well."""
    judgements = np.bincount(component[query_of], minlength=component.max() + 1)
    if judgements.max() > GIANT_SHARE * len(query_of):
        return None
    sizes = np.bincount(component)
    first: dict[int, str] = {}  # one name stands for its component, or large ones would be drawn more often
    for number, name in zip(component.tolist(), names, strict=True):
        first[number] = min(name, first.get(number, name))
    chosen, taken = np.zeros(len(sizes), bool), 0
    for number in sorted(first, key=lambda number: _key(seed, first[number])):
        if taken + sizes[number] <= wanted:
            chosen[number] = True
            taken += int(sizes[number])
    if 2 * taken < wanted:  # all that is left is too large: some stray queries alone would be no score
        rest = np.flatnonzero((sizes > 0) & ~chosen)
        smallest = rest[np.argmin(sizes[rest])]
        if taken + sizes[smallest] > LARGEST_FRACTION * len(component):
            return None
        chosen[smallest] = True
    return chosen[component]
