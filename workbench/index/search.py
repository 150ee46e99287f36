"""One query of any modality against an index: encode, search, rerank, and how long each took.

Loaded models, open tables and truncated vectors are kept for the next query, in bounded caches. One `Searcher` serves
all threads of a process. An index that is replaced or removed meanwhile is noticed at the next query.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import models
from workbench.collection.store import Collection, Item, open_collection
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.fields import Column, Condition, load_column, matching_rows
from workbench.index.loaded import Loaded, LoadedModels, Loader
from workbench.index.memory import Matrix, load_matrix
from workbench.index.recent import Recent
from workbench.index.registry import IndexCard, get_index, live_table
from workbench.index.results import Hit, SearchResult
from workbench.index.scoring import Scorer
from workbench.models.checkpoint import run_name
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from lancedb.table import Table

KEPT_TABLES = 8
KEPT_COLLECTIONS = 8
KEPT_MATRIX_BYTES = 1 << 29
KEPT_COLUMN_BYTES = 1 << 28
MOST_HITS = 1000
ATTEMPTS = 5


@dataclass(frozen=True)
class _Wish:
    """What one search asks for, besides its index."""

    query: Item
    model: str | None
    top: int
    modality: str | None
    dimension: int | None
    reranker: str | None
    rerank_first: int
    where: tuple[Condition, ...] = ()


class _Replaced(Exception):
    """The table was replaced or removed while it was being read."""


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
        self._tables: Recent[Table] = Recent(KEPT_TABLES)
        self._collections: Recent[Collection] = Recent(KEPT_COLLECTIONS)
        self._matrices: Recent[Matrix] = Recent(KEPT_MATRIX_BYTES, weigh=lambda matrix: matrix.nbytes)
        self._columns: Recent[Column] = Recent(KEPT_COLUMN_BYTES, weigh=lambda column: column.nbytes)
        self._database: Recent[Any] = Recent(1)

    def search(
        self,
        index: str,
        query: Item,
        *,
        model: str | None = None,
        top: int = 10,
        modality: str | None = None,
        dimension: int | None = None,
        reranker: str | None = None,
        rerank_first: int = 50,
        where: Sequence[Condition] = (),
    ) -> SearchResult:
        """The `top` documents for a query of text, picture, sound, video, or several of them together.

        `model`: None for the one the index was built with; any other must have the same fingerprint. `modality`: only
        documents of this one (`text`, `image`, `text+image`, …). `dimension`: compare only the first so many vector
        components (up to 20,000 rows). `reranker`: a model that orders the first `rerank_first` anew; those behind
        keep their order. `where`: only documents whose metadata meets these conditions; of one field, any of them.
        Raises WorkbenchError in words: no such index, model or field, another model than the index was built with, a
        modality that a model cannot read, a collection that is gone where the reranker needs it.
        """
        wish = _Wish(query, model, top, modality, dimension, reranker, rerank_first, tuple(where))
        _check(wish)
        for _ in range(ATTEMPTS):
            try:
                return self._search(get_index(self._workspace, index), wish)
            except _Replaced:
                continue
        raise WorkbenchError(f"The index “{index}” is being replaced again and again. Wait, then search again.")

    def scorer(self, index: str, query: Item, *, reranker: str | None = None, dimension: int | None = None) -> Scorer:
        """How well given documents answer a query, scored as a search with these choices scores them.

        Raises WorkbenchError as `search` does.
        """
        card = get_index(self._workspace, index)
        model = self._embedder(card, None) if reranker is None else self._models.reranker(reranker)
        return Scorer(card, query, model, reranker is not None, _size(card, dimension), self._collection(card))

    def _search(self, card: IndexCard, wish: _Wish) -> SearchResult:
        size = _size(card, wish.dimension)
        embedder = self._embedder(card, wish.model)
        # Loaded and opened before the clock starts: no stage's time holds what only the first search pays.
        judge = None if wish.reranker is None else self._models.reranker(wish.reranker)
        among = self._among(card, wish.where)
        clock = _Clock()
        vector = _encode(embedder, wish.query, size)
        clock.stage("encode")
        hits = self._nearest(card, vector, wish, among)
        clock.stage("search")
        if judge is not None:
            hits = self._rerank(card, judge, wish, hits)
            clock.stage("rerank")
        hits = self._placed(card, hits[: wish.top])
        matching = None if among is None else len(among)
        return SearchResult(card.name, card.model, hits, clock.milliseconds, size, wish.reranker, matching)

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
        with self._reading(card) as opened:
            if not where:
                return None
            names = {condition.field for condition in where}
            return matching_rows({name: self._column(card, opened, name) for name in names}, where)

    def _column(self, card: IndexCard, opened: Table, name: str) -> Column:
        return self._columns.get((card.table, name), lambda: load_column(opened, name))

    def _nearest(self, card: IndexCard, vector: np.ndarray, wish: _Wish, among: np.ndarray | None) -> list[Hit]:
        limit = wish.top if wish.reranker is None else max(wish.top, wish.rerank_first)
        with self._reading(card) as opened:
            if len(vector) < card.dimension:
                rows = self._nearest_in_memory(card, opened, vector, limit, wish.modality, among)
            else:
                # Among few rows of a rare modality, the probed partitions may hold none: those are compared exactly.
                rare = wish.modality is not None and card.modalities.get(wish.modality, 0) < table.APPROXIMATE_FROM_ROWS
                how: dict[str, Any] = {"modality": wish.modality, "probes": 0 if rare else card.probes}
                how["refine"] = card.refine
                if among is None:
                    rows = table.nearest(opened, vector, limit, **how)
                else:
                    rows = table.nearest_among(opened, vector, limit, among, **how)
        return [_hit(rank, row, card.collection) for rank, row in enumerate(rows, start=1)]

    @contextmanager
    def _reading(self, card: IndexCard) -> Iterator[Table]:
        """Yield the open table of an index. Raises _Replaced if it went away because a new one has come."""
        try:
            yield self._tables.get(card.table, lambda: self._open(card))
        except (OSError, RuntimeError, ValueError) as error:
            self._tables.forget(card.table)
            if live_table(self._workspace, card.name) != card.table:
                raise _Replaced from error
            if not table.table_folder(self._workspace, card.table).is_dir():
                raise WorkbenchError(f"The files of the index “{card.name}” are gone. Build it again.") from error
            raise

    def _open(self, card: IndexCard) -> Table:
        database = self._database.get("database", lambda: table.connect(self._workspace))
        opened = database.open_table(card.table)
        origin = table.Origin.read(opened.schema.metadata)
        if origin is None or (origin.fingerprint, origin.dimension) != (card.fingerprint, card.dimension):
            raise WorkbenchError(
                f"The table of the index “{card.name}” holds other vectors than it says. Build it again."
            )
        return opened

    def _nearest_in_memory(
        self,
        card: IndexCard,
        opened: Table,
        vector: np.ndarray,
        limit: int,
        modality: str | None,
        among: np.ndarray | None,
    ) -> list[dict[str, Any]]:
        size = len(vector)
        matrix = self._matrices.get((card.table, size), lambda: load_matrix(opened, card.dimension, size))
        rows, scores = matrix.nearest(vector, limit, modality, among)
        found = table.rows_at(opened, rows)
        return [{**found[row], "score": score} for row, score in zip(rows, scores, strict=True)]

    def _rerank(self, card: IndexCard, judge: Loaded, wish: _Wish, hits: list[Hit]) -> list[Hit]:
        """The first so many hits in the reranker's order, the others behind them as they were.

        A hit of a modality that the reranker cannot read keeps its place among the first.
        """
        judged, others = hits[: wish.rerank_first], hits[wish.rerank_first :]
        collection = self._collection(card)
        if collection is None:
            raise WorkbenchError(
                f"The collection “{card.collection}”, from which the index “{card.name}” was made, is gone, and a "
                "reranker needs its documents. Search without it, or import the collection again."
            )
        readable = getattr(judge.model, "modalities", None)
        places = [place for place, hit in enumerate(judged) if readable is None or hit.modality in readable]
        items = [_item(collection, judged[place], card) for place in places or range(len(judged))]
        with judge.lock:
            scores = np.asarray(judge.model.score(wish.query, items), dtype=np.float64)
        if not np.isfinite(scores).all():
            raise WorkbenchError(
                f"The reranker “{judge.model.reference}” gave scores that are not numbers. Search without it."
            )
        moved = list(judged)
        for place, best in zip(places, np.argsort(-scores, kind="stable"), strict=True):
            score = float(scores[best])
            moved[place] = replace(judged[places[best]], score=score, rerank_score=score)
        return [replace(hit, rank=rank) for rank, hit in enumerate([*moved, *others], start=1)]

    def _collection(self, card: IndexCard) -> Collection | None:
        try:
            opened = open_collection(self._workspace, card.collection)
        except WorkbenchError:
            return None
        version = (opened.name, opened.fingerprint, opened.card.created)
        return self._collections.get(version, lambda: opened)

    def _placed(self, card: IndexCard, hits: list[Hit]) -> list[Hit]:
        """The hits with the corpus rows of their documents now, or the thumbnails of those that are there no more."""
        collection = self._collection(card)
        rows = [-1] * len(hits) if collection is None else [_row(collection, hit) for hit in hits]
        gone = [hit.row for hit, row in zip(hits, rows, strict=True) if row < 0]
        kept: dict[int, dict[str, Any]] = {}
        if gone:
            with self._reading(card) as opened:
                kept = table.rows_at(opened, gone, ("thumbnail",))
        return [
            replace(hit, row=row, thumbnail=kept[hit.row]["thumbnail"] if row < 0 else None)
            for hit, row in zip(hits, rows, strict=True)
        ]


class _Clock:
    """Milliseconds of each stage, in turn."""

    def __init__(self) -> None:
        self.milliseconds = {"encode": 0.0, "search": 0.0, "rerank": 0.0}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.milliseconds[name] = round((now - self._last) * 1000, 3)
        self._last = now


def _check(wish: _Wish) -> None:
    if not wish.query.modality or (wish.query.modality == "text" and not (wish.query.text or "").strip()):
        raise WorkbenchError("There is nothing to search for yet. Give a text, a picture, a sound or a video.")
    if not 1 <= wish.top <= MOST_HITS:
        raise WorkbenchError(f"A search shows 1 to {MOST_HITS:,} results, not {wish.top}.")
    if not 1 <= wish.rerank_first <= MOST_HITS:
        raise WorkbenchError(f"A reranker can order the first 1 to {MOST_HITS:,} results, not {wish.rerank_first}.")
    if wish.modality is not None and wish.modality not in table.ALLOWED_MODALITIES:
        raise WorkbenchError(f"“{str(wish.modality)[:40]}” is no kind of document. Choose text, image, audio or video.")


def _size(card: IndexCard, dimension: int | None) -> int:
    """How many vector components to compare."""
    if dimension is None or dimension == card.dimension:
        return card.dimension
    if not 2 <= dimension < card.dimension:
        raise WorkbenchError(
            f"The index “{card.name}” holds vectors of {card.dimension} numbers, so it cannot be searched by "
            f"{dimension}. Choose fewer, or build the index again at that size."
        )
    if card.rows > table.APPROXIMATE_FROM_ROWS:
        raise WorkbenchError(
            f"The index “{card.name}” has {card.rows:,} rows. A smaller size can be tried out on up to "
            f"{table.APPROXIMATE_FROM_ROWS:,}; beyond, build an index at {dimension} numbers and search that."
        )
    return dimension


def _encode(embedder: Loaded, query: Item, size: int) -> np.ndarray:
    """The query's vector, cut to `size` components: (size,) float32."""
    with embedder.lock:
        embedder.model.check_supports([query.modality])
        vector = np.asarray(embedder.model.encode_queries([query]), dtype=np.float32)
    if vector.shape[1] > size:
        vector = models.truncate(vector, size)
    if not np.isfinite(vector).all():
        raise WorkbenchError(
            f"“{embedder.model.reference}” gave a vector that is not numbers for this query. Try another model."
        )
    return vector[0]


def _hit(rank: int, row: dict[str, Any], collection: str) -> Hit:
    score = float(row["score"])
    return Hit(
        rank=rank,
        id=row["id"],
        score=score,
        modality=row["modality"],
        text=row["text"],
        file=row["file"],
        row=int(row["row"]),
        collection=collection,
        first_rank=rank,
        first_score=score,
        meta=json.loads(row["meta"] or "{}"),
    )


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
