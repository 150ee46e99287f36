"""Queries of any modality against an index: encode, search, rerank, and how long each took.

Loaded models, open tables and truncated vectors are kept for the next query, in bounded caches. One `Searcher` serves
all threads of a process. An index that is replaced or removed meanwhile is noticed at the next query.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from workbench import models
from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.clock import Clock
from workbench.index.fields import Condition, count_values, matching_rows
from workbench.index.first_stage import FirstStage
from workbench.index.loaded import Loaded, LoadedModels, Loader
from workbench.index.opened import OpenIndexes, Replaced
from workbench.index.registry import IndexCard, get_index
from workbench.index.results import Hit, SearchResult
from workbench.index.scoring import Scorer
from workbench.index.second_stage import Paces, SecondStage
from workbench.index.wish import Wish, check, readable, size_of
from workbench.models.checkpoint import run_name
from workbench.workspace import Workspace

ATTEMPTS = 5
QUERIES_AT_ONCE = 64
UNLIKE_WEIGHT = 0.5
"""How far a query moves away from what it shall not be like: half a step against a whole one towards what it asks."""

Answer = TypeVar("Answer")


class Searcher:
    """Answers queries against the indexes of a workspace. Thread-safe; make one for each process and keep it."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        load_embedder: Loader = models.load_embedder,
        load_reranker: Loader = models.load_reranker,
    ) -> None:
        self._workspace = workspace
        self._models = LoadedModels(workspace, load_embedder, load_reranker)
        self._indexes = OpenIndexes(workspace)
        self._paces = Paces()

    def search(
        self,
        index: str,
        query: Item,
        *,
        model: str | None = None,
        top: int = 10,
        offset: int = 0,
        modality: str | None = None,
        dimension: int | None = None,
        reranker: str | None = None,
        rerank_first: int = 50,
        where: Sequence[Condition] = (),
        hybrid: float = 0.0,
        unlike: Item | None = None,
        budget_ms: float | None = None,
    ) -> SearchResult:
        """The `top` documents behind the first `offset` for a query of text, picture, sound, video, or several of them.

        `model`: None for the one the index was built with; any other must have the same fingerprint. `modality`: only
        documents of this one (`text`, `image`, `text+image`, …). `dimension`: compare only the first so many vector
        components (up to 20,000 rows). `reranker`: a model that orders the first `rerank_first` anew; those behind
        keep their order. `where`: only documents whose metadata meets these conditions; of one field, any of them.
        `hybrid`: the share of full text, from 0 (vectors only) to 1 (only documents with a word of the query); the two
        lists become one by reciprocal ranks. `unlike`: keep away from documents like this item; half of its vector is
        taken from the query's, which then has unit length again (full text and the reranker do not know of it).
        `budget_ms`: rerank only if the answer is then expected within so many milliseconds; `notes` say if not.
        Raises WorkbenchError in words: no such index, model or field, another model than the index was built with, a
        modality that a model cannot read, a collection that is gone where the reranker needs it.
        """
        wish = Wish(
            model, top, offset, modality, dimension, reranker, rerank_first, tuple(where), hybrid, unlike, budget_ms
        )
        return self._answers(index, [query], wish)[0]

    def search_many(self, index: str, queries: Sequence[Item], **options: Any) -> list[SearchResult]:
        """As `search` with the same `options`, of many queries: the model and the table read a block of them at once.

        The times of each result are its block's, divided by its queries. All results are held in memory: of very many
        queries, ask for some thousand at a time.
        """
        wish = Wish(**{**options, "where": tuple(options.get("where", ()))})
        answers: list[SearchResult] = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            some = [queries[number] for number in range(start, min(start + QUERIES_AT_ONCE, len(queries)))]
            answers += self._answers(index, some, wish)
        return answers

    def counts(
        self, index: str, where: Sequence[Condition] = (), *, modality: str | None = None
    ) -> dict[str, dict[str, int]]:
        """For each field with values to choose from: how many documents each value has under the chosen conditions.

        The conditions of a field do not count for its own values, since several of one field are alternatives: a
        number says how many documents choosing that value (alone) would leave. A value with none is there, with 0.
        """
        check(Wish(modality=modality), [])

        def count(card: IndexCard) -> dict[str, dict[str, int]]:
            with self._indexes.reading(card) as opened:
                offered = {field["name"]: list(field["values"]) for field in card.fields if "values" in field}
                names = dict.fromkeys([*offered, *(condition.field for condition in where)])
                columns = self._indexes.columns(card, opened, names)
                kind = None if modality is None else self._indexes.rows_of(card, opened, modality)
                return {name: count_values(columns, name, offered[name], where, kind) for name in offered}

        return self._of_live(index, count)

    def scorer(self, index: str, query: Item, *, reranker: str | None = None, dimension: int | None = None) -> Scorer:
        """How well given documents answer a query, scored as a search with these choices scores them.

        Raises WorkbenchError as `search` does.
        """
        card = get_index(self._workspace, index)
        model = self._embedder(card, None) if reranker is None else self._models.reranker(reranker)
        size = size_of(card, dimension)
        return Scorer(card, query, model, reranker is not None, size, self._indexes.collection(card))

    def _answers(self, index: str, queries: list[Item], wish: Wish) -> list[SearchResult]:
        check(wish, queries)
        queries = [readable(query) for query in queries]
        wish = wish if wish.unlike is None else replace(wish, unlike=readable(wish.unlike))
        return self._of_live(index, lambda card: self._search(card, queries, wish))

    def _of_live(self, index: str, answer: Callable[[IndexCard], Answer]) -> Answer:
        """The answer of the live table, asked again if that is replaced meanwhile."""
        for _ in range(ATTEMPTS):
            try:
                return answer(get_index(self._workspace, index))
            except Replaced:
                continue
        raise WorkbenchError(f"The index “{index}” is being replaced again and again. Wait, then search again.")

    def _search(self, card: IndexCard, queries: list[Item], wish: Wish) -> list[SearchResult]:
        size = size_of(card, wish.dimension)
        embedder = self._embedder(card, wish.model)
        # Loaded and opened before the clock starts: no stage's time holds what only the first search pays.
        judge = None if wish.reranker is None else self._models.reranker(wish.reranker)
        among = self._among(card, wish.where)
        clock = Clock()
        vectors = _vectors(embedder, queries, wish.unlike, size)
        clock.stage("encode", len(queries))
        found = FirstStage(self._indexes, card, wish, among).hits(vectors, [query.text or "" for query in queries])
        clock.stage("search", len(queries) * (card.rows if among is None else len(among)))
        noted = [_notes(card, query, wish) for query in queries]
        read = [0] * len(queries)
        if judge is not None and wish.reranks:
            stage = SecondStage(judge, card.table, self._paces, lambda hits: self._items(card, hits))
            for number, query in enumerate(queries):
                left = None if wish.budget_ms is None else wish.budget_ms / 1000 - clock.seconds / len(queries)
                found[number], read[number], note = stage.hits(query, found[number], wish.rerank_first, left)
                noted[number] += [note] if note else []
            clock.stage("rerank", sum(read))
        pages = self._placed(card, [hits[wish.offset : wish.last] for hits in found])
        matching = None if among is None else len(among)
        return [
            SearchResult(
                index=card.name,
                model=card.model,
                hits=page,
                milliseconds=clock.milliseconds(len(queries)),
                dimension=size,
                reranker=wish.reranker,
                matching=matching,
                per_second=clock.per_second,
                offset=wish.offset,
                hybrid=wish.hybrid if card.full_text and (query.text or "").strip() else 0.0,
                reranked=reranked,
                notes=tuple(notes),
            )
            for query, page, reranked, notes in zip(queries, pages, read, noted, strict=True)
        ]

    def _embedder(self, card: IndexCard, model: str | None) -> Loaded:
        chosen = model or card.model
        if chosen == card.model and chosen.startswith("run:") and not self._has_run(chosen):
            raise WorkbenchError(
                f"The index “{card.name}” was built with the run “{chosen.removeprefix('run:')}”, which has been "
                "removed. Build the index again with another model."
            )
        found = self._models.embedder(chosen, trust_remote_code=card.trust_remote_code and chosen == card.model)
        if found.model.fingerprint == card.fingerprint:
            return found
        if chosen == card.model:
            raise WorkbenchError(
                f"The model “{chosen}” has changed since the index “{card.name}” was built with it, so its vectors "
                "cannot be compared. Build the index again with this model."
            )
        raise WorkbenchError(
            f"The index “{card.name}” was built with “{card.model}”, and vectors of “{chosen}” cannot be compared with "
            f"it. Search with “{card.model}”, or build the index again with “{chosen}”."
        )

    def _has_run(self, reference: str) -> bool:
        return self._workspace.run(run_name(reference)).is_dir()

    def _among(self, card: IndexCard, where: tuple[Condition, ...]) -> np.ndarray | None:
        """The rows whose metadata meets the conditions, ascending; None where there are no conditions."""
        with self._indexes.reading(card) as opened:
            if not where:
                return None
            names = {condition.field for condition in where}
            return matching_rows(self._indexes.columns(card, opened, names), where)

    def _items(self, card: IndexCard, hits: Sequence[Hit]) -> list[Item]:
        """The documents of these hits with their media, for a reranker to read."""
        collection = self._indexes.collection(card)
        if collection is None:
            raise WorkbenchError(
                f"The collection “{card.collection}”, from which the index “{card.name}” was made, is gone, and a "
                "reranker needs its documents. Search without it, or import the collection again."
            )
        return [_item(collection, hit, card) for hit in hits]

    def _placed(self, card: IndexCard, pages: list[list[Hit]]) -> list[list[Hit]]:
        """The hits with the corpus rows of their documents now, or the thumbnails of those that are there no more."""
        collection = self._indexes.collection(card)
        rows = {hit.row: -1 if collection is None else _row(collection, hit) for hits in pages for hit in hits}
        gone = [kept for kept, row in rows.items() if row < 0]
        thumbnails: dict[int, dict[str, Any]] = {}
        if gone:
            with self._indexes.reading(card) as opened:
                thumbnails = table.rows_at(opened, gone, ("thumbnail",))

        def placed(hit: Hit) -> Hit:
            row = rows[hit.row]
            return replace(hit, row=row, thumbnail=thumbnails[hit.row]["thumbnail"] if row < 0 else None)

        return [[placed(hit) for hit in hits] for hits in pages]


