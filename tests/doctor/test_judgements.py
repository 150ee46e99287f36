"""Judgements that contradict each other are found, told apart, and settled by whose word counts more."""

from __future__ import annotations

import numpy as np

from tests.doctor.making import found, judgement, make, text_pairs
from workbench.collection.store import open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.fixes import fix
from workbench.doctor.judgements import joined, wrong_negatives_among
from workbench.workspace import Workspace


def judgements_of(workspace: Workspace) -> set[tuple[str, str, float, str]]:
    table = open_collection(workspace, "made").judgements[:]
    return set(zip(table["query"], table["document"], table["score"], table["source"], strict=True))


def test_one_pair_judged_twice_keeps_the_relevant_one(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements.append(judgement("q5", "d5", 0.0, source="mined"))
    (finding,) = found(make(workspace, queries, corpus, judgements))
    assert (finding.kind, finding.groups) == ("contradiction", [["q5", "d5"]])
    check_collection(workspace, "made")
    assert fix(workspace, "made", "contradiction") == "Dropped 1 judgement that contradicted another."
    assert ("q5", "d5", 1.0, "upload") in judgements_of(workspace)
    assert ("q5", "d5", 0.0, "mined") not in judgements_of(workspace)


def test_what_a_person_reviewed_counts_more_than_what_was_uploaded(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements.append(judgement("q5", "d5", 0.0, source="reviewed", meta={"when": 1}))
    (finding,) = found(make(workspace, queries, corpus, judgements))
    assert finding.kind == "contradiction"
    check_collection(workspace, "made")
    fix(workspace, "made", "contradiction")
    assert {row for row in judgements_of(workspace) if row[0] == "q5"} == {("q5", "d5", 0.0, "reviewed")}
    (meta,) = (row["meta"] for row in open_collection(workspace, "made").judgements if row["query"] == "q5")
    assert meta == '{"when": 1}'


def test_a_reviewed_copy_overrules_all_that_was_said_of_the_other(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["copy"] = queries["q5"].upper()
    judgements += [judgement("copy", "d5", 1.0, source="reviewed"), judgement("q5", "d5", 0.0, source="feedback")]
    make(workspace, queries, corpus, judgements)
    check_collection(workspace, "made")
    assert fix(workspace, "made", "contradiction") == "Dropped 1 judgement that contradicted another."
    assert {row for row in judgements_of(workspace) if row[1] == "d5"} == {
        ("q5", "d5", 1.0, "upload"),
        ("copy", "d5", 1.0, "reviewed"),
    }


def test_the_answer_of_an_equal_query_marked_as_wrong_is_a_false_negative(workspace: Workspace) -> None:
    """Two rows of one question with an answer each, and each with the other's answer as its negative."""
    queries, corpus, judgements = text_pairs(60)
    queries["q6"] = queries["q5"].upper()
    judgements += [judgement("q5", "d6", 0.0), judgement("q6", "d5", 0.0)]
    collection = make(workspace, queries, corpus, judgements)
    (finding,) = found(collection, "false-negative")
    assert sorted(finding.groups) == [["q5", "d6"], ["q6", "d5"]]
    assert found(collection, "contradiction") == []


def test_a_near_copy_of_the_query_or_of_the_answer_counts_too(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["again"] = f"the {queries['q5']}?"
    corpus["copy"] = f"{corpus['d7']} indeed"
    judgements += [judgement("again", "d8"), judgement("again", "d5", 0.0), judgement("q7", "copy", 0.0)]
    collection = make(workspace, queries, corpus, judgements)
    (finding,) = found(collection, "false-negative")
    assert sorted(finding.groups) == [["again", "d5"], ["q7", "copy"]]
    assert found(collection, "contradiction") == []


def test_a_negative_that_a_person_confirmed_is_left_alone(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["copy"] = f"{corpus['d7']} indeed"
    judgements.append(judgement("q7", "copy", 0.0, source="reviewed"))
    assert found(make(workspace, queries, corpus, judgements), "false-negative") == []


def test_mined_negatives_and_graded_scores_are_no_fault(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements += [judgement(f"q{n}", f"d{n + 1}", 0.0, source="mined") for n in range(1, 50) if n % 10]
    judgements += [judgement("q3", "d5", 0.4), judgement("q4", "d6", 3.0)]
    assert found(make(workspace, queries, corpus, judgements)) == []


def test_where_much_contradicts_the_columns_were_mixed_up_and_training_is_blocked(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements += [judgement(f"q{n}", f"d{n}", 0.0, split="eval" if n % 10 == 0 else "train") for n in range(40)]
    (finding,) = found(make(workspace, queries, corpus, judgements))
    assert (finding.kind, finding.severity, finding.count) == ("contradiction", "blocks", 40)


def test_groups_of_any_modality_show_wrong_negatives(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements.append(judgement("q7", "d9", 0.0))
    examined = Examined(make(workspace, queries, corpus, judgements))
    (finding,) = wrong_negatives_among(examined, "corpus", [["d7", "d9"]], "as a copy of the right picture")
    assert (finding.kind, finding.groups) == ("false-negative", [["q7", "d9"]])
    assert finding.sentence.startswith("1 negative is a right answer: as a copy of the right picture.")
    assert wrong_negatives_among(examined, "corpus", [["d7", "d8"]], "…") == []


def test_groups_that_share_a_member_are_one_class(workspace: Workspace) -> None:
    examined = Examined(make(workspace, *text_pairs(10)))
    groups = [["d3", "d5"], ["d1", "d5"], ["d7", "d8"], ["d8", "d3"]]
    assert joined(examined, "corpus", np.arange(10), groups).tolist() == [0, 1, 2, 1, 4, 1, 6, 1, 1, 9]
    assert joined(examined, "corpus", np.arange(10), []).tolist() == list(range(10))
