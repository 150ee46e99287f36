"""Remote embedders of every shape: right vectors from a good server, and one sentence from a bad one."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import ssl
import subprocess
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import png_bytes
from tests.enrich.bad_endpoint import (
    BadEndpoint,
    Behaviour,
    bad_endpoint,
    drips,
    half_an_answer,
    hangs_up,
    never_answers,
    never_ends,
    sends,
)
from tests.models.fake_remote import DIMENSION, EMBEDDERS, answers, as_base64, inputs_of, vector_of, written
from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.models.remote import Remote, remote_of
from workbench.models.remote_embedder import RemoteEmbedder
from workbench.models.remote_http import EndpointError, Limits, Pacer

TEXTS = [Item(text=word) for word in ("one", "two", "three", "four", "five")]
SHORT = Limits(answer_seconds=0.3)


class Waits:
    """Notes how long it should have waited, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def remote(server: BadEndpoint, shape: str = "openai", **options: Any) -> Remote:
    address = server.address if shape == "openai" else server.address.removesuffix("/v1")
    described = {"name": "toy", "shape": shape, "address": address, "model": "toy-1", "size": DIMENSION}
    return remote_of({**described, **options})


def embedder(
    server: BadEndpoint, shape: str = "openai", *, limits: Limits | None = None, waits: Waits | None = None, **more: Any
) -> RemoteEmbedder:
    return RemoteEmbedder(remote(server, shape, **more), limits=limits, pause=waits or Waits())


def unit(texts: list[str]) -> np.ndarray:
    vectors = np.stack([vector_of(text) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def refused(behaviour: Behaviour, shape: str = "openai", items: list[Item] = TEXTS, **options: Any) -> EndpointError:
    with bad_endpoint(behaviour) as server, pytest.raises(EndpointError) as caught:
        embedder(server, shape, **options).encode_documents(items)
    return caught.value


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
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values[:-1], r"gave 4 answers to 5 inputs"),
        (lambda values: [*values, values[0]], r"gave 6 answers to 5 inputs"),
        (
            lambda values: [*values[:2], [float("nan")] * 8, *values[3:]],
            r"not numbers, or all zero, for Row 3 \(“three”",
        ),
        (lambda values: [*values[:2], [1e300] * 8, *values[3:]], r"not numbers, or all zero, for Row 3"),
        (lambda values: [[0.0] * 8, *values[1:]], r"not numbers, or all zero, for Row 1 \(“one”\)"),
        (lambda values: [values[0][:4], *values[1:]], r"vectors of different sizes: 4, 8"),
        (lambda values: [value[:4] for value in values], r"gave vectors of 4 numbers where 8 were expected"),
        (lambda values: [[] for _ in values], r"an empty vector for Row 1"),
        (lambda values: [None, *values[1:]], r"something else than a vector for Row 1"),
        (lambda values: [[values[0]], *values[1:]], r"something else than a vector for Row 1"),
        (lambda values: ["not base64!", *values[1:]], r"something else than a vector for Row 1"),
        (lambda values: [["a"] * 8, *values[1:]], r"something else than a vector for Row 1"),
    ],
)
def test_a_bad_vector_is_told_and_not_kept(shape, change, words):
    with pytest.raises(EndpointError, match=words):
        raise refused(answers(shape, change=change), shape)


@pytest.mark.parametrize("places", [[0, 0, 1, 2, 3], [1, 2, 3, 4, 5], [0, 1, 2, 3, -1], [0, 1, 2, 3, "4"]])
def test_places_that_are_missing_or_twice_are_told(places):
    rows = [{"index": place, "embedding": [1.0] * 8} for place in places]
    told = refused(sends(json.dumps({"data": rows}))).message
    assert "not one for each" in told or "not that of an endpoint of the shape openai" in told


