"""Every medium of a collection decoded once, a few at a time, whatever several checks want to know of it."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from workbench.doctor.examined import Examined
from workbench.doctor.near import normalised
from workbench.errors import WorkbenchError

WORKERS = max(1, min(4, os.cpu_count() or 1))
WAITING = 3 * WORKERS  # encoded media in memory
REPORT_EVERY = 50
NOUNS = {"image": ("picture", "pictures"), "audio": ("sound", "sounds"), "video": ("video", "videos")}

Look = TypeVar("Look")


@dataclass(frozen=True)
class Looked(Generic[Look]):
    """The media of a side that can be decoded, in the order of the table, and the reason for those that cannot.

    contexts: what must be equal beside the medium, as `contexts` numbers it.
    """

    ids: list[str]
    looks: list[Look]
    contexts: np.ndarray
    unreadable: dict[str, str]


def looked_at(examined: Examined, side: str, modality: str, look: Callable[[bytes], Look]) -> Looked[Look]:
    """All media of one kind of a side, each decoded once however many checks ask."""

    def make() -> Looked[Look]:
        found: dict[str, Look] = {}
        unreadable: dict[str, str] = {}
        for identifier, seen in looks(examined, side, modality, look):
            if isinstance(seen, WorkbenchError):
                unreadable[identifier] = seen.message
            else:
                found[identifier] = seen
        context = contexts(examined, side, modality)
        numbers = np.array([context[identifier] for identifier in found], np.int64)
        return Looked(list(found), list(found.values()), numbers, unreadable)

    looked: Looked[Look] = examined.kept(("streaming", modality, side), make)
    return looked


def looks(
    examined: Examined, side: str, modality: str, look: Callable[[bytes], Look]
) -> Iterator[tuple[str, Look | WorkbenchError]]:
    """The id of each item of a side that has this medium, and what `look` says of its bytes, in the order of the table.

    `look` runs in threads; the WorkbenchError that it raises for a medium that cannot be decoded comes back in its
    place, as does one for an item that should have the medium and holds no bytes.
    """
    expected = ids_with(examined, side, modality)
    if not expected:
        return
    seen = 0
    note = f"Looking at the {NOUNS[modality][1]}"
    waiting: deque[tuple[str, Future[Look | WorkbenchError]]] = deque()

    def guarded(data: bytes) -> Look | WorkbenchError:
        try:
            return look(data)
        except WorkbenchError as error:
            # The words alone: the exception would keep the decoded medium alive.
            return WorkbenchError(error.message)

    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for identifier, data in examined.media(side, modality):
                while expected[seen] != identifier:  # `media` passes over items without bytes
                    waiting.append((expected[seen], _done(WorkbenchError("there is nothing in it: 0 bytes."))))
                    seen += 1
                waiting.append((identifier, pool.submit(guarded, data)))
                seen += 1
                if seen % REPORT_EVERY == 0:
                    examined.progress(seen, len(expected), note)
                while len(waiting) > WAITING:
                    first, result = waiting.popleft()
                    yield first, result.result()
            for identifier, result in waiting:
                yield identifier, result.result()
            for identifier in expected[seen:]:
                yield identifier, WorkbenchError("there is nothing in it: 0 bytes.")
        finally:
            for _, result in waiting:
                result.cancel()


def _done(error: WorkbenchError) -> Future:  # type: ignore[type-arg]
    finished: Future[WorkbenchError] = Future()
    finished.set_result(error)
    return finished


def ids_with(examined: Examined, side: str, modality: str) -> list[str]:
    """The ids of the items of a side that have this medium, alone or among others, in the order of the table."""
    has = {kind: modality in kind.split("+") for kind in set(examined.modalities(side))}
    return [str(one) for one, kind in zip(examined.ids(side), examined.modalities(side), strict=True) if has[kind]]


def contexts(examined: Examined, side: str, modality: str) -> dict[str, int]:
    """A number for each item that has this medium: items are duplicates only if theirs is the same.

    0 where the medium is alone; a number of the text where there is one beside it; one of its own where there are
    other media as well, because they are not compared.
    """
    found: dict[str, int] = {}
    texts: dict[str, str] = {}
    for position, identifier in enumerate(ids_with(examined, side, modality)):
        kind = examined.modalities(side)[examined.rows(side)[identifier]]
        if kind == modality:
            found[identifier] = 0
        elif set(kind.split("+")) == {"text", modality}:
            texts = texts or dict(zip(*examined.texts(side, mixed=True), strict=True))
            digest = hashlib.sha256(normalised(texts.get(identifier, "")).encode()).digest()
            found[identifier] = 1 + int.from_bytes(digest[:7], "little")
        else:
            found[identifier] = -1 - position
    return found


def media_of(examined: Examined, side: str, modality: str, identifier: str) -> bytes:
    """The encoded bytes of one medium, read anew."""
    row = examined.collection.side(side).with_format(None)[examined.rows(side)[identifier]]
    data: bytes = (row[modality] or {}).get("bytes") or b""
    return data


def digest_of(*parts: bytes | np.ndarray) -> str:
    """128 bits of SHA-256 over decoded content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return digest.hexdigest()[:32]
