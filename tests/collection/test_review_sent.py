"""Queries sent to review: kept in the log, decided like every other pair, and gone once a person has judged them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.collection import review_log
from workbench.collection.editing import edit_collection
from workbench.collection.review import Progress, decide, new_round, progress, settle, suspicious, take_back
from workbench.collection.review_log import LOG, Log
from workbench.collection.review_sent import Found, Said, judged_now, send, sent, sent_progress, take_out
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, new_folder

RANKS = {"starter": 4, "run:tuned": 1}


@pytest.fixture
def pets(workspace: Workspace) -> Workspace:
    """Six questions with an answer each; ids hold what no name may. q1 has a mined negative."""
    with new_folder(workspace.collection("pets")) as folder, CollectionWriter(folder) as writer:
        for number in range(6):
            query = writer.add("queries", Item(text=f"question {number}", id=f"../q {number}?"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}", id=f"d{number}")))
        writer.finish("pets", labels={}, source={}, fraction=0.0)
    with edit_collection(workspace, "pets", "mined") as edit:
        meta = {"similarity": 0.5, "positive_similarity": 0.9}
        edit.judge("../q 1?", "d2", 0.0, "train", "mined", meta)
    return workspace


def q(number: int) -> str:
    return f"../q {number}?"


def opened(workspace: Workspace) -> Collection:
    return open_collection(workspace, "pets")


def waiting(workspace: Workspace) -> dict[str, list[str]]:
    return {case.query: [one.document for one in case.candidates] for case in sent(opened(workspace))}


def of_pair(workspace: Workspace, query: str, document: str) -> list[tuple[Any, ...]]:
    rows = opened(workspace).judgements.to_list()
    return [(row["score"], row["source"]) for row in rows if (row["query"], row["document"]) == (query, document)]


def test_what_is_sent_comes_with_its_right_answers_the_best_found_first(pets: Workspace) -> None:
    assert send(pets, "pets", [Found(q(3), "d5", {"starter": 2}), Found(q(3), "d4", RANKS), Found(q(1), "d0", RANKS)])
    first = sent(opened(pets))[0]
    assert (first.query, first.positives) == (q(3), ["d3"])
    assert [one.document for one in first.candidates] == ["d4", "d5"]
    assert first.candidates[0].reason == "Found at 1 by tuned and at 4 by starter."
    assert waiting(pets) == {q(3): ["d4", "d5"], q(1): ["d0"]}
    assert sent_progress(opened(pets)) == Progress(0, 3, 0)


def test_what_a_person_has_judged_is_not_sent_and_what_a_model_mined_is(pets: Workspace) -> None:
    assert send(pets, "pets", [Found(q(1), "d1", RANKS), Found(q(1), "d2", RANKS), Found("gone", "d1", RANKS)]) == 1
    assert waiting(pets) == {q(1): ["d2"]}
    with pytest.raises(WorkbenchError, match="has been judged already"):
        send(pets, "pets", [Found(q(1), "d1", RANKS)])


def test_decisions_and_skips_count_and_can_be_taken_back(pets: Workspace) -> None:
    send(pets, "pets", [Found(q(3), document, RANKS) for document in ("d4", "d5", "d0")])
    decide(pets, "pets", q(3), "d4", "match")
    decide(pets, "pets", q(3), "d5", "not-a-match")
    decide(pets, "pets", q(3), "d0", "skip")
    assert of_pair(pets, q(3), "d4") == [(1.0, "reviewed")] and of_pair(pets, q(3), "d5") == [(0.0, "reviewed")]
    assert sent_progress(opened(pets)) == Progress(2, 3, 1) and waiting(pets) == {}
    assert progress(opened(pets)) == Progress(0, 1, 0), "the one mined pair is counted by itself"
    take_back(pets, "pets")
    take_back(pets, "pets")
    assert waiting(pets) == {q(3): ["d5", "d0"]}
    assert of_pair(pets, q(3), "d5") == []
    decide(pets, "pets", q(3), "d0", "skip")
    new_round(pets, "pets")
    assert waiting(pets) == {q(3): ["d5", "d0"]}


def test_a_mined_pair_that_was_sent_is_decided_in_both_at_once(pets: Workspace) -> None:
    send(pets, "pets", [Found(q(1), "d2", RANKS)])
    decide(pets, "pets", q(1), "d2", "match")
    assert suspicious(opened(pets)) == [] and waiting(pets) == {}
    assert progress(opened(pets)) == sent_progress(opened(pets)) == Progress(1, 1, 0)


def test_a_pair_that_was_skipped_and_is_sent_again_is_shown(pets: Workspace) -> None:
    decide(pets, "pets", q(1), "d2", "skip")
    send(pets, "pets", [Found(q(1), "d2", RANKS)])
    assert waiting(pets) == {q(1): ["d2"]}


def test_what_was_sent_can_be_taken_out(pets: Workspace) -> None:
    send(pets, "pets", [Found(q(3), "d4", RANKS), Found(q(2), "d4", RANKS)])
    take_out(pets, "pets", [(q(3), "d4")])
    assert waiting(pets) == {q(2): ["d4"]}
    assert sent_progress(opened(pets)).total == 1


def test_what_has_left_the_collection_is_not_shown(pets: Workspace) -> None:
    send(pets, "pets", [Found(q(3), "d4", RANKS), Found(q(2), "d4", RANKS), Found(q(2), "d5", RANKS)])
    with edit_collection(pets, "pets", "dropped") as edit:
        edit.drop("queries", [q(3)])
        edit.drop("corpus", ["d5"])
    assert waiting(pets) == {q(2): ["d4"]}
    assert sent_progress(opened(pets)) == Progress(0, 1, 0)


def test_a_log_of_before_reads_as_it_did_and_an_unknown_line_keeps_its_number(pets: Workspace) -> None:
    decide(pets, "pets", q(3), "d4", "match")
    with (opened(pets).path / LOG).open("a") as file:
        file.write(json.dumps({"of another version": 1}) + "\n")
    send(pets, "pets", [Found(q(2), "d4", RANKS)])
    decide(pets, "pets", q(2), "d4", "match")
    take_back(pets, "pets")
    take_back(pets, "pets")
    assert of_pair(pets, q(3), "d4") == of_pair(pets, q(2), "d4") == []
    older = Log()
    for line in ({"query": "q", "document": "d", "verdict": "skip"}, {"round": True}, {"folded": 2}):
        older._take(line)
    assert (older.sent, older.skipped, older.folded) == ({}, set(), 2)


def test_one_pair_is_taken_back_whatever_was_decided_after_it(pets: Workspace) -> None:
    decide(pets, "pets", q(3), "d3", "not-a-match")
    decide(pets, "pets", q(2), "d4", "match")
    decide(pets, "pets", q(3), "d3", "skip")
    assert of_pair(pets, q(3), "d3") == [(0.0, "reviewed")]
    taken = take_back(pets, "pets", (q(3), "d3"))
    assert (taken.query, taken.document, taken.verdict) == (q(3), "d3", "not-a-match")
    assert of_pair(pets, q(3), "d3") == [(1.0, "upload")] and of_pair(pets, q(2), "d4") == [(1.0, "reviewed")]
    with pytest.raises(WorkbenchError, match="Nothing has been reviewed"):
        take_back(pets, "pets", (q(3), "d3"))


def test_what_people_say_is_told_before_it_is_in_the_judgements(
    pets: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(review_log, "_fold_pending", lambda *_: None)
        decide(pets, "pets", q(3), "d3", "not-a-match")
        decide(pets, "pets", q(3), "d4", "match")
        said = judged_now(opened(pets), queries={q(3)})
        assert {pair[1]: one.score for pair, one in said.items()} == {"d3": 0.0, "d4": 1.0}
        assert all(one.decided > 0 for one in said.values())
        take_back(pets, "pets", (q(3), "d3"))
        take_back(pets, "pets", (q(3), "d4"))
        assert judged_now(opened(pets), queries={q(3)}) == {(q(3), "d3"): Said(1.0)}
    settle(pets, "pets")
    assert judged_now(opened(pets), documents={"d3"}) == {(q(3), "d3"): Said(1.0)}
    assert judged_now(opened(pets), queries={q(1)}) == {(q(1), "d1"): Said(1.0)}, "what was mined nobody has judged"
