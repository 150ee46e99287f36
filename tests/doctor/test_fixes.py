"""Fixes do what they say, once, to what is still there."""

from __future__ import annotations

import pytest

from tests.doctor.making import judgement, make, text_pairs
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.store import open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.fixes import fix
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace


def pairs_of(workspace: Workspace) -> set[tuple[str, str]]:
    table = open_collection(workspace, "made").judgements[:]
    return set(zip(table["query"], table["document"], strict=True))


def test_merging_moves_the_judgements_to_the_one_that_is_kept(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus |= {"twin": corpus["d11"].upper(), "third": f" {corpus['d11']}"}
    judgements += [judgement("q12", "twin"), judgement("q13", "third", 0.5)]
    make(workspace, queries, corpus, judgements)
    check_collection(workspace, "made")
    assert fix(workspace, "made", 0) == "Merged 2 duplicate documents."
    assert {("q11", "d11"), ("q12", "d11"), ("q13", "d11")} <= pairs_of(workspace)
    assert "twin" not in open_collection(workspace, "made").document_rows


def test_what_has_left_since_the_check_is_passed_over(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus |= {"twin": corpus["d11"].upper(), "third": f" {corpus['d11']}", "other": corpus["d12"].upper()}
    make(workspace, queries, corpus, judgements)
    check_collection(workspace, "made")
    with edit_collection(workspace, "made", "By hand") as edit:
        edit.drop("corpus", ["d11", "other"])
    assert fix(workspace, "made", "exact-duplicate") == "Merged 1 duplicate document."
    assert {"twin", "d12"} <= open_collection(workspace, "made").document_rows.keys()
    assert "third" not in open_collection(workspace, "made").document_rows


def test_a_verdict_of_a_person_survives_the_merging_of_copies(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["twin"] = corpus["d12"].upper()
    judgements += [judgement("q11", "d12", 1.0, source="feedback"), judgement("q11", "twin", 0.0, source="reviewed")]
    make(workspace, queries, corpus, judgements)
    check_collection(workspace, "made")
    fix(workspace, "made", "exact-duplicate")
    table = open_collection(workspace, "made").judgements[:]
    rows = set(zip(table["query"], table["document"], table["score"], table["source"], strict=True))
    assert {row for row in rows if row[:2] == ("q11", "d12")} == {("q11", "d12", 0.0, "reviewed")}


def test_a_masked_text_keeps_its_judgements_and_everything_else(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["d11"] += " Write to jane.doe@acme.com."
    before = make(workspace, queries, corpus, judgements)
    check_collection(workspace, "made")
    assert fix(workspace, "made", "personal-data") == "Masked personal data in 1 document."
    mended = open_collection(workspace, "made")
    (document,) = mended.judged().documents[mended.judged().queries == mended.query_rows["q11"]]
    assert mended.item("corpus", document).text == corpus["d11"].replace("jane.doe@acme.com", "j•••@•••.com")
    assert len(mended.corpus) == 60 and len(mended.judgements) == 60
    undo(workspace, "made")
    assert open_collection(workspace, "made").fingerprint == before.fingerprint


def test_what_only_the_user_can_mend_comes_with_advice(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["d5"] = "Москва — столица России"
    make(workspace, queries, corpus, judgements)
    with pytest.raises(WorkbenchError, match="has not been checked yet"):
        fix(workspace, "made", "length")
    check_collection(workspace, "made")
    with pytest.raises(WorkbenchError, match="choose a model that was trained on these languages"):
        fix(workspace, "made", "length")
    with pytest.raises(WorkbenchError, match="It found nothing to mend"):
        fix(workspace, "made", "silence")
    for number in (5, -1):
        with pytest.raises(WorkbenchError, match="did not find that"):
            fix(workspace, "made", number)
    assert changes(workspace, "made") == []
