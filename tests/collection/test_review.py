"""Review: every decision is kept at once, does what it says to training and score, and can be taken back."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import threading
from typing import Any

import numpy as np
import pytest

from tests.collection.uploads import set_split
from tests.conftest import png_bytes
from workbench.collection import review, review_apply, review_log
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.review import (
    Progress,
    decide,
    decide_generated,
    generated,
    label,
    new_round,
    progress,
    settle,
    skip_document,
    suspicious,
    take_back,
    unlabelled,
)
from workbench.collection.review_log import LOG
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, new_folder, open_workspace

QUERIES = 12


@pytest.fixture
def mined(workspace: Workspace) -> Workspace:
    """Twelve questions, each with one answer and two mined negatives; the later the question, the more suspicious."""
    with new_folder(workspace.collection("pets")) as folder, CollectionWriter(folder) as writer:
        for number in range(QUERIES):
            query = writer.add("queries", Item(text=f"question {number}", id=f"q{number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}", id=f"d{number}")))
        writer.finish("pets", labels={}, source={}, fraction=0.0)
    with edit_collection(workspace, "pets", "mined") as edit:
        for number in range(QUERIES):
            for step in (1, 2):
                meta = {"model": "m", "similarity": 0.5 + 0.02 * number - 0.1 * step, "positive_similarity": 0.9}
                other = f"d{(number + step) % QUERIES}"
                edit.judge(f"q{number}", other, 0.0, "train", "mined", {**meta, "rank": step})
    return workspace


def pets(workspace: Workspace) -> Collection:
    return open_collection(workspace, "pets")


def of_pair(workspace: Workspace, query: str, document: str, name: str = "pets") -> list[tuple[Any, ...]]:
    rows = open_collection(workspace, name).judgements.to_list()
    found = [row for row in rows if (row["query"], row["document"]) == (query, document)]
    return [(row["score"], row["split"], row["source"]) for row in found]


def test_the_most_suspicious_query_comes_first_with_its_positives_and_reasons(mined: Workspace) -> None:
    cases = suspicious(pets(mined), limit=3)
    assert [case.query for case in cases] == ["q11", "q10", "q9"]
    assert cases[0].positives == ["d11"]
    assert [one.document for one in cases[0].candidates] == ["d0", "d1"]
    assert cases[0].candidates[0].reason == "Similarity 0.62, the right one 0.90."
    assert cases[0].candidates[0].suspicion == pytest.approx(0.62 / 0.9, abs=1e-3)
    assert [case.query for case in suspicious(pets(mined), limit=2, skip=3)] == ["q8", "q7"]


def test_a_reranker_that_nearly_agrees_makes_a_negative_more_suspicious(mined: Workspace) -> None:
    with edit_collection(mined, "pets", "screened") as edit:
        for number in range(QUERIES):
            meta = {"similarity": 0.5, "positive_similarity": 0.9, "reranker_score": -float(number == 3) * 0.01 - 2}
            meta = {**meta, "positive_reranker_score": -2.0 if number == 3 else 1.0}
            edit.judge(f"q{number}", f"d{(number + 1) % QUERIES}", 0.0, "train", "mined", meta)
    first = suspicious(pets(mined), limit=1)[0]
    assert first.query == "q3"
    assert "The reranker gives it -2.01, the right one -2.00." in first.candidates[0].reason


def test_a_match_is_relevant_in_the_split_of_its_query_and_a_wrong_one_stays_wrong(mined: Workspace) -> None:
    decide(mined, "pets", "q11", "d0", "match")
    decide(mined, "pets", "q11", "d1", "not-a-match")
    assert of_pair(mined, "q11", "d0") == [(1.0, "train", "reviewed")]
    assert of_pair(mined, "q11", "d1") == [(0.0, "train", "reviewed")]
    assert [case.query for case in suspicious(pets(mined), limit=1)] == ["q10"]
    assert progress(pets(mined)) == Progress(reviewed=2, total=24, skipped=0)


def test_a_match_for_a_held_out_query_is_held_out(mined: Workspace) -> None:
    with edit_collection(mined, "pets", "held out") as edit:
        set_split(edit, ["q5"], "eval")
    decide(mined, "pets", "q5", "d6", "match")
    decide(mined, "pets", "q5", "d9", "match")  # a pair that nobody had judged
    assert of_pair(mined, "q5", "d6") == of_pair(mined, "q5", "d9") == [(1.0, "eval", "reviewed")]


def test_what_is_skipped_is_left_as_it_is_and_not_shown_again_this_round(mined: Workspace) -> None:
    before = pets(mined).judgements.to_list()
    decide(mined, "pets", "q11", "d0", "skip")
    assert [one.document for one in suspicious(pets(mined))[0].candidates] == ["d11", "d0"]  # q10's
    of_q11 = next(case for case in suspicious(pets(mined)) if case.query == "q11")
    assert [one.document for one in of_q11.candidates] == ["d1"]
    assert pets(mined).judgements.to_list() == before
    assert progress(pets(mined)) == Progress(reviewed=0, total=24, skipped=1)
    new_round(mined, "pets")
    assert suspicious(pets(mined))[0].query == "q11"
    assert progress(pets(mined)).skipped == 0


def test_decisions_are_taken_back_one_after_the_other(mined: Workspace) -> None:
    before = {json.dumps(row, sort_keys=True) for row in pets(mined).judgements.to_list()}
    for document, verdict in (("d0", "match"), ("d1", "not-a-match"), ("d3", "skip")):
        decide(mined, "pets", "q11", document, verdict)
    assert take_back(mined, "pets").verdict == "skip"
    assert progress(pets(mined)) == Progress(reviewed=2, total=24, skipped=0)
    assert (take_back(mined, "pets").document, take_back(mined, "pets").document) == ("d1", "d0")
    assert {json.dumps(row, sort_keys=True) for row in pets(mined).judgements.to_list()} == before
    assert suspicious(pets(mined))[0].query == "q11"
    with pytest.raises(WorkbenchError, match="Nothing has been reviewed"):
        take_back(mined, "pets")


def test_an_hour_of_decisions_is_one_step_of_the_history(mined: Workspace) -> None:
    steps = len(changes(mined, "pets"))
    for case in suspicious(pets(mined), limit=5):
        decide(mined, "pets", case.query, case.candidates[0].document, "match")
    assert [change.what for change in changes(mined, "pets")][: len(changes(mined, "pets")) - steps] == ["Reviewed"]
    undo(mined, "pets")
    assert progress(pets(mined)).reviewed == 0
    assert len(suspicious(pets(mined))) == QUERIES


def test_decisions_about_what_is_not_there_are_refused_in_words(mined: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="This query is no longer in the collection “pets”"):
        decide(mined, "pets", "nobody", "d1", "match")
    with pytest.raises(WorkbenchError, match="This document is no longer"):
        decide(mined, "pets", "q1", "nothing", "match")
    with pytest.raises(WorkbenchError, match="is no verdict"):
        decide(mined, "pets", "q1", "d2", "perhaps")
    assert not (pets(mined).path / LOG).exists()


def test_a_half_written_line_of_the_log_is_passed_over(mined: Workspace) -> None:
    decide(mined, "pets", "q11", "d0", "match")
    with (pets(mined).path / LOG).open("ab") as file:
        file.write(b'{"query": "q10", "docu')
    decide(mined, "pets", "q9", "d10", "skip")
    assert progress(pets(mined)) == Progress(reviewed=1, total=24, skipped=1)
    assert take_back(mined, "pets").query == "q9"


def test_what_a_killed_process_had_decided_is_brought_in_by_the_next(
    mined: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(review_log, "edit_collection", _killed)
        with pytest.raises(KeyboardInterrupt):
            decide(mined, "pets", "q11", "d0", "match")
    assert of_pair(mined, "q11", "d0") == [(0.0, "train", "mined")]
    shown = suspicious(pets(mined))[0]
    assert (shown.query, [one.document for one in shown.candidates]) == ("q10", ["d11", "d0"])
    assert progress(pets(mined)).reviewed == 1
    settle(mined, "pets")
    assert of_pair(mined, "q11", "d0") == [(1.0, "train", "reviewed")]


def _killed(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_a_large_collection_is_written_by_a_thread_and_ends_the_same(
    mined: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_log, "MANY_ROWS", 0)
    for number in range(8):
        decide(mined, "pets", f"q{number}", f"d{number + 1}", "match" if number % 2 else "not-a-match")
        suspicious(pets(mined), limit=2)
    take_back(mined, "pets")
    settle(mined, "pets")
    for thread in threading.enumerate():
        if thread.name == "review":
            thread.join()
    scores = [of_pair(mined, f"q{number}", f"d{number + 1}") for number in range(8)]
    assert scores[:7] == [[(float(number % 2), "train", "reviewed")] for number in range(7)]
    assert scores[7] == [(0.0, "train", "mined")]
    assert progress(pets(mined)) == Progress(reviewed=7, total=24, skipped=0)


def _decide_many(root: str, first: int) -> None:
    for number in range(first, first + 4):
        decide(open_workspace(root), "pets", f"q{number}", f"d{number + 1}", "match")


def test_two_people_review_at_once_and_nothing_is_lost(mined: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_decide_many, args=(str(mined.root), first)) for first in (0, 4)]
    for person in people:
        person.start()
    for person in people:
        person.join(60)
    assert [person.exitcode for person in people] == [0, 0]
    assert progress(pets(mined)) == Progress(reviewed=8, total=24, skipped=0)


@pytest.fixture
def pages(workspace: Workspace) -> Workspace:
    """Pictures that came without queries."""
    with new_folder(workspace.collection("pages")) as folder, CollectionWriter(folder) as writer:
        for number in range(40):
            writer.add("corpus", Item(image=png_bytes((number, 0, 0)), id=f"p{number:02}"))
        writer.finish("pages", labels={"query": "query", "document": "page"}, source={})
    return workspace


def test_documents_without_a_query_are_offered_far_apart(pages: Workspace) -> None:
    offered = unlabelled(open_collection(pages, "pages"), limit=40)
    assert sorted(offered) == [f"p{number:02}" for number in range(40)]
    rows = [int(identifier[1:]) for identifier in offered]
    assert min(abs(one - other) for one, other in itertools.pairwise(rows)) >= 10


def test_a_labelled_document_has_a_query_and_the_collection_a_split(pages: Workspace) -> None:
    for number in range(30):
        label(pages, "pages", f"p{number:02}", f"  the page about {number} ")
    collection = open_collection(pages, "pages")
    assert sorted(unlabelled(collection)) == [f"p{number}" for number in range(30, 40)]
    assert collection.card.counts["queries"] == 30
    assert collection.card.split["method"] == "query"
    held = collection.card.counts["eval"]
    assert 1 <= held <= 9
    assert f"{held} " in collection.card.split["sentence"]
    assert {row["source"] for row in collection.judgements.to_list()} == {"reviewed"}
    assert collection.item("queries", 0).text == "the page about 0"
    assert collection.card.modalities == {"query": ["text"], "document": ["image"]}


def test_the_same_words_are_held_out_or_not_whatever_came_before(pages: Workspace) -> None:
    for number in range(10):
        label(pages, "pages", f"p{number:02}", f"words {number}")
    before = {row["query"]: row["split"] for row in open_collection(pages, "pages").judgements.to_list()}
    for number in range(10):
        label(pages, "pages", f"p{(number + 7) % 10 + 20:02}", f"words {number}")
    after = open_collection(pages, "pages").judgements.to_list()
    assert len(after) == 20
    assert all(row["split"] == before[row["query"]] for row in after)


def test_a_first_score_is_possible_after_a_few_labels(pages: Workspace) -> None:
    train = [words for words in map(str, range(100)) if _would_train(words)][:8]
    for number, words in enumerate(train):
        label(pages, "pages", f"p{number:02}", words)
    counts = open_collection(pages, "pages").card.counts
    assert counts == {"queries": 8, "documents": 40, "train": 7, "eval": 1, "wrong": 0}


def _would_train(words: str) -> bool:
    import hashlib

    number = int.from_bytes(hashlib.blake2b(Item(text=words).content_id().encode(), digest_size=7).digest(), "big")
    return number >= 0.15 * 2**56


def test_a_label_is_taken_back_with_the_query_it_brought(pages: Workspace) -> None:
    label(pages, "pages", "p00", "red")
    query = label(pages, "pages", "p01", "red")
    assert take_back(pages, "pages").document == "p01"
    assert open_collection(pages, "pages").queries["id"][:] == [query]
    take_back(pages, "pages")
    collection = open_collection(pages, "pages")
    assert (len(collection.queries), len(collection.judgements)) == (0, 0)
    assert len(unlabelled(collection, limit=50)) == 40


def test_of_one_query_typed_twice_only_the_last_is_taken_back(
    pages: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where neither is in the judgements yet."""
    with monkeypatch.context() as patched:
        patched.setattr(review, "fold", lambda *_: None)
        query = label(pages, "pages", "p00", "red")
        label(pages, "pages", "p01", "red")
        take_back(pages, "pages")
        for _ in range(2):
            label(pages, "pages", "p02", "blue")
            take_back(pages, "pages")
    settle(pages, "pages")
    collection = open_collection(pages, "pages")
    assert collection.queries["id"][:] == [query]
    assert collection.judgements["document"][:] == ["p00"]


