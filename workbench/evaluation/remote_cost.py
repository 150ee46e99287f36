"""What evaluating, reranking or indexing with a model behind an address would send, told before the first call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from workbench.collection.store import open_collection
from workbench.evaluation.held_out import ALL, held_out
from workbench.evaluation.pipeline_stages import tops_for
from workbench.evaluation.reranking import sampled
from workbench.evaluation.vectors import role_of
from workbench.models.items import LazyItems
from workbench.models.remote import PREFIX, remote_model
from workbench.models.remote_check import preview, preview_reranking
from workbench.workspace import Workspace


def preview_evaluation(workspace: Workspace, collection: str, references: Iterable[str]) -> list[dict[str, Any]]:
    """For each `remote:NAME` among the references what an evaluation sends at most: vectors made before are kept.

    Rows as of `remote_check.preview`; empty where no model is remote.
    """
    chosen = [remote_model(workspace, one) for one in dict.fromkeys(references) if one.startswith(PREFIX)]
    if not chosen:
        return []
    opened = open_collection(workspace, collection)
    held = held_out(opened)
    found = []
    for remote in chosen:
        rows_by_role: dict[tuple[str, str], np.ndarray] = {}
        for (side, place), rows in held.rows(None).items():
            key = side, role_of(side, place, remote.asymmetric)
            rows_by_role[key] = np.union1d(rows_by_role[key], rows) if key in rows_by_role else rows
        parts = [(role, LazyItems(opened, side, rows)) for (side, role), rows in rows_by_role.items()]
        found.append(preview(remote, parts))
    return found


def preview_index(workspace: Workspace, collection: str, reference: str) -> list[dict[str, Any]]:
    """What embedding all documents of a collection sends; empty where the model is not remote."""
    if not reference.startswith(PREFIX):
        return []
    opened = open_collection(workspace, collection)
    return [preview(remote_model(workspace, reference), [("document", LazyItems(opened, "corpus"))])]


def preview_whole(workspace: Workspace, collection: str, references: Iterable[str]) -> list[dict[str, Any]]:
    """What mining, or looking for each document by its query, sends: all queries and documents, once."""
    chosen = [remote_model(workspace, one) for one in dict.fromkeys(references) if one.startswith(PREFIX)]
    if not chosen:
        return []
    opened = open_collection(workspace, collection)
    parts = [("query", LazyItems(opened, "queries")), ("document", LazyItems(opened, "corpus"))]
    return [preview(remote, parts) for remote in chosen if remote.kind == "embedder"]


def preview_pipeline(
    workspace: Workspace,
    collection: str,
    references: Iterable[str],
    tops: Sequence[int],
    queries: int | None = None,
    direction: str = ALL,
) -> list[dict[str, Any]]:
    """For each remote reranker what putting the first max(tops) documents of the held-out queries in order sends.

    queries: at most so many of them. Each query is asked in two requests where one would do, as its time is taken.
    """
    chosen = [remote_model(workspace, one) for one in dict.fromkeys(references) if one.startswith(PREFIX)]
    if not chosen or not tops:
        return []
    opened = open_collection(workspace, collection)
    asked = sampled(held_out(opened).directions[direction], queries)
    items = LazyItems(opened, asked.source_side, asked.source_rows)
    previews = [preview_reranking(one, items, max(tops)) for one in chosen]
    return [one | {"requests": one["requests"] + len(items)} for one in previews]


def preview_second_stage(workspace: Workspace, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What a `pipeline` job sends at most, to the embedder and to the reranker; empty where neither is remote.

    spec: as of `pipelines.pipeline_spec`.
    """
    named = [spec["model"], spec["reranker"] or ""]
    if not any(one.startswith(PREFIX) for one in named):
        return []
    documents = len(held_out(open_collection(workspace, spec["collection"])).directions[spec["direction"]].target_rows)
    tops = [min(top, documents) for top in tops_for(documents)]
    reranking = preview_pipeline(workspace, spec["collection"], named[1:], tops, spec["queries"], spec["direction"])
    return [*preview_evaluation(workspace, spec["collection"], named[:1]), *reranking]
