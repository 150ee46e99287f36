"""What is brought: uploaded files, pasted rows or a data set of the Hub, as the widgets say it; ready to be imported.

What has no file of its own is written below the workspace's ``uploads``, under a name made from its content, so that
the same thing is there once however often it is looked at; what is older than two days and unused is swept away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import jobs
from workbench.collection.hub import preview_dataset
from workbench.collection.pasting import save_paste
from workbench.collection.reading import Preview, preview_source
from workbench.workspace import Workspace, disk_full_in_words, propose_name

WAYS = {"upload": "Upload files", "paste": "Paste rows", "hub": "From the Hub"}

FILES = "file"  # what each of several files is called
KEPT_SECONDS = 2 * 86_400.0


@dataclass(frozen=True)
class Brought:
    """One thing to be imported. `way` is one of WAYS and says which of the others counts."""

    way: str = "upload"
    files: tuple[str, ...] = ()
    text: str = ""
    repo: str = ""
    config: str = ""
    split: str = ""

    @classmethod
    def of(cls, way: str, files: Sequence[str] | str | None, text: str, repo: str, config: str, split: str) -> Brought:
        """From the values of the widgets."""
        listed = (files,) if isinstance(files, str) else tuple(files or ())
        return cls(way, listed, text or "", (repo or "").strip(), (config or "").strip(), (split or "").strip())

    def __bool__(self) -> bool:
        return bool({"upload": self.files, "paste": self.text.strip(), "hub": self.repo}.get(self.way))

    def preview(self, workspace: Workspace) -> Preview:
        """Its first rows. Raises WorkbenchError if it cannot be read."""
        if self.way == "hub":
            return preview_dataset(self.repo, self.config, self.split)
        return preview_source(self.path(workspace))

    def source(self, workspace: Workspace, most_rows: int = 0) -> dict[str, Any]:
        """What the spec of an import job says of where the rows are; of a data set of the Hub so many, 0 for all."""
        if self.way == "hub":
            return {"hub": {"repo": self.repo, "config": self.config, "split": self.split, "rows": most_rows}}
        return {"source": str(self.path(workspace))}

    def path(self, workspace: Workspace) -> Path:
        """The file, or the folder of several files; pasted rows as a table."""
        if self.way == "upload" and len(self.files) == 1:
            return Path(self.files[0])
        folder = workspace.uploads
        told = self.text if self.way == "paste" else "\n".join(self.files)
        final = folder / hashlib.sha256(f"{self.way}\n{told}".encode("utf-8", "replace")).hexdigest()[:16]
        named = final / FILES
        if not final.exists():
            folder.mkdir(exist_ok=True)
            sweep(workspace)
            aside = Path(tempfile.mkdtemp(dir=folder, prefix="."))
            with disk_full_in_words(folder):
                if self.way == "paste":
                    save_paste(self.text, aside)
                else:
                    _gather(self.files, aside / FILES)
            with suppress(OSError):  # another tab was quicker: it is the same
                aside.rename(final)
        os.utime(final)
        return next(final.rglob("pasted.*")) if self.way == "paste" else named

    def proposed_name(self, taken: set[str]) -> str:
        """A free name for the collection."""
        if self.way == "hub":
            return propose_name(self.repo.rpartition("/")[2], taken)
        if self.way == "paste":
            return propose_name("pasted", taken)
        return propose_name(Path(self.files[0]).stem if len(self.files) == 1 else "files", taken)


def sweep(workspace: Workspace) -> None:
    """Remove what was brought days ago and no import needs any more."""
    working = [str(job.spec.get("source", "")) for job in jobs.list_jobs(workspace) if job.status().state != "finished"]
    for path in workspace.uploads.iterdir():
        old = time.time() - path.stat().st_mtime > KEPT_SECONDS
        if old and not any(source.startswith(str(path)) for source in working):
            shutil.rmtree(path, ignore_errors=True)


def _gather(files: Sequence[str], folder: Path) -> None:
    """Put files beside each other, without copying where that is possible; equal names go into folders of their own."""
    folder.mkdir()
    for number, file in enumerate(files, start=1):
        source = Path(file)
        target = folder / source.name
        if target.exists():
            target = folder / str(number) / source.name
            target.parent.mkdir()
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