def test_decisions_brought_in_together_keep_a_query_and_a_document_on_one_side(workspace: Workspace) -> None:
    with new_folder(workspace.collection("pets")) as folder, CollectionWriter(folder) as writer:
        for number in range(20):
            query = writer.add("queries", Item(text=f"question {number}", id=f"q{number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}", id=f"d{number}")))
        writer.add("corpus", Item(text="answered by nothing", id="new"))
        writer.finish("pets", labels={}, source={}, fraction=0.2)
    judged = pets(workspace).judgements.to_list()
    held_out, trained = ({row["document"] for row in judged if row["split"] == split} for split in ("eval", "train"))
    assert held_out and trained and pets(workspace).card.split["method"] == "component"
    labels = [("a", min(held_out)), ("a", min(trained)), *((f"b{number}", "new") for number in range(12))]
    with edit_collection(workspace, "pets", "reviewed") as edit:
        for query, document in labels:
            line = {"verdict": "label", "query": query, "document": document, "text": query, "when": "now"}
            review_apply.apply_line(edit, line)
    splits: dict[str, set[str]] = {"a": set(), "new": set()}
    for row in pets(workspace).judgements.to_list():
        for one in {row["query"], row["document"]} & splits.keys():
            splits[one].add(row["split"])
    assert splits["a"] == {"eval"} and len(splits["new"]) == 1


