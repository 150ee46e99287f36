"""`search --queries` and `explain` from a terminal: what is printed where, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.index.toys import ToyEmbedder, ToyReranker, make_collection, texts
from workbench import cli
from workbench.index import search
from workbench.index.build import build_index
from workbench.workspace import Workspace


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """run("search", …) over an index of thirty texts, searched by toys."""
    toy = ToyEmbedder()
    make_collection(workspace, "words", texts(30))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    loaders = {"load_embedder": lambda *_, **__: toy, "load_reranker": lambda *_, **__: ToyReranker()}
    monkeypatch.setattr(search, "Searcher", partial(search.Searcher, **loaders))

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)])

    return run


def test_a_run_is_written_and_what_was_left_out_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    file, to = tmp_path / "queries.tsv", tmp_path / "run.trec"
    file.write_text("q1\tdocument 3\nno tab\nq2\tdocument 7\n", encoding="utf-8")
    done = run("search", "words", "--queries", str(file), "--to", str(to), "--top", "3", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["queries"], told["left_out"], told["format"]) == (2, 1, "trec")
    assert "2 queries asked, 1 left out" in done.stderr and "Line 2 was left out: there is no tab" in done.stderr
    lines = [line.split() for line in to.read_text().splitlines()]
    assert [(line[0], line[3], line[5]) for line in lines] == [
        (query, str(rank), "words") for query in ("q1", "q2") for rank in (1, 2, 3)
    ]


def test_without_a_file_the_lines_alone_are_on_stdout(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("document 3\ndocument 7\n", encoding="utf-8")
    done = run("search", "words", "--queries", str(file), "--top", "2", "--reranker", "toy-reranker")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in found] == ["1", "2"]
    assert all(len(one["hits"]) == 2 and one["hits"][0]["rerank_score"] is not None for one in found)
    assert "2 queries were asked of “words”" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--queries", "q.txt", "--text", "a lamp"],
        ["--queries", "q.txt", "--collection-queries"],
        ["--text", "a lamp", "--to", "x.trec"],
        ["--text", "a lamp", "--format", "trec"],
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(run: Callable[..., Any], words: list[str]) -> None:
    assert run("search", "words", *words).exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--queries", "none.txt"], "cannot be read"),
        (["--collection-queries"], "no held-out judgements"),
        (["--queries", "none.txt", "--to", "x.doc"], "end in .jsonl or .trec"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Callable[..., Any], words: list[str], said: str) -> None:
    done = run("search", "words", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr


def test_explain_tells_what_carries_the_score(run: Callable[..., Any]) -> None:
    first = json.loads(run("search", "words", "--text", "document 3", "--json").stdout)["hits"][0]
    done = run("explain", "words", "--text", "document 3", "--id", first["id"], "--json")
    told = json.loads(done.stdout)
    assert (told["index"], told["id"]) == ("words", first["id"])
    assert told["score"] == pytest.approx(first["score"], abs=1e-5)
    assert [part["label"] for part in told["parts"]] == ["document", "3"]
    assert [part["label"] for part in told["query_parts"]] == ["document", "3"]
    assert told["about"].startswith("An approximation")
    assert told["scored"] == 1 + 2 + 1 + 2
    said = run("explain", "words", "--text", "document 3", "--id", first["id"])
    assert "document" in said.stdout and "An approximation" in said.stdout
    gone = run("explain", "words", "--text", "document 3", "--id", "gone")
    assert gone.exit_code == 1 and "There is no document “gone”" in gone.stderr