def _vectors(embedder: Loaded, queries: Sequence[Item], unlike: Item | None, size: int) -> np.ndarray:
    """The vectors of queries, moved away from that of `unlike`, cut to `size` components: (queries, size) float32."""
    with embedder.lock:
        embedder.model.check_supports(dict.fromkeys(item.modality for item in (*queries, unlike) if item is not None))
        vectors = np.asarray(embedder.model.encode_queries(queries), dtype=np.float32)
        if unlike is not None:
            # As a document: it is documents like this one that the query is to keep away from.
            away = np.asarray(embedder.model.encode_documents([unlike]), dtype=np.float32)
            vectors = vectors - UNLIKE_WEIGHT * away
    if vectors.shape[1] > size or unlike is not None:
        vectors = models.truncate(vectors, size)
    if not np.isfinite(vectors).all():
        raise WorkbenchError(
            f"“{embedder.model.reference}” gave a vector that is not numbers for this query. Try another model."
        )
    return vectors


def _notes(card: IndexCard, query: Item, wish: Wish) -> list[str]:
    """What was left out of what was asked for, in whole sentences."""
    notes = []
    if wish.hybrid and not (query.text or "").strip():
        notes.append("Full text was left out: the query has no words.")
    elif wish.hybrid and not card.full_text:
        notes.append("Full text was left out: this index has none. Build it again if its documents have texts.")
    if wish.reranker is not None and not wish.reranks:
        notes.append(f"These results lie behind the first {wish.rerank_first}, which are the ones reranked.")
    return notes


def _row(collection: Collection, hit: Hit) -> int:
    """Where the document is in the corpus now, −1 if it is there no more.

    An import of the same files gives the same ids and perhaps another order, so the row is believed only with its id.
    """
    ids = collection.corpus.data["id"]
    if hit.row < len(ids) and ids[hit.row].as_py() == hit.id:
        return hit.row
    return collection.document_rows.get(hit.id, -1)


def _item(collection: Collection, hit: Hit, card: IndexCard) -> Item:
    row = _row(collection, hit)
    if row < 0:
        raise WorkbenchError(
            f"The collection “{card.collection}” has changed since the index “{card.name}” was built: a document found "
            "is no longer in it, so it cannot be reranked. Build the index again, or search without the reranker."
        )
    return collection.item("corpus", row)
