"""Explanations of the starter on scenes of the demo: they name what tells one scene from another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workbench.collection.demo import make_demo
from workbench.collection.scenes import COLOURS, GROUNDS
from workbench.collection.store import Item, open_collection
from workbench.explain import why
from workbench.models import load_embedder
from workbench.workspace import Workspace

SCENES = 8


class Cosine:
    """The cosine of an embedder, as a search of its index compares."""

    def __init__(self, embedder: Any, query: Item) -> None:
        self.embedder, self.query = embedder, embedder.encode_queries([query])[0]

    def __call__(self, documents: Any) -> np.ndarray:
        return self.embedder.encode_documents(documents) @ self.query

    def ask(self, queries: Any, document: Item) -> np.ndarray:
        return self.embedder.encode_queries(queries) @ self.embedder.encode_documents([document])[0]


@pytest.mark.slow
def test_a_colour_of_the_sentence_carries_the_score_of_its_picture(workspace: Workspace) -> None:
    make_demo(workspace, "demo", scenes=SCENES)
    collection, embedder = open_collection(workspace, "demo"), load_embedder(workspace, "starter")
    strongest = []
    for row in range(SCENES):
        query, picture = collection.item("queries", row), collection.item("corpus", 2 * row)
        found = why(Cosine(embedder, query), picture, query)
        strongest.append(max(found.query_parts, key=lambda part: part.drop).label)
        assert found.strongest("box") and found.scored <= 1 + 48 + 1 + 12
    assert sum(word in {*COLOURS, *GROUNDS} for word in strongest) >= SCENES - 2, strongest
