"""Search by signs with rescoring: what an evaluation measured under that name, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item
from workbench.evaluation import ranking
from workbench.index import codes, table
from workbench.index.build import build_index
from workbench.index.fields import Condition
from workbench.index.registry import get_index
from workbench.index.search import Searcher
from workbench.workspace import Workspace


def test_it_finds_what_an_evaluation_of_that_precision_finds(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes.RESCORED == ranking.RESCORED
    for module in (codes, ranking):
        monkeypatch.setattr(module, "RESCORED", 60)
    documents = make_collection(workspace, "words", texts(400))
    queries = texts(12, "question")
    built = build_index(workspace, "words", "words", "toy", precision="rescored", embedder=toy)
    assert (built["kind"], built["precision"]) == ("BINARY", "rescored")
    vectors = np.stack([toy.vector(document) for document in documents])
    asked = np.stack([toy.vector(query) for query in queries])
    positions, scores = ranking.top_documents(asked, vectors, 32, "rescored", top=10)
    exact, _ = ranking.top_documents(asked, vectors, 32, top=10)
    assert (positions != exact).any(), "signs alone miss some, or this shows nothing"
    found = searcher.search_many("words", queries)
    assert [[hit.row for hit in one.hits] for one in found] == positions.tolist()
    np.testing.assert_allclose([[hit.score for hit in one.hits] for one in found], scores, atol=1e-6)


def test_the_recall_on_the_card_is_measured(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "RESCORED", 25)
    documents = make_collection(workspace, "words", texts(400), queries=texts(40, "question"))
    build_index(workspace, "words", "words", "toy", precision="rescored", embedder=toy)
    card = get_index(workspace, "words")
    assert 0.3 < card.recall < 0.95 and [effort["recall"] for effort in card.efforts] == [card.recall]
    assert not any(
        "Ivf" in index.index_type for index in table.connect(workspace).open_table(card.table).list_indices()
    )
    exact = np.stack([toy.vector(document) for document in documents])
    right = 0
    for query in texts(40, "question"):
        best = np.argsort(-(exact @ toy.vector(query)), kind="stable")[:10]
        right += len(set(best.tolist()) & {hit.row for hit in searcher.search("words", query).hits})
    assert right / 400 == pytest.approx(card.recall, abs=0.12)


def test_filters_modality_pages_and_full_text_hold_here_too(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "RESCORED", 20)
    described = [replace(document, meta={"half": n % 2}) for n, document in enumerate(texts(120))]
    pictures = [Item(image=png_bytes((n, 0, 0)), meta={"half": 1}) for n in range(5)]
    make_collection(workspace, "words", [*described, *pictures])
    build_index(workspace, "words", "words", "toy", precision="rescored", embedder=toy)
    lamp, odd = Item(text="document 7"), [Condition("half", None, 1, 1)]
    assert len(searcher.search("words", lamp, top=100, modality="image").hits) == 5
    assert searcher.search("words", lamp, modality="audio").hits == []
    found = searcher.search("words", lamp, top=100, where=odd)
    assert {hit.meta["half"] for hit in found.hits} == {1} and len(found.hits) == 65
    assert len(searcher.search("words", lamp, top=100, where=odd, modality="text").hits) == 60
    whole = [hit.id for hit in searcher.search("words", lamp, top=20).hits]
    assert [hit.id for hit in searcher.search("words", lamp, top=5, offset=10).hits] == whole[10:15]
    assert searcher.search("words", lamp, hybrid=0.5).hits[0].text == "document 7"
    assert searcher.search("words", lamp, dimension=8).dimension == 8


@pytest.mark.parametrize("dimension", [20, 8, 3])
def test_signs_of_any_dimension_fill_whole_bytes(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, dimension: int
) -> None:
    make_collection(workspace, "words", texts(60))
    build_index(workspace, "words", "words", "toy", dimension=dimension, precision="rescored", embedder=toy)
    build_index(workspace, "plain", "words", "toy", dimension=dimension, embedder=toy)
    for query in texts(5, "question"):
        found, plain = (searcher.search(name, query, top=60) for name in ("words", "plain"))
        assert [hit.row for hit in found.hits] == [hit.row for hit in plain.hits], "all are rescored where all fit"
