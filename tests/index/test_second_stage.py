"""Reranking by tokens: a late-interaction model orders candidates by MaxSim, and reads no document twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.index.toys import ToyEmbedder, make_collection
from workbench.collection.store import Item
from workbench.index.build import build_index
from workbench.index.search import Searcher
from workbench.models import load_embedder
from workbench.models.reranker import Reranker, late_interaction_from
from workbench.workspace import Workspace

TEXTS = ["a red heart", "a blue star", "two red stars", "a green square and a red circle", "nothing at all"]


@pytest.fixture
def late(workspace: Workspace) -> Reranker:
    embedder = load_embedder(workspace, "starter", device="cpu")
    return Reranker(late_interaction_from(embedder.model, "cpu"), "late", "fingerprint")


def test_candidates_come_in_the_order_of_maxsim(
    workspace: Workspace, toy: ToyEmbedder, late: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "shapes", [Item(text=text) for text in TEXTS])
    build_index(workspace, "shapes", "shapes", "toy", embedder=toy)
    searcher = Searcher(workspace, load_embedder=lambda *_, **__: toy, load_reranker=lambda *_, **__: late)
    read: list[int] = []
    encode = late.model.encode_document

    def counted(inputs: list[Any], **how: Any) -> Any:
        read.append(len(inputs))
        return encode(inputs, **how)

    monkeypatch.setattr(late.model, "encode_document", counted)
    found = searcher.search("shapes", Item(text="red heart"), reranker="late")
    asked = late.model.encode_query([{"text": "red heart"}], convert_to_numpy=True)[0]
    tokens = encode([{"text": text} for text in TEXTS], convert_to_numpy=True)
    scores = {text: float((asked @ one.T).max(axis=1).sum()) for text, one in zip(TEXTS, tokens, strict=True)}
    assert [hit.text for hit in found.hits] == sorted(scores, key=lambda text: -scores[text])
    np.testing.assert_allclose(
        [hit.rerank_score for hit in found.hits], sorted(scores.values(), reverse=True), rtol=1e-4
    )
    assert sum(read) == len(TEXTS)
    searcher.search("shapes", Item(text="blue star"), reranker="late")
    assert sum(read) == len(TEXTS), "the tokens of a document are kept from one query to the next"
