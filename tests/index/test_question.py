"""The address of a search, saved searches, and results as a file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.named import Named
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import saved
from workbench.index.build import build_index
from workbench.index.fields import Condition
from workbench.index.look import look
from workbench.index.question import LONGEST_WORDS, Question, read_conditions
from workbench.index.results import Hit, SearchResult
from workbench.index.results_csv import results_csv
from workbench.index.saved import get_saved, remove_saved, save_search, saved_searches
from workbench.index.search import Searcher
from workbench.workspace import Workspace

NASTY = "'; DROP TABLE x; -- \" & = % # ☃ <script>"
WHOLE = Question(
    show="text+image", dimension=64, reranker="run:mine", first=20, count=25, offset=50, budget=200, hybrid=0.25,
    unlike=Named("words", "corpus", NASTY).write(),
    where=(Condition(NASTY, NASTY), Condition("year", None, 1990.0), Condition("size", None, -1.5, 2.0)),
)  # fmt: skip


def test_a_question_reads_back_what_it_wrote_and_a_plain_one_writes_nothing() -> None:
    assert Question.read(WHOLE.write()) == WHOLE
    assert Question().write() == "" and Question.read("") == Question()


@pytest.mark.parametrize(
    "how",
    [
        "count=0", "count=101", "count=-1", "count=9e9", "count=٣", "offset=901", "first=1", "dimension=x",
        "show=pictures", "show=text' OR 1=1", "hybrid=2", "hybrid=nan", "unlike=../../etc:corpus:1", "unlike=x",
        "where=[", "where={}", 'where=[["a","x","y"]]', 'where=[["a","nan",""]]', 'where=[["a","3","2"]]', "where=7",
        f"reranker={'x' * 501}", "other=1", "&&&==", "a=1&" * 60 + "b=2", "where=" + "[" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_wish_is_left_out_of_an_address(how: str) -> None:
    assert Question.read(how) == Question()


def test_a_limit_that_is_no_number_is_told_in_words() -> None:
    assert read_conditions("") == []
    for told in ('[["year","?",""]]', '[["year","1","2","3"]]', "nonsense"):
        with pytest.raises(WorkbenchError, match="A limit is no number"):
            read_conditions(told)
    with pytest.raises(WorkbenchError, match="turn the two round"):
        read_conditions('[["year","3","2"]]')


def test_a_saved_search_asks_again_what_it_asked(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> None:
    documents = make_collection(workspace, "words", texts(30))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    how = Question(count=3, offset=6).write()
    by_words = save_search(workspace, "words", q="document 7", how=how)
    like = Named("words", "corpus", documents[7].id).write()
    by_item = save_search(workspace, "words", asked=like, name="  my \n search ")
    assert [one.name for one in saved_searches(workspace)] == ["my search", "document 7"]
    found = by_words.ask(workspace, searcher.search)
    assert len(found.hits) == 3 and found.hits[0].rank == 1, "from its first page"
    assert by_item.ask(workspace, searcher.search).hits[0].id == documents[7].id
    assert get_saved(workspace, "my search") == get_saved(workspace, by_item.id)
    save_search(workspace, "words", q="document 7", how=how, name="again")
    assert [one.name for one in saved_searches(workspace)] == ["again", "my search"], "the same one is kept once"
    remove_saved(workspace, by_item.id)
    with pytest.raises(WorkbenchError, match="no longer there"):
        remove_saved(workspace, by_item.id)


def test_what_asks_nothing_or_too_much_is_not_saved(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for wish in ({}, {"q": " "}, {"asked": "x"}, {"q": "x" * (LONGEST_WORDS + 1)}):
        with pytest.raises(WorkbenchError, match="can be saved"):
            save_search(workspace, "words", **wish)
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        save_search(workspace, "../up", q="tea")
    monkeypatch.setattr(saved, "MOST", 1)
    save_search(workspace, "words", q="tea")
    with pytest.raises(WorkbenchError, match="Remove one first"):
        save_search(workspace, "words", q="cake")
    assert [one.q for one in saved_searches(workspace)] == ["tea"]


def test_results_as_csv_have_the_columns_of_the_json_and_no_formulas() -> None:
    hit = Hit(
        rank=1, id="=cmd()", score=0.5, modality="text", text='a "b",\nc ☃', file="-x.png", row=0, collection="words",
        first_rank=2, first_score=0.4, rerank_score=-3.5,
    )  # fmt: skip
    found = SearchResult("words", "toy", [hit, replace(hit, rank=2)], {}, 32, reranker="toy-reranker")
    told = results_csv(found)
    rows = list(csv.reader(io.StringIO(told.removeprefix("\ufeff"), newline="")))
    assert told.startswith("\ufeff") and rows[0] == list(found.as_json()["hits"][0])
    values = dict(zip(*rows[:2], strict=True))
    assert (values["id"], values["file"], values["text"]) == ("'=cmd()", "'-x.png", 'a "b",\nc ☃')
    assert values["rerank_score"] == "-3.5" and len(rows) == 3
    assert results_csv(replace(found, hits=[])) == "\ufeff"


def test_a_document_looked_at_shows_what_lies_near_it_and_what_is_judged(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    items = [Item(text=f"group {number % 3} of {number}") for number in range(30)]
    documents = make_collection(workspace, "words", items)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    found = look(searcher, workspace, "words", documents[4].id)
    assert found.item.text == "group 1 of 4" and found.judged == []
    assert len(found.nearest) == 6 and documents[4].id not in {hit.id for hit in found.nearest}
    assert {hit.text.split()[1] for hit in found.nearest} == {"1"}
    with pytest.raises(WorkbenchError, match="no longer in the collection"):
        look(searcher, workspace, "words", "gone")
