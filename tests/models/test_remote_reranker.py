"""Remote rerankers of every shape: scores by document from a good server, one sentence from a bad one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes
from tests.enrich.bad_endpoint import BadEndpoint, bad_endpoint, sends
from tests.models.fake_remote import RERANKERS, answers, inputs_of, score_of
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models.remote import remote_of
from workbench.models.remote_reranker import RemoteReranker

QUERY = Item(text="red circle")
DOCUMENTS = [Item(text=text) for text in ("blue", "red", "a red circle", "circle", "x")]


def reranker(server: BadEndpoint, shape: str, **options: Any) -> RemoteReranker:
    address = server.address if shape == "jina-rerank" else server.address.removesuffix("/v1")
    return RemoteReranker(remote_of({"name": "judge", "shape": shape, "address": address, "model": "r-1", **options}))


@pytest.mark.parametrize("shape", RERANKERS)
def test_scores_belong_to_their_documents_though_they_come_sorted(shape):
    with bad_endpoint(answers(shape)) as server:
        scores = reranker(server, shape, batch_size=2).score(QUERY, DOCUMENTS)
        assert len(server.asked) == 3
    assert scores.dtype == np.float32
    assert scores.tolist() == [score_of("red circle", item.text or "") for item in DOCUMENTS]


def test_each_shape_is_asked_as_its_reference_says():
    named = {"model": "r-1", "query": "red circle", "documents": ["blue"], "top_n": 1}
    wanted = {
        "cohere-rerank": ("/v2/rerank", named),
        "jina-rerank": ("/v1/rerank", named | {"return_documents": False}),
        "tei-rerank": ("/rerank", {"query": "red circle", "texts": ["blue"], "truncate": False, "raw_scores": False}),
    }
    for shape, (path, body) in wanted.items():
        with bad_endpoint(answers(shape)) as server:
            reranker(server, shape).score(QUERY, DOCUMENTS[:1])
            assert (server.paths, server.asked) == ([path], [body])


@pytest.mark.parametrize("shape", RERANKERS)
def test_too_many_documents_are_asked_about_in_halves(shape):
    with bad_endpoint(answers(shape, most=2)) as server:
        scores = reranker(server, shape, at_once=1).score(QUERY, DOCUMENTS)
        assert [len(inputs_of(body)) for body in server.asked] == [5, 2, 2, 1]
    assert scores.tolist() == [score_of("red circle", item.text or "") for item in DOCUMENTS]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"index": 0, "relevance_score": 1.0}], "not one for each"),
        ([{"index": 0, "relevance_score": 1.0}] * 5, "not one for each"),
        ([{"index": place, "relevance_score": float("nan")} for place in range(5)], "scores that are not numbers"),
        ([{"index": place, "relevance_score": "high"} for place in range(5)], "scores that are not numbers"),
        ([{"index": place, "score": 1.0} for place in range(5)], "not that of an endpoint of the shape cohere-rerank"),
    ],
)
def test_bad_scores_are_told(rows, words):
    with bad_endpoint(sends(json.dumps({"results": rows}))) as server, pytest.raises(WorkbenchError, match=words):
        reranker(server, "cohere-rerank").score(QUERY, DOCUMENTS)


def test_pictures_are_refused_in_words_and_nothing_is_nothing():
    with bad_endpoint(answers("tei-rerank")) as server:
        judge = reranker(server, "tei-rerank")
        assert judge.score(QUERY, []).shape == (0,)
        with pytest.raises(WorkbenchError, match="takes text, not pictures"):
            judge.score(QUERY, [Item(image=png_bytes())])
        assert not server.asked


def test_a_document_that_is_too_long_is_told_and_can_be_cut():
    documents = [*DOCUMENTS, Item(text="red " * 100)]
    with bad_endpoint(answers("tei-rerank", longest=50)) as server:
        with pytest.raises(WorkbenchError, match=r"document 6 are more than 127\.0\.0\.1 takes.*--longest-text"):
            reranker(server, "tei-rerank").score(QUERY, documents)
        assert len(reranker(server, "tei-rerank", longest_text=40).score(QUERY, documents)) == 6
