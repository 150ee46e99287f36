"""The commands that keep an index in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.index.test_life import change
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench import cli, cli_index_life
from workbench.index import build, life, table
from workbench.index.build import build_index, run_index
from workbench.index.registry import get_index
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An index “words” of ten documents, and its commands; jobs are done at once, with a toy."""
    toy = ToyEmbedder()

    def do_job(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        assert work == "index"
        return run_index(workspace, create_job_folder(workspace.job(name), work, spec, {}))

    monkeypatch.setattr(cli_index_life, "do_job", do_job)
    monkeypatch.setattr(life, "load_embedder", lambda *_, **__: toy)
    monkeypatch.setattr(build, "load_embedder", lambda *_, **__: toy)
    make_collection(workspace, "words", texts(10))
    build_index(workspace, "words", "words", "toy", embedder=toy)  # type: ignore[arg-type]

    def run(*words: str) -> Any:
        done = CliRunner().invoke(cli.app, ["index", *words, "--workspace", str(workspace.root)])
        return json.loads(done.stdout) if "--json" in words and done.exit_code == 0 else done

    return run


def test_an_index_is_shown_with_what_its_collection_has_gained(run: Callable[..., Any], workspace: Workspace) -> None:
    assert [one["index"] for one in run("list", "--json")["indexes"]] == ["words"]
    assert "words" in run("list").stdout
    shown = run("show", "words", "--json")
    assert (shown["rows"], shown["behind"]["more"], shown["before"]) == (10, 0, None)
    change(workspace, texts(3, "new"))
    assert run("show", "words", "--json")["behind"] == {"more": 3, "fewer": 0, "gone": False}
    assert "has changed since: 3 more." in run("show", "words").stdout
    assert run("show", "nothing").exit_code == 1


def test_the_files_of_an_index_are_shown_and_that_they_are_gone(run: Callable[..., Any], workspace: Workspace) -> None:
    shown = run("show", "words", "--json")["files"]
    assert (shown["place"], shown["there"], shown["fragments"]) == (str(workspace.index), True, 1)
    change(workspace, texts(3, "new"))
    table.drop_table(workspace, get_index(workspace, "words").table)
    assert "Its files are not in" in run("show", "words").stdout


def test_an_index_is_updated_rolled_back_and_compacted(run: Callable[..., Any], workspace: Workspace) -> None:
    assert "up to date" in run("update", "words").stdout
    change(workspace, texts(3, "new"))
    assert run("update", "words", "--json")["added"] == 3
    assert run("rollback", "words", "--json")["rows"] == 10
    assert "13 documents" in run("rollback", "words").stdout
    assert run("reembed", "words", "--dimension", "16", "--precision", "float16", "--json")["dimension"] == 16
    assert get_index(workspace, "words").model == "toy"
    assert run("compact", "words", "--forget", "--json")["rows"] == 13
    assert len(table.all_tables(workspace)) == 1
    refused = run("rollback", "words")
    assert refused.exit_code == 1 and "no earlier state" in refused.stderr


def test_an_index_is_removed_only_with_leave(run: Callable[..., Any], workspace: Workspace) -> None:
    assert run("remove", "words").exit_code == 2
    assert len(table.all_tables(workspace)) == 1
    assert run("remove", "words", "--yes", "--json") == {"index": "words", "removed": True}
    assert table.all_tables(workspace) == []
