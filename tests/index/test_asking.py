"""What a search may be asked besides its query: less like this, the next page, within a time, many at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes
from tests.index.test_search import by_numpy
from tests.index.toys import ToyEmbedder, ToyReranker, make_collection, texts
from workbench import cli
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import clock, table
from workbench.index import search as module
from workbench.index.build import build_index
from workbench.index.fields import Condition
from workbench.index.results import SearchResult
from workbench.index.search import Searcher
from workbench.index.second_stage import BELIEVED_SECONDS, Paces
from workbench.workspace import Workspace


@pytest.fixture
def words(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> Searcher:
    documents = [replace(document, meta={"half": n % 2, "kind": "abc"[n % 3]}) for n, document in enumerate(texts(90))]
    pictures = [Item(image=png_bytes((n, 0, 0)), meta={"half": 0, "kind": "a"}) for n in range(10)]
    make_collection(workspace, "words", [*documents, *pictures])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return searcher


def test_unlike_moves_the_query_away(words: Searcher, toy: ToyEmbedder) -> None:
    query, unlike = Item(text="a lamp"), Item(image=png_bytes((4, 0, 0)))
    moved = toy.vector(query) - 0.5 * toy.vector(unlike)
    documents = [*texts(90), *(Item(image=png_bytes((n, 0, 0))) for n in range(10))]
    rows, scores = by_numpy(moved, np.stack([toy.vector(document) for document in documents]), 100)
    found = words.search("words", query, top=100, unlike=unlike)
    assert [hit.row for hit in found.hits] == rows
    np.testing.assert_allclose([hit.score for hit in found.hits], scores, atol=1e-6)
    plain = [hit.row for hit in words.search("words", query, top=100).hits]
    assert rows.index(94) > plain.index(94)


def test_even_the_query_itself_can_be_what_to_keep_away_from(words: Searcher) -> None:
    lamp = Item(text="a lamp")
    plain = [hit.row for hit in words.search("words", lamp).hits]
    assert [hit.row for hit in words.search("words", lamp, unlike=lamp).hits] == plain
    with pytest.raises(WorkbenchError, match="nothing to keep away from"):
        words.search("words", lamp, unlike=Item(text=" "))
    with pytest.raises(WorkbenchError, match="cannot read video"):
        words.search("words", lamp, unlike=Item(video=b"x"))


@pytest.mark.parametrize(
    "options", [{}, {"hybrid": 0.5}, {"reranker": "toy-reranker", "rerank_first": 25, "modality": "text"}]
)
def test_pages_are_the_long_list_in_parts(words: Searcher, options: dict[str, Any]) -> None:
    whole = words.search("words", Item(text="document 7"), top=60, **options)
    for offset in (0, 10, 20, 30, 50):
        page = words.search("words", Item(text="document 7"), top=10, offset=offset, **options)
        assert [(hit.id, hit.rank) for hit in page.hits] == [
            (hit.id, hit.rank) for hit in whole.hits[offset : offset + 10]
        ]
        assert page.offset == offset
    assert words.search("words", Item(text="document 7"), offset=100, **options).hits == []


@pytest.mark.parametrize("offset", [-1, 991])
def test_pages_that_are_too_far_are_refused(words: Searcher, offset: int) -> None:
    with pytest.raises(WorkbenchError, match="Pages reach to the result 1,000"):
        words.search("words", Item(text="a lamp"), offset=offset)


def test_a_page_behind_what_is_reranked_costs_no_reranking(words: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyReranker, "score", None)
    asked: dict[str, Any] = {"reranker": "toy-reranker", "rerank_first": 20, "modality": "text"}
    found = words.search("words", Item(text="a lamp"), offset=20, **asked)
    assert found.reranked == 0 and "behind the first 20" in found.notes[0]


def test_counts_follow_the_conditions_of_the_other_fields(words: Searcher) -> None:
    assert words.counts("words") == {"kind": {"a": 40, "b": 30, "c": 30}}
    assert words.counts("words", [Condition("half", None, 1, 1)]) == {"kind": {"a": 15, "b": 15, "c": 15}}
    chosen = [Condition("half", None, 1, 1), Condition("kind", "a")]
    assert words.counts("words", chosen) == {"kind": {"a": 15, "b": 15, "c": 15}}
    assert words.counts("words", modality="image") == {"kind": {"a": 10, "b": 0, "c": 0}}
    nobody = [Condition("half", None, 5, 6)]
    assert words.counts("words", nobody) == {"kind": {"a": 0, "b": 0, "c": 0}}
    for kind, count in words.counts("words", chosen)["kind"].items():
        where = [Condition("half", None, 1, 1), Condition("kind", kind)]
        assert words.search("words", Item(text="a lamp"), where=where).matching == count


def test_the_items_a_second_of_each_stage_follow_from_its_time(words: Searcher) -> None:
    found = words.search("words", Item(text="a lamp"), reranker="toy-reranker", rerank_first=30, modality="text")
    items = {"encode": 1, "search": 100, "rerank": 30}
    assert found.reranked == 30 and set(found.per_second) == set(items)
    for stage, count in items.items():
        assert found.per_second[stage] == pytest.approx(count / (found.milliseconds[stage] / 1000), rel=0.05)
    assert "rerank" not in words.search("words", Item(text="a lamp")).per_second


class Ticking:
    """A clock that only the reranker moves."""

    def __init__(self, words: Searcher, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.seconds = 100.0, seconds
        self.calls: list[int] = []
        monkeypatch.setattr(words, "_paces", Paces(lambda: self.now))
        monkeypatch.setattr(clock.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(ToyReranker, "score", self.score)

    def score(self, query: Item, documents: Any) -> np.ndarray:
        self.calls.append(len(documents))
        self.now += self.seconds * len(documents)
        return np.arange(len(documents), dtype=np.float32)


def ask(words: Searcher, budget: float) -> SearchResult:
    lamp = Item(text="a lamp")
    return words.search("words", lamp, reranker="toy-reranker", rerank_first=40, budget_ms=budget, modality="text")


def test_a_reranker_that_fits_is_sampled_once_and_then_known(words: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking(words, monkeypatch, 0.002)
    found = ask(words, 200)
    assert found.reranked == 40 and found.notes == () and clock.calls == [4, 40]
    assert ask(words, 200).reranked == 40 and clock.calls == [4, 40, 40]


def test_a_reranker_that_does_not_fit_is_left_out_in_words(words: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking(words, monkeypatch, 0.010)
    plain = words.search("words", Item(text="a lamp"), modality="text")
    found = ask(words, 200)
    assert [hit.id for hit in found.hits] == [hit.id for hit in plain.hits] and found.reranked == 0
    assert found.notes == (
        "The results are not reranked: reading 40 of them would take about 400 ms, and 160 ms were left.",
    )
    assert found.as_json()["notes"] == list(found.notes)
    assert ask(words, 200).reranked == 0 and clock.calls == [4], "what is known is not measured again at once"
    assert ask(words, 500).reranked == 40 and clock.calls == [4, 40]


def test_a_pace_that_kept_a_reranker_out_is_measured_again_later(
    words: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Ticking(words, monkeypatch, 1.0)
    assert ask(words, 200).reranked == 0
    clock.seconds = 0.001
    assert ask(words, 200).reranked == 0
    clock.now += BELIEVED_SECONDS + 1
    assert ask(words, 200).reranked == 40 and clock.calls == [4, 4, 40]


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf")])
def test_a_budget_that_is_none_is_refused(words: Searcher, budget: float) -> None:
    with pytest.raises(WorkbenchError, match="more than 0 ms"):
        ask(words, budget)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dimension": 8},
        {"hybrid": 0.4},
        {"where": [Condition("kind", "b")]},
        {"modality": "text", "reranker": "toy-reranker", "offset": 3},
        {"unlike": Item(text="document 3")},
    ],
)
def test_many_queries_at_once_find_what_each_finds_alone(
    words: Searcher, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 4)
    queries = [*texts(9, "question"), Item(image=png_bytes((5, 0, 0)))]
    if "reranker" not in options:
        queries.append(Item(text="naïve 漢字"))
    found = words.search_many("words", queries, top=7, **options)
    for query, many in zip(queries, found, strict=True):
        one = words.search("words", query, top=7, **options)
        assert [hit.id for hit in many.hits] == [hit.id for hit in one.hits]
        np.testing.assert_allclose([hit.score for hit in many.hits], [hit.score for hit in one.hits], atol=1e-6)
        assert (many.matching, many.notes, many.hybrid) == (one.matching, one.notes, one.hybrid)


def test_the_command_asks_for_all_of_it(
    words: Searcher, workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "Searcher", lambda _: words)
    (tmp_path / "away.png").write_bytes(png_bytes((4, 0, 0)))
    asked = ["search", "words", "--workspace", str(workspace.root), "--text", "document 12", "--top", "3"]
    how = ["--offset", "2", "--hybrid", "0.7", "--unlike-image", str(tmp_path / "away.png")]
    done = CliRunner().invoke(cli.app, [*asked, *how, "--json"])
    assert done.exit_code == 0, done.output
    unlike = Item(image=png_bytes((4, 0, 0)))
    right = words.search("words", Item(text="document 12"), top=3, offset=2, hybrid=0.7, unlike=unlike)
    hits = json.loads(done.stdout)["hits"]
    assert [hit["id"] for hit in hits] == [hit.id for hit in right.hits] and hits[0]["rank"] == 3
    assert "text_rank" in hits[0]
    late = ["--reranker", "toy-reranker", "--modality", "text", "--budget-ms", "0.000001"]
    assert "The results are not reranked" in CliRunner().invoke(cli.app, [*asked, *late]).output
    assert CliRunner().invoke(cli.app, [*asked, "--hybrid", "2"]).exit_code == 2


def test_a_block_of_queries_reads_the_table_once(words: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    search = table.query_table

    def counted(opened: Any, queries: np.ndarray, *how: Any) -> Any:
        shapes.append(np.shape(queries))
        return search(opened, queries, *how)

    monkeypatch.setattr(table, "query_table", counted)
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 64)
    assert len(words.search_many("words", texts(70, "question"))) == 70
    assert shapes == [(64, 32), (6, 32)]
    assert words.search_many("words", []) == []
