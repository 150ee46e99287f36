"""Remote embedders of every shape: right vectors in the right order from servers that behave."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import png_bytes
from tests.enrich.bad_endpoint import (
    BadEndpoint,
    bad_endpoint,
    never_answers,
)
from tests.models.fake_remote import DIMENSION, EMBEDDERS, answers, as_base64, inputs_of, vector_of, written
from tests.models.remote_toys import TEXTS, embedder, refused, remote, unit
from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.models.remote_http import Pacer


@pytest.mark.parametrize("shape", EMBEDDERS)
def test_vectors_come_in_order_and_of_unit_length(shape):
    with bad_endpoint(answers(shape)) as server:
        vectors = embedder(server, shape, batch_size=2, prompts={"query": "find: "}).encode_queries(TEXTS)
        assert len(server.asked) == 3
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, unit([f"find: {item.text}" for item in TEXTS]), atol=1e-6)


def test_each_shape_is_asked_as_its_reference_says():
    wanted = {
        "openai": ("/v1/embeddings", {"model": "toy-1", "input": ["one"], "dimensions": 4, "encoding_format": "float"}),
        "cohere": (
            "/v2/embed",
            {
                "model": "toy-1",
                "texts": ["one"],
                "input_type": "search_query",
                "embedding_types": ["float"],
                "output_dimension": 4,
                "truncate": "NONE",
            },
        ),
        "tei": ("/embed", {"inputs": ["one"], "dimensions": 4, "normalize": True, "truncate": False}),
        "ollama": ("/api/embed", {"model": "toy-1", "input": ["one"], "dimensions": 4, "truncate": False}),
    }
    for shape, (path, body) in wanted.items():
        with bad_endpoint(answers(shape)) as server:
            assert embedder(server, shape, dimension=4).encode_queries(TEXTS[:1]).shape == (1, 4)
            assert (server.paths, server.asked) == ([path], [body])


def test_what_the_user_wants_sent_goes_along_with_its_side():
    fields = {"query": {"task": "retrieval.query"}, "document": {"task": "retrieval.passage", "truncate": "END"}}
    with bad_endpoint(answers("cohere")) as server:
        toy = embedder(server, "cohere", fields=fields)
        toy.encode_queries(TEXTS[:1])
        toy.encode_documents(TEXTS[:1])
        asked = [(body["task"], body["input_type"], body["truncate"]) for body in server.asked]
    assert asked == [("retrieval.query", "search_query", "NONE"), ("retrieval.passage", "search_document", "END")]
    assert toy.asymmetric


def test_pictures_go_to_cohere_as_data_urls_without_what_their_file_says():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (3000, 20), (200, 30, 30)).save(file, "JPEG", exif=exif)
    items = [Item(image=file.getvalue()), Item(text="a cat"), Item(text="with", image=png_bytes())]
    with bad_endpoint(answers("cohere")) as server:
        toy = embedder(server, "cohere", modalities=("text", "image", "text+image"), at_once=1)
        assert toy.encode_documents(items).shape == (3, DIMENSION)
        by_kind = {kind: body for body in server.asked for kind in ("images", "texts", "inputs") if kind in body}
    assert by_kind["images"]["input_type"] == "image"
    head, _, data = by_kind["images"]["images"][0].partition(",")
    sent = base64.b64decode(data)
    assert head == "data:image/jpeg;base64" and b"taken at home" not in sent
    assert Image.open(io.BytesIO(sent)).size == (1536, 10)
    assert [part["type"] for part in by_kind["inputs"]["inputs"][0]["content"]] == ["text", "image_url"]
    assert by_kind["texts"]["texts"] == ["a cat"]


@pytest.mark.parametrize("shape", ["openai", "tei", "ollama"])
def test_a_shape_without_pictures_refuses_them_in_words(shape):
    with bad_endpoint(answers(shape)) as server:
        with pytest.raises(WorkbenchError, match="takes text, not image"):
            remote(server, shape, modalities=("text", "image"))
        with pytest.raises(WorkbenchError, match="is described as taking text, not pictures"):
            embedder(server, shape).encode_queries([Item(image=png_bytes())])
        assert not server.asked


def test_answers_in_another_order_are_put_right_by_their_index():
    def turned(handler: Any) -> None:
        value = written("openai", [vector_of(text).tolist() for text in inputs_of(handler.body)])
        value["data"].reverse()
        handler.send(json.dumps(value))

    with bad_endpoint(turned) as server:
        vectors = embedder(server).encode_queries(TEXTS)
    np.testing.assert_allclose(vectors, unit([item.text or "" for item in TEXTS]), atol=1e-6)


def test_base64_and_numbers_give_the_same_vectors():
    with bad_endpoint(answers("openai", change=as_base64)) as coded, bad_endpoint(answers("openai")) as plain:
        found = [embedder(server).encode_queries(TEXTS) for server in (coded, plain)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("shape", EMBEDDERS)
def test_a_batch_that_is_too_large_is_halved_and_the_size_remembered(shape):
    items = [Item(text=f"text {number}") for number in range(20)]
    with bad_endpoint(answers(shape, most=3)) as server:
        vectors = embedder(server, shape, batch_size=10, at_once=1).encode_documents(items)
        sizes = [len(inputs_of(body)) for body in server.asked]
    np.testing.assert_allclose(vectors, unit([item.text or "" for item in items]), atol=1e-6)
    assert sizes[:3] == [10, 5, 2] and max(sizes[3:]) == 2 and sum(sizes[2:]) == 20


def test_a_text_that_is_too_long_is_told_with_its_row_and_can_be_cut():
    items = [*TEXTS[:3], Item(text="long " * 100), TEXTS[4]]
    behaviour = answers("openai", longest=200)
    told = refused(behaviour, items=items).message
    assert (
        told.startswith("Row 4 (“long long") and "maximum context length is 8192" in told and "--longest-text" in told
    )
    with bad_endpoint(behaviour) as server:
        assert len(embedder(server, longest_text=100).encode_documents(items)) == 5


def test_a_stop_leaves_a_request_in_the_middle():
    def stop(done: int, total: int) -> None:
        raise Stopped

    with bad_endpoint(never_answers) as server, pytest.raises(Stopped):
        embedder(server).encode_queries(TEXTS, progress=stop)


def test_progress_ends_at_the_whole():
    told: list[tuple[int, int]] = []
    with bad_endpoint(answers("openai")) as server:
        embedder(server, batch_size=2).encode_queries(TEXTS, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)


def test_requests_are_spaced_out():
    now, waited = [100.0], []

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    async def turns(pacer: Pacer) -> None:
        for _ in range(3):
            await pacer.turn()

    asyncio.run(turns(Pacer(30, pause, lambda: now[0])))
    assert waited == [2.0, 2.0]
    asyncio.run(turns(Pacer(0, pause, lambda: now[0])))
    assert len(waited) == 2


def test_a_dimension_that_is_not_known_is_asked_for_once():
    with bad_endpoint(answers("ollama", dimension=12)) as server:
        toy = embedder(server, "ollama", size=None)
        assert (toy.dimension, toy.dimensions) == (12, [12])
        assert toy.encode_queries(TEXTS).shape == (5, 12)
        assert [len(inputs_of(body)) for body in server.asked] == [1, 5]
    assert not toy.arrived_normalised


def test_no_items_are_no_request():
    with bad_endpoint(answers("openai")) as server:
        assert embedder(server).encode_queries([]).shape == (0, DIMENSION)
        assert not server.asked


def test_it_can_be_asked_from_within_a_running_loop():
    async def work(server: BadEndpoint) -> np.ndarray:
        return embedder(server).encode_queries(TEXTS)

    with bad_endpoint(answers("openai")) as server:
        assert asyncio.run(work(server)).shape == (5, DIMENSION)


def test_there_is_no_model_to_train_or_look_into():
    with bad_endpoint(answers("openai")) as server, pytest.raises(WorkbenchError, match="lies behind an address"):
        _ = embedder(server).model
