"""Feedback: a verdict on a search result is a judgement, counted once, and a search index never notices."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import png_bytes, wav_bytes
from workbench.collection.editing import changes, edit_collection
from workbench.collection.feedback import give_feedback, withdraw
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, new_folder, open_workspace

WHO: dict[str, Any] = {"by": "ada", "model": "starter", "when": 1000.0}


@pytest.fixture
def pets(workspace: Workspace) -> Workspace:
    with new_folder(workspace.collection("pets")) as folder, CollectionWriter(folder) as writer:
        for number in range(20):
            query = writer.add("queries", Item(text=f"question {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}", id=f"d{number}")))
        writer.finish("pets", labels={}, source={})
    return workspace


def said(workspace: Workspace, name: str = "pets") -> list[dict[str, Any]]:
    rows = open_collection(workspace, name).judgements.to_list()
    return [{**row, "meta": json.loads(row["meta"])} for row in rows if row["source"] == "feedback"]


def trained(collection: Collection) -> str:
    """A document of the train split."""
    return str(collection.corpus["id"][int(collection.judged("train").documents[0])])


def test_a_verdict_becomes_a_judgement_with_who_and_when_and_which_model(pets: Workspace) -> None:
    document = trained(open_collection(pets, "pets"))
    query = give_feedback(pets, "pets", Item(text="a cat"), document, "up", query_text="a cat", **WHO)
    (row,) = said(pets)
    assert (row["query"], row["document"], row["score"], row["split"]) == (query, document, 1.0, "train")
    assert row["meta"] == {
        "by": "ada", "when": 1000.0, "model": "starter", "verdict": "up", "query": query, "text": "a cat", "new": True,
    }  # fmt: skip
    collection = open_collection(pets, "pets")
    assert collection.item("queries", collection.query_rows[query]).text == "a cat"


@pytest.mark.parametrize(("verdict", "score"), [("up", 1.0), ("first", 2.0), ("down", 0.0)])
def test_it_counts_once_however_often_it_is_clicked(pets: Workspace, verdict: str, score: float) -> None:
    for number in range(3):
        give_feedback(pets, "pets", Item(text="a cat"), "d1", verdict, by="ada", model="m", when=float(number))
    (row,) = said(pets)
    assert row["score"] == score
    assert row["meta"]["when"] == 0.0


def test_another_verdict_takes_the_place_of_the_first(pets: Workspace) -> None:
    for verdict in ("up", "first", "down"):
        give_feedback(pets, "pets", Item(text="a cat"), "d1", verdict, **WHO)
    (row,) = said(pets)
    assert (row["score"], row["meta"]["verdict"]) == (0.0, "down")
    assert [change.what for change in changes(pets, "pets")] == ["Feedback from Search"]


def test_what_was_judged_before_comes_back_when_the_feedback_is_withdrawn(pets: Workspace) -> None:
    before = sorted(map(str, open_collection(pets, "pets").judgements.to_list()))
    give_feedback(pets, "pets", Item(text="question 3"), "d3", "down", **WHO)
    give_feedback(pets, "pets", Item(text="question 3"), "d3", "first", **WHO)
    give_feedback(pets, "pets", Item(text="new"), "d3", "up", **WHO)
    assert {(row["score"], row["meta"]["verdict"]) for row in said(pets)} == {(2.0, "first"), (1.0, "up")}
    assert withdraw(pets, "pets", Item(text="question 3"), "d3")
    assert withdraw(pets, "pets", Item(text="new"), "d3")
    assert not withdraw(pets, "pets", Item(text="new"), "d3")
    assert sorted(map(str, open_collection(pets, "pets").judgements.to_list())) == before
    assert len(open_collection(pets, "pets").queries) == 20


def test_a_query_stays_as_long_as_something_is_said_of_it(pets: Workspace) -> None:
    for document in ("d1", "d2"):
        query = give_feedback(pets, "pets", Item(text="a cat"), document, "up", **WHO)
    withdraw(pets, "pets", query, "d1")
    assert query in open_collection(pets, "pets").query_rows
    withdraw(pets, "pets", query, "d2")
    assert query not in open_collection(pets, "pets").query_rows


def test_feedback_never_lowers_a_higher_grade_by_agreeing(pets: Workspace) -> None:
    query = Item(text="question 3").content_id()
    with edit_collection(pets, "pets", "graded") as edit:
        edit.judge(query, "d3", 3.0, "train", "upload")
    give_feedback(pets, "pets", Item(text="question 3"), "d3", "up", **WHO)
    assert said(pets)[0]["score"] == 3.0


def test_what_is_held_out_stays_held_out(pets: Workspace) -> None:
    collection = open_collection(pets, "pets")
    held = collection.judged("eval")
    asked = collection.item("queries", int(held.queries[0]))
    answer = str(collection.corpus["id"][int(held.documents[0])])
    give_feedback(pets, "pets", Item(text=asked.text), trained(collection), "down", **WHO)
    give_feedback(pets, "pets", Item(text="somebody's own words"), answer, "up", **WHO)
    assert [row["split"] for row in said(pets)] == ["eval", "eval"]


def test_a_query_is_known_by_what_it_says_where_the_upload_gave_it_another_id(workspace: Workspace) -> None:
    with new_folder(workspace.collection("beir")) as folder, CollectionWriter(folder) as writer:
        writer.judge(
            writer.add("queries", Item(text="what is it", id="7")), writer.add("corpus", Item(text="it", id="9"))
        )
        writer.finish("beir", labels={}, source={})
    assert give_feedback(workspace, "beir", Item(text="what is it"), "9", "first", **WHO) == "7"
    assert len(open_collection(workspace, "beir").queries) == 1


@pytest.mark.parametrize(
    "query",
    [Item(image=png_bytes()), Item(audio=wav_bytes()), Item(text="like this, but red", image=png_bytes())],
)
def test_a_query_of_any_kind_is_kept_with_a_thumbnail(pets: Workspace, query: Item) -> None:
    identifier = give_feedback(pets, "pets", query, "d1", "up", **WHO)
    collection = open_collection(pets, "pets")
    kept = collection.item("queries", collection.query_rows[identifier])
    assert (kept.text, kept.image, kept.audio) == (query.text, query.image, query.audio)
    assert kept.thumbnail and kept.thumbnail[8:12] == b"WEBP"
    assert query.modality in collection.card.modalities["query"]


def test_a_collection_that_is_not_there_is_made_and_takes_the_document_with_it(workspace: Workspace) -> None:
    document = Item(image=png_bytes(), id="p1", file="red.png", meta={"title": "Red"})
    query = give_feedback(workspace, "marks", Item(text="red"), document, "first", **WHO)
    collection = open_collection(workspace, "marks")
    assert collection.item("corpus", 0) == document
    assert [(row["query"], row["document"], row["score"]) for row in said(workspace, "marks")] == [(query, "p1", 2.0)]
    assert collection.card.counts == {"queries": 1, "documents": 1, "train": 1, "eval": 0, "wrong": 0}
    assert collection.card.split["method"] == "query"
    give_feedback(workspace, "marks", Item(text="red"), document, "down", **WHO)
    assert len(open_collection(workspace, "marks").corpus) == 1


def test_feedback_that_makes_no_sense_is_refused_and_leaves_nothing(workspace: Workspace, pets: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="is no verdict"):
        give_feedback(pets, "pets", Item(text="a"), "d1", "sideways", **WHO)
    with pytest.raises(WorkbenchError, match="There is no query"):
        give_feedback(pets, "pets", Item(), "d1", "up", **WHO)
    with pytest.raises(WorkbenchError, match="This document is not in the collection “pets”"):
        give_feedback(pets, "pets", Item(text="a"), "nothing", "up", **WHO)
    with pytest.raises(WorkbenchError, match="cannot be the name of a collection"):
        give_feedback(pets, "../pets", Item(text="a"), "d1", "up", **WHO)
    assert said(pets) == [] and len(open_collection(pets, "pets").queries) == 20


def _click(root: str, who: str) -> None:
    for number in range(4):
        document = Item(text=f"result {number}", id=f"r{number}")
        give_feedback(open_workspace(root), "marks", Item(text=f"asked by {who}"), document, "up", by=who, model="m")


def test_people_who_click_at_once_make_one_collection_and_lose_nothing(workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_click, args=(str(workspace.root), who)) for who in ("ada", "bob")]
    for person in people:
        person.start()
    for person in people:
        person.join(60)
    assert [person.exitcode for person in people] == [0, 0]
    collection = open_collection(workspace, "marks")
    assert sorted((row["meta"]["by"], row["document"]) for row in said(workspace, "marks")) == [
        (who, f"r{number}") for who in ("ada", "bob") for number in range(4)
    ]
    assert (len(collection.queries), len(collection.corpus)) == (2, 4)


def test_an_index_of_the_collection_stays_as_it_was(workspace: Workspace) -> None:
    from tests.index.toys import ToyEmbedder, ToyReranker, make_collection, texts
    from workbench.index.build import build_index
    from workbench.index.search import Searcher

    make_collection(workspace, "pages", texts(30))
    embedder: Any = ToyEmbedder()
    build_index(workspace, "pages", "pages", "toy", embedder=embedder)
    searcher = Searcher(
        workspace, load_embedder=lambda *_, **__: embedder, load_reranker=lambda *_, **__: ToyReranker()
    )
    files = sorted(path.name for path in Path(workspace.collection("pages") / "corpus").iterdir())
    query = Item(text="document 7")
    before = searcher.search("pages", query, top=30, reranker="toy-reranker").hits
    for hit in before[:3]:
        give_feedback(workspace, "pages", query, hit.id, "first", **WHO)
        assert searcher.search("pages", query, top=30, reranker="toy-reranker").hits == before
    give_feedback(workspace, "pages", query, Item(text="a document from elsewhere"), "up", **WHO)
    assert searcher.search("pages", query, top=30, reranker="toy-reranker").hits == before
    collection = open_collection(workspace, "pages")
    assert [collection.corpus["id"][hit.row] for hit in before] == [hit.id for hit in before]
    assert set(files) <= {path.name for path in Path(workspace.collection("pages") / "corpus").iterdir()}