def test_documents_can_be_skipped_and_an_empty_query_is_refused(pages: Workspace) -> None:
    skip_document(pages, "pages", "p00")
    assert "p00" not in unlabelled(open_collection(pages, "pages"), limit=50)
    new_round(pages, "pages")
    assert "p00" in unlabelled(open_collection(pages, "pages"), limit=50)
    with pytest.raises(WorkbenchError, match="Write what somebody would ask"):
        label(pages, "pages", "p00", "  ")


@pytest.fixture
def written(pages: Workspace) -> Workspace:
    """Twelve of the pages have a query that a model wrote."""
    with edit_collection(pages, "pages", "generated") as edit:
        for number in range(12):
            query = edit.add("queries", Item(text=f"written {number}", id=f"g{number:02}", meta={"by": "a model"}))
            edit.judge(query, f"p{number:02}", 1.0, "train", "generated", {"model": "llm", "prompt": "p", "when": 1})
    return pages


def test_a_kept_query_is_reviewed_and_may_be_held_out(written: Workspace) -> None:
    cases = generated(open_collection(written, "pages"))
    assert [case.query for case in cases] == [f"g{number:02}" for number in range(12)]
    assert cases[0].positives == ["p00"]
    for case in cases:
        decide_generated(written, "pages", case.query, "keep")
    collection = open_collection(written, "pages")
    assert generated(collection) == []
    rows = collection.judgements.to_list()
    assert {row["source"] for row in rows} == {"reviewed"}
    assert np.mean([row["split"] == "eval" for row in rows]) > 0
    assert json.loads(rows[0]["meta"])["model"] == "llm"
    with pytest.raises(WorkbenchError, match="has been reviewed already"):
        decide_generated(written, "pages", "g00", "keep")


