"""Mining: wrong documents that an embedder takes for right become judgements with score 0.

Documents are looked at, not rows, and each kind of document by itself: a model ranks tunes and pictures apart, and each
right document needs rivals of its kind. A mined judgement says where it comes from (source `mined`, and in its meta the
model, the similarity, the rank and the similarity of the right document), so that it can be reviewed, mined anew or
dropped. What a person has said of a pair is never touched.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.editing import Edit, edit_collection
from workbench.collection.review import settle
from workbench.collection.store import Collection, open_collection
from workbench.enrich.hard_negatives import Known, Mined, MiningSettings, Progress, hard_negatives, mining_settings
from workbench.enrich.screening import SCREENED, RerankerLike, Screened, check_reranker, screen
from workbench.errors import WorkbenchError
from workbench.evaluation.results import vector_cache
from workbench.evaluation.vectors import EmbedderLike, encode_side
from workbench.job_folder import JobFolder
from workbench.models import truncate
from workbench.workspace import Workspace

MINED = "mined"


def mining_spec(
    workspace: Workspace,
    *,
    collection: str,
    model: str | None = None,
    reranker: str | None = None,
    drop: bool = False,
    trust_remote_code: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """The spec of a mining job, checked. settings: the fields of `MiningSettings`.

    Raises WorkbenchError for an unknown collection, one without pairs, no model, or settings that cannot be used.
    """
    opened = open_collection(workspace, collection)
    checked = mining_settings(settings).model_dump()
    if drop:
        return {"collection": collection, "drop": True}
    if not model:
        raise WorkbenchError("Choose the model that should look for hard negatives.")
    if not (opened.judged("train").scores > 0).any():
        raise _nothing_to_mine(collection)
    spec = {"collection": collection, "model": model, "reranker": reranker or None, **checked}
    return {**spec, "trust_remote_code": trust_remote_code}


def run_mining(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a mining job; its spec is that of `mining_spec`. What was mined before is replaced, or dropped.

    Returns {"collection", "model", "mined", "queries", "per_query", "unread": kinds of item that the model cannot
    read}, or {"collection", "dropped"}. Raises WorkbenchError if the model can read nothing of the collection.
    """
    from workbench.models import load_embedder, load_reranker

    spec = job.spec
    name = str(spec["collection"])
    if spec.get("drop"):
        return {"collection": name, "dropped": drop_mined(workspace, name)}
    settings = mining_settings({key: spec[key] for key in MiningSettings.model_fields if key in spec})
    trusted = bool(spec.get("trust_remote_code"))
    job.progress(0, 0, "Loading the model")
    embedder = load_embedder(workspace, spec["model"], trust_remote_code=trusted)
    reranker: Any = None
    if spec.get("reranker"):
        reranker = load_reranker(workspace, spec["reranker"], trust_remote_code=trusted)
    return mine_collection(workspace, name, embedder, settings, reranker=reranker, progress=job.progress)


