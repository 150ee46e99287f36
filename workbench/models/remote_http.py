"""A server that the user names, asked with JSON: whatever it does wrong is told in one sentence.

Nobody there, slow, busy, half an answer, a web page, no end. Nothing is followed elsewhere, nothing is read without a
limit, and the key leaves this machine for nobody but the server it is meant for. Asking is asynchronous, so that a stop
need not wait for an answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Self, TypeVar

from workbench.errors import WorkbenchError
from workbench.models.remote_address import Advice, host_of, is_near

UNREACHABLE_ATTEMPTS = 4
LONGEST_WORDS = 200
# A 429 for money that is used up; waiting does not help.
NEVER_PASSES = re.compile(r"billing|credit|insufficient.quota", re.IGNORECASE)

Pause = Callable[[float], Awaitable[None]]
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How long and how much an endpoint may keep us. Times in seconds."""

    connect_seconds: float = 15.0
    answer_seconds: float = 300.0
    answer_bytes: int = 1 << 20
    longest_wait_seconds: float = 120.0
    busy_attempts: int = 6


@dataclass(frozen=True)
class Response:
    """One answer as it came."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class EndpointError(WorkbenchError):
    """The endpoint gave no answer. `final`: asking again, or for something else, would fare no better."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class PassingError(EndpointError):
    """A failure that may pass.

    attempts: how often to ask in all; if the last fares no better, `final` says whether that ends everything.
    wait_seconds: what the endpoint asks for, None where it says nothing.
    """

    def __init__(
        self, message: str, attempts: int = 2, *, final: bool = False, wait_seconds: float | None = None
    ) -> None:
        super().__init__(message, final=final)
        self.attempts, self.wait_seconds = attempts, wait_seconds


