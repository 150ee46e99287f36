"""Tables opened by many threads of one process."""

from __future__ import annotations

import threading
from pathlib import Path

from datasets import Dataset, load_from_disk
from tqdm import tqdm

from tests.collection.test_store import write_documents
from workbench.collection.opening import read_table
from workbench.collection.store import open_collection
from workbench.workspace import Workspace


def test_a_table_is_what_the_library_reads(workspace: Workspace, tmp_path: Path) -> None:
    write_documents(workspace, "words")
    folder = workspace.collection("words") / "corpus"
    ours, theirs = read_table(folder), load_from_disk(str(folder))
    assert ours.features == theirs.features and ours.to_list() == theirs.to_list()
    assert ours.cache_files == theirs.cache_files, "mapped from the same file"
    Dataset.from_dict({"id": [str(number) for number in range(10)]}).save_to_disk(str(tmp_path / "many"), num_shards=3)
    assert read_table(tmp_path / "many").to_list() == load_from_disk(str(tmp_path / "many")).to_list()


def test_a_collection_opens_while_another_thread_holds_the_lock_of_all_bars(workspace: Workspace) -> None:
    write_documents(workspace, "words")
    opened = threading.Event()

    def open_it() -> None:
        assert len(open_collection(workspace, "words").corpus) == 1
        opened.set()

    with tqdm.get_lock():
        thread = threading.Thread(target=open_it, daemon=True)
        thread.start()
        assert opened.wait(30)
    thread.join(30)
