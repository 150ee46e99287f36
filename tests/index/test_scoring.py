"""A scorer gives the scores that a search gives, for documents that are handed to it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item, remove_collection
from workbench.errors import WorkbenchError
from workbench.index.build import build_index
from workbench.index.search import Searcher
from workbench.workspace import Workspace


@pytest.fixture
def documents(workspace: Workspace, toy: ToyEmbedder) -> list[Item]:
    made = make_collection(workspace, "words", [*texts(12), Item(image=png_bytes())])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return made


@pytest.mark.parametrize("dimension", [None, 8])
def test_its_scores_are_those_of_the_search(searcher: Searcher, documents: list[Item], dimension: int | None) -> None:
    query = Item(text="a lamp")
    found = searcher.search("words", query, top=13, dimension=dimension)
    scorer = searcher.scorer("words", query, dimension=dimension)
    items = [scorer.document(hit.id) for hit in found.hits if hit.modality == "text"]
    expected = [hit.score for hit in found.hits if hit.modality == "text"]
    np.testing.assert_allclose(scorer(items), expected, atol=1e-5)
    np.testing.assert_allclose(scorer.ask([query], items[0]), expected[:1], atol=1e-5)


def test_a_rerankers_scores_are_its_own(searcher: Searcher, documents: list[Item]) -> None:
    scorer = searcher.scorer("words", Item(text="a lamp"), reranker="toy-reranker")
    assert scorer(documents[:3]).tolist() == [0.0, 1.0, 2.0]
    assert scorer.ask([Item(text="one"), Item(text="two")], documents[7]).tolist() == [7.0, 7.0]


def test_a_document_that_is_gone_is_told(workspace: Workspace, searcher: Searcher, documents: list[Item]) -> None:
    scorer = searcher.scorer("words", Item(text="a lamp"))
    assert scorer.document(documents[3].id).text == "document 3"
    with pytest.raises(WorkbenchError, match="no document “gone”"):
        scorer.document("gone")
    remove_collection(workspace, "words")
    with pytest.raises(WorkbenchError, match="no document"):
        searcher.scorer("words", Item(text="a lamp")).document(documents[3].id)
