"""Arrow files as `datasets.save_to_disk` writes them, batch by batch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from workbench.collection.archive import Files
from workbench.errors import WorkbenchError


@contextmanager
def saved_batches(files: Files, name: str) -> Iterator[tuple[Any, Iterator[Any]]]:
    """The schema and the record batches of an Arrow file, mapped into memory: a batch may hold a thousand pictures."""
    import pyarrow

    with ExitStack() as stack:
        file = stack.enter_context(files.open(name))
        path = getattr(file, "name", None)
        if not isinstance(path, str):  # a member of a ZIP
            copy = stack.enter_context(tempfile.NamedTemporaryFile())
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            path = copy.name
        try:
            mapped = stack.enter_context(pyarrow.memory_map(path))
            reader = pyarrow.ipc.open_stream(mapped)
            schema = reader.schema
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise WorkbenchError(f"“{name}” is no Arrow table, or only part of one. Save or copy it again.") from error
        yield schema, iter(reader)
