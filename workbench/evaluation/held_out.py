"""What is asked of a model: the held-out judgements read in every direction.

A judgement can be read both ways, and two documents that answer the same query answer each other. A collection of
captions with pictures and tunes is therefore asked text->image, text->audio (as uploaded), image->text, audio->text
(backwards), image->audio and audio->image (through the shared query). `all` is the uploaded direction over the whole
held-out corpus. An item of several modalities (`text+image`) is a modality of its own.

The corpus is what the split left unseen. Split by component: every document that no training judgement names.
Split by query: the whole corpus, which is then fixed. What a model judged, mined negatives and generated queries, does
not count here, or it would shrink the corpus and seem to help. The held-out queries are the corpus of a backward
direction. Of very many documents a backward direction asks a seeded sample: more would cost time and hardly narrow the
interval.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError

ALL = "all"
MOST_DOCUMENTS_ASKED = 5_000
OF_MODELS = ("mined", "generated")
Relevant = dict[int, float]
Links = dict[int, Relevant]


@dataclass(frozen=True)
class Direction:
    """One question asked of a model: given these items, find those.

    source_rows: rows of `source_side` (`queries` or `corpus`), ascending; each has something relevant.
    target_rows: rows of `target_side`, in the order of their ids, so that the earlier position wins a tie.
    relevant: for each source the gain (> 0) of each relevant target, by its *position* in target_rows.
    left_out: how many sources of this modality were left out because nothing among the targets is relevant.
    unasked: how many more there were than are asked.
    """

    source_side: str
    source_rows: np.ndarray
    target_side: str
    target_rows: np.ndarray
    relevant: list[Relevant]
    left_out: int = 0
    unasked: int = 0


@dataclass(frozen=True)
class HeldOut:
    """The directions of a collection by name: `all` first, then `text->image` and so on."""

    directions: dict[str, Direction] = field(default_factory=dict)

    def rows(self, names: list[str] | None = None) -> dict[tuple[str, str], np.ndarray]:
        """The rows that must be encoded, by side and role: {("corpus", "target"): rows, ascending}."""
        needed: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        for name, direction in self.directions.items():
            if names is None or name in names:
                needed[direction.source_side, "source"].append(direction.source_rows)
                needed[direction.target_side, "target"].append(direction.target_rows)
        return {key: np.unique(np.concatenate(parts)) for key, parts in needed.items()}


def nothing_held_out(collection: str) -> WorkbenchError:
    """The error that says that a collection has nothing to score a model by."""
    return WorkbenchError(
        f"The collection “{collection}” has no held-out judgements to score against. "
        "Import it again with at least two queries, so that some can be set aside."
    )


def held_out(collection: Collection) -> HeldOut:
    """Read the held-out judgements in every direction. Reads ids and modalities only, never media.

    Relevant is a score above 0, and the score is the gain. Where a pair was judged twice the higher score counts.
    Raises WorkbenchError if the collection has no relevant held-out judgement.
    """
    forward = _links(collection, "eval")
    if not forward:
        raise nothing_held_out(collection.name)
    queries = np.unique(collection.judged("eval").queries)
    corpus = _held_out_documents(collection, forward)
    kinds = {"queries": collection.query_modalities, "corpus": collection.document_modalities}
    ids = {"queries": np.array(collection.queries["id"][:]), "corpus": np.array(collection.corpus["id"][:])}
    backward = _reversed(forward)

    directions = {ALL: _direction("queries", queries, "corpus", _by_id(corpus, ids["corpus"]), forward)}

    def add(source_side: str, sources: np.ndarray, target_side: str, targets: np.ndarray, links: Links) -> None:
        linked = _modality_pairs(kinds[source_side], kinds[target_side], links)
        for source_kind, target_kind in linked:
            name = f"{source_kind}->{target_kind}"
            if name in directions or (source_kind == target_kind and links is not forward):
                continue
            askable = sources[kinds[source_side][sources] == source_kind]
            found = targets[kinds[target_side][targets] == target_kind]
            asked = askable if links is forward else _sample(askable, MOST_DOCUMENTS_ASKED)
            directions[name] = _direction(
                source_side,
                asked,
                target_side,
                _by_id(found, ids[target_side]),
                links,
                unasked=len(askable) - len(asked),
            )

    answers = np.fromiter(sorted(backward), dtype=np.int64, count=len(backward))
    add("queries", queries, "corpus", corpus, forward)
    add("corpus", answers, "queries", queries, backward)
    if len(collection.card.modalities.get("document", [])) != 1:
        add("corpus", answers, "corpus", corpus, _through_queries(collection, backward, kinds["corpus"]))
    return HeldOut({name: direction for name, direction in directions.items() if len(direction.source_rows)})


def _links(collection: Collection, split: str | None) -> Links:
    """{query row: {document row: gain}} of the relevant judgements of a split."""
    judged = collection.judged(split)
    links: Links = defaultdict(dict)
    for query, document, score in zip(
        judged.queries.tolist(), judged.documents.tolist(), judged.scores.tolist(), strict=True
    ):
        if score > 0:
            links[query][document] = max(score, links[query].get(document, 0.0))
    return dict(links)


def _reversed(links: Links) -> Links:
    result: Links = defaultdict(dict)
    for source, targets in links.items():
        for target, gain in targets.items():
            result[target][source] = gain
    return dict(result)


def _held_out_documents(collection: Collection, forward: Links) -> np.ndarray:
    """Rows of the corpus that is searched, ascending."""
    everything = np.arange(len(collection.corpus))
    if collection.card.split.get("method") != "component":
        return everything
    trained = collection.judged("train")
    seen = np.zeros(len(everything), bool)
    seen[trained.documents[~np.isin(trained.sources.astype(str), OF_MODELS)]] = True
    for targets in forward.values():
        seen[list(targets)] = False
    return everything[~seen]


def _through_queries(collection: Collection, backward: Links, kinds: np.ndarray) -> Links:
    """{document row: {document row of another modality: gain}} of documents that answer the same query.

    The gain is the smaller of the two. Sources are held-out answers; where the corpus is fixed (split by query) what
    a training query joins to them is relevant as well, or it would count as a mistake.
    """
    forward = _links(collection, None)
    every_query = _reversed(forward)
    links: Links = {}
    for source in backward:
        relevant: Relevant = {}
        for query, gain in every_query[source].items():
            for target, other in forward[query].items():
                if kinds[target] != kinds[source]:
                    relevant[target] = max(min(gain, other), relevant.get(target, 0.0))
        if relevant:
            links[source] = relevant
    return links


def _modality_pairs(sources: np.ndarray, targets: np.ndarray, links: Links) -> list[tuple[str, str]]:
    """The pairs of modalities that the links join, sorted."""
    return sorted({(sources[source], targets[target]) for source, found in links.items() for target in found})


def _by_id(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return rows[np.argsort(ids[rows], kind="stable")]


def _sample(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows, drawn with a fixed seed, ascending."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def _direction(
    source_side: str, sources: np.ndarray, target_side: str, targets: np.ndarray, links: Links, unasked: int = 0
) -> Direction:
    position = {row: place for place, row in enumerate(targets.tolist())}
    kept, relevant = [], []
    for source in sources.tolist():
        found = {position[row]: gain for row, gain in links.get(source, {}).items() if row in position}
        if found:
            kept.append(source)
            relevant.append(found)
    left_out = len(sources) - len(kept)
    return Direction(source_side, np.array(kept, dtype=np.int64), target_side, targets, relevant, left_out, unasked)
