"""What is scored must not have been seen in training: by id, as a copy, or as a near copy."""

from __future__ import annotations

from tests.doctor.making import found, judgement, make, text_pairs
from workbench.collection.store import open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.doctor.fixes import fix
from workbench.doctor.leaks import leaks_among
from workbench.doctor.mended import read_standing
from workbench.workspace import Workspace


def held_out(workspace: Workspace) -> list[tuple[str, str]]:
    table = open_collection(workspace, "made").judgements[:]
    rows = zip(table["query"], table["document"], table["split"], strict=True)
    return sorted((query, document) for query, document, split in rows if split == "eval")


def blocking(workspace: Workspace) -> list[Finding]:
    standing = read_standing(workspace, "made")
    assert standing is not None
    return standing.blocking


def test_a_query_of_both_tables_leaks_and_what_is_held_out_stays(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements.append(judgement("q10", "d11"))
    (finding,) = found(make(workspace, queries, corpus, judgements, method="given"))
    assert (finding.kind, finding.severity, finding.groups) == ("leaked-query", "hurts", [["q10"]])
    assert "1 the very same" in finding.sentence
    before = held_out(workspace)
    check_collection(workspace, "made")
    assert fix(workspace, "made", "leaked-query") == "Took 1 judgement that leaked out of train."
    assert held_out(workspace) == before


def test_copies_are_told_from_near_copies(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["same"], queries["near"] = queries["q10"].upper(), f"{queries['q20']}!"
    judgements += [judgement("same", "d11"), judgement("near", "d12")]
    (finding,) = found(make(workspace, queries, corpus, judgements), "leaked-query")
    assert sorted(map(sorted, finding.groups)) == [["near", "q20"], ["q10", "same"]]
    assert "1 the same text, 1 nearly the same text" in finding.sentence


def test_a_score_of_queries_that_were_mostly_seen_means_nothing(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements += [judgement(f"q{number}", f"d{number + 1}") for number in range(0, 60, 10)]
    make(workspace, queries, corpus, judgements, method="given")
    assert read_standing(workspace, "made") is None
    check_collection(workspace, "made")
    assert [finding.kind for finding in blocking(workspace)] == ["leaked-query"]
    fix(workspace, "made", "leaked-query")
    assert blocking(workspace) == []


def test_documents_leak_only_where_the_split_keeps_them_apart(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["copy"] = corpus["d20"].upper()
    judgements += [judgement("q11", "d10"), judgement("q12", "copy")]
    shared = make(workspace, queries, corpus, judgements, method="query", name="shared")
    assert found(shared, "leaked-document") == []
    (finding,) = found(make(workspace, queries, corpus, judgements), "leaked-document")
    assert (finding.severity, finding.groups) == ("hurts", [["d10"], ["d20", "copy"]])
    before = held_out(workspace)
    check_collection(workspace, "made")
    fix(workspace, "made", "leaked-document")
    assert held_out(workspace) == before
    assert found(open_collection(workspace, "made"), "leaked-document") == []


def test_tables_that_share_their_documents_on_purpose_are_told_so_only(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(200)
    judgements += [judgement(f"q{number + 1}", f"d{number}") for number in range(0, 200, 10)]
    (finding,) = found(make(workspace, queries, corpus, judgements, method="given"))
    assert (finding.kind, finding.severity) == ("leaked-document", "note")


def test_a_negative_that_is_held_out_as_an_answer_is_no_leak(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    judgements.append(judgement("q11", "d10", 0.0, source="mined"))
    assert found(make(workspace, queries, corpus, judgements)) == []


def test_groups_of_any_modality_leak(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    examined = Examined(make(workspace, queries, corpus, judgements))
    (finding,) = leaks_among(examined, "corpus", [["d10", "d11"], ["d12", "d13"]], "the same picture")
    assert (finding.kind, finding.groups) == ("leaked-document", [["d10", "d11"]])
    assert "the same picture" in finding.sentence
    (finding,) = leaks_among(examined, "queries", [["q13", "q20"]], "the same picture")
    assert (finding.kind, finding.groups) == ("leaked-query", [["q20", "q13"]])


def test_merging_copies_across_the_split_leaves_nothing_that_leaks(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["same"] = queries["q10"].upper()
    corpus["copy"] = corpus["d20"].upper()
    judgements += [judgement("same", "d11"), judgement("q12", "copy")]
    make(workspace, queries, corpus, judgements)
    before = held_out(workspace)
    check_collection(workspace, "made")
    said = fix(workspace, "made", "exact-duplicate")
    assert "and took 1 judgement that would leak out of train" in said
    assert found(open_collection(workspace, "made")) == []
    assert held_out(workspace) == before
