"""An OpenAI-compatible endpoint that the user names, asked for one chat completion at a time.

Whatever it does wrong is told in one sentence: nobody there, slow, busy, half an answer, a web page, no end. Nothing
is followed elsewhere, nothing is read without a limit, and the key leaves this machine for nobody but the endpoint
it is meant for. Asking is asynchronous, so that a stop need not wait for an answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError

KEY_VARIABLE, OPENAI_KEY_VARIABLE = "WORKBENCH_ENDPOINT_KEY", "OPENAI_API_KEY"
HOST_VARIABLE = "WORKBENCH_ENDPOINT_HOST"
OPENAI_HOST = "api.openai.com"
PATH = "/chat/completions"
METADATA_HOSTS = ("169.254.169.254", "metadata.google.internal", "fd00:ec2::254")
BUSY_ATTEMPTS, UNREACHABLE_ATTEMPTS = 6, 4
ADVICE = "An address looks like http://localhost:11434/v1 for Ollama, or http://localhost:8000/v1 for vLLM."

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """How long and how much an endpoint may keep us. Times in seconds."""

    connect_seconds: float = 15.0
    answer_seconds: float = 300.0
    answer_bytes: int = 1 << 20
    longest_wait_seconds: float = 120.0


@dataclass(frozen=True)
class Answer:
    """What the model said. cut: it came to the limit of tokens before it was done."""

    text: str
    cut: bool = False


class EndpointError(WorkbenchError):
    """The endpoint gave no answer. `final`: asking again, or for something else, would fare no better."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class _Passing(EndpointError):
    """A failure that may pass.

    attempts: how often to ask in all; if the last fares no better, `final` says whether that ends everything.
    wait_seconds: what the endpoint asks for, None where it says nothing.
    """

    def __init__(
        self, message: str, attempts: int = 2, *, final: bool = False, wait_seconds: float | None = None
    ) -> None:
        super().__init__(message, final=final)
        self.attempts, self.wait_seconds = attempts, wait_seconds