class Pacer:
    """Spaces requests out, so that no more than `a_minute` begin in a minute; 0 for no limit."""

    def __init__(self, a_minute: int, pause: Pause, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 60.0 / a_minute if a_minute else 0.0
        self._pause, self._clock, self._next = pause, clock, 0.0

    async def turn(self) -> None:
        """Wait until one more request may begin."""
        now = self._clock()
        begin = max(now, self._next)
        self._next = begin + self._gap
        if begin > now:
            await self._pause(begin - now)


class Client:
    """One server behind one address. Use it within `async with`.

    pause: how to wait, in seconds; tests put their own in its place. a_minute: so many requests at most; 0 for any.
    """

    def __init__(
        self,
        address: str,
        model: str,
        advice: Advice,
        *,
        key: str = "",
        limits: Limits | None = None,
        pause: Pause = asyncio.sleep,
        a_minute: int = 0,
    ) -> None:
        self.address, self.model, self.advice = address, model, advice
        self._key, self._limits, self._pause = key, limits or Limits(), pause
        self._pacer = Pacer(a_minute, pause)

    async def __aenter__(self) -> Self:
        import httpx

        # A proxy is for the world outside; a model on this machine is asked directly.
        near = is_near(host_of(self.address))
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx.Timeout(self._limits.answer_seconds, connect=self._limits.connect_seconds)
        self._client = httpx.AsyncClient(
            headers=headers, timeout=timeout, follow_redirects=False, trust_env=not near, verify=_trusted()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def retrying(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` returns; tries again, later and later, what may pass. Raises EndpointError in words."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await ask()
            except PassingError as error:
                wait = error.wait_seconds if error.wait_seconds is not None else min(30.0, 2.0 ** (attempt - 1))
                if wait > self._limits.longest_wait_seconds:
                    told = f"{error.message} It asks to wait {wait / 60:,.0f} minutes. Try again then."
                    raise EndpointError(told, final=True) from None
                if attempt >= error.attempts:
                    raise EndpointError(error.message, final=error.final) from None
            await self._pause(wait)

    async def post(self, path: str, body: dict[str, Any]) -> Response:
        """One request, and whatever the server answers. Raises EndpointError for what goes wrong on the way."""
        import httpx

        # Half a surrogate pair, as some uploads hold, cannot be sent.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"}
        await self._pacer.turn()
        try:
            async with (
                asyncio.timeout(self._limits.answer_seconds),
                self._client.stream("POST", self.address + path, content=content, headers=headers) as response,
            ):
                if "event-stream" in response.headers.get("content-type", ""):
                    raise EndpointError("The endpoint sends a stream, though none was asked for.", final=True)
                return Response(response.status_code, response.headers, await self._whole(response.aiter_bytes()))
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise PassingError(
                f"The endpoint did not answer within {self._limits.answer_seconds:g} seconds. It may be loading "
                "the model, or be too busy."
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(str(error)) from None
        except httpx.RequestError:
            raise PassingError("The endpoint broke off in the middle of its answer.", 3) from None
        except (httpx.InvalidURL, UnicodeError):
            raise EndpointError(f"“{self.address}” is no address. {self.advice.address}", final=True) from None

    async def _whole(self, parts: Any) -> bytes:
        data = bytearray()
        async for part in parts:
            data += part
            if len(data) > self._limits.answer_bytes:
                raise EndpointError(f"The endpoint's answer does not end: it was left after {len(data):,} bytes.")
        return bytes(data)

    def _unreachable(self, reason: str) -> EndpointError:
        if "CERTIFICATE" in reason.upper():
            return EndpointError(f"The certificate of {self.address} is not valid.", final=True)
        if "SSL" in reason.upper():
            return EndpointError(f"{self.address} does not speak https. Is it an http address?", final=True)
        return PassingError(
            f"Nobody answers at {self.address}. Is the server running, and the address right?",
            UNREACHABLE_ATTEMPTS,
            final=True,
        )

    def refusal(self, response: Response) -> EndpointError:
        """The error for a status that is not 200."""
        status, told = response.status, self.told(response.data)
        said = f" It says: “{told}”." if told else ""
        if status == 429 and NEVER_PASSES.search(told):
            return EndpointError(f"The endpoint answers no more (status {status}).{said}", final=True)
        if status in (408, 409, 425, 429) or status >= 500:
            busy = "is asked too often" if status == 429 else "has an error of its own"
            wait = _retry_after(response.headers.get("retry-after"))
            attempts = self._limits.busy_attempts
            return PassingError(f"The endpoint {busy} (status {status}).{said}", attempts, wait_seconds=wait)
        if status in (401, 403):
            return EndpointError(
                f"The endpoint refuses to answer without a right key ({status}). {self.advice.key}", final=True
            )
        if status == 404:
            return EndpointError(
                f"{self.address} has no model “{self.model}”, or is not the right address (404).{said} "
                f"{self.advice.address}",
                final=True,
            )
        if 300 <= status < 400:
            place = self.scrubbed(response.headers.get("location", ""))[:LONGEST_WORDS]
            return EndpointError(
                f"The endpoint sends us on to “{place}”, which is not followed. Give the address it is now at.",
                final=True,
            )
        return EndpointError(f"The endpoint refuses this request (status {status}).{said}")

    def value(self, response: Response) -> Any:
        """The JSON in the body of an answer. Raises EndpointError in words."""
        kind, data = response.kind, response.data
        if kind == "text/html" or data.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
            raise EndpointError(f"That address shows a web page and is no endpoint. {self.advice.address}", final=True)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            if kind not in ("", "application/json"):
                told = self.scrubbed(kind)[:60]
                raise EndpointError(f"The endpoint answers with “{told}” and not with JSON.") from None
            raise PassingError("The endpoint's answer is not whole JSON.") from None

    def told(self, data: bytes) -> str:
        """The words in the body of a refusal, one line of at most 200 characters; "" if there are none."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return ""
        for name in ("error", "message", "detail"):
            value = value.get(name, value) if isinstance(value, dict) else value
        if not isinstance(value, str):
            return ""
        line = " ".join("".join(letter if letter.isprintable() else " " for letter in self.scrubbed(value)).split())
        return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"

    def scrubbed(self, words: str) -> str:
        """The words without the key: some servers repeat it in what they say, which may end up in a log."""
        return words.replace(self._key, "...") if self._key else words


@cache
def _trusted() -> Any:
    """The certificates that are trusted. Read once: it takes longer than a request to a server that is near."""
    import httpx

    return httpx.create_ssl_context()


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
