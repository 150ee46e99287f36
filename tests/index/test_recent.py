"""The cache: bounded, and each thing made once however many threads ask."""

from __future__ import annotations

import threading
import time

import pytest

from workbench.index.recent import Recent


def test_the_least_recently_used_goes_first() -> None:
    kept: Recent[str] = Recent(2)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda key=key: key)  # type: ignore[misc]
    made: list[str] = []
    for key in ("a", "c", "b"):
        kept.get(key, lambda key=key: made.append(key) or key)  # type: ignore[misc,func-returns-value]
    assert made == ["b"]


def test_values_may_weigh_and_the_newest_stays_whatever_it_weighs() -> None:
    kept: Recent[bytes] = Recent(10, weigh=len)
    kept.get("small", lambda: b"1234")
    kept.get("other", lambda: b"1234")
    assert len(kept) == 2
    kept.get("huge", lambda: bytes(100))
    assert len(kept) == 1
    assert kept.get("huge", lambda: b"") == bytes(100)


def test_many_threads_that_ask_at_once_make_it_once() -> None:
    kept: Recent[object] = Recent(3)
    made: list[int] = []

    def make() -> object:
        time.sleep(0.05)
        made.append(1)
        return object()

    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("model", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, found))) == 1


def test_what_could_not_be_made_is_tried_again() -> None:
    kept: Recent[str] = Recent(3)
    with pytest.raises(OSError):
        kept.get("model", lambda: (_ for _ in ()).throw(OSError("no network")))
    assert kept.get("model", lambda: "now it is there") == "now it is there"
