"""Full text beside the vectors: both lists are right, become one as the formula says, and obey every filter."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import first_stage, full_text
from workbench.index.build import build_index
from workbench.index.fields import Condition
from workbench.index.fusion import fused
from workbench.index.registry import get_index
from workbench.index.search import Searcher
from workbench.workspace import Workspace

COLOURS = ("red", "green", "blue", "grey")


@pytest.fixture
def lamps(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> Searcher:
    """60 texts “COLOUR lamp number N”, each of a room, and 20 pictures."""
    described = [
        Item(text=f"{COLOURS[n % 4]} lamp number {n}", meta={"room": f"room {n % 3}", "price": n}) for n in range(60)
    ]
    pictures = [Item(image=png_bytes((n, 0, 0)), meta={"room": "room 0", "price": 0}) for n in range(20)]
    make_collection(workspace, "lamps", [*described, *pictures])
    build_index(workspace, "lamps", "lamps", "toy", embedder=toy)
    return searcher


def test_the_card_says_how_many_documents_have_words(workspace: Workspace, lamps: Searcher, toy: ToyEmbedder) -> None:
    assert get_index(workspace, "lamps").full_text == 60
    make_collection(workspace, "pictures", [Item(image=png_bytes((n, 0, 0))) for n in range(5)])
    assert build_index(workspace, "pictures", "pictures", "toy", embedder=toy)["full_text"] == 0
    found = lamps.search("pictures", Item(text="red"), hybrid=0.5)
    assert len(found.hits) == 5 and found.hybrid == 0 and "this index has none" in found.notes[0]


def test_full_text_alone_finds_the_documents_with_the_words_and_no_others(lamps: Searcher) -> None:
    found = lamps.search("lamps", Item(text="GREEN, please!"), top=50, hybrid=1.0)
    assert {hit.text.split()[0] for hit in found.hits} == {"green"} and len(found.hits) == 15
    assert [hit.text_rank for hit in found.hits] == list(range(1, 16))
    assert lamps.search("lamps", Item(text="17"), hybrid=1.0).hits[0].text.endswith("number 17")
    assert lamps.search("lamps", Item(text="nowhere"), hybrid=1.0).hits == []


@pytest.mark.parametrize("balance", [0.2, 0.5, 0.9])
def test_both_lists_become_one_by_reciprocal_ranks(lamps: Searcher, toy: ToyEmbedder, balance: float) -> None:
    query = Item(text="blue lamp")
    near = [hit.id for hit in lamps.search("lamps", query, top=80).hits]
    words = [hit.id for hit in lamps.search("lamps", query, top=80, hybrid=1.0).hits]
    sums: Counter[str] = Counter()
    for share, ids in ((1 - balance, near), (balance, words)):
        sums.update({identifier: share / (60 + rank) for rank, identifier in enumerate(ids, start=1)})
    found = lamps.search("lamps", query, top=12, hybrid=balance)
    np.testing.assert_allclose([hit.score for hit in found.hits], sorted(sums.values(), reverse=True)[:12])
    for hit in found.hits:
        assert sums[hit.id] == pytest.approx(hit.score)
        assert hit.vector_rank == near.index(hit.id) + 1
        assert hit.text_rank == (words.index(hit.id) + 1 if hit.id in words else None)
    assert found.hybrid == balance and found.as_json()["hits"][0]["text_rank"] == found.hits[0].text_rank


def test_a_document_that_only_full_text_found_has_its_cosine(
    lamps: Searcher, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_stage, "FUSED_FROM", 3)
    query = Item(text="number 33")
    hits = lamps.search("lamps", query, top=3, hybrid=0.6).hits
    assert hits[0].text.endswith("number 33") and hits[0].vector_rank is None
    document = Item(text=hits[0].text)
    assert hits[0].first_score == pytest.approx(float(toy.vector(query) @ toy.vector(document)), abs=1e-6)
    shorter = lamps.search("lamps", query, top=3, hybrid=0.6, dimension=8).hits[0]
    halves = [toy.vector(item)[:8] / np.linalg.norm(toy.vector(item)[:8]) for item in (query, document)]
    assert shorter.first_score == pytest.approx(float(halves[0] @ halves[1]), abs=1e-5)


@pytest.mark.parametrize("listed", [5000, 4])
def test_filters_and_modality_hold_for_both_lists(
    lamps: Searcher, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr(full_text, "LISTED_ROWS", listed)
    where = [Condition("room", "room 1"), Condition("price", None, 10, 40)]
    found = lamps.search("lamps", Item(text="red lamp"), top=50, hybrid=0.5, where=where)
    assert {hit.meta["price"] for hit in found.hits} == {n for n in range(10, 41) if n % 3 == 1}
    reds = [hit.meta["price"] for hit in found.hits if hit.text_rank is not None and hit.text_rank <= 3]
    assert sorted(reds) == [16, 28, 40]
    pictures = lamps.search("lamps", Item(text="red lamp"), top=50, hybrid=0.5, modality="image")
    assert len(pictures.hits) == 20 and all(hit.text_rank is None for hit in pictures.hits)
    words = lamps.search("lamps", Item(text="red lamp"), top=50, hybrid=1.0, modality="text").hits
    assert len(words) == 50 and {hit.text.split()[0] for hit in words[:15]} == {"red"}


def test_a_query_without_words_is_answered_by_vectors_alone_and_told_so(lamps: Searcher) -> None:
    query = Item(image=png_bytes((3, 0, 0)))
    plain = lamps.search("lamps", query)
    found = lamps.search("lamps", query, hybrid=1.0)
    assert [hit.id for hit in found.hits] == [hit.id for hit in plain.hits]
    assert found.hybrid == 0 and found.notes == ("Full text was left out: the query has no words.",)
    mixed = lamps.search("lamps", Item(text="grey", image=png_bytes((3, 0, 0))), hybrid=1.0)
    assert len(mixed.hits) == 10 and all(hit.text.startswith("grey") for hit in mixed.hits)


def test_a_vector_search_never_asks_full_text(lamps: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("full text was asked")

    monkeypatch.setattr(first_stage, "nearest_in_words", never)
    assert lamps.search("lamps", Item(text="red lamp")).hits[0].text_rank is None


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(lamps: Searcher, share: float) -> None:
    with pytest.raises(WorkbenchError, match="from 0 to 1"):
        lamps.search("lamps", Item(text="red"), hybrid=share)


def test_of_equal_sums_the_lower_row_comes_first() -> None:
    assert [row for row, _ in fused([7, 3], [3, 7], 0.5)] == [3, 7]
    assert fused([1, 2], [3], 0.0) == [(1, 1 / 61), (2, 1 / 62)]
    assert [row for row, _ in fused([1, 2], [3], 1.0)] == [3]


def test_ties_at_the_cut_are_settled_by_row_however_many(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_text, "TIED", 2)
    make_collection(workspace, "same", [*texts(90, "the same"), Item(text="the same same 90")])
    build_index(workspace, "same", "same", "toy", embedder=toy)
    found = searcher.search("same", Item(text="same"), top=5, hybrid=1.0)
    assert [hit.row for hit in found.hits] == [90, 0, 1, 2, 3]
