"""Open one Arrow table of a collection, from any thread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset

_FIRST = threading.Lock()


def read_table(folder: Path) -> Dataset:
    """The table in a folder that ``datasets.save_to_disk`` or `writing.TableWriter` wrote.

    Raises FileNotFoundError where there is none.
    """
    from datasets import load_from_disk

    _keep_lock_of_bars()
    return load_from_disk(str(folder))


def _keep_lock_of_bars() -> None:
    """Give tqdm one lock for good.

    `load_from_disk` makes a bar, shown or not, within tqdm's `ensure_lock`, which takes the lock away from the class
    when it leaves if it found none. Another thread that was just using it then never gives it back, and every thread
    of the process that opens a collection waits for ever.
    """
    from tqdm import tqdm

    with _FIRST:
        if not hasattr(tqdm, "_lock"):
            tqdm.set_lock(threading.RLock())
