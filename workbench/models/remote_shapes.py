"""The shapes of requests that a remote model may take. A new shape is one entry of SHAPES.

Sources: OpenAI's reference of /v1/embeddings, Cohere's of /v2/embed and /v2/rerank, Jina's of /v1/rerank, the OpenAPI
description of Text Embeddings Inference, Ollama's of /api/embed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.remote_address import Advice


@dataclass(frozen=True)
class Asked:
    """What one request asks for: texts, or data URLs of pictures, or both of each; of a reranker also its query."""

    model: str
    modality: str
    inputs: Sequence[Any]
    query: str = ""
    dimension: int | None = None


@dataclass(frozen=True)
class Shape:
    """How requests of one kind look.

    body: what a request holds beside its `fields`; read: the raw vectors, or scores, of so many inputs in their order.
    ours: the fields that `body` fills in. paths: ends of an address that are cut off. batch: inputs of a request, where
    the user says nothing. batches: of other modalities than text.
    """

    name: str
    kind: str
    path: str
    address: str
    ours: tuple[str, ...]
    body: Callable[[Asked], dict[str, Any]]
    read: Callable[[Any, int], list[Any]]
    batch: int
    paths: tuple[str, ...]
    reads: tuple[str, ...] = ("text",)
    batches: dict[str, int] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    needs_model: bool = True

    def advice(self, name: str) -> Advice:
        """What the words about such a server say of its address and key."""
        return Advice(
            f"An address of the shape {self.name} looks like {self.address}",
            f"Put the key of remote:{name} into an environment variable before the workbench is started, or give it on "
            "the page for one evaluation.",
        )


def shape_named(name: str) -> Shape:
    """The shape of a name. Raises WorkbenchError if there is none."""
    if name not in SHAPES:
        raise WorkbenchError(f"There is no shape “{name[:40]}”. Choose {', '.join(SHAPES)}.")
    return SHAPES[name]


def ordered(rows: Any, count: int, value: str) -> list[Any]:
    """The `value` of each row by its "index"; as they come where none has one. Raises ValueError if one is missing."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("no list of objects")
    places = [row.get("index") for row in rows]
    if all(place is None for place in places):
        return [row[value] for row in rows]
    if sorted(places) != list(range(count)):
        raise ValueError(f"{len(rows)} answers to {count} inputs, not one for each")
    found: list[Any] = [None] * count
    for place, row in zip(places, rows, strict=True):
        found[place] = row[value]
    return found


def _openai(asked: Asked) -> dict[str, Any]:
    return {"model": asked.model, "input": list(asked.inputs), **_sized("dimensions", asked)}


def _cohere(asked: Asked) -> dict[str, Any]:
    body = {"model": asked.model, "embedding_types": ["float"], **_sized("output_dimension", asked)}
    if asked.modality == "image":
        return body | {"images": list(asked.inputs), "input_type": "image"}
    if asked.modality == "text":
        return body | {"texts": list(asked.inputs)}
    return body | {
        "inputs": [{"content": [_part(kind, one[kind]) for kind in ("text", "image")]} for one in asked.inputs]
    }


def _part(kind: str, value: str) -> dict[str, Any]:
    return {"type": "text", "text": value} if kind == "text" else {"type": "image_url", "image_url": {"url": value}}


def _tei(asked: Asked) -> dict[str, Any]:
    return {"inputs": list(asked.inputs), **_sized("dimensions", asked)}


def _ollama(asked: Asked) -> dict[str, Any]:
    return {"model": asked.model, "input": list(asked.inputs), **_sized("dimensions", asked)}


def _sized(name: str, asked: Asked) -> dict[str, Any]:
    return {name: asked.dimension} if asked.dimension else {}


def _rerank(asked: Asked) -> dict[str, Any]:
    return {"model": asked.model, "query": asked.query, "documents": list(asked.inputs), "top_n": len(asked.inputs)}


def _tei_rerank(asked: Asked) -> dict[str, Any]:
    return {"query": asked.query, "texts": list(asked.inputs)}


def _cohere_vectors(value: Any, count: int) -> list[Any]:
    found = value["embeddings"]
    return list(found["float"] if isinstance(found, dict) else found)


def _list(value: Any, count: int) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _both_sides(**told: Any) -> dict[str, dict[str, Any]]:
    return {"query": dict(told), "document": dict(told)}


def _cohere_fields() -> dict[str, dict[str, Any]]:
    return {side: {"input_type": f"search_{side}", "truncate": "NONE"} for side in ("query", "document")}


# No server is left to cut a text silently: what is too long is told, with its row.
SHAPES = {
    one.name: one
    for one in (
        Shape(
            "openai", "embedder", "/embeddings", "https://api.openai.com/v1", ("model", "input", "dimensions"),
            _openai, lambda value, count: ordered(value["data"], count, "embedding"), 128, ("/embeddings",),
            fields=_both_sides(encoding_format="float"),
        ),
        Shape(
            "cohere", "embedder", "/v2/embed", "https://api.cohere.com",
            ("model", "texts", "images", "inputs", "embedding_types", "output_dimension"),
            _cohere, _cohere_vectors, 96, ("/v2/embed", "/v2"),
            reads=("text", "image", "text+image"), batches={"image": 1, "text+image": 16}, fields=_cohere_fields(),
        ),
        Shape(
            "tei", "embedder", "/embed", "http://localhost:8080", ("inputs", "dimensions"),
            _tei, _list, 32, ("/embed",),
            fields=_both_sides(truncate=False, normalize=True), needs_model=False,
        ),
        Shape(
            "ollama", "embedder", "/api/embed", "http://localhost:11434", ("model", "input", "dimensions"),
            _ollama, lambda value, count: _list(value["embeddings"], count), 32, ("/api/embed", "/api"),
            fields=_both_sides(truncate=False),
        ),
        Shape(
            "cohere-rerank", "reranker", "/v2/rerank", "https://api.cohere.com",
            ("model", "query", "documents", "top_n"), _rerank,
            lambda value, count: ordered(value["results"], count, "relevance_score"), 100, ("/v2/rerank", "/v2"),
        ),
        Shape(
            "jina-rerank", "reranker", "/rerank", "https://api.jina.ai/v1", ("model", "query", "documents", "top_n"),
            _rerank, lambda value, count: ordered(value["results"], count, "relevance_score"), 100, ("/rerank",),
            fields={"query": {"return_documents": False}},
        ),
        Shape(
            "tei-rerank", "reranker", "/rerank", "http://localhost:8080", ("query", "texts"), _tei_rerank,
            lambda value, count: ordered(value, count, "score"), 32, ("/rerank",),
            fields={"query": {"truncate": False, "raw_scores": False}}, needs_model=False,
        ),
    )
}  # fmt: skip
