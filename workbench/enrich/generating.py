"""Generated queries: a model behind an endpoint that the user names writes queries for documents.

Off unless asked for. What is kept has the source `generated` and is for training alone: a person has to look at a query
before it may score a model. Nothing is sent before the user has seen how much that would be (`preview_generation`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from workbench.collection.editing import edit_collection
from workbench.collection.store import Collection, Item, open_collection
from workbench.enrich.answers import AnswerLog, Record, cleaned, is_usable, normalised, queries_in
from workbench.enrich.choosing import (
    Chosen,
    GenerationSettings,
    chosen_documents,
    generation_settings,
    preview_generation,
    skipped_in_words,
)
from workbench.enrich.endpoint import Endpoint, EndpointError, Limits, Pause, key_for
from workbench.enrich.prompting import ANSWER_TOKENS, messages_for
from workbench.enrich.round_trip import ranks_of_documents
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation.results import vector_cache
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace

__all__ = ["generation_settings", "generation_spec", "preview_generation", "run_generation"]

GENERATED = "generated"
ANSWERS = "answers.jsonl"
MOST_FAILURES = 5  # documents in a row without an answer
STOP_SECONDS = 0.2
THINKING_TOKENS = 1000  # room for a model that thinks before it answers
PROBLEMS_SHOWN = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Generated:
    """One usable query, its document (id), and when it was written (Unix seconds)."""

    query: str
    document: str
    when: float


def generation_spec(
    workspace: Workspace, *, collection: str, trust_remote_code: bool = False, **settings: Any
) -> dict[str, Any]:
    """The spec of a generation job, checked. settings: the fields of `GenerationSettings`.

    Raises WorkbenchError for an unknown collection, settings that cannot be used, a key that would travel in the open,
    or a collection in which there is nothing to ask about.
    """
    checked = generation_settings(settings)
    if checked.endpoint:
        key_for(checked.endpoint)
    opened = open_collection(workspace, collection)
    chosen_documents(opened, checked)
    return {"collection": collection, **checked.model_dump(), "trust_remote_code": trust_remote_code}


def run_generation(
    workspace: Workspace, job: JobFolder, *, limits: Limits | None = None, pause: Pause = asyncio.sleep
) -> dict[str, Any]:
    """The work of a generation job; its spec is that of `generation_spec`. Goes on where it was stopped.

    Returns {"collection", "model", "requested": documents asked about, "generated": queries written, "kept", "dropped":
    {"duplicate", "round-trip", "unusable"}, "failed": documents without an answer, "problems": sentences, "skipped",
    "unasked": documents that were not reached after MOST_FAILURES failures in a row}; for a dry run, the preview.
    Raises WorkbenchError if not one document was answered.
    """
    spec = job.spec
    name = str(spec["collection"])
    settings = generation_settings({key: spec[key] for key in GenerationSettings.model_fields if key in spec})
    if settings.dry_run:
        return preview_generation(workspace, name, settings)
    collection = open_collection(workspace, name)
    chosen = chosen_documents(collection, settings)
    embedder = _embedder(workspace, spec, collection, chosen, settings, job)
    endpoint = Endpoint(
        settings.endpoint, settings.endpoint_model, key=key_for(settings.endpoint), limits=limits, pause=pause
    )
    log = AnswerLog(job.path / ANSWERS)
    asyncio.run(_stoppable(_ask_all(endpoint, collection, chosen, settings, log, job), job))
    found = {document: record for document, record in log.read().items() if document in collection.document_rows}
    failures = [record for record in found.values() if record.failed]
    if len(failures) == len(found):
        reason = failures[-1].failed
        others = [record for record in failures if record.failed != reason]
        raise WorkbenchError(reason, [_about(record) for record in others[-PROBLEMS_SHOWN:]])
    dropped = {"duplicate": 0, "round-trip": 0, "unusable": 0}
    kept = list(_new_queries(collection, found, settings, dropped))
    if embedder is not None and kept:
        rows = np.array([collection.document_rows[one.document] for one in kept])
        ranks = ranks_of_documents(
            embedder,
            collection,
            [one.query for one in kept],
            rows,
            cache=vector_cache(workspace),
            progress=job.progress,
        )
        dropped["round-trip"] = int((ranks > settings.round_trip_rank).sum())
        kept = [one for one, rank in zip(kept, ranks.tolist(), strict=True) if rank <= settings.round_trip_rank]
    written = _write(workspace, name, kept, settings)
    dropped["duplicate"] += len(kept) - written
    return {
        "collection": name,
        "model": settings.endpoint_model,
        "requested": len(found),
        "generated": written + sum(dropped.values()),
        "kept": written,
        "dropped": dropped,
        "failed": len(failures),
        "problems": [_about(record) for record in failures[:PROBLEMS_SHOWN]],
        "skipped": skipped_in_words(chosen),
        "unasked": sum(identifier not in found for identifier in _ids(collection, chosen.rows)),
    }


async def _ask_all(
    endpoint: Endpoint,
    collection: Collection,
    chosen: Chosen,
    settings: GenerationSettings,
    log: AnswerLog,
    job: JobFolder,
) -> None:
    """Ask about every document that has no answer yet; ends early after MOST_FAILURES failures in a row."""
    answered = {document for document, record in log.read().items() if not record.failed}
    ids = _ids(collection, chosen.rows)
    waiting = [row for row, identifier in zip(chosen.rows.tolist(), ids, strict=True) if identifier not in answered]
    done, failures = len(ids) - len(waiting), 0
    remaining = iter(waiting)

    async def work() -> None:
        nonlocal done, failures
        for row in remaining:
            if failures >= MOST_FAILURES:
                return
            item = collection.item("corpus", row)
            try:
                record = Record(item.id, await _ask(endpoint, item, settings), when=time.time())
                failures = 0
            except WorkbenchError as error:
                record = Record(item.id, failed=error.message, when=time.time())
                failures = MOST_FAILURES if isinstance(error, EndpointError) and error.final else failures + 1
            log.append(record)
            done += 1
            job.progress(done, len(ids), "Asking for queries")

    job.progress(done, len(ids), "Asking for queries")
    async with endpoint:
        await asyncio.gather(*(work() for _ in range(settings.at_once)))


async def _ask(endpoint: Endpoint, item: Item, settings: GenerationSettings) -> list[str]:
    """The queries that the model writes for one document. Raises WorkbenchError in words."""
    messages = await asyncio.to_thread(messages_for, item, settings.prompt, settings.per_document)
    answer = await endpoint.complete(messages, THINKING_TOKENS + settings.per_document * 2 * ANSWER_TOKENS)
    return queries_in(answer.text, cut=answer.cut)


async def _stoppable(work: Coroutine[Any, Any, T], job: JobFolder) -> T:
    """Do the work, and leave it in the middle of whatever it waits for if the user asks for a stop."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        if not task.done() and job.stop_requested():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise Stopped
    return task.result()


