"""Remote models at work: evaluated, indexed and searched with like any other, and their keys found nowhere after."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from tests.enrich.bad_endpoint import BadEndpoint, Handler, bad_endpoint, sends
from tests.evaluation.conftest import make_collection
from tests.models.fake_remote import answers, inputs_of
from workbench import cli, jobs
from workbench.collection.store import Collection, Item
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.remote_cost import preview_evaluation, preview_index, preview_pipeline, preview_whole
from workbench.evaluation.reranking import score_reranking
from workbench.index.build import build_index
from workbench.index.search import Searcher
from workbench.models import load_embedder, load_reranker
from workbench.models.remote import Remote, add_remote, remote_model
from workbench.models.remote_keys import handed_keys
from workbench.workspace import Workspace

KEY = "hush-9f2c-hush"
COUNT, HELD = 30, 20


@pytest.fixture
def texts(workspace: Workspace) -> Collection:
    """Questions and passages that end in the same word; the last HELD are held out."""
    questions = [Item(text=f"who is w{n}", id=f"q{n:02}") for n in range(COUNT)]
    passages = [Item(text=f"this is w{n}", id=f"d{n:02}") for n in range(COUNT)]
    split = ["eval" if n >= COUNT - HELD else "train" for n in range(COUNT)]
    return make_collection(
        workspace, "texts", questions, passages, [(f"q{n:02}", f"d{n:02}", 1.0, split[n]) for n in range(COUNT)]
    )


def add(workspace: Workspace, server: BadEndpoint, name: str = "toy", **options: Any) -> Remote:
    values = {"name": name, "shape": "openai", "address": server.address, "model": "m", **options}
    return add_remote(workspace, values)


def holders_of(key: str, folder: Path) -> list[str]:
    """The files below a folder that hold a key, plainly or in base64."""
    forms = [key.encode(), base64.b64encode(key.encode()), base64.b64encode(f"Bearer {key}".encode())[:-4]]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.parametrize("repeats", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_key_handed_to_a_job_is_nowhere_when_it_has_ended(workspace, texts, repeats):
    seen: list[str] = []

    def behave(handler: Handler) -> None:
        seen.extend(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
        if repeats:
            return sends(json.dumps({"error": f"no such key {KEY}"}), 400)(handler)
        return answers("openai", last_word=True)(handler)

    with bad_endpoint(behave) as server:
        toy = add(workspace, server)
        spec = {"collection": "texts", "models": [toy.reference], "name": "e"}
        job = jobs.start(workspace, "evaluate", "e", spec, environment=handed_keys([(toy, KEY)]))
        status = jobs.wait(job)
        assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    assert status.state == ("failed" if repeats else "finished"), status.reason
    assert ("no such key ..." in status.reason) == repeats
    assert holders_of(KEY, workspace.root) == []
    assert any("workbench.jobs.worker" in line for line in seen) and not any(KEY in line for line in seen)


def test_an_evaluation_scores_it_like_any_other_and_encodes_each_item_once(workspace, texts):
    with bad_endpoint(answers("openai", last_word=True)) as server:
        add(workspace, server, size=8)
        result = evaluate(workspace, "texts", ["remote:toy"], name="e")
        asked = [text for body in server.asked for text in inputs_of(body)]
        again = evaluate(workspace, "texts", ["remote:toy"], name="f")
        assert len(asked) == 2 * HELD == sum(len(inputs_of(body)) for body in server.asked)
    assert {row["metrics"]["ndcg@10"] for row in result["results"]} == {1.0}
    assert result["results"][0]["dimension"] == 8 and again["results"] == result["results"]


def test_what_was_paid_for_before_a_stop_is_not_asked_for_again(workspace, texts):
    def stop(done: int, total: int, note: str) -> None:
        if done > 4:
            raise Stopped

    with bad_endpoint(answers("openai", last_word=True)) as server:
        add(workspace, server, size=8, batch_size=1, at_once=1)
        with pytest.raises(Stopped):
            evaluate(workspace, "texts", ["remote:toy"], name="e", progress=stop)
        before = len(server.asked)
        evaluate(workspace, "texts", ["remote:toy"], name="e")
        assert 4 < before < 2 * HELD
        assert len(server.asked) <= 2 * HELD + 4


def test_a_preview_says_what_an_evaluation_then_sends_and_sends_nothing(workspace, texts):
    with bad_endpoint(answers("cohere", last_word=True)) as server:
        near = server.address.removesuffix("/v1")
        add(workspace, server, shape="cohere", address=near, size=8, batch_size=7, price=0.1, at_once=1)
        told = preview_evaluation(workspace, "texts", ["starter", "remote:toy"])
        assert not server.asked and len(told) == 1
        evaluate(workspace, "texts", ["remote:toy"], name="e")
        assert told[0]["requests"] == len(server.asked)
        assert told[0]["texts"] == sum(len(inputs_of(body)) for body in server.asked)
        assert told[0]["cost"] > 0
        assert preview_index(workspace, "texts", "remote:toy")[0]["texts"] == COUNT
        assert preview_index(workspace, "texts", "starter") == []
        assert preview_whole(workspace, "texts", ["remote:toy", "starter"])[0]["texts"] == 2 * COUNT
        add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": near})
        assert preview_pipeline(workspace, "texts", ["remote:judge"], [10, 50])[0]["texts"] == 50 * HELD
        assert preview_pipeline(workspace, "texts", ["starter-reranker"], [10]) == []


def test_an_index_is_built_and_searched_with_it_and_its_hits_reranked(workspace, texts):
    with bad_endpoint(answers("ollama", last_word=True)) as server, bad_endpoint(answers("tei-rerank")) as judge:
        near = [one.address.removesuffix("/v1") for one in (server, judge)]
        add(workspace, server, shape="ollama", address=near[0])
        add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": near[1]})
        build_index(workspace, "i", "texts", "remote:toy")
        searcher = Searcher(workspace)
        found = searcher.search("i", Item(text="where is w7"), top=3)
        assert found.hits[0].id == "d07"
        reranked = searcher.search("i", Item(text="where is w7"), top=3, reranker="remote:judge")
        assert {hit.id for hit in reranked.hits} and judge.asked[0]["query"] == "where is w7"
        embedder, reranker = load_embedder(workspace, "remote:toy"), load_reranker(workspace, "remote:judge")
        scored = score_reranking(embedder, reranker, texts, top=5, limit=4)
        assert scored.rows[1]["reranker"] == "remote:judge"


def test_another_model_at_the_address_is_told_when_an_index_is_searched(workspace, texts):
    with bad_endpoint(answers("openai", last_word=True)) as server:
        add(workspace, server, size=8)
        build_index(workspace, "i", "texts", "remote:toy")
        server.behaviours = [answers("openai", dimension=4)]
        with pytest.raises(WorkbenchError, match="gave vectors of 4 numbers where 8 were expected"):
            Searcher(workspace).search("i", Item(text="w7"))


@pytest.fixture
def command(workspace: Workspace) -> Callable[..., Any]:
    def command(*words: str) -> Any:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)])

    return command


def test_the_command_line_adds_tries_previews_and_forgets(workspace, texts, command):
    with bad_endpoint(answers("openai", last_word=True)) as server:
        added = command(
            "models", "remote", "add", "toy", "--shape", "openai", "--url", server.address, "--model", "m",
            "--query-prompt", "find: ", "--set", "query.task=query", "--set", "truncate=true", "--price", "0.1",
            "--key-variable", "TOY_KEY", "--json",
        )  # fmt: skip
        assert json.loads(added.stdout)["key_variable"] == "TOY_KEY", added.stderr
        kept = remote_model(workspace, "remote:toy")
        assert kept.fields == {"query": {"task": "query", "truncate": True}, "document": {"truncate": True}}
        missing = command("models", "remote", "check", "toy")
        assert missing.exit_code == 1 and "TOY_KEY, which is not set" in missing.stderr
    assert not server.asked
    shown = json.loads(command("models", "remote", "list", "--json").stdout)["remotes"]
    assert [one["reference"] for one in shown] == ["remote:toy"]
    told = json.loads(command("models", "remote", "preview", "toy", "--collection", "texts", "--json").stdout)
    assert told["texts"] == 2 * HELD
    trained = command("train", "--collection", "texts", "--model", "remote:toy")
    assert trained.exit_code == 1 and "cannot be trained" in trained.stderr
    assert command("models", "remote", "remove", "remote:toy").exit_code == 0
    assert command("models", "remote", "check", "toy").exit_code == 1


@pytest.mark.slow
def test_an_evaluation_by_command_says_who_gets_how_much_before_anything_is_sent(
    workspace, texts, command, monkeypatch
):
    monkeypatch.setenv("TOY_KEY", KEY)
    with bad_endpoint(answers("openai", last_word=True)) as server:
        add(workspace, server, key_variable="TOY_KEY", size=8)
        done = command("evaluate", "--collection", "texts", "--model", "remote:toy", "--name", "e", "--json")
        assert json.loads(done.stdout)["results"][0]["metrics"]["ndcg@10"] == 1.0, done.stderr
        assert done.stderr.startswith("127.0.0.1 gets at most 40 texts (remote:toy): about")
    assert KEY not in done.stderr + done.stdout and holders_of(KEY, workspace.root) == []
