"""A check is kept beside its collection, and says whether it still belongs to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doctor.making import judgement, make, text_pairs
from workbench.collection.editing import edit_collection, undo
from workbench.doctor.check import check_collection, read_check, run_check
from workbench.doctor.findings import Finding, by_severity
from workbench.doctor.mended import read_standing
from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace


@pytest.fixture
def twins(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["twin"] = corpus["d11"].upper()
    make(workspace, queries, corpus, [*judgements, judgement("q12", "twin")])


@pytest.mark.usefixtures("twins")
def test_a_check_is_current_until_the_collection_changes_and_again_after_undo(workspace: Workspace) -> None:
    assert read_check(workspace, "made") is None
    check_collection(workspace, "made")
    check = read_check(workspace, "made")
    assert check is not None and check.current and check.model == ""
    assert [finding.groups for finding in check.findings] == [[["d11", "twin"]]]
    with edit_collection(workspace, "made", "Dropped a query") as edit:
        edit.drop("queries", ["q5"])
    check = read_check(workspace, "made")
    assert check is not None and not check.current and check.findings
    undo(workspace, "made")
    check = read_check(workspace, "made")
    assert check is not None and check.current


@pytest.mark.usefixtures("twins")
def test_a_damaged_check_counts_as_none(workspace: Workspace) -> None:
    file = workspace.collection("made") / "check.json"
    for content in ("{", "[]", "{}", '{"findings": 3}', '{"findings": [{"kind": "nonsense"}], "fingerprint": ""}'):
        file.write_text(content)
        assert read_check(workspace, "made") is None
        assert read_standing(workspace, "made") is None


@pytest.mark.usefixtures("twins")
def test_the_job_returns_the_object_of_the_command_line(workspace: Workspace, tmp_path: Path) -> None:
    job = create_job_folder(tmp_path / "job", "check", {"collection": "made", "model": None}, {})
    result = run_check(workspace, job)
    assert json.loads(json.dumps(result)) == result
    assert result["collection"] == "made"
    assert [finding["kind"] for finding in result["findings"]] == ["exact-duplicate"]
    assert job.status().total > 0


@pytest.mark.usefixtures("twins")
def test_a_stopped_check_leaves_the_last_one(workspace: Workspace) -> None:
    check_collection(workspace, "made")
    before = read_check(workspace, "made")

    def stop(*_: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        check_collection(workspace, "made", progress=stop)
    assert read_check(workspace, "made") == before


def test_a_collection_that_is_not_there_is_said_in_words(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="no collection named “none”"):
        check_collection(workspace, "none")


def test_findings_come_gravest_first_and_survive_the_disk() -> None:
    note, hurts = Finding("length", "note", "…"), Finding("leaked-query", "hurts", "…", "queries", [["a", "b"], ["c"]])
    blocks = Finding("unreadable", "blocks", "…")
    assert by_severity([note, hurts, blocks]) == [blocks, hurts, note]
    assert Finding.from_stored(json.loads(json.dumps(hurts.as_stored()))) == hurts
    assert hurts.as_json()["count"] == 2 and hurts.examples == ["a", "b", "c"]
    with pytest.raises(ValueError):
        Finding("nonsense", "note", "…")
