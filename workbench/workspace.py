"""The folder on disk that holds everything: collections, runs, jobs, indexes, evaluations.

All state that matters lives here and is read from here, so that it survives a refresh, a second browser
tab and a restart of the app. No other module builds these paths, and none of them comes from a user's text.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

SCHEMA_VERSION = 1
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(name: str, noun: str = "name") -> str:
    """Return `name` if it may name a thing on disk, else raise WorkbenchError saying what is allowed."""
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        shown = str(name)[:80]
        raise WorkbenchError(
            f"“{shown}” cannot be the name of a {noun}. Use 1 to 64 small letters a–z, digits, dots, "
            "dashes or underscores, beginning with a letter or a digit."
        )
    return name


def propose_name(text: str, taken: set[str] | None = None) -> str:
    """A valid name made from any text, with a number behind it where it is `taken`. Of a file, give the stem."""
    base = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:56].rstrip("-._") or "data"
    name, number = base, 2
    while taken and name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON under a temporary name and rename it, so that no reader sees half of it."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None if there is no such file, or a file where its folder should be."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `final`, renamed to it on success and removed on any failure.

    Raises WorkbenchError if `final` exists already, or when the disk is full.
    """
    if final.exists():
        raise WorkbenchError(f"There is already something named “{final.name}”. Choose another name, or remove it.")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
    try:
        with disk_full_in_words(final.parent):
            yield temporary
            os.replace(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def disk_full_in_words(where: Path) -> Iterator[None]:
    """Turn "no space left on device", however a library wraps it, into a sentence that says what to do."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise WorkbenchError(
                f"The disk that holds {where} is full, so this was not saved. "
                "Free some space (old runs are the largest), then start it again."
            ) from error
        raise


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or any error it came from, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error) or "os error 28" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


@dataclass(frozen=True)
class Workspace:
    """The paths of one workspace. Make one with `open_workspace`."""

    root: Path

    @property
    def collections(self) -> Path:
        return self.root / "collections"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def evaluations(self) -> Path:
        return self.root / "evaluations"

    @property
    def fits(self) -> Path:
        """What dry runs have measured."""
        return self.root / "fits"

    @property
    def models(self) -> Path:
        """Models that were joined here."""
        return self.root / "models"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def queue(self) -> Path:
        """What the user has laid down for the queue of jobs."""
        return self.root / "queue.json"

    def collection(self, name: str) -> Path:
        return self.collections / check_name(name, "collection")

    def run(self, name: str) -> Path:
        return self.runs / check_name(name, "run")

    def job(self, name: str) -> Path:
        return self.jobs / check_name(name, "job")

    def evaluation(self, name: str) -> Path:
        return self.evaluations / f"{check_name(name, 'evaluation')}.json"


def open_workspace(root: str | Path | None = None) -> Workspace:
    """Open the workspace at `root`, making it if it is new.

    Without `root`: $WORKBENCH_WORKSPACE, else the Space's persistent volume if there is one, else ./workspace.
    Raises WorkbenchError if the folder cannot be written or was made by a newer version.
    """
    path = Path(root or os.environ.get("WORKBENCH_WORKSPACE") or default_root()).expanduser().absolute()
    workspace = Workspace(path)
    try:
        for folder in (
            workspace.collections,
            workspace.runs,
            workspace.jobs,
            workspace.index,
            workspace.evaluations,
            workspace.exports,
            workspace.locks,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        card = read_json(path / "workspace.json")
        if card is None:
            write_json(path / "workspace.json", {"schema": SCHEMA_VERSION})
    except (OSError, ValueError) as error:
        raise WorkbenchError(
            f"The workspace {path} cannot be used: {error}. Choose another folder with --workspace."
        ) from error
    schema = SCHEMA_VERSION if card is None else card.get("schema")
    if schema != SCHEMA_VERSION:
        raise WorkbenchError(
            f"The workspace {path} has format {schema}, and this version reads format {SCHEMA_VERSION}. "
            "Update the workbench, or choose another folder with --workspace."
        )
    return workspace


def default_root() -> Path:
    """Where the workspace lies when nobody says: a Space's attached volume, else ./workspace."""
    volume = Path("/data")
    if os.environ.get("SPACE_ID") and volume.is_dir() and os.access(volume, os.W_OK):
        return volume / "workspace"
    return Path("workspace")