def mine_collection(
    workspace: Workspace,
    name: str,
    embedder: EmbedderLike,
    settings: MiningSettings | None = None,
    *,
    reranker: RerankerLike | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Mine a collection and keep what is found, as one change that can be undone; returns what `run_mining` does."""
    settings = settings or MiningSettings()
    settle(workspace, name)
    collection = open_collection(workspace, name)
    mined, screened = mine(
        collection, embedder, settings, reranker=reranker, cache=vector_cache(workspace), progress=progress
    )
    if progress is not None:
        progress(0, 0, f"Writing {len(mined):,} judgements")
    kept = _write(workspace, collection, mined, screened, embedder.reference, reranker)
    return {
        "collection": name,
        "model": embedder.reference,
        "mined": kept,
        "queries": len(np.unique(mined.queries)),
        "per_query": settings.per_query,
        "unread": _unread(collection, embedder),
    }


def drop_mined(workspace: Workspace, name: str) -> int:
    """Take all mined judgements out of a collection again, as one change that can be undone; returns how many."""
    with edit_collection(workspace, name, "Dropped the mined negatives") as edit:
        pairs = mined_pairs(edit.collection)
        edit.unjudge(pairs, source=MINED)
        edit.what = f"Dropped {len(pairs):,} mined negatives"
    return len(pairs)


def mined_pairs(collection: Collection) -> list[tuple[str, str]]:
    """The (query id, document id) pairs whose judgement was mined."""
    table = collection.judgements.with_format(None)[:]
    rows = zip(table["query"], table["document"], table["source"], strict=True)
    return [(query, document) for query, document, source in rows if source == MINED]


def mine(
    collection: Collection,
    embedder: EmbedderLike,
    settings: MiningSettings,
    *,
    dimension: int | None = None,
    reranker: RerankerLike | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Mined, Screened | None]:
    """The hard negatives of the training queries, as rows of the two sides; with a reranker, what it thought of them.

    Never a held-out query, and never a held-out document where the split keeps documents apart (by component); where
    documents are shared, the whole corpus is looked at. Pairs that are judged otherwise than by mining are not offered.
    dimension: compare by so many components of the vectors.
    Raises WorkbenchError if there is no pair to learn from, or none that the model can read.
    """
    judged = collection.judged("train")
    positive, told = judged.scores > 0, judged.sources != MINED
    if not positive.any():
        raise _nothing_to_mine(collection.name)
    right = Known(judged.queries[positive], judged.documents[positive])
    wrong = Known(judged.queries[told & ~positive], judged.documents[told & ~positive])
    asked_for = np.setdiff1d(right.queries, collection.judged("eval").queries)
    query_rows = _readable(collection, embedder, "queries", asked_for)
    document_rows = _readable(collection, embedder, "corpus", candidate_rows(collection))
    if reranker is not None:
        check_reranker(reranker, collection, query_rows, document_rows)
    query_vectors = _vectors(embedder, collection, "queries", query_rows, cache, progress)
    document_vectors = _vectors(embedder, collection, "corpus", document_rows, cache, progress)
    if dimension is not None:
        query_vectors, document_vectors = truncate(query_vectors, dimension), truncate(document_vectors, dimension)
    itself = _same_items(collection, query_rows, document_rows)
    wrong = Known(np.concatenate([wrong.queries, itself.queries]), np.concatenate([wrong.documents, itself.documents]))
    per_query = settings.per_query if reranker is None else SCREENED * settings.per_query
    kinds = collection.document_modalities[document_rows]
    parts = []
    for kind in dict.fromkeys(kinds.tolist()):
        if settings.document_modality in ("", kind):
            places = np.flatnonzero(kinds == kind)
            of_kind = document_vectors if len(places) == len(kinds) else document_vectors[places]
            asked, known_right = _within(right, query_rows, document_rows[places])
            vectors = query_vectors if len(asked) == len(query_rows) else query_vectors[asked]
            known_wrong = _positions(wrong, query_rows[asked], document_rows[places])
            found = hard_negatives(
                vectors, of_kind, known_right, settings, judged=known_wrong, per_query=per_query, progress=progress
            )
            queries, documents = query_rows[asked][found.queries], document_rows[places][found.documents]
            parts.append(replace(found, queries=queries, documents=documents))
    if not parts:
        raise WorkbenchError(
            f"The collection “{collection.name}” has no {settings.document_modality} document that an embedder could "
            "take for right. Choose another kind of document, or every kind."
        )
    mined = Mined.joined(parts)
    if reranker is None:
        return mined, None
    return screen(collection, mined, right, reranker, settings, progress)


def candidate_rows(collection: Collection) -> np.ndarray:
    """The documents that may be shown as wrong answers in training: rows of the corpus, ascending."""
    if collection.card.split.get("method") != "component":
        return np.arange(len(collection.corpus))
    train = collection.judged("train")
    # A document that only a mined judgement names was a document of the train split when it was mined.
    return np.unique(train.documents)


def _write(
    workspace: Workspace,
    collection: Collection,
    mined: Mined,
    screened: Screened | None,
    model: str,
    reranker: RerankerLike | None,
) -> int:
    """Replace the mined judgements of a collection; returns how many there are now.

    It may have been changed meanwhile: what is gone, or judged by a person now, is left alone.
    """
    query_ids, document_ids = collection.queries["id"][:], collection.corpus["id"][:]
    with edit_collection(workspace, collection.name, "Mined hard negatives") as edit:
        edit.unjudge(mined_pairs(edit.collection), source=MINED)
        taken = _judged_otherwise(edit)
        kept = 0
        for place, (query, document) in enumerate(zip(mined.queries.tolist(), mined.documents.tolist(), strict=True)):
            pair = query_ids[query], document_ids[document]
            if pair in taken or not (edit.has("queries", pair[0]) and edit.has("corpus", pair[1])):
                continue
            meta: dict[str, Any] = {
                "model": model,
                "similarity": round(float(mined.similarities[place]), 6),
                "rank": int(mined.ranks[place]),
                "positive_similarity": round(float(mined.positives[place]), 6),
            }
            if screened is not None and reranker is not None:
                meta["reranker"] = reranker.reference
                meta["reranker_score"] = round(float(screened.scores[place]), 6)
                meta["positive_reranker_score"] = round(float(screened.positives[place]), 6)
            edit.judge(*pair, 0.0, "train", MINED, meta)
            kept += 1
        edit.what = f"Mined {kept:,} hard negatives with “{model}”"
    return kept


def _judged_otherwise(edit: Edit) -> set[tuple[str, str]]:
    table = edit.collection.judgements.with_format(None)[:]
    rows = zip(table["query"], table["document"], table["source"], strict=True)
    return {(query, document) for query, document, source in rows if source != MINED}


def _vectors(
    embedder: EmbedderLike,
    collection: Collection,
    side: str,
    rows: np.ndarray,
    cache: Path | None,
    progress: Progress | None,
) -> np.ndarray:
    """The vectors of these rows. With a cache the whole side is read, so that the check and later minings share it."""
    if cache is None or _unread(collection, embedder):
        return encode_side(embedder, collection, side, rows=rows, cache=cache, progress=progress)
    every = encode_side(embedder, collection, side, cache=cache, progress=progress)
    return every if len(rows) == len(every) else every[rows]


def _unread(collection: Collection, embedder: EmbedderLike) -> list[str]:
    """The kinds of item in a collection that the model cannot read."""
    kinds = [*collection.card.modalities.get("query", []), *collection.card.modalities.get("document", [])]
    known = getattr(embedder, "modalities", None)
    return [] if known is None else [kind for kind in dict.fromkeys(kinds) if kind not in known]


def _readable(collection: Collection, embedder: EmbedderLike, side: str, rows: np.ndarray) -> np.ndarray:
    """Those of the rows that the model can read. Raises WorkbenchError, saying which it can, if there are none."""
    kinds = collection.query_modalities if side == "queries" else collection.document_modalities
    known: Any = getattr(embedder, "modalities", None)
    found = rows if known is None else rows[np.isin(kinds[rows].astype(str), list(known))]
    if not len(found):
        check: Any = embedder
        check.check_supports(dict.fromkeys(kinds[rows].tolist()))
    return found


def _positions(known: Known, query_rows: np.ndarray, document_rows: np.ndarray) -> Known:
    """Pairs of rows as pairs of positions in ascending lists of rows; those that are not in both are left out."""
    inside = np.isin(known.queries, query_rows) & np.isin(known.documents, document_rows)
    return Known(
        np.searchsorted(query_rows, known.queries[inside]), np.searchsorted(document_rows, known.documents[inside])
    )


def _within(right: Known, query_rows: np.ndarray, document_rows: np.ndarray) -> tuple[np.ndarray, Known]:
    """The places of the queries that have a right document among these, and those right pairs as positions."""
    found = _positions(right, query_rows, document_rows)
    asked = np.unique(found.queries)
    return asked, Known(np.searchsorted(asked, found.queries), found.documents)


def _same_items(collection: Collection, query_rows: np.ndarray, document_rows: np.ndarray) -> Known:
    """Pairs of a query and a document that are one and the same item: never wrong for each other."""
    both = collection.query_rows.keys() & collection.document_rows.keys()
    pairs = [(collection.query_rows[one], collection.document_rows[one]) for one in sorted(both)]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return Known(found[:, 0], found[:, 1])


def _nothing_to_mine(collection: str) -> WorkbenchError:
    return WorkbenchError(
        f"The collection “{collection}” has no pairs to train on, so there is nothing to mine for. Import pairs first."
    )
