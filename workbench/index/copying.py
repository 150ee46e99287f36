"""A table made of another one at once, so that it can be changed while the other goes on answering."""

from __future__ import annotations

import os
import shutil

from workbench.index.location import location
from workbench.index.table import SCAN_ROWS, table_folder
from workbench.workspace import Workspace


def copy_table(workspace: Workspace, table: str, copy: str) -> None:
    """Make a table of its own of a published one, at once: its files are never written again, so both share them.

    What the copy is changed by goes into files of its own. A copy that a kill cut short cannot be opened: the folder
    that says which versions there are gets its name last. In a place without files the rows are written again, in one
    commit.
    """
    place = location(workspace)
    if place.folder is None:
        with place.in_words():
            database = place.connect()
            rows = database.open_table(table)
            database.create_table(copy, schema=rows.schema).add(rows.search().to_batches(SCAN_ROWS))
        return
    source, target = table_folder(workspace, table), table_folder(workspace, copy)
    shutil.copytree(source, target, copy_function=_share, ignore=shutil.ignore_patterns("_versions", "_refs"))
    unfinished = target / "_versions.part"
    shutil.copytree(source / "_versions", unfinished, ignore=shutil.ignore_patterns("*.json"))
    unfinished.rename(target / "_versions")


def _share(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has links.
        shutil.copy2(source, target)
