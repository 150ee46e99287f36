"""Servers of remote embedders that misbehave, in every way we know: one sentence each, and nothing bad is kept."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading

import pytest

from tests.enrich.bad_endpoint import (
    BadEndpoint,
    bad_endpoint,
    drips,
    half_an_answer,
    hangs_up,
    never_answers,
    never_ends,
    sends,
)
from tests.models.fake_remote import EMBEDDERS, answers
from tests.models.remote_toys import SHORT, TEXTS, Waits, embedder, refused
from workbench.models.remote import remote_of
from workbench.models.remote_embedder import RemoteEmbedder
from workbench.models.remote_http import EndpointError


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


def test_a_used_up_quota_is_no_matter_of_size():
    with bad_endpoint(sends('{"error": {"message": "You exceeded your current quota"}}', 400)) as server:
        with pytest.raises(EndpointError, match="exceeded your current quota"):
            embedder(server).encode_queries(TEXTS)
        assert len(server.asked) == 1


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
