"""Many inputs for a remote model: a batch a request, several requests at once, in halves where a batch is too large."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from workbench.models.remote import Remote
from workbench.models.remote_http import Client, EndpointError, Limits, Pause, Response
from workbench.models.remote_keys import checked_key, key_of
from workbench.models.remote_shapes import Asked

Progress = Callable[[int, int], None]
T = TypeVar("T")

STOP_SECONDS = 0.2
# As JSON a number takes about 12 bytes, and no model known gives more numbers than this.
NUMBER_BYTES, MOST_NUMBERS, SPARE_BYTES = 32, 16384, 1 << 20
TOO_LARGE = re.compile(
    r"too (long|large|many|big)|maximum|exceed|at most|less than|longer than|batch size|context length|token limit",
    re.IGNORECASE,
)
OTHER_LIMITS = re.compile(r"quota|credit|billing|rate limit|per minute|dimension", re.IGNORECASE)


class TooLargeError(EndpointError):
    """The server takes no request of this size. `said`: in its own words."""

    def __init__(self, said: str) -> None:
        super().__init__(f"The endpoint does not take so much at once. {said}".strip())
        self.said = said


class RemoteClient(Client):
    """The server of one remote model, asked in the shape of its requests. key: else the one of its environment."""

    def __init__(
        self, remote: Remote, *, key: str = "", limits: Limits | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self.remote, self.shape = remote, remote.described_shape
        super().__init__(
            remote.address,
            remote.model or remote.name,
            self.shape.advice(remote.name),
            key=checked_key(remote, key) or key_of(remote),
            limits=limits or _limits(remote),
            pause=pause,
            a_minute=remote.a_minute,
        )

    async def ask(self, asked: Asked, side: str) -> list[Any]:
        """The raw vectors or scores of the inputs, in their order. Raises EndpointError in words."""
        # A picture's own kind of input goes before that of its side; nothing else in `body` can be set by the user.
        body = {**self.remote.fields_of(side), **self.shape.body(asked)}
        return await self.retrying(lambda: self._ask(body, len(asked.inputs)))

    async def _ask(self, body: dict[str, Any], count: int) -> list[Any]:
        response = await self.post(self.shape.path, body)
        if response.status != 200:
            told = self.told(response.data)
            if is_too_large(response.status, told):
                raise TooLargeError(f"It says: “{told}”." if told else f"(Status {response.status}.)")
            raise self.refusal(response)
        return self._found(response, count)

    def _found(self, response: Response, count: int) -> list[Any]:
        value = self.value(response)
        try:
            found = self.shape.read(value, count)
        except (KeyError, TypeError, IndexError):
            told = self.told(response.data)
            said = f" It says: “{told}”." if told else ""
            raise EndpointError(
                f"The endpoint's answer is JSON, but not that of an endpoint of the shape {self.shape.name}.{said}"
            ) from None
        except ValueError as error:
            raise EndpointError(f"The endpoint gave {error}.") from None
        if len(found) != count:
            raise EndpointError(f"The endpoint gave {len(found):,} answers to {count:,} inputs.")
        return found


def is_too_large(status: int, told: str) -> bool:
    """Whether a refusal says that the request was too large, so that half of it may be taken."""
    if status == 413:
        return True
    if status == 429:  # a request larger than what may be sent in a minute never passes
        return "request too large" in told.lower()
    return status in (400, 422, 500) and bool(TOO_LARGE.search(told)) and not OTHER_LIMITS.search(told)


async def ask_all(
    batches: Iterable[np.ndarray],
    ask: Callable[[np.ndarray], Awaitable[None]],
    too_long: Callable[[int, str], EndpointError],
    *,
    at_once: int,
    progress: Progress | None = None,
) -> None:
    """Call `ask` with every batch of rows, several at once; a batch that is too large is asked for in halves.

    too_long(row, said): the error for a single row that is too large. progress(done, total) is called a few times a
    second and may raise Stopped: then whatever is being waited for is left.
    """
    waiting = deque(batches)
    total, done = sum(map(len, waiting)), 0
    most = max(map(len, waiting), default=0)

    async def work() -> None:
        nonlocal done, most
        while waiting:
            rows = waiting.popleft()
            if len(rows) > most:  # what was found too large once is not tried again
                waiting.appendleft(rows[most:])
                rows = rows[:most]
            try:
                await ask(rows)
            except TooLargeError as error:
                if len(rows) == 1:
                    raise too_long(int(rows[0]), error.said) from None
                most = min(most, len(rows) // 2)
                waiting.appendleft(rows)
                continue
            done += len(rows)

    def report() -> None:
        if progress is not None:
            progress(done, total)

    await _watched([work() for _ in range(min(at_once, max(1, total)))], report)


async def _watched(works: list[Coroutine[Any, Any, None]], report: Callable[[], None]) -> None:
    """Do all works side by side; the first error, or one that `report` raises, ends the others at once."""
    tasks = {asyncio.ensure_future(work) for work in works}
    pending = tasks
    try:
        while pending:
            finished, pending = await asyncio.wait(pending, timeout=STOP_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
            for task in finished:
                task.result()
            report()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of asynchronous work, from wherever it is asked for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, work).result()


def _limits(remote: Remote) -> Limits:
    numbers = (remote.dimension or remote.size or MOST_NUMBERS) if remote.kind == "embedder" else 64
    most = remote.batch_size or remote.described_shape.batch
    # Limits of a service are often by the minute, so a whole one is waited out.
    return Limits(answer_seconds=120.0, answer_bytes=SPARE_BYTES + most * numbers * NUMBER_BYTES, busy_attempts=8)