def _new_queries(
    collection: Collection, found: dict[str, Record], settings: GenerationSettings, dropped: dict[str, int]
) -> Iterator[Generated]:
    """The queries that can be used and are not there yet; counts the others in `dropped`."""
    texts = collection.corpus.select_columns(["text"])
    known = {normalised(text) for text in collection.queries["text"][:] if text}
    for document, record in found.items():
        text = texts[collection.document_rows[document]]["text"] if record.queries else None
        for query in map(cleaned, record.queries[: settings.per_document]):
            words = normalised(query)
            if not is_usable(query, text):
                dropped["unusable"] += 1
            elif words in known:
                dropped["duplicate"] += 1
            else:
                known.add(words)
                yield Generated(query, document, record.when)


def _write(workspace: Workspace, name: str, kept: list[Generated], settings: GenerationSettings) -> int:
    """Put the queries into the collection as one change; returns how many. It may have been changed meanwhile."""
    written = 0
    with edit_collection(workspace, name, "Generated queries") as edit:
        for one in kept:
            item = Item(text=one.query)
            if edit.has("queries", item.content_id()) or not edit.has("corpus", one.document):
                continue
            meta = {"model": settings.endpoint_model, "prompt": settings.prompt, "when": one.when}
            edit.judge(edit.add("queries", item), one.document, 1.0, "train", GENERATED, meta)
            written += 1
        edit.what = f"Generated {written:,} queries with “{settings.endpoint_model}”"
    return written


def _embedder(
    workspace: Workspace,
    spec: dict[str, Any],
    collection: Collection,
    chosen: Chosen,
    settings: GenerationSettings,
    job: JobFolder,
) -> Any:
    """The embedder of the round trip, or None. It is looked at before anything is sent, and perhaps paid for."""
    if not settings.round_trip:
        return None
    from workbench.models import load_embedder

    job.progress(0, 0, "Loading the model")
    trusted = bool(spec.get("trust_remote_code"))
    embedder = load_embedder(workspace, settings.round_trip, trust_remote_code=trusted)
    embedder.check_supports(["text", *dict.fromkeys(collection.document_modalities[chosen.rows].tolist())])
    return embedder


def _ids(collection: Collection, rows: np.ndarray) -> list[str]:
    ids = collection.corpus["id"][:]
    return [ids[row] for row in rows.tolist()]


def _about(record: Record) -> str:
    return f"Document {record.document}: {record.failed}"
