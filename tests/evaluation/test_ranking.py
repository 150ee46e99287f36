from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from workbench.evaluation import ranking
from workbench.evaluation.ranking import document_blocks, top_documents
from workbench.models.vectors import truncate


def unit(count: int, dimension: int, seed: int) -> np.ndarray:
    return truncate(np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32), dimension)


def by_hand(scores: np.ndarray, top: int) -> list[list[int]]:
    """The tie rule spelled out: higher score first, then earlier position."""
    return [sorted(range(len(row)), key=lambda place: (-row[place], place))[:top] for row in scores]


@pytest.mark.parametrize("count", [1, 7, 100, 101, 1024, 1025, 5000])
def test_blocks_give_what_one_sort_of_everything_gives(count):
    # Whole numbers, so that scores are exact whatever the block and ties abound.
    rng = np.random.default_rng(count)
    queries = rng.integers(-2, 3, (6, 4)).astype(np.float32)
    documents = rng.integers(-2, 3, (count, 4)).astype(np.float32)
    positions, scores = ranking.top_of_rows(queries.__getitem__, 6, documents.__getitem__, count, "float32", 100)
    assert positions.tolist() == by_hand(queries @ documents.T, 100)
    assert np.array_equal(scores, np.take_along_axis(queries @ documents.T, positions, axis=1))


def test_more_places_than_the_first_block_has_documents(monkeypatch):
    monkeypatch.setattr(ranking, "FIRST_BLOCK", 16)
    queries, documents = unit(5, 8, 1), unit(300, 8, 2)
    positions, _ = top_documents(queries, documents, 8)
    assert positions.tolist() == by_hand(queries @ documents.T, 100)


def test_many_query_blocks_give_the_same(monkeypatch):
    queries, documents = unit(50, 16, 3), unit(3000, 16, 4)
    whole, _ = top_documents(queries, documents, 16)
    monkeypatch.setattr(ranking, "QUERY_BLOCK", 7)
    monkeypatch.setattr(ranking, "DOCUMENT_BLOCK", 500)
    pieces, _ = top_documents(queries, documents, 16)
    assert np.array_equal(whole, pieces)


def test_a_model_that_gives_everything_the_same_vector_ranks_by_id_and_not_by_chance():
    same = np.ones((5000, 8), np.float32) / np.sqrt(np.float32(8))
    positions, _ = top_documents(same[:3], same, 8)
    assert positions.tolist() == [list(range(100))] * 3


def test_vectors_are_cut_and_renormalised():
    queries, documents = unit(4, 32, 5), unit(500, 32, 6)
    positions, scores = top_documents(queries, documents, 8, top=10)
    cosine = truncate(queries, 8) @ truncate(documents, 8).T
    assert positions.tolist() == by_hand(cosine, 10)
    assert np.allclose(scores, -np.sort(-cosine, axis=1)[:, :10], atol=1e-6)


def test_blocks_cover_all_documents_once_and_stay_bounded():
    pieces = list(document_blocks(1_000_000))
    assert pieces[0] == (0, 1024)
    assert all(a[1] == b[0] for a, b in pairwise(pieces))
    assert pieces[-1][1] == 1_000_000
    assert max(stop - start for start, stop in pieces) <= ranking.DOCUMENT_BLOCK


def test_a_memory_mapped_file_is_ranked_like_an_array(tmp_path):
    queries, documents = unit(3, 16, 7), unit(2500, 16, 8)
    np.save(tmp_path / "documents.npy", documents)
    mapped = np.load(tmp_path / "documents.npy", mmap_mode="r")
    assert np.array_equal(top_documents(queries, mapped, 16)[0], top_documents(queries, documents, 16)[0])
