"""What the workspace keeps of remote models, whose keys go where, and what a larger call would be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes
from tests.enrich.bad_endpoint import bad_endpoint, sends
from tests.models.fake_remote import DIMENSION, answers
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models import load_embedder, load_reranker
from workbench.models.catalogue import check_trainable, describe
from workbench.models.remote import add_remote, remote_model, remote_of, remotes, remove_remote
from workbench.models.remote_address import holds_secrets
from workbench.models.remote_check import check_remote, preview, preview_reranking, preview_words
from workbench.models.remote_keys import HANDED, handed_keys, key_of
from workbench.models.source import find, typed_reference
from workbench.settings import TrainSettings
from workbench.training.teacher import check_named_models

OPENAI = {"name": "mini", "shape": "openai", "address": "https://api.openai.com/v1/", "model": "text-embedding-3-small"}


def described(**options: Any) -> dict[str, Any]:
    return {**OPENAI, **options}


def test_a_description_is_kept_found_and_forgotten(workspace):
    added = add_remote(workspace, described(prompts={"query": "find: ", "document": ""}, price=0.02))
    assert remotes(workspace) == [added] and remote_model(workspace, "remote:mini") == added
    assert (added.address, added.host, added.kind) == ("https://api.openai.com/v1", "api.openai.com", "embedder")
    assert added.prompts == {"query": "find: "}
    with pytest.raises(WorkbenchError, match="There is a remote model “mini” already"):
        add_remote(workspace, described(address="https://evil.example/v1"))
    remove_remote(workspace, "mini")
    assert remotes(workspace) == []
    with pytest.raises(WorkbenchError, match="There is no remote model “mini”"):
        find(workspace, "remote:mini")


@pytest.mark.parametrize("kept", ["{", '{"remotes": 3}', '{"remotes": [{"name": "x"}]}', '{"remotes": ["x"]}'])
def test_a_damaged_list_is_told(workspace, kept):
    (workspace.root / "remotes.json").write_text(kept)
    with pytest.raises(WorkbenchError, match=r"list of remote models, .*, is damaged"):
        remotes(workspace)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": "grpc"}, "There is no shape “grpc”"),
        ({"name": "../up"}, "cannot be the name of a model"),
        ({"address": "ftp://host/v1"}, "no http or https address"),
        ({"address": "https://user:hush@host/v1"}, "must hold no password"),
        ({"address": "https://host/v1?key=hush"}, "must hold no password"),
        ({"address": "http://169.254.169.254/v1"}, "is never asked"),
        ({"address": "http://models.example/v1"}, "could be read on the way"),
        ({"model": " "}, "Name the model as api.openai.com knows it"),
        ({"modalities": ["text", "sound"]}, "takes text, not sound"),
        ({"fields": {"query": {"input": "x"}}}, "“input” is filled in by the workbench"),
        ({"fields": {"query": {"api_key": "hush"}}}, "must hold no key"),
        ({"fields": {"answer": {"a": 1}}}, "there is no side “answer”"),
        ({"dimension": 0}, "dimension: "),
        ({"key_variable": "sk-hush"}, "never the key"),
        ({"colour": "red"}, "colour: "),
    ],
)
def test_what_cannot_be_used_is_told_without_what_may_be_secret(workspace, options, words):
    with pytest.raises(WorkbenchError) as caught:
        add_remote(workspace, described(**options))
    assert words in str(caught.value) and "hush" not in str(caught.value)
    assert not (workspace.root / "remotes.json").exists()


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xA9FEA9FE", "::ffff:169.254.169.254"])
def test_the_secrets_of_a_cloud_machine_are_known_by_any_spelling(host):
    assert holds_secrets(host)
    assert not holds_secrets("127.0.0.1") and not holds_secrets("models.example")


def test_http_is_for_machines_that_are_near_unless_it_is_allowed():
    for near in ("http://localhost:8080/v1", "http://192.168.1.5/v1", "http://gpu-box:8000/v1"):
        assert remote_of(described(address=near)).address == near
    assert remote_of(described(address="http://models.example/v1", unencrypted=True)).unencrypted


def test_the_fingerprint_follows_what_a_vector_depends_on():
    plain = remote_of(OPENAI)
    changes: list[dict[str, Any]] = [
        {"address": "https://other.example/v1"},
        {"model": "text-embedding-3-large"},
        {"dimension": 256},
        {"prompts": {"query": "find: "}},
        {"fields": {"document": {"user": "x"}}},
        {"longest_text": 100},
        {"shape": "ollama"},
    ]
    prints = {remote_of(described(**change)).fingerprint for change in changes}
    assert len(prints | {plain.fingerprint}) == len(changes) + 1
    same = described(name="other", price=1.0, at_once=9, batch_size=3, key_variable="MINE", size=8, a_minute=5)
    assert remote_of(same).fingerprint == plain.fingerprint


def test_keys_go_only_where_they_belong():
    everyone = {"OPENAI_API_KEY": "openai", "COHERE_API_KEY": "cohere", "MINE": "mine"}
    assert key_of(remote_of(OPENAI), everyone) == "openai"
    assert key_of(remote_of(described(address="https://evil.example/v1")), everyone) == ""
    assert key_of(remote_of(described(address="https://api.openai.com.evil.example/v1")), everyone) == ""
    own = remote_of(described(address="https://models.example/v1", key_variable="MINE"))
    assert key_of(own, everyone) == "mine"
    with pytest.raises(WorkbenchError, match="environment variable MINE, which is not set"):
        key_of(own, {})
    with pytest.raises(WorkbenchError, match="characters that no key has") as caught:
        key_of(own, {"MINE": "hush\nhush"})
    assert "hush" not in str(caught.value)


def test_a_key_that_was_handed_over_is_for_one_name_at_one_address():
    mini = remote_of(OPENAI)
    handed = handed_keys([(mini, " for-once ")])
    assert key_of(mini, {**handed, "OPENAI_API_KEY": "usual"}) == "for-once"
    assert key_of(remote_of(described(name="other")), handed) == ""
    assert key_of(remote_of(described(address="https://evil.example/v1")), handed) == ""
    assert handed_keys([(mini, "")]) == {} and key_of(mini, {HANDED: "{"}) == ""
    near = remote_of(described(address="http://models.example/v1", unencrypted=True))
    assert key_of(near, handed_keys([(near, "k")])) == "k"


def test_a_key_goes_out_in_its_header_and_nowhere_else(workspace, monkeypatch):
    monkeypatch.setenv("TOY_KEY", "hush-hush")
    with bad_endpoint(answers("openai")) as server:
        add_remote(workspace, described(name="toy", address=server.address, key_variable="TOY_KEY"))
        load_embedder(workspace, "remote:toy").encode_queries([Item(text="one")])
        assert server.headers[-1]["Authorization"] == "Bearer hush-hush"
        assert "hush" not in json.dumps(server.asked)
    assert "hush" not in (workspace.root / "remotes.json").read_text()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, '{"error": {"message": "bad key hush-hush"}}', "without a right key"),
        (400, '{"error": {"message": "hush-hush may not"}}', "It says: “... may not”"),
        (200, '{"error": {"message": "hush-hush may not"}}', "It says: “... may not”"),
        (404, '{"detail": "hush-hush?"}', "has no model"),
    ],
)
def test_a_key_that_the_server_repeats_is_not_told(workspace, monkeypatch, status, body, words):
    monkeypatch.setenv("TOY_KEY", "hush-hush")
    with bad_endpoint(sends(body, status)) as server:
        add_remote(workspace, described(name="toy", address=server.address, key_variable="TOY_KEY"))
        with pytest.raises(WorkbenchError) as caught:
            load_embedder(workspace, "remote:toy").encode_queries([Item(text="one")])
    assert words in str(caught.value) and "hush" not in str(caught.value)


def test_it_is_loaded_described_and_refused_like_other_models(workspace):
    with bad_endpoint(answers("tei-rerank")) as server:
        near = server.address.removesuffix("/v1")
        add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": near})
        add_remote(workspace, described(name="toy", address=server.address, dimension=64))
    assert describe(workspace, "remote:toy") | {"words": ""} == {
        "reference": "remote:toy", "kind": "embedder", "modalities": ["text"], "dimension": 64, "parameters": None,
        "licence": "", "words": "", "prompts": {}, "packages": [],
    }  # fmt: skip
    assert load_embedder(workspace, "remote:toy").dimensions == [64, 32, 16]
    assert load_reranker(workspace, "remote:judge").kind == "reranker"
    with pytest.raises(WorkbenchError, match="is a reranker model"):
        load_embedder(workspace, "remote:judge")
    with pytest.raises(WorkbenchError, match="is an embedder and cannot rerank"):
        load_reranker(workspace, "remote:toy")
    with pytest.raises(WorkbenchError, match="lies behind an address, so it cannot be trained"):
        check_trainable(workspace, "remote:toy")
    with pytest.raises(WorkbenchError, match="A guide is asked at every step"):
        check_named_models(workspace, "contrastive-guided", TrainSettings(guide_model="remote:toy"))
    check_named_models(workspace, "distillation", TrainSettings(teacher_model="remote:toy"))
    assert typed_reference("remote:toy", remote=True) == "remote:toy"
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        typed_reference("remote:../up", remote=True)
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        typed_reference("remote:toy")


def test_a_check_is_one_tiny_call_and_keeps_the_dimension(workspace):
    with bad_endpoint(answers("openai")) as server:
        add_remote(workspace, described(name="toy", address=server.address))
        found = check_remote(workspace, "toy")
        assert len(server.asked) == 1 and len(server.asked[0]["input"]) == 1
        assert describe(workspace, "remote:toy")["dimension"] == DIMENSION
    assert (found["dimension"], found["normalised"], found["host"]) == (DIMENSION, False, "127.0.0.1")
    unit = {"data": [{"index": 0, "embedding": [1.0, 0.0]}]}
    with bad_endpoint(sends(json.dumps(unit))) as server:
        add_remote(workspace, described(name="unit", address=server.address))
        assert check_remote(workspace, "unit")["normalised"]
    with bad_endpoint(answers("jina-rerank")) as server:
        add_remote(workspace, {"name": "judge", "shape": "jina-rerank", "address": server.address, "model": "r"})
        assert check_remote(workspace, "judge")["kind"] == "reranker" and len(server.asked) == 1


def test_a_preview_counts_requests_texts_tokens_and_cost():
    mini = remote_of(described(batch_size=2, price=0.5, prompts={"query": "find: "}))
    found = preview(mini, [("query", [Item(text="x" * 400)] * 3), ("document", [Item(text="x" * 4000)] * 5)])
    assert found == {
        "reference": "remote:mini", "host": "api.openai.com", "requests": 5, "texts": 8, "pictures": 0,
        "tokens": 3 * 100 + 3 * 2 + 5 * 1000, "cost": round(5306 * 0.5 / 1e6, 6),
    }  # fmt: skip
    assert preview_words(found) == (
        "api.openai.com gets at most 8 texts (remote:mini): about 5,306 tokens in 5 requests; less than 0.01 by "
        "the price given."
    )
    assert "; about 1,234.50 by the price" in preview_words({**found, "cost": 1234.5})
    free = remote_of(described(shape="cohere", modalities=("text", "image"), longest_text=40))
    found = preview(free, [("document", [Item(image=png_bytes()), Item(image=png_bytes()), Item(text="x" * 400)])])
    assert (found["requests"], found["pictures"], found["tokens"]) == (3, 2, 2 * 765 + 10)
    assert "1 text and 2 pictures" in preview_words(found) and "no price given" in preview_words(found)
    judge = remote_of({"name": "judge", "shape": "tei-rerank", "address": "http://localhost:8080", "price": 1.0})
    found = preview_reranking(judge, [Item(text="x" * 40)] * 10, top=50, document_tokens=100)
    assert (found["requests"], found["texts"], found["tokens"]) == (20, 500, 500 * 110)


def test_a_vector_is_the_same_in_any_batch():
    items = [Item(text=f"text {number}") for number in range(7)]
    with bad_endpoint(answers("openai")) as server:
        from workbench.models.remote_embedder import RemoteEmbedder

        found = [
            RemoteEmbedder(remote_of(described(address=server.address, batch_size=size))).encode_documents(items)
            for size in (1, 3, 100)
        ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
