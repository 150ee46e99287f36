from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest

from workbench.evaluation import products, ranking
from workbench.evaluation.precision import coder
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


def exactly(queries: np.ndarray, documents: np.ndarray, top: int) -> list[list[int]]:
    """The tie rule on products in float64, rounded: what documents of the same vector must come out by."""
    return by_hand((queries.astype(np.float64) @ documents.astype(np.float64).T).astype(np.float32), top)


@pytest.fixture(params=[None, "cpu"], ids=["numpy", "torch"])
def device(request):
    """The products of numpy, and those of torch as on a GPU."""
    if request.param is not None:
        pytest.importorskip("torch")
    return request.param


@pytest.fixture
def small_blocks(monkeypatch):
    """A few hundred documents go the way of a million."""
    for name, value in {"FEW": 0, "FIRST_BLOCK": 64, "QUERY_BLOCK": 7, "TILE": 96}.items():
        monkeypatch.setattr(ranking, name, value)
    monkeypatch.setattr(products, "TILE", 96)
    monkeypatch.setattr(products, "DEVICE_BLOCK", 150)


def ranked(queries, documents, top=20, device=None, precision="float32"):
    return ranking.top_of_rows(
        queries.__getitem__, len(queries), documents.__getitem__, len(documents), precision, top, device
    )


@pytest.mark.parametrize("count", [65, 640, 1001])
def test_documents_of_the_same_vector_rank_by_position_though_fast_products_differ(device, small_blocks, count):
    same = np.repeat(unit(1, 256, 9), count, axis=0)
    positions, scores = ranked(unit(9, 256, 10), same, device=device)
    assert positions.tolist() == [list(range(20))] * 9
    assert (scores == scores[:, :1]).all()


def test_the_worst_place_tied_with_later_documents_stays_with_the_earliest(device, small_blocks):
    """Fifty copies of what ranks last, in blocks of their own, and one better document at the very end."""
    documents, query = unit(900, 256, 11), unit(3, 256, 12)
    for row in range(3):
        last = by_hand(query[row : row + 1] @ documents.T, 20)[0][-1]
        documents[np.random.default_rng(row).choice(900, 50, replace=False)] = documents[last]
    documents[899] = query[0]
    positions, _ = ranked(query, documents, device=device)
    assert positions.tolist() == exactly(query, documents, 20)
    assert positions[0, 0] == 899


def test_ever_better_documents_and_ever_worse_ones(device, small_blocks):
    angles = np.linspace(0, 1.5, 1000, dtype=np.float32)
    documents = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    query = np.array([[1, 0], [0, 1]], np.float32)
    positions, _ = ranked(query, documents, device=device)
    assert positions.tolist() == [list(range(20)), list(range(999, 979, -1))]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "binary"])
def test_random_duplicates_at_every_precision_rank_as_one_exact_sort_of_everything(device, small_blocks, precision):
    rng = np.random.default_rng(13)
    documents, queries = unit(200, 48, 14)[rng.integers(0, 200, 1500)], unit(20, 48, 15)
    encode = coder(precision, [documents])
    positions, _ = ranked(queries, documents, device=device, precision=precision)
    assert positions.tolist() == exactly(encode(queries), encode(documents), 20)


def test_queries_are_taken_some_at_a_time(monkeypatch):
    queries, documents = unit(50, 16, 3), unit(3000, 16, 4)
    whole = top_documents(queries, documents, 16, "rescored")
    monkeypatch.setattr(ranking, "QUERIES_AT_ONCE", 8)
    pieces = top_documents(queries, documents, 16, "rescored")
    assert all(np.array_equal(one, other) for one, other in zip(whole, pieces, strict=True))


def test_a_device_takes_large_blocks_but_fewer_documents_of_long_vectors():
    on_device = products.OnDevice("cpu")
    assert (on_device.most(256), on_device.most(4096), on_device.most(100_000)) == (32_768, 2048, products.TILE)
    assert products.Plain().most(4096) == products.TILE
    assert max(stop - start for start, stop in document_blocks(100_000, 2048)) == 2048


def test_a_gpu_is_used_where_torch_has_one_and_there_is_much_to_do(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert isinstance(products.products_for(products.WORTH_MOVING), products.OnDevice)
    assert isinstance(products.products_for(1000), products.Plain)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(products.products_for(products.WORTH_MOVING), products.Plain)
    monkeypatch.delitem(sys.modules, "torch")
    assert isinstance(products.products_for(products.WORTH_MOVING), products.Plain)


def test_where_the_device_is_full_the_processor_ranks_from_the_beginning(monkeypatch, caplog, small_blocks):
    torch = pytest.importorskip("torch")
    queries, documents = unit(20, 16, 31), unit(3000, 16, 32)
    wanted, _ = ranked(queries, documents)
    asked = []

    def above(self, query_block, block, bounds):
        asked.append(len(block))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(products.OnDevice, "above", above)
    positions, _ = ranked(queries, documents, device="cpu")
    assert positions.tolist() == wanted.tolist() and len(asked) == 1
    assert "the processor does it" in caplog.text
    monkeypatch.setattr(products.OnDevice, "above", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ranked(queries, documents, device="cpu")
