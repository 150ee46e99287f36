from __future__ import annotations

from typing import Any

import pytest

from tests.index.toys import ToyEmbedder, ToyReranker
from workbench.index.search import Searcher
from workbench.workspace import Workspace


@pytest.fixture
def toy() -> ToyEmbedder:
    return ToyEmbedder()


@pytest.fixture
def searcher(workspace: Workspace, toy: ToyEmbedder) -> Searcher:
    """Knows `toy`, `other` (a model of another fingerprint) and `toy-reranker`."""

    def load_embedder(_: Workspace, reference: str, **__: Any) -> ToyEmbedder:
        return {"toy": toy, "other": ToyEmbedder(fingerprint="toy-2")}[reference]

    return Searcher(workspace, load_embedder=load_embedder, load_reranker=lambda *_, **__: ToyReranker())
