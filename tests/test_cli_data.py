"""The commands for a collection that is there, as a person and a script see them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.doctor.making import judgement, make, text_pairs
from workbench import cli, jobs
from workbench.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Any:
    def call(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, [*arguments, "--workspace", str(workspace.root)])

    return call


@pytest.fixture
def faulty(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["twin"] = corpus["d11"].upper()
    corpus["d22"] += " Write to jane.doe@acme.com."
    make(workspace, queries, corpus, [*judgements, judgement("q12", "twin")])


@pytest.mark.usefixtures("faulty")
def test_check_lists_what_is_wrong_with_examples_and_the_command_that_mends_it(run: Any) -> None:
    done = run("check", "made")
    assert done.exit_code == 0
    assert "1. exact-duplicate (likely to hurt): 1 document is the same text as another." in done.stdout
    assert "Merge them: python -m workbench fix made exact-duplicate" in done.stdout
    assert "personal-data (worth knowing): 1 document holds personal data: 1 e-mail address." in done.stdout
    assert "undo made" in done.stdout


@pytest.mark.usefixtures("faulty")
def test_personal_data_is_shown_nowhere(run: Any) -> None:
    for arguments in (["check", "made"], ["check", "made", "--json"]):
        shown = run(*arguments)
        assert "jane" not in shown.output and "acme" not in shown.output


@pytest.mark.usefixtures("faulty")
def test_check_prints_one_object_for_a_program(run: Any) -> None:
    told = json.loads(run("check", "made", "--json").stdout)
    assert told["collection"] == "made"
    first = told["findings"][0]
    assert {"kind", "severity", "count", "examples", "fixable"} <= first.keys()
    assert (first["kind"], first["severity"], first["count"], first["examples"], first["fixable"]) == (
        "exact-duplicate",
        "hurts",
        1,
        ["d11", "twin"],
        True,
    )


@pytest.mark.usefixtures("faulty")
def test_fix_mends_by_kind_or_number_and_undo_takes_it_back(run: Any) -> None:
    run("check", "made")
    assert run("fix", "made", "exact-duplicate").stdout == "Merged 1 duplicate document.\n"
    assert run("fix", "made", "2").stdout == "Masked personal data in 1 document.\n"
    assert run("check", "made").stdout == "Nothing is wrong with “made”.\n"
    done = run("undo", "made")
    assert done.stdout == ("Taken back: Masked personal data in 1 document. 1 earlier change can be taken back too.\n")
    assert json.loads(run("undo", "made", "--json").stdout) == {
        "collection": "made",
        "undone": "Merged 1 duplicate document",
        "left": 0,
    }
    done = run("undo", "made")
    assert done.exit_code == 1 and "Nothing has been changed" in done.stderr


@pytest.mark.usefixtures("faulty")
def test_what_cannot_be_mended_is_said_in_words(run: Any) -> None:
    done = run("fix", "made", "hub")
    assert done.exit_code == 1 and "has not been checked yet" in done.stderr
    run("check", "made")
    done = run("fix", "made", "hub")
    assert done.exit_code == 1 and "It can mend: exact-duplicate, personal-data." in done.stderr
    done = run("fix", "made", "nonsense")
    assert done.exit_code == 1 and "is no kind of finding" in done.stderr
    assert run("fix", "made", "99").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "none"],
        ["fix", "none", "hub"],
        ["undo", "none"],
        ["mine", "none", "--model", "starter"],
        ["generate", "none", "--dry-run"],
    ],
)
def test_a_missing_collection_starts_no_job(run: Any, workspace: Workspace, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 1 and "There is no collection named “none”" in done.stderr
    assert jobs.list_jobs(workspace) == []


def test_mining_and_generating_want_to_know_by_what(run: Any) -> None:
    assert run("mine", "made").exit_code == 2
    assert run("generate", "made").exit_code == 2


@pytest.mark.usefixtures("faulty")
def test_a_dry_run_says_how_much_it_would_be_and_sends_nothing(run: Any, workspace: Workspace) -> None:
    told = json.loads(run("generate", "made", "--all", "--dry-run", "--count", "2", "--limit", "10", "--json").stdout)
    assert (told["documents"], told["queries"]) == (10, 20)
    assert "Nothing was sent." in run("generate", "made", "--all", "--dry-run").stdout
    assert jobs.list_jobs(workspace) == []


def test_the_options_of_mining_reach_the_job(run: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, corpus, judgements = text_pairs(60)
    make(workspace, queries, corpus, judgements)
    seen: list[Any] = []

    def do_job(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        seen.append((work, name, spec))
        return (
            {"collection": "made", "model": "starter", "mined": 7, "dropped": 7}
            if spec.get("drop")
            else {"collection": "made", "model": "starter", "mined": 7}
        )

    monkeypatch.setattr("workbench.cli_data.do_job", do_job)
    options = [
        "--per-query",
        "2",
        "--first-rank",
        "3",
        "--last-rank",
        "50",
        "--margin",
        "0",
        "--absolute-margin",
        "0.1",
    ]
    done = run("mine", "made", "--model", "starter", *options)
    assert done.stdout == "Added 7 hard negatives to “made”, found by starter.\n"
    work, name, spec = seen[0]
    assert (work, name) == ("mine", "mine-made")
    wanted = {"per_query": 2, "first_rank": 3, "last_rank": 50, "margin": None, "absolute_margin": 0.1}
    assert {key: spec[key] for key in wanted} == wanted
    assert run("mine", "made", "--drop").stdout == "Dropped 7 mined negatives of “made”.\n"
    assert seen[1][2] == {"collection": "made", "drop": True}
