"""Take a collection away: as Parquet in MTEB's retrieval layout, or as a ZIP of a CSV and the media it names.

An export is written aside and renamed when it is whole. One that is there already is replaced; anything else that
bears its name is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.collection.csv_export import write_csv_zip
from workbench.collection.parquet_export import write_parquet_layout
from workbench.collection.store import Card, Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, disk_full_in_words

FORMS = {"mteb": "Parquet in MTEB's retrieval layout", "csv": "a ZIP of pairs.csv and the media"}
ABOUT = "workbench.json"
Progress = Callable[[int, int, str], None]


def export_collection(
    workspace: Workspace, name: str, form: str = "mteb", to: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the collection `name` as `mteb` (a folder) or `csv` (a ZIP).

    to: the folder to make (mteb), or the .zip, or the folder to put it in (csv); by default in the workspace's exports.
    progress: called with the rows written, the rows in all and a note.
    Returns {"collection", "form", "path", "bytes", "files", "queries", "documents", "judgements", "notes"}; the notes
    say what this form cannot hold. Raises WorkbenchError if there is no such collection, if something is in the way
    that no export wrote, or if the disk is full.
    """
    if form not in FORMS:
        raise WorkbenchError(f"“{form}” is no form of an export. Choose {' or '.join(FORMS)}.")
    collection = open_collection(workspace, name)
    if form == "csv" and not collection.card.counts["train"] + collection.card.counts["eval"]:
        raise WorkbenchError(f"“{name}” has no pairs yet, so a table of pairs would be empty. Choose the Parquet form.")
    final = _final_path(workspace, name, form, to)
    step = _Steps(collection.card, progress)
    about = json.dumps(_about(collection, form), ensure_ascii=False, indent=1)
    notes: list[str] = []
    with _only_one(workspace, final), _replaced(final) as path:
        if form == "mteb":
            path.mkdir()
            write_parquet_layout(collection, path, step)
            (path / ABOUT).write_text(about, encoding="utf-8")
        else:
            notes = write_csv_zip(collection, path, about, step)
    step.done()
    files = [final] if final.is_file() else [file for file in final.rglob("*") if file.is_file()]
    counts = collection.card.counts
    return {
        "collection": name,
        "form": form,
        "path": str(final),
        "bytes": sum(file.stat().st_size for file in files),
        "files": len(files),
        "queries": counts["queries"],
        "documents": counts["documents"],
        "judgements": {split: counts[split] for split in ("train", "eval")},
        "notes": notes,
    }


def run_export(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an export job. Its spec: collection, form, and to (a path) if it goes elsewhere than exports."""
    spec = job.spec
    to = Path(spec["to"]) if spec.get("to") else None
    return export_collection(workspace, spec["collection"], str(spec.get("form") or "mteb"), to, job.progress)


def _final_path(workspace: Workspace, name: str, form: str, to: Path | None) -> Path:
    if form == "mteb":
        return to.absolute() if to else workspace.exports / f"{name}-mteb"
    if to is None:
        return workspace.exports / f"{name}-csv.zip"
    return to.absolute() if to.suffix.lower() == ".zip" else to.absolute() / f"{name}-csv.zip"


def _about(collection: Collection, form: str) -> dict[str, Any]:
    card = collection.card
    return {
        "export": form,
        "collection": card.name,
        "fingerprint": card.fingerprint,
        "labels": card.labels,
        "split": card.split,
        "created": time.time(),
    }


@contextmanager
def _only_one(workspace: Workspace, final: Path) -> Iterator[None]:
    """One export at a time to one place, of whichever collection."""
    from filelock import FileLock, Timeout

    place = hashlib.sha256(os.fsencode(os.path.realpath(final))).hexdigest()[:16]
    try:
        with FileLock(workspace.locks / f"export-{place}.lock", timeout=0):
            yield
    except Timeout:
        raise WorkbenchError(f"An export to “{final}” is being written right now. Wait until it is done.") from None


@contextmanager
def _replaced(final: Path) -> Iterator[Path]:
    """A path that does not exist yet, put in the place of `final` when it is whole."""
    _check_free(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final)
        aside = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
    except OSError as error:
        raise WorkbenchError(f"“{final.parent}” cannot be written: {error.strerror}. Choose another folder.") from error
    try:
        with disk_full_in_words(final.parent):
            yield aside / "new"
            _check_free(final)
            if final.exists():
                final.rename(aside / "old")
            (aside / "new").rename(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_free(final: Path) -> None:
    """Raise WorkbenchError if `final` is there and is no earlier export, or holds what no export wrote."""
    if not os.path.lexists(final):
        return
    if final.is_dir() and not final.is_symlink():
        strangers = [path for path in sorted(final.rglob("*")) if path.is_file() and not _is_ours(path, final)]
        if not strangers and ((final / ABOUT).is_file() or not any(final.iterdir())):
            return
        found = f", “{strangers[0].relative_to(final)}” for one" if strangers else ""
        raise WorkbenchError(
            f"“{final}” is there already and holds files that no export wrote{found}. Choose another folder."
        )
    if final.suffix == ".zip" and final.is_file() and _is_our_zip(final):
        return
    raise WorkbenchError(f"“{final}” is there already, and no export wrote it. Choose another name.")


def _is_ours(path: Path, final: Path) -> bool:
    name = path.relative_to(final).as_posix()
    return name in ("README.md", ABOUT) or bool(
        re.fullmatch(r"(corpus/corpus|queries/queries)-\d{5}\.parquet|qrels/(train|test)\.parquet", name)
    )


def _is_our_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "export" in json.loads(archive.read(ABOUT))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        return False


def _sweep(final: Path) -> None:
    """Remove what killed exports to this path left behind, each a folder with mkdtemp's eight characters.

    To be called with the lock of the path held, so that no export is at work in one of them.
    """
    leftover = re.compile(re.escape(f".{final.name}.") + r"[a-z0-9_]{8}")
    for path in final.parent.iterdir():
        if leftover.fullmatch(path.name) and path.is_dir() and {child.name for child in path.iterdir()} <= {"new"}:
            shutil.rmtree(path, ignore_errors=True)


class _Steps:
    """Counts the rows written and tells how far the export is."""

    def __init__(self, card: Card, progress: Progress | None) -> None:
        self._total, self._written, self._progress = card.rows, 0, progress

    def __call__(self, rows: int) -> None:
        self._written += rows
        if self._progress:
            self._progress(min(self._written, self._total), self._total, "Writing the export")

    def done(self) -> None:
        if self._progress:
            self._progress(self._total, self._total, "Written")
