"""The commands that bring collections, add to them, and take them away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.collection.uploads import text_pairs, text_table
from workbench import cli
from workbench.collection.importing import import_collection
from workbench.collection.store import open_collection
from workbench.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace) -> Any:
    def command(*words: str) -> Result:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)])

    return command


@pytest.fixture
def pairs(workspace: Workspace, tmp_path: Path) -> None:
    import_collection(workspace, "pairs", text_table(tmp_path / "pairs.csv", text_pairs(10)))


def test_rows_are_added_by_a_job_of_their_own(workspace: Workspace, pairs: None, tmp_path: Path, run: Any) -> None:
    more = text_table(tmp_path / "more.csv", text_pairs(12))
    done = run("import", str(more), "--name", "pairs", "--add")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == (
        "Added 2 queries, 2 documents and 2 judgements; 10 queries, 10 documents and 10 judgements were there already."
    )
    assert open_collection(workspace, "pairs").card.counts["queries"] == 12


def test_a_collection_is_exported_to_a_folder(pairs: None, tmp_path: Path, run: Any) -> None:
    done = run("collections", "export", "pairs", "--to", str(tmp_path / "out"), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["path"] == str(tmp_path / "out")
    assert (tmp_path / "out" / "README.md").exists()


def test_collections_are_listed_shown_and_removed(workspace: Workspace, pairs: None, run: Any) -> None:
    assert "pairs" in run("collections").stdout
    listed = json.loads(run("collections", "list", "--json").stdout)["collections"]
    assert [(line["collection"], line["queries"]) for line in listed] == [("pairs", 10)]
    shown = json.loads(run("collections", "show", "pairs", "--json").stdout)
    assert shown["fingerprint"] == open_collection(workspace, "pairs").fingerprint and shown["changes"] == []
    assert "Given query, find document." in run("collections", "show", "pairs").stdout
    refused = run("collections", "remove", "pairs")
    assert refused.exit_code == 2 and "Add --yes" in refused.stderr and "pairs" in run("collections").stdout
    assert run("collections", "remove", "pairs", "--yes").exit_code == 0
    assert "There are no collections yet" in run("collections").stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["collections", "show", "none"], 1, "There is no collection named “none”"),
        (["collections", "remove", "none"], 1, "There is no collection named “none”"),
        (["collections", "export", "none"], 1, "There is no collection named “none”"),
        (["collections", "push", "pairs", "--repo", "birds"], 1, "Write USER/NAME"),
        (["import", "hub:birds"], 1, "Write USER/NAME"),
        (["import", "none.csv"], 1, "There is no file or folder “none.csv”"),
        (["import", "none.csv", "--rows", "5"], 2, "go with hub:USER/NAME"),
        (["import", "mteb:Nano", "--rows", "5"], 2, "go with hub:USER/NAME"),
        (["import", "mteb:../nano"], 1, "cannot be the name of a task"),
        (["import", "none.csv", "--add"], 2, "--add needs --name"),
    ],
)
def test_what_is_wrong_is_told_before_a_process_starts(
    workspace: Workspace, pairs: None, run: Any, words: list[str], code: int, told: str
) -> None:
    done = run(*words)
    assert done.exit_code == code and told in done.stderr
    assert not list(workspace.jobs.iterdir())


def test_a_data_set_of_the_hub_that_cannot_be_reached_is_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = run("import", "hub:maria/birds", "--hub-split", "train", "--rows", "5")
    assert done.exit_code == 1 and "switched off by HF_HUB_OFFLINE=1" in done.stderr