@pytest.mark.parametrize("shape", EMBEDDERS)
@pytest.mark.parametrize(
    "body", ["{}", "null", "3", '"x"', '{"data": 1, "embeddings": 2}', '{"error": "no such model"}']
)
def test_json_of_another_shape_is_told(shape, body):
    told = refused(sends(body), shape).message
    assert f"not that of an endpoint of the shape {shape}" in told
    assert ("no such model" in told) == ("no such model" in body)


def test_a_web_page_half_an_answer_and_a_stream_are_told():
    assert "shows a web page" in refused(sends("<!doctype html><p>hi</p>", kind="text/html")).message
    assert "not whole JSON" in refused(sends('{"data": [')).message
    assert "sends a stream" in refused(sends("data: {}\n\n", kind="text/event-stream")).message
    for behaviour in (half_an_answer, hangs_up):
        assert "broke off in the middle" in refused(behaviour).message


@pytest.mark.parametrize("behaviour", [never_answers, drips])
def test_a_slow_server_is_left(behaviour):
    assert "did not answer within 0.3 seconds" in refused(behaviour, limits=SHORT).message


def test_an_answer_without_end_is_left():
    assert "does not end" in refused(never_ends, batch_size=1).message


def test_a_busy_server_is_given_the_time_it_asks_for():
    waits = Waits()
    busy, broken = sends('{"error": {"message": "Slow down"}}', 429, Retry_After="7"), sends("oops", 503)
    with bad_endpoint(busy, broken, answers("openai")) as server:
        assert len(embedder(server, waits=waits).encode_queries(TEXTS)) == 5
    assert waits.seconds == [7, 2]


def test_a_server_that_stays_busy_is_given_up():
    assert (
        "is asked too often (status 429). It says: “Slow down”" in refused(sends('{"error": "Slow down"}', 429)).message
    )
    assert "It asks to wait 60 minutes" in refused(sends("", 429, Retry_After="3600")).message


def test_money_that_is_used_up_is_not_waited_for():
    waits = Waits()
    told = '{"error": {"message": "You exceeded your current quota, please check your plan and billing details."}}'
    with bad_endpoint(sends(told, 429)) as server, pytest.raises(EndpointError, match="answers no more"):
        embedder(server, waits=waits).encode_queries(TEXTS)
    assert not waits.seconds


def test_a_limit_by_the_minute_is_waited_out():
    waits = Waits()
    with bad_endpoint(sends("", 429)) as server, pytest.raises(EndpointError):
        embedder(server, waits=waits, at_once=1).encode_queries(TEXTS)
    assert sum(waits.seconds) > 60


def test_nothing_is_followed_to_another_host():
    with bad_endpoint(answers("openai")) as other:
        told = refused(sends("", 307, Location=other.address + "/embeddings"), key_variable="").message
        assert "which is not followed" in told and not other.asked


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


def test_a_used_up_quota_is_no_matter_of_size():
    with bad_endpoint(sends('{"error": {"message": "You exceeded your current quota"}}', 400)) as server:
        with pytest.raises(EndpointError, match="exceeded your current quota"):
            embedder(server).encode_queries(TEXTS)
        assert len(server.asked) == 1


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


def test_a_plain_server_behind_an_https_address_is_told():
    with bad_endpoint(answers("openai")) as server:
        address = server.address.replace("http:", "https:")
        with pytest.raises(EndpointError, match="does not speak https"):
            embedder(server, address=address).encode_queries(TEXTS)


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path):
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        *files,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = BadEndpoint(answers("openai"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        address = server.address.replace("http:", "https:")
        with pytest.raises(EndpointError, match=r"certificate of https://127\.0\.0\.1:.* is not valid"):
            embedder(server, address=address).encode_queries(TEXTS)
        assert not server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nobody_there_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    described = remote_of({"name": "toy", "shape": "openai", "address": address, "model": "m", "size": 8})
    with pytest.raises(EndpointError, match="Nobody answers at"):
        RemoteEmbedder(described, pause=Waits()).encode_queries(TEXTS)
