"""Searching: exact where it says exact, honest about its model, and unshaken by what happens meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import lancedb
import numpy as np
import pytest

from tests.conftest import png_bytes, wav_bytes
from tests.index.test_build import FastToy
from tests.index.toys import ToyEmbedder, ToyReranker, make_collection, texts
from workbench.collection.store import Item, remove_collection
from workbench.errors import WorkbenchError
from workbench.index import loaded, table
from workbench.index.build import build_index
from workbench.index.registry import get_index, remove_index
from workbench.index.search import Searcher
from workbench.workspace import Workspace


def by_numpy(query: np.ndarray, vectors: np.ndarray, top: int) -> tuple[list[int], np.ndarray]:
    """Rows and cosines of the nearest, by brute force in double precision."""
    query, vectors = query.astype(np.float64), vectors.astype(np.float64)
    scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    rows = np.argsort(-scores, kind="stable")[:top]
    return rows.tolist(), scores[rows]


@pytest.mark.parametrize("question", ["a lamp", "document 17", "naïve 漢字 ‘; DROP TABLE", "../../etc/passwd"])
def test_an_exact_search_equals_numpy(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, question: str
) -> None:
    documents = make_collection(workspace, "words", texts(500))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    query = Item(text=question)
    result = searcher.search("words", query, top=25)
    rows, scores = by_numpy(toy.vector(query), np.stack([toy.vector(document) for document in documents]), 25)
    assert [hit.row for hit in result.hits] == rows
    np.testing.assert_allclose([hit.score for hit in result.hits], scores, atol=1e-6)
    assert [hit.rank for hit in result.hits] == list(range(1, 26))
    assert [hit.text for hit in result.hits] == [f"document {row}" for row in rows]


@pytest.mark.parametrize("size", [32, 8])
def test_half_precision_takes_half_the_space_and_finds_the_same(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, size: int
) -> None:
    documents = make_collection(workspace, "words", texts(600))
    whole = build_index(workspace, "whole", "words", "toy", embedder=toy)
    half = build_index(workspace, "half", "words", "toy", precision="float16", embedder=toy)
    assert (half["precision"], half["recall@10"]) == ("float16", 1.0)
    assert half["bytes"] < whole["bytes"]
    query = Item(text="a lamp")
    vectors = np.stack([toy.vector(document).astype(np.float16)[:size] for document in documents])
    rows, scores = by_numpy(toy.vector(query)[:size], vectors, 20)
    result = searcher.search("half", query, top=20, dimension=size)
    assert [hit.row for hit in result.hits] == rows
    np.testing.assert_allclose([hit.score for hit in result.hits], scores, atol=2e-3)
    opened = lancedb.connect(str(workspace.index)).open_table(get_index(workspace, "half").table)
    assert table.precision_of(opened) == "float16"


@pytest.mark.parametrize("size", [16, 8])
def test_a_search_at_a_smaller_size_equals_numpy(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, size: int
) -> None:
    documents = make_collection(workspace, "words", [*texts(300), Item(image=png_bytes()), Item(audio=wav_bytes())])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    query = Item(image=png_bytes((0, 0, 9)))
    vectors = np.stack([toy.vector(document)[:size] for document in documents])
    rows, scores = by_numpy(toy.vector(query)[:size], vectors, 20)
    result = searcher.search("words", query, top=20, dimension=size)
    assert result.dimension == size
    assert [hit.row for hit in result.hits] == rows
    np.testing.assert_allclose([hit.score for hit in result.hits], scores, atol=1e-6)
    words, _ = by_numpy(toy.vector(query)[:size], vectors[:300], 20)
    assert [hit.row for hit in searcher.search("words", query, top=20, dimension=size, modality="text").hits] == words


def test_an_index_of_a_smaller_size_is_searched_at_that_size(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    documents = make_collection(workspace, "words", texts(100))
    build_index(workspace, "small", "words", "toy", dimension=16, embedder=toy)
    query = Item(text="a lamp")
    rows, _ = by_numpy(toy.vector(query)[:16], np.stack([toy.vector(d)[:16] for d in documents]), 10)
    assert [hit.row for hit in searcher.search("small", query).hits] == rows
    with pytest.raises(WorkbenchError, match="holds vectors of 16 numbers"):
        searcher.search("small", query, dimension=32)


def test_a_smaller_size_is_refused_where_memory_would_not_hold_it(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(30))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 29)
    with pytest.raises(WorkbenchError, match=r"has 30 rows.*build an index at 8 numbers"):
        searcher.search("words", Item(text="a lamp"), dimension=8)


def test_an_approximate_index_is_searched_with_the_effort_that_was_measured(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    make_collection(workspace, "some", texts(1500), queries=texts(50, "question"))
    fast = FastToy(32)
    build_index(workspace, "some", "some", "toy", embedder=fast)  # type: ignore[arg-type]
    card = get_index(workspace, "some")
    assert card.kind == "IVF_RQ" and card.probes > 0 and card.refine > 0
    opened = table.connect(workspace).open_table(card.table)
    vectors = np.stack(opened.to_arrow().sort_by("row")["vector"].to_numpy())
    found = 0
    for number in range(100, 120):
        query = Item(text=f"question {number}")
        rows, _ = by_numpy(fast.vector(query), vectors, 10)
        found += len(set(rows) & {hit.row for hit in searcher.search("some", query).hits})
    assert found / 200 >= 0.93, "queries like those of the collection find what the measured recall promises"


def test_the_few_of_a_rare_modality_are_all_found_in_an_approximate_index(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    pictures = [Item(image=png_bytes((n, 0, 0))) for n in range(12)]
    documents = make_collection(workspace, "mostly-words", [*texts(1500), *pictures])
    build_index(workspace, "mostly-words", "mostly-words", "toy", embedder=toy)
    query = Item(text="a lamp")
    rows, _ = by_numpy(toy.vector(query), np.stack([toy.vector(document) for document in documents[1500:]]), 12)
    hits = searcher.search("mostly-words", query, top=20, modality="image").hits
    assert [hit.row for hit in hits] == [1500 + row for row in rows]


@pytest.mark.parametrize("modality", ["text", "image", "audio", "text+image", "video"])
def test_the_filter_gives_the_best_of_one_modality(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, modality: str
) -> None:
    documents = make_collection(
        workspace,
        "mixed",
        [
            *texts(40),
            *(Item(image=png_bytes((n, 0, 0))) for n in range(30)),
            *(Item(audio=wav_bytes(300 + 10 * n)) for n in range(20)),
            *(Item(text=f"both {n}", image=png_bytes((0, n, 0))) for n in range(12)),
        ],
    )
    build_index(workspace, "mixed", "mixed", "toy", embedder=toy)
    query = Item(text="and a picture", image=png_bytes())
    rows, _ = by_numpy(toy.vector(query), np.stack([toy.vector(document) for document in documents]), len(documents))
    wanted = [row for row in rows if documents[row].modality == modality][:10]
    hits = searcher.search("mixed", query, modality=modality).hits
    assert [hit.row for hit in hits] == wanted
    assert {hit.modality for hit in hits} <= {modality}


def test_a_filter_outside_the_fixed_list_never_reaches_the_engine(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    for hostile in ("text' OR '1'='1", "TEXT", "", "text+text", "image+text", "text\x00", "x" * 1_000_000):
        with pytest.raises(WorkbenchError, match="is no kind of document"):
            searcher.search("words", Item(text="a lamp"), modality=hostile)
        with pytest.raises(ValueError, match="is no modality"):
            table.modality_filter(hostile)


def test_another_model_is_refused_with_the_choice_to_build_again(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert searcher.search("words", Item(text="a lamp"), model="toy").model == "toy"
    with pytest.raises(WorkbenchError, match=r"built with “toy”.*“other” cannot.*build the index again with “other”"):
        searcher.search("words", Item(text="a lamp"), model="other")


def test_an_index_whose_run_was_removed_says_so(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "run:tuned", embedder=toy)
    with pytest.raises(WorkbenchError, match="“words” was built with the run “tuned”, which has been removed"):
        searcher.search("words", Item(text="a lamp"))


def test_a_model_that_has_changed_since_the_build_is_refused(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "run:tuned", embedder=toy)
    model = workspace.run("tuned") / "model"
    model.mkdir(parents=True)
    (model / "weights").write_text("1")
    fingerprints = ["toy-1", "toy-2"]
    searcher = Searcher(workspace, load_embedder=lambda *_, **__: ToyEmbedder(fingerprint=fingerprints.pop(0)))
    searcher.search("words", Item(text="a lamp"))
    searcher.search("words", Item(text="a lamp"))
    assert len(fingerprints) == 1, "a model that stays the same is loaded once"
    (model / "weights").unlink()
    (model / "new-weights").write_text("2")
    with pytest.raises(WorkbenchError, match="“run:tuned” has changed since"):
        searcher.search("words", Item(text="a lamp"))


def test_reranking_orders_the_first_and_says_who_moved(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(60))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    query = Item(text="a lamp")
    first = searcher.search("words", query, top=30).hits
    result = searcher.search("words", query, top=30, reranker="toy-reranker", rerank_first=20)
    # The toy reranker scores a document by its number.
    expected = sorted(first[:20], key=lambda hit: -hit.row)
    assert [hit.id for hit in result.hits] == [hit.id for hit in [*expected, *first[20:]]]
    assert [hit.rank for hit in result.hits] == list(range(1, 31))
    places = {hit.id: hit for hit in first}
    for hit in result.hits:
        assert (hit.first_rank, hit.first_score) == (places[hit.id].rank, places[hit.id].score)
        assert hit.moved == hit.first_rank - hit.rank
        assert hit.score == (hit.first_score if hit.rerank_score is None else hit.rerank_score)
    assert [hit.rerank_score for hit in result.hits[:20]] == [float(hit.row) for hit in expected]
    assert all(hit.rerank_score is None and hit.moved == 0 for hit in result.hits[20:])
    assert any(hit.moved > 0 for hit in result.hits) and any(hit.moved < 0 for hit in result.hits)
    assert result.milliseconds["rerank"] > 0


def test_reranking_more_than_is_shown_brings_up_hits_from_below(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(60))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    hits = searcher.search("words", Item(text="a lamp"), top=3, reranker="toy-reranker", rerank_first=60).hits
    assert [hit.text for hit in hits] == ["document 59", "document 58", "document 57"]


def test_a_hit_that_the_reranker_cannot_read_keeps_its_place(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyReranker, "modalities", ("text",), raising=False)
    pictures = [Item(image=png_bytes((shade, 0, 0)), file=f"{shade}.png", thumbnail=b"webp") for shade in range(5)]
    make_collection(workspace, "mixed", [*texts(15), *pictures])
    build_index(workspace, "mixed", "mixed", "toy", embedder=toy)
    hits = searcher.search("mixed", Item(text="a lamp"), top=20, reranker="toy-reranker", rerank_first=20).hits
    seen = [hit for hit in hits if hit.modality == "image"]
    assert len(seen) == 5
    assert all(hit.moved == 0 and hit.rerank_score is None for hit in seen)
    assert [hit.row for hit in hits if hit.modality == "text"] == list(range(14, -1, -1))


def test_the_json_of_a_search_is_the_one_the_design_promises(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    plain = searcher.search("words", Item(text="a lamp"), top=2).as_json()
    assert list(plain) == ["index", "model", "hits", "milliseconds", "per_second"]
    assert list(plain["hits"][0]) == ["rank", "id", "score", "modality", "text", "file"]
    assert list(plain["milliseconds"]) == ["encode", "search", "rerank"]
    assert plain["milliseconds"]["encode"] > 0 and plain["milliseconds"]["rerank"] == 0
    reranked = searcher.search("words", Item(text="a lamp"), top=2, reranker="toy-reranker").as_json()
    assert {"first_rank", "first_score", "rerank_score"} <= set(reranked["hits"][0])


def test_a_deleted_collection_leaves_the_search_and_takes_the_reranking(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "things", [Item(image=png_bytes(), file="red.png", thumbnail=b"webp"), *texts(3)])
    build_index(workspace, "things", "things", "toy", embedder=toy)
    assert searcher.search("things", Item(image=png_bytes())).hits[0].row == 0
    remove_collection(workspace, "things")
    best = searcher.search("things", Item(image=png_bytes())).hits[0]
    assert (best.file, best.row, best.thumbnail) == ("red.png", -1, b"webp")
    with pytest.raises(WorkbenchError, match=r"“things”.*is gone.*Search without it"):
        searcher.search("things", Item(image=png_bytes()), reranker="toy-reranker")


def test_a_collection_imported_again_in_another_order_shows_the_right_documents(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    make_collection(workspace, "words", texts(20))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    remove_collection(workspace, "words")
    make_collection(workspace, "words", [document for document in reversed(texts(20)) if document.text != "document 4"])
    hits = searcher.search("words", Item(text="document 3"), top=20).hits
    rows = {hit.text: hit.row for hit in hits}
    assert hits[0].text == "document 3"
    assert rows["document 19"] == 0 and rows["document 0"] == 18 and rows["document 4"] == -1
    with pytest.raises(WorkbenchError, match="has changed since the index"):
        searcher.search("words", Item(text="document 4"), reranker="toy-reranker")


def test_what_cannot_be_searched_is_told_in_words(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    lamp = Item(text="a lamp")
    with pytest.raises(WorkbenchError, match="no index named “other”"):
        searcher.search("other", lamp)
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        searcher.search("../words", lamp)
    with pytest.raises(WorkbenchError, match="cannot read video"):
        searcher.search("words", Item(video=b"frames"))
    for nothing in (Item(), Item(text=""), Item(text=" \n ")):
        with pytest.raises(WorkbenchError, match="nothing to search for"):
            searcher.search("words", nothing)
    for options in ({"top": 0}, {"top": 1001}, {"rerank_first": 0}, {"dimension": 0}, {"dimension": -8}):
        with pytest.raises(WorkbenchError):
            searcher.search("words", lamp, **options)  # type: ignore[arg-type]
    assert len(searcher.search("words", lamp, top=1000).hits) == 5
    table.drop_table(workspace, get_index(workspace, "words").table)
    with pytest.raises(WorkbenchError, match="files of the index “words” are gone"):
        searcher.search("words", lamp)


def test_a_reranker_with_scores_that_are_no_numbers_is_told_in_words(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.setattr(ToyReranker, "score", lambda self, query, items: np.full(len(items), np.nan, np.float32))
    with pytest.raises(WorkbenchError, match="scores that are not numbers"):
        searcher.search("words", Item(text="a lamp"), reranker="toy-reranker")


def test_a_replaced_or_removed_index_is_noticed_by_the_next_query(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    for name, count in (("few", 5), ("many", 50)):
        make_collection(workspace, name, texts(count))
    build_index(workspace, "words", "few", "toy", embedder=toy)
    assert len(searcher.search("words", Item(text="a lamp"), top=100).hits) == 5
    build_index(workspace, "words", "many", "toy", embedder=toy)
    assert len(searcher.search("words", Item(text="a lamp"), top=100).hits) == 50
    remove_index(workspace, "words")
    with pytest.raises(WorkbenchError, match="no index named"):
        searcher.search("words", Item(text="a lamp"))


def test_two_threads_search_while_the_index_is_built_again_and_again(workspace: Workspace, toy: ToyEmbedder) -> None:
    documents = make_collection(workspace, "words", texts(200))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    searcher = Searcher(workspace, load_embedder=lambda *_, **__: toy)
    vectors = np.stack([toy.vector(document) for document in documents])
    done, problems, answers = threading.Event(), [], [0, 0]

    def ask(me: int) -> None:
        number = me
        while not done.is_set():
            query = Item(text=f"question {number}")
            try:
                hits = searcher.search("words", query, dimension=16 if number % 3 == 0 else None).hits
                size = 16 if number % 3 == 0 else 32
                expected, _ = by_numpy(toy.vector(query)[:size], vectors[:, :size], 10)
                assert [hit.row for hit in hits] == expected
            except BaseException as error:
                problems.append(error)
                return
            answers[me] += 1
            number += 2

    threads = [threading.Thread(target=ask, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        build_index(workspace, "words", "words", "toy", embedder=toy)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert min(answers) > 10
    card = get_index(workspace, "words")
    assert card.before is not None
    assert table.all_tables(workspace) == [card.before.table, card.table], "the live one, and the one to go back to"


def test_models_are_kept_within_bounds_and_used_by_one_thread_at_a_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(5))
    names = [f"model-{number}" for number in range(5)]
    loads: list[str] = []

    class Alone(ToyEmbedder):
        inside = 0

        def encode_queries(self, items: Any, **options: Any) -> np.ndarray:
            type(self).inside += 1
            assert type(self).inside == 1, "two threads in one model"
            vectors = super().encode_queries(items, **options)
            type(self).inside -= 1
            return vectors

    def load(_: Workspace, reference: str, **__: Any) -> ToyEmbedder:
        loads.append(reference)
        return Alone(fingerprint=reference)

    for name in names:
        build_index(workspace, name, "words", name, embedder=ToyEmbedder(fingerprint=name))  # type: ignore[arg-type]
    searcher = Searcher(workspace, load_embedder=load)
    for name in [*names, *names[-loaded.KEPT_EMBEDDERS :]]:
        searcher.search(name, Item(text="a lamp"))
    assert loads == names, "the last three are still there"
    searcher.search(names[0], Item(text="a lamp"))
    assert loads == [*names, names[0]]
    threads = [
        threading.Thread(target=lambda: [searcher.search(names[0], Item(text="a lamp")) for _ in range(10)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Alone.inside == 0


def test_the_time_of_a_stage_does_not_hold_the_loading_of_a_model(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)

    def slow_load(*_: Any, **__: Any) -> ToyEmbedder:
        time.sleep(1.0)
        return toy

    result = Searcher(workspace, load_embedder=slow_load).search("words", Item(text="a lamp"))
    assert sum(result.milliseconds.values()) < 1000
