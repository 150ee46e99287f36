"""What generating queries would ask, of which documents, and how much that is: nothing here sends anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.collection.store import Collection, Item, open_collection
from workbench.enrich.endpoint import check_address
from workbench.enrich.prompting import (
    ANSWER_TOKENS,
    DEFAULT_PROMPT,
    TEXT_CHARACTERS,
    filled_prompt,
    media_tokens,
)
from workbench.errors import WorkbenchError
from workbench.models.remote_input import text_tokens
from workbench.workspace import Workspace

TEXTS_AT_ONCE = 10_000
SAMPLES = 3
SOUND_REASON = "a sound, which most endpoints do not take"
HELD_OUT_REASON = "held out to score models by"


class GenerationSettings(BaseModel):
    """What is asked of which endpoint."""

    model_config = ConfigDict(extra="forbid", validate_default=True, str_strip_whitespace=True)

    endpoint: str = Field("", title="Endpoint", description="The address of an OpenAI-compatible server.")
    endpoint_model: str = Field("", title="Model", description="The name by which the endpoint knows the model.")
    prompt: str = Field(
        DEFAULT_PROMPT,
        title="Prompt",
        description="{count} is the number of queries, {document} the text; without it, the document comes after.",
        min_length=1,
        max_length=20_000,
    )
    per_document: int = Field(3, title="Queries per document", description="How many to ask for.", ge=1, le=20)
    limit: int = Field(0, title="Documents at most", description="0: all of them. Else so many, drawn by lot.", ge=0)
    which: Literal["unqueried", "all"] = Field(
        "unqueried", title="Which documents", description="Those that no query asks for yet, or all."
    )
    round_trip: str | None = Field(
        None, title="Round trip", description="An embedder: a query is kept if it finds its document. Empty: no check."
    )
    round_trip_rank: int = Field(10, title="Within rank", description="How high it must find it.", ge=1, le=10_000)
    at_once: int = Field(4, title="Requests at once", description="1 for a small local machine.", ge=1, le=64)
    sends_sound: bool = Field(False, title="Send sounds", description="For an endpoint that takes input_audio.")
    seed: int = Field(0, title="Seed", description="Of the lot that draws the documents.", ge=0)
    dry_run: bool = Field(False, title="Dry run", description="Only say how much it would be.")


@dataclass(frozen=True)
class Chosen:
    """The documents to ask about, rows of the corpus, and how many were left out for which reason."""

    rows: np.ndarray
    skipped: dict[str, int] = field(default_factory=dict)


def generation_settings(values: dict[str, Any]) -> GenerationSettings:
    """Settings from a form, a command or a job.json. Raises WorkbenchError that names every bad one."""
    try:
        settings = GenerationSettings(**values)
    except ValidationError as error:
        problems = [f"{_title(found['loc'])}: {found['msg']}." for found in error.errors()]
        raise WorkbenchError("These settings for generated queries cannot be used.", problems) from None
    if settings.endpoint or not settings.dry_run:
        settings.endpoint = check_address(settings.endpoint)
        if not settings.endpoint_model:
            raise WorkbenchError("Name the model that the endpoint should use, as it knows it: llama3.2, for example.")
    return settings


def chosen_documents(collection: Collection, settings: GenerationSettings) -> Chosen:
    """The documents to ask about, ascending. Raises WorkbenchError, saying why, if there are none.

    Never a document that is held out, where the split keeps documents apart: training on it would give away the answer.
    """
    rows = np.arange(len(collection.corpus))
    if settings.which == "unqueried":
        judged = collection.judged()
        rows = np.setdiff1d(rows, judged.documents[judged.scores > 0])
    skipped: dict[str, int] = {}
    if collection.card.split.get("method") != "query":
        held = collection.judged("eval")
        rows = _without(rows, np.isin(rows, held.documents[held.scores > 0]), HELD_OUT_REASON, skipped)
    if not settings.sends_sound:
        sounds = np.array(["audio" in kind.split("+") for kind in collection.document_modalities[rows]], bool)
        rows = _without(rows, sounds, SOUND_REASON, skipped)
    if not len(rows):
        why = [f"{count:,} left out: {reason}." for reason, count in skipped.items()]
        every = "Every document" if settings.which == "all" else "Every document that no query asks for"
        raise WorkbenchError(
            f"{every} of “{collection.name}” is left out."
            if why
            else f"Every document of “{collection.name}” has a query already. Choose all documents to write more.",
            why,
        )
    if 0 < settings.limit < len(rows):
        rows = np.sort(np.random.default_rng(settings.seed).choice(rows, settings.limit, replace=False))
    return Chosen(rows, skipped)


def preview_generation(
    workspace: Workspace,
    name: str,
    settings: GenerationSettings,
    *,
    prompt_price: float | None = None,
    answer_price: float | None = None,
) -> dict[str, Any]:
    """How much it would be, without sending anything.

    prompt_price, answer_price: of a million tokens, in any currency. Returns {"collection", "documents", "queries",
    "skipped": [{"reason", "count"}], "prompt_tokens", "answer_tokens" (both approximate), "cost" (None without prices),
    "samples": [{"document": id, "prompt": what is sent, media in words}]}.
    """
    collection = open_collection(workspace, name)
    chosen = chosen_documents(collection, settings)
    tokens = _prompt_tokens(collection, chosen.rows, settings)
    answers = len(chosen.rows) * (settings.per_document * ANSWER_TOKENS + 10)
    cost = None
    if prompt_price is not None or answer_price is not None:
        cost = round((tokens * (prompt_price or 0.0) + answers * (answer_price or 0.0)) / 1e6, 4)
    return {
        "collection": name,
        "documents": len(chosen.rows),
        "queries": len(chosen.rows) * settings.per_document,
        "skipped": skipped_in_words(chosen),
        "prompt_tokens": tokens,
        "answer_tokens": answers,
        "cost": cost,
        "samples": [_sample(collection.item("corpus", row), settings) for row in chosen.rows[:SAMPLES]],
    }


def _prompt_tokens(collection: Collection, rows: np.ndarray, settings: GenerationSettings) -> int:
    """About how many tokens all prompts have. Reads texts alone, some at a time."""
    import pyarrow as pa

    table = collection.corpus.data.table
    each = text_tokens(filled_prompt(settings.prompt, settings.per_document, None))
    total = each * len(rows)
    total += sum(media_tokens(kind) for kind in collection.document_modalities[rows])
    for start in range(0, len(rows), TEXTS_AT_ONCE):
        texts = table["text"].take(pa.array(rows[start : start + TEXTS_AT_ONCE])).to_pylist()
        total += sum(text_tokens(text[:TEXT_CHARACTERS]) for text in texts if text)
    return total


def _sample(item: Item, settings: GenerationSettings) -> dict[str, str]:
    words = filled_prompt(settings.prompt, settings.per_document, item.text)
    told = {"image": "a picture", "audio": "a sound", "video": "pictures of a video"}
    media = [
        f"[{told[kind]}{f': {item.file}' if item.file else ''}]" for kind in item.modality.split("+") if kind in told
    ]
    return {"document": item.id, "prompt": "\n\n".join([words, *media])}


def _without(rows: np.ndarray, left_out: np.ndarray, reason: str, skipped: dict[str, int]) -> np.ndarray:
    if left_out.any():
        skipped[reason] = int(left_out.sum())
    return rows[~left_out]


def skipped_in_words(chosen: Chosen) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in chosen.skipped.items()]


def _title(place: Any) -> str:
    known = GenerationSettings.model_fields.get(str(place[0])) if place else None
    return known.title if known is not None and known.title else ".".join(map(str, place))
