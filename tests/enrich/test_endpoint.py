"""An endpoint that misbehaves, in every way we know: each is told in words, and nothing waits or reads for ever."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from email.utils import formatdate
from typing import Any

import pytest

from tests.enrich.bad_endpoint import (
    BadEndpoint,
    bad_endpoint,
    completion,
    drips,
    half_an_answer,
    hangs_up,
    never_answers,
    never_ends,
    says,
    sends,
)
from workbench.enrich.endpoint import Answer, Endpoint, EndpointError, Limits, check_address, key_for
from workbench.errors import WorkbenchError

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
PATIENT, SHORT = Limits(), Limits(answer_seconds=0.3)


class Waits:
    """Notes how long it should have waited, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def ask(address: str, *, key: str = "", limits: Limits = PATIENT, waits: Waits | None = None) -> Answer:
    async def work() -> Answer:
        async with Endpoint(address, "toy", key=key, limits=limits, pause=waits or Waits()) as endpoint:
            return await endpoint.complete(MESSAGES, 50)

    return asyncio.run(work())


def refused(server: BadEndpoint, **options: Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        ask(server.address, **options)
    return caught.value


def test_a_good_answer_needs_one_request():
    with bad_endpoint(says("yes")) as server:
        assert ask(server.address, key="secret") == Answer("yes")
        assert server.paths == ["/v1/chat/completions"]
        assert server.asked == [
            {"model": "toy", "messages": MESSAGES, "max_tokens": 50, "stream": False, "temperature": 0.7}
        ]
        assert server.headers[0]["Authorization"] == "Bearer secret"


def test_no_key_no_authorization():
    with bad_endpoint(says([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}])) as server:
        assert ask(server.address + "/").text == "in parts"
        assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("behaviour", [never_answers, drips])
def test_a_slow_endpoint_is_left_and_asked_once_more(behaviour):
    started = time.monotonic()
    with bad_endpoint(behaviour) as server:
        error = refused(server, limits=SHORT)
        assert len(server.asked) == 2
    assert error.message.startswith("The endpoint did not answer within 0.3 seconds. It may be loading")
    assert time.monotonic() - started < 10


def test_an_answer_without_end_is_left():
    with bad_endpoint(never_ends) as server:
        assert refused(server, limits=Limits(answer_bytes=200_000)).message.startswith(
            "The endpoint's answer does not end: it was left after 2"
        )
        assert len(server.asked) == 1


def test_a_busy_endpoint_is_given_the_time_it_asks_for():
    waits = Waits()
    busy = sends('{"error": {"message": "Slow down"}}', 429, Retry_After="7")
    dated = sends("", 429, Retry_After=formatdate(time.time() + 30, usegmt=True))
    with bad_endpoint(busy, dated, sends("", 429, Retry_After="soon"), says("done")) as server:
        assert ask(server.address, waits=waits).text == "done"
    assert waits.seconds[0] == 7
    assert 25 < waits.seconds[1] <= 30
    assert waits.seconds[2] == 4


def test_an_endpoint_that_stays_busy_is_given_up():
    waits = Waits()
    with bad_endpoint(sends('{"error": {"message": "Slow\\ndown"}}', 429)) as server:
        error = refused(server, waits=waits)
        assert len(server.asked) == 6
    assert waits.seconds == [1, 2, 4, 8, 16]
    assert error.message == "The endpoint is asked too often (status 429). It says: “Slow down”."
    assert not error.final


def test_an_endpoint_that_wants_an_hour_is_not_waited_for():
    waits = Waits()
    with bad_endpoint(sends("", 429, Retry_After="3600")) as server:
        error = refused(server, waits=waits)
    assert error.final and not waits.seconds
    assert error.message.endswith("It asks to wait 60 minutes. Try again then.")


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_an_error_of_the_endpoint_may_pass(status):
    with bad_endpoint(sends("<html>oops</html>", status, "text/html"), says("done")) as server:
        assert ask(server.address).text == "done"