def check_address(address: str) -> str:
    """The address without the slash, or the path of the call, at its end.

    Raises WorkbenchError unless it is a plain http(s) address: a password or key in it would end up in job.json.
    """
    address = address.strip().rstrip("/").removesuffix(PATH)
    try:
        parts = urlsplit(address)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise WorkbenchError(f"“{address[:200]}” is no address. {ADVICE}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok or not address.isprintable():
        raise WorkbenchError(f"“{address[:200]}” is no http or https address. {ADVICE}")
    if parts.username or parts.password or parts.query or parts.fragment or "@" in address:
        raise WorkbenchError(
            f"The address of the endpoint must hold no password, key or “?”. Put the key into {KEY_VARIABLE} before "
            "the workbench is started."
        )
    if parts.hostname.lower() in METADATA_HOSTS:
        raise WorkbenchError(f"“{parts.hostname}” holds the secrets of a cloud machine and is never asked.")
    return address


def key_for(address: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key to send to an endpoint, from the environment; "" for none.

    WORKBENCH_ENDPOINT_KEY goes to the endpoint that is named, or where WORKBENCH_ENDPOINT_HOST is set to that host
    alone. OPENAI_API_KEY goes to OpenAI alone: whoever may type an address here must not get it sent to his own.
    Raises WorkbenchError where the key would travel over the open network unencrypted.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    only = environment.get(HOST_VARIABLE, "").strip().lower()
    key = environment.get(KEY_VARIABLE, "").strip() if only in ("", host) else ""
    if not key and host == OPENAI_HOST:
        key = environment.get(OPENAI_KEY_VARIABLE, "").strip()
    if key and parts.scheme == "http" and not _is_near(host):
        raise WorkbenchError(f"The key would reach “{host}” unencrypted. Use its https address, or unset the key.")
    if key and not (key.isascii() and key.isprintable()):
        raise WorkbenchError(f"The key in {KEY_VARIABLE} holds characters that no key has. Set it again.")
    return key


def _is_near(host: str) -> bool:
    """Whether a host is this machine or one of the local network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa", ".localhost"))


class Endpoint:
    """One model behind one address. Use it within `async with`.

    pause: how to wait, in seconds; tests put their own in its place.
    """

    def __init__(
        self, address: str, model: str, *, key: str = "", limits: Limits | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self.address, self.model = check_address(address), model
        self._key, self._limits, self._pause = key, limits or Limits(), pause
        self._limit_name, self._temperature = "max_tokens", True

    async def __aenter__(self) -> Endpoint:
        import httpx

        # A proxy is for the world outside; a model on this machine is asked directly.
        near = _is_near((urlsplit(self.address).hostname or "").lower())
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx.Timeout(self._limits.answer_seconds, connect=self._limits.connect_seconds)
        self._client = httpx.AsyncClient(
            headers=headers, timeout=timeout, follow_redirects=False, trust_env=not near, verify=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def complete(self, messages: list[dict[str, Any]], answer_tokens: int) -> Answer:
        """What the model answers; tries again, later and later, what may pass. Raises EndpointError in words."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._ask(messages, answer_tokens)
            except _Passing as error:
                wait = error.wait_seconds if error.wait_seconds is not None else min(30.0, 2.0 ** (attempt - 1))
                if wait > self._limits.longest_wait_seconds:
                    told = f"{error.message} It asks to wait {wait / 60:,.0f} minutes. Try again then."
                    raise EndpointError(told, final=True) from None
                if attempt >= error.attempts:
                    raise EndpointError(error.message, final=error.final) from None
            await self._pause(wait)

    async def _ask(self, messages: list[dict[str, Any]], answer_tokens: int) -> Answer:
        for _ in range(3):  # some models know a setting by another name, or not at all
            body = {"model": self.model, "messages": messages, self._limit_name: answer_tokens, "stream": False}
            if self._temperature:
                body["temperature"] = 0.7
            status, headers, data = await self._post(body)
            if status != 400 or not self._understood_otherwise(data):
                break
        if status != 200:
            raise self._refusal(status, headers, data)
        return _answer(headers.get("content-type", ""), data)

    async def _post(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one request. Raises EndpointError for what goes wrong on the way."""
        import httpx

        # Half a surrogate pair, as some uploads hold, cannot be sent.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                async with self._client.stream(
                    "POST", self.address + PATH, content=content, headers={"Content-Type": "application/json"}
                ) as response:
                    if "event-stream" in response.headers.get("content-type", ""):
                        raise EndpointError("The endpoint sends a stream, though none was asked for.", final=True)
                    data = b""
                    async for part in response.aiter_bytes():
                        data += part
                        if len(data) > self._limits.answer_bytes:
                            raise EndpointError(
                                f"The endpoint's answer does not end: it was left after {len(data):,} bytes."
                            )
                    # Some repeat the key in what they say, which may end up in a log.
                    data = data.replace(self._key.encode(), b"...") if self._key else data
                    return response.status_code, response.headers, data
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise _Passing(
                f"The endpoint did not answer within {self._limits.answer_seconds:g} seconds. It may be loading "
                "the model, or be too busy."
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE" in str(error).upper():
                raise EndpointError(f"The certificate of {self.address} is not valid.", final=True) from None
            raise _Passing(
                f"Nobody answers at {self.address}. Is the server running, and the address right?",
                UNREACHABLE_ATTEMPTS,
                final=True,
            ) from None
        except httpx.RequestError:
            raise _Passing("The endpoint broke off in the middle of its answer.", 3) from None
        except (httpx.InvalidURL, UnicodeError):
            raise EndpointError(f"“{self.address}” is no address. {ADVICE}", final=True) from None

    def _understood_otherwise(self, data: bytes) -> bool:
        """Whether a refusal names a setting of ours that can be given in another way; remembers that way."""
        told = _told(data)
        if "max_tokens" in told and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        if "temperature" in told and self._temperature:
            self._temperature = False
            return True
        return False

    def _refusal(self, status: int, headers: Mapping[str, str], data: bytes) -> EndpointError:
        """The error for a status that is not 200."""
        told = _told(data)
        said = f" It says: “{told}”." if told else ""
        if status in (408, 409, 425, 429) or status >= 500:
            busy = "is asked too often" if status == 429 else "has an error of its own"
            wait = _retry_after(headers.get("retry-after"))
            return _Passing(f"The endpoint {busy} (status {status}).{said}", BUSY_ATTEMPTS, wait_seconds=wait)
        if status in (401, 403):
            advice = f"Put a key that it knows into {KEY_VARIABLE} before the workbench is started."
            return EndpointError(f"The endpoint refuses to answer without a right key ({status}). {advice}", final=True)
        if status == 404:
            return EndpointError(
                f"{self.address} has no model “{self.model}”, or is not the right address (404).{said} {ADVICE}",
                final=True,
            )
        if 300 <= status < 400:
            place = headers.get("location", "")[:200]
            return EndpointError(
                f"The endpoint sends us on to “{place}”, which is not followed. Give the address it is now at.",
                final=True,
            )
        return EndpointError(f"The endpoint refuses this request (status {status}).{said}")


def _answer(content_type: str, data: bytes) -> Answer:
    """The answer in the body of a response. Raises EndpointError in words."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/html" or data.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise EndpointError(f"That address shows a web page and is no endpoint. {ADVICE}", final=True)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        if kind not in ("", "application/json"):
            raise EndpointError(f"The endpoint answers with “{kind[:60]}” and not with JSON.") from None
        raise _Passing("The endpoint's answer is not whole JSON.") from None
    try:
        choice = value["choices"][0]
        content = choice["message"]["content"]
    except (KeyError, IndexError, TypeError):
        error = _told(data)
        said = f" It says: “{error}”." if error else " Is it an OpenAI-compatible one?"
        raise EndpointError(f"The endpoint's answer is JSON without an answer of the model in it.{said}") from None
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if not isinstance(content, str) or not content.strip():
        raise EndpointError("The model gave an empty answer.")
    return Answer(content, cut=choice.get("finish_reason") == "length")


def _told(data: bytes) -> str:
    """The words in the body of a refusal, one line of at most 200 characters; "" if there are none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        value = value.get(name, value) if isinstance(value, dict) else value
    if not isinstance(value, str):
        return ""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    return line if len(line) <= 200 else line[:199] + "…"


def _retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks to wait, given as a number or as a date; None if it says nothing."""
    if not value:
        return None
    try:
        return max(0.0, float(value)) if value.strip().lower() not in ("nan", "inf", "infinity") else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
