"""Remote embedders of servers that tests start, and what their vectors should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.enrich.bad_endpoint import (
    BadEndpoint,
    Behaviour,
    bad_endpoint,
)
from tests.models.fake_remote import DIMENSION, vector_of
from workbench.collection.store import Item
from workbench.models.remote import Remote, remote_of
from workbench.models.remote_embedder import RemoteEmbedder
from workbench.models.remote_http import EndpointError, Limits

TEXTS = [Item(text=word) for word in ("one", "two", "three", "four", "five")]
SHORT = Limits(answer_seconds=0.3)


class Waits:
    """Notes how long it should have waited, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def remote(server: BadEndpoint, shape: str = "openai", **options: Any) -> Remote:
    address = server.address if shape == "openai" else server.address.removesuffix("/v1")
    described = {"name": "toy", "shape": shape, "address": address, "model": "toy-1", "size": DIMENSION}
    return remote_of({**described, **options})


def embedder(
    server: BadEndpoint, shape: str = "openai", *, limits: Limits | None = None, waits: Waits | None = None, **more: Any
) -> RemoteEmbedder:
    return RemoteEmbedder(remote(server, shape, **more), limits=limits, pause=waits or Waits())


def unit(texts: list[str]) -> np.ndarray:
    vectors = np.stack([vector_of(text) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def refused(behaviour: Behaviour, shape: str = "openai", items: list[Item] = TEXTS, **options: Any) -> EndpointError:
    with bad_endpoint(behaviour) as server, pytest.raises(EndpointError) as caught:
        embedder(server, shape, **options).encode_documents(items)
    return caught.value
