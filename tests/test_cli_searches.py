"""``python -m workbench searches`` in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench import cli
from workbench.collection.store import Item
from workbench.index.build import build_index
from workbench.index.preference import Pipeline, prefer
from workbench.index.search import Searcher
from workbench.workspace import Workspace


def test_searches_are_saved_asked_and_removed_from_the_terminal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str, fails: bool = False) -> Any:
        done = CliRunner().invoke(cli.app, ["searches", *words, "--workspace", str(workspace.root), "--json"])
        assert done.exit_code == int(fails), done.output
        return done.output if fails else json.loads(done.stdout)

    toy = ToyEmbedder()
    make_collection(workspace, "words", texts(20))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    whole = Searcher.__init__
    monkeypatch.setattr(
        Searcher, "__init__", lambda self, space: whole(self, space, load_embedder=lambda *_, **__: toy)
    )
    assert run("list") == {"searches": []} and run("picks") == {"picks": []}
    assert "no index named" in run("save", "gone", "--text", "tea", fails=True)
    kept = run("save", "words", "--text", "document 4", "--name", "four")
    assert [one["id"] for one in run("list")["searches"]] == [kept["id"]]
    assert len(run("ask", "four")["hits"]) == 10
    prefer(workspace, Pipeline("words"), Pipeline("words", 8), Item(text="tea"), 2)
    (told,) = run("picks")["picks"]
    assert told["a picked"] + told["b picked"] == 1 and told["preferred"] == ""
    run("remove", "four")
    assert "no longer there" in run("ask", "four", fails=True)
