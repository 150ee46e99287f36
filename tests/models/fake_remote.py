"""Servers of every shape that a remote model may have: how each answers well, and how each may answer badly."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.enrich.bad_endpoint import Behaviour, Handler

DIMENSION = 8
EMBEDDERS = ("openai", "cohere", "tei", "ollama")
RERANKERS = ("cohere-rerank", "jina-rerank", "tei-rerank")
Change = Callable[[list[Any]], list[Any]]


def vector_of(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """A vector that depends on the text alone; not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=dimension).astype(np.float32)


def score_of(query: str, text: str) -> float:
    """How many letters a query and a text have in common."""
    return float(len(set(query) & set(text)))


def inputs_of(body: dict[str, Any]) -> list[str]:
    """What a request asks about, whatever its shape."""
    for name in ("input", "inputs", "texts", "images", "documents"):
        if name in body:
            return [one if isinstance(one, str) else json.dumps(one) for one in body[name]]
    raise AssertionError(f"no inputs in {sorted(body)}")


def written(shape: str, values: list[Any]) -> Any:
    """Vectors or scores as an answer of a shape holds them."""
    numbered = enumerate(values)
    if shape == "openai":
        rows = [{"object": "embedding", "index": index, "embedding": value} for index, value in numbered]
        return {"object": "list", "data": rows, "usage": {"total_tokens": 5}}
    if shape == "cohere":
        return {"id": "x", "embeddings": {"float": values}, "meta": {"billed_units": {"input_tokens": 5}}}
    if shape == "ollama":
        return {"model": "toy", "embeddings": values, "prompt_eval_count": 5}
    if shape == "tei":
        return values
    name = "score" if shape == "tei-rerank" else "relevance_score"
    # As all of them do: the best first, so that the order is not that of the documents.
    rows = sorted(({"index": index, name: value} for index, value in numbered), key=lambda row: -row[name])
    return rows if shape == "tei-rerank" else {"results": rows}


def answers(
    shape: str,
    *,
    change: Change = list,
    dimension: int = DIMENSION,
    most: int = 10_000,
    longest: int = 1_000_000,
    last_word: bool = False,
) -> Behaviour:
    """As a good server of a shape answers.

    change: what to make of the values before they are sent. most: inputs of a request; longest: letters of a text.
    last_word: texts with the same last word get the same vector.
    """

    def behave(handler: Handler) -> None:
        body = handler.body
        inputs = inputs_of(body)
        if len(inputs) > most:
            return handler.send(json.dumps({"error": f"batch size {len(inputs)} > maximum allowed {most}"}), 413)
        if any(len(text) > longest for text in inputs):
            told = {"error": {"message": "This model's maximum context length is 8192 tokens, you requested 9000."}}
            return handler.send(json.dumps(told), 400)
        if shape in RERANKERS:
            values: list[Any] = [score_of(body["query"], text) for text in inputs]
        else:
            size = body.get("dimensions") or body.get("output_dimension") or dimension
            values = [vector_of(text.split()[-1] if last_word else text, size).tolist() for text in inputs]
        return handler.send(json.dumps(written(shape, change(values))))

    return behave


def as_base64(values: list[Any]) -> list[Any]:
    return [base64.b64encode(np.asarray(value, "<f4").tobytes()).decode() for value in values]
