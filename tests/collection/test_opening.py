"""Tables opened by many threads of one process."""

from __future__ import annotations

import threading

import pytest
from datasets.utils.tqdm import tqdm as bar_of_datasets
from tqdm import tqdm

from tests.collection.test_store import write_documents
from workbench.collection.store import open_collection
from workbench.workspace import Workspace


@pytest.fixture
def no_lock_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (bar_of_datasets, tqdm):
        if "_lock" in vars(kind):
            monkeypatch.delattr(kind, "_lock")


def test_opening_a_collection_takes_no_lock_away_that_another_thread_holds(
    workspace: Workspace, no_lock_yet: None
) -> None:
    write_documents(workspace, "words")
    assert len(open_collection(workspace, "words").corpus) == 1
    lock, opened = tqdm._lock, threading.Event()

    def open_another() -> None:
        assert len(open_collection(workspace, "words").corpus) == 1
        opened.set()

    with bar_of_datasets.get_lock():
        thread = threading.Thread(target=open_another)
        thread.start()
        assert not opened.wait(0.2), "it makes a bar, and so waits"
    thread.join(20)
    assert opened.is_set()
    assert tqdm._lock is lock and bar_of_datasets.get_lock() is lock


def test_many_threads_open_collections_at_once(workspace: Workspace, no_lock_yet: None) -> None:
    write_documents(workspace, "words")
    failed: list[BaseException] = []

    def open_some() -> None:
        try:
            for _ in range(10):
                assert len(open_collection(workspace, "words").corpus) == 1
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=open_some, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == [] and not any(thread.is_alive() for thread in threads)