@pytest.mark.parametrize("behaviour", [half_an_answer, hangs_up])
def test_half_an_answer_is_asked_for_again_and_then_told(behaviour):
    with bad_endpoint(behaviour, says("whole")) as server:
        assert ask(server.address).text == "whole"
    with bad_endpoint(behaviour) as server:
        assert refused(server).message == "The endpoint broke off in the middle of its answer."
        assert len(server.asked) == 3


def test_half_an_answer_that_claims_to_be_whole_is_told():
    with bad_endpoint(sends(completion("x")[:30])) as server:
        assert refused(server).message == "The endpoint's answer is not whole JSON."


@pytest.mark.parametrize(
    "body",
    ["{}", "[]", "null", '{"choices": []}', '{"choices": [{"message": {}}]}', '{"choices": {"message": 1}}'],
)
def test_json_without_an_answer_is_told(body):
    with bad_endpoint(sends(body)) as server:
        assert "JSON without an answer of the model in it. Is it an OpenAI-compatible one?" in refused(server).message


def test_deeply_nested_json_is_told():
    with bad_endpoint(sends("[" * 100_000)) as server:
        assert refused(server).message == "The endpoint's answer is not whole JSON."


def test_an_error_within_a_good_status_is_told():
    with bad_endpoint(sends('{"error": {"message": "model is loading"}}')) as server:
        assert refused(server).message.endswith("It says: “model is loading”.")


@pytest.mark.parametrize("content", [None, "", "  ", 5, [], {"a": 1}])
def test_an_empty_answer_is_told(content):
    with bad_endpoint(says(content)) as server:
        assert refused(server).message == "The model gave an empty answer."


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_web_page_is_no_endpoint(kind):
    with bad_endpoint(sends("<!DOCTYPE html><html></html>", kind=kind)) as server:
        error = refused(server)
    assert error.final
    assert error.message.startswith("That address shows a web page and is no endpoint. An address looks like")


def test_a_wrong_content_type_is_told_and_forgiven_where_the_answer_is_right():
    with bad_endpoint(sends(b"\x89PNG\r\n", kind="image/png")) as server:
        assert refused(server).message == "The endpoint answers with “image/png” and not with JSON."
    with bad_endpoint(sends(completion("fine"), kind="text/plain")) as server:
        assert ask(server.address).text == "fine"


def test_a_stream_is_refused():
    with bad_endpoint(sends("data: {}\n\n", kind="text/event-stream")) as server:
        assert refused(server).message == "The endpoint sends a stream, though none was asked for."


def test_nobody_there_is_told_and_final():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    waits = Waits()
    with pytest.raises(EndpointError, match=r"Nobody answers at http://127.0.0.1:.*Is the server running") as caught:
        ask(address, waits=waits)
    assert caught.value.final and waits.seconds == [1, 2, 4]


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_told_without_the_key(status):
    with bad_endpoint(sends('{"error": {"message": "bad key hush-hush"}}', status)) as server:
        error = refused(server, key="hush-hush")
    assert error.final and "hush" not in error.message
    assert "Put a key that it knows into WORKBENCH_ENDPOINT_KEY" in error.message


def test_a_key_that_the_endpoint_repeats_is_not_told():
    with bad_endpoint(sends('{"error": {"message": "hush-hush is over its limit"}}', 429)) as server:
        assert "It says: “... is over its limit”" in refused(server, key="hush-hush").message


def test_a_model_that_is_not_there_is_told():
    with bad_endpoint(sends('{"error": "model \'toy\' not found"}', 404)) as server:
        error = refused(server)
    assert error.final and "has no model “toy”" in error.message and "model 'toy' not found" in error.message


def test_nothing_is_followed_elsewhere():
    with bad_endpoint(says("stolen")) as other, bad_endpoint(sends("", 307, Location=other.address)) as server:
        error = refused(server, key="secret")
        assert error.final and f"sends us on to “{other.address}”, which is not followed" in error.message
        assert not other.asked


