from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.evaluation.conftest import ToyEmbedder
from tests.models.test_remote_jobs import HELD
from tests.models.test_remote_jobs import texts as texts  # a fixture
from workbench import cli, cli_pipeline
from workbench.collection.store import Collection
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.results import load_evaluation
from workbench.models.remote import add_remote
from workbench.workspace import Workspace


@pytest.fixture
def pipeline(workspace: Workspace, texts: Collection) -> Callable[..., Any]:
    """pipeline("--fuse", …): the command, on the test's workspace and texts."""

    def run(*words: str) -> Any:
        where = ["--collection", "texts", "--model", "starter", "--workspace", str(workspace.root)]
        return CliRunner().invoke(cli.app, ["pipeline", *where, *words])

    return run


def test_what_cannot_be_measured_is_one_sentence_and_starts_nothing(
    pipeline: Callable[..., Any], workspace: Workspace
) -> None:
    for words, said in [
        ([], "Choose a reranker, or full text, or both"),
        (["--fuse", "--direction", "text->image"], "has no direction “text->image”. It has all, text->text."),
        (["--fuse", "--evaluation", "none"], "There is no evaluation named “none”."),
        (["--fuse", "--queries", "2"], "Ask 10 to 10,000 queries, not 2."),
    ]:
        done = pipeline(*words)
        assert done.exit_code == 1 and said in done.stderr and not done.stdout
    assert list(workspace.jobs.iterdir()) == []


def test_what_a_remote_reranker_gets_is_told_before_anything_is_sent(
    pipeline: Callable[..., Any], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": "http://localhost:1/v1", "price": 2.0})
    specs: list[dict[str, Any]] = []

    def do_job(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        specs.append(spec)
        row = {
            "stage": "embedder",
            "top": 0,
            "metrics": {"ndcg@10": 0.5},
            "milliseconds": {"total": None},
            "gain": None,
        }
        return {**spec, "dimension": 16, "documents": HELD, "rows": [row], "words": "It is done."}

    monkeypatch.setattr(cli_pipeline, "do_job", do_job)
    done = pipeline("--reranker", "remote:judge")
    assert done.exit_code == 0 and f"localhost gets at most {HELD * HELD} texts (remote:judge)" in done.stderr
    assert done.stdout.endswith("It is done.\n") and "embedder alone" in done.stdout
    assert [spec["reranker"] for spec in specs] == ["remote:judge"]


@pytest.mark.slow
def test_a_second_stage_is_measured_kept_and_printed(pipeline: Callable[..., Any], workspace: Workspace) -> None:
    evaluate(workspace, "texts", ["toy"], name="e", load=lambda *_: ToyEmbedder())
    done = pipeline("--reranker", "starter-reranker", "--fuse", "--queries", "10", "--evaluation", "e", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    stages = [(row["stage"], row["top"]) for row in found["rows"]]
    assert stages == [("embedder", 0), ("full_text", 0), ("fused", 0), ("reranked", 10), ("reranked", 20)]
    assert all(row["milliseconds"]["total"] > 0 for row in found["rows"]) and found["evaluation"] == "e"
    assert [one["words"] for one in load_evaluation(workspace, "e")["pipelines"]] == [found["words"]]
    assert "Searching by full text" in done.stderr or "Encoding" in done.stderr, "progress"