def test_a_dropped_query_leaves_and_comes_back(written: Workspace) -> None:
    before = open_collection(written, "pages")
    decide_generated(written, "pages", "g03", "drop")
    assert "g03" not in open_collection(written, "pages").query_rows
    assert of_pair(written, "g03", "p03", "pages") == []
    assert take_back(written, "pages").verdict == "drop"
    after = open_collection(written, "pages")
    assert after.item("queries", after.query_rows["g03"]) == before.item("queries", before.query_rows["g03"])
    assert of_pair(written, "g03", "p03", "pages") == [(1.0, "train", "generated")]
    decide_generated(written, "pages", "g03", "keep")
    take_back(written, "pages")
    assert of_pair(written, "g03", "p03", "pages") == [(1.0, "train", "generated")]
    decide_generated(written, "pages", "g04", "skip")
    assert "g04" not in [case.query for case in generated(open_collection(written, "pages"))]


def test_a_document_that_has_gone_meanwhile_does_not_keep_its_query_from_being_kept(
    written: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with edit_collection(written, "pages", "generated") as edit:
        edit.judge("g00", "p20", 1.0, "train", "generated", {"model": "llm"})
    with monkeypatch.context() as patched:
        patched.setattr(review, "fold", lambda *_: None)
        decide_generated(written, "pages", "g00", "keep")
    with edit_collection(written, "pages", "Dropped") as edit:
        edit.drop("corpus", ["p20"])
    settle(written, "pages")
    assert [source for _, _, source in of_pair(written, "g00", "p00", "pages")] == ["reviewed"]