def test_a_refused_request_is_told_and_not_repeated():
    with bad_endpoint(sends('{"error": {"message": "no pictures here"}}', 400)) as server:
        error = refused(server)
        assert len(server.asked) == 1
    assert error.message == "The endpoint refuses this request (status 400). It says: “no pictures here”."


def test_settings_that_a_model_does_not_take_are_given_otherwise_and_remembered():
    tokens = sends('{"error": {"message": "Unsupported parameter: max_tokens. Use max_completion_tokens."}}', 400)
    heat = sends('{"error": {"message": "temperature does not support 0.7"}}', 400)
    with bad_endpoint(tokens, heat, says("a")) as server:
        assert ask(server.address).text == "a"
        assert server.asked[2] == {
            "model": "toy",
            "messages": MESSAGES,
            "max_completion_tokens": 50,
            "stream": False,
        }


def test_a_cut_answer_says_so():
    with bad_endpoint(says("{", "length")) as server:
        assert ask(server.address) == Answer("{", cut=True)


def test_half_a_surrogate_pair_is_sent_as_a_question_mark():
    async def work(address: str) -> Answer:
        async with Endpoint(address, "toy") as endpoint:
            return await endpoint.complete([{"role": "user", "content": "a\ud800b"}], 5)

    with bad_endpoint(says("ok")) as server:
        assert asyncio.run(work(server.address)).text == "ok"
        assert server.asked[0]["messages"][0]["content"] == "a?b"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:11434",
        "ftp://host/v1",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://host:99999999",
        "http://user:pw@host/v1",
        "http://host/v1?key=abc",
        "http://host/v1#x",
        "http://ho\nst/v1\r\nX: y",
        "javascript:alert(1)",
        "http://169.254.169.254/latest",
    ],
)
def test_what_is_no_plain_address_is_refused(address):
    with pytest.raises(WorkbenchError):
        check_address(address)


def test_an_address_is_taken_with_or_without_the_path_of_the_call():
    assert check_address(" http://localhost:11434/v1/chat/completions ") == "http://localhost:11434/v1"
    assert check_address("https://host/v1/") == "https://host/v1"


def test_keys_come_from_the_environment_and_go_only_where_they_belong():
    mine = {"WORKBENCH_ENDPOINT_KEY": "mine", "OPENAI_API_KEY": "openai"}
    assert key_for("http://localhost:11434/v1", mine) == "mine"
    assert key_for("https://models.example/v1", mine) == "mine"
    assert key_for("https://api.openai.com/v1", {"OPENAI_API_KEY": "openai"}) == "openai"
    assert key_for("https://models.example/v1", {"OPENAI_API_KEY": "openai"}) == ""
    bound = {**mine, "WORKBENCH_ENDPOINT_HOST": "Models.example"}
    assert key_for("https://models.example/v1", bound) == "mine"
    assert key_for("https://evil.example/v1", bound) == ""
    assert key_for("https://api.openai.com/v1", bound) == "openai"
    assert key_for("http://10.0.0.5:8000/v1", mine) == key_for("http://gpu-box:8000/v1", mine) == "mine"
    with pytest.raises(WorkbenchError, match="unencrypted"):
        key_for("http://models.example/v1", mine)
    with pytest.raises(WorkbenchError, match="characters that no key has"):
        key_for("http://localhost/v1", {"WORKBENCH_ENDPOINT_KEY": "a\nb"})


def test_cancelling_does_not_wait_for_the_answer():
    async def work(address: str) -> None:
        async with Endpoint(address, "toy") as endpoint:
            await asyncio.wait_for(endpoint.complete(MESSAGES, 5), 0.2)

    started = time.monotonic()
    with bad_endpoint(never_answers) as server, pytest.raises(TimeoutError):
        asyncio.run(work(server.address))
    assert time.monotonic() - started < 5


def test_the_body_is_json_that_says_what_it_is():
    with bad_endpoint(says("ok")) as server:
        ask(server.address)
        assert server.headers[0]["Content-Type"] == "application/json"
        assert json.dumps(server.asked[0])
