"""Open one Arrow table of a collection, from any thread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def read_table(folder: Path) -> Dataset:
    """The table in a folder that ``datasets.save_to_disk`` or `writing.TableWriter` wrote, mapped into memory.

    As `datasets.load_from_disk`, which for each opening draws a progress bar, seen or not, and so waits for the lock
    that all bars of a process share: one thread that leaves it locked stops all others that open a collection.
    Raises FileNotFoundError where there is none.
    """
    from datasets import Dataset, DatasetInfo, Split
    from datasets.table import MemoryMappedTable, concat_tables

    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    files = [folder / one["filename"] for one in state["_data_files"]]
    return Dataset(
        arrow_table=concat_tables([MemoryMappedTable.from_file(str(file)) for file in files]),
        info=DatasetInfo.from_directory(str(folder)),
        split=Split(state["_split"]) if state.get("_split") else None,
        fingerprint=state["_fingerprint"],
    )
