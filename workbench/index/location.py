"""Where the tables of the indexes lie: in the workspace, or in any place LanceDB can reach, by changing one setting.

    WORKBENCH_INDEX_URI               a folder, file:///…, s3://BUCKET/PREFIX, gs://…, az://…; without it the workspace
    WORKBENCH_INDEX_STORAGE_OPTIONS   what LanceDB needs to reach it, as a JSON object; or the usual AWS_… variables

A place may serve several workspaces: each has a folder of its own there, named by an id that is made once and kept in
index/place.json. The list of indexes, registry.json, and the locks stay in the workspace, so one workspace at a time
writes. The options hold secrets: they are read from the environment whenever they are needed, never written down, and
taken out of whatever an engine says when it fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, disk_full_in_words, is_disk_full, read_json, write_json

URI, OPTIONS = "WORKBENCH_INDEX_URI", "WORKBENCH_INDEX_STORAGE_OPTIONS"
CACHE_BYTES = 1 << 28
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AZURE_STORAGE_KEY")
# The part of a place's answer that says why, as S3 and the engine write it.
REASONS = (r"<Code>(\w+)</Code>", r'ConnectError\("[^"]*", [^,]*, .*?message: \\?"([^"\\]+)', r"Valid schemes: .*")


@dataclass(frozen=True)
class Location:
    """One place for tables. `folder` is None where it is not on a disk of this machine."""

    uri: str
    folder: Path | None
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def connect(self) -> Any:
        """The LanceDB database there, with bounded caches. Thread-safe. Raises WorkbenchError for a strange address."""
        import lancedb

        session = lancedb.Session(index_cache_size_bytes=CACHE_BYTES, metadata_cache_size_bytes=CACHE_BYTES)
        with self.in_words():
            return lancedb.connect(self.uri, session=session, storage_options=self.options or None)

    def names(self) -> list[str]:
        """The names of all tables there, whole or torn."""
        if self.folder is not None:
            return sorted(path.name.removesuffix(".lance") for path in self.folder.glob("*.lance"))
        database, found, token = self.connect(), [], None
        with self.in_words():
            while True:
                page = database.list_tables(page_token=token)
                found += page.tables
                token = page.page_token
                if not token:
                    return sorted(found)

    def is_there(self, table: str) -> bool:
        """Whether anything of a table is there."""
        return table in self.names() if self.folder is None else self._path(table).is_dir()

    def drop(self, table: str) -> None:
        """Delete a table, torn or whole; nothing where there is none."""
        if self.folder is None:
            with self.in_words():
                self.connect().drop_table(table, ignore_missing=True)
            return
        folder = self._path(table)
        # Without its versions nobody opens it any more, should the deletion itself be cut short.
        shutil.rmtree(folder / "_versions", ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)

    def bytes_of(self, table: str) -> int:
        """Bytes that a table takes: of its files, or, in a place without them, as the engine counts them."""
        if self.folder is None:
            with self.in_words():
                return int(self.connect().open_table(table).stats()["total_bytes"])
        return sum(path.stat().st_size for path in self._path(table).rglob("*") if path.is_file())

    def last_written(self, table: str) -> float:
        """When a table was last written to, in seconds since the epoch; 0 if that cannot be said."""
        if self.folder is None:
            with self.in_words():
                return float(self.connect().open_table(table).list_versions()[-1]["timestamp"].timestamp())
        folder = self._path(table)
        return max((path.stat().st_mtime for path in (folder, folder / "_versions") if path.exists()), default=0.0)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Say in words, and without a secret, why a place that is not a folder does not answer."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            if self.folder is not None:
                raise
            raise WorkbenchError(
                f"The place {self.uri}, where {URI} says that indexes lie, does not answer as it should: "
                f"{reason(self.without_secrets(str(error)))}. Look at {URI} and {OPTIONS}."
            ) from None  # the engine's own error would show in a report what was taken out of it

    def without_secrets(self, words: str) -> str:
        """The words with every value of the options, and of the variables that hold keys, left out."""
        secrets = {*self.options.values(), *(os.environ.get(name, "") for name in SECRET_VARIABLES)}
        for secret in sorted((one for one in secrets if len(one) > 3 and one not in self.uri), key=len, reverse=True):
            words = words.replace(secret, "…")
        return words

    def _path(self, table: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{table}.lance"


def location(workspace: Workspace) -> Location:
    """Where the tables of this workspace lie. Raises WorkbenchError if the settings cannot be understood."""
    uri = os.environ.get(URI, "").strip()
    if not uri:
        return Location(str(workspace.index), workspace.index)
    parts = urlsplit(uri)
    if parts.username or parts.password or parts.query:
        raise WorkbenchError(
            f"{URI} holds a login or a key. Take it out, and give it in {OPTIONS}, which is written down nowhere."
        )
    own = f"{uri.rstrip('/')}/{_own_name(workspace)}"
    if len(parts.scheme) > 1 and parts.scheme != "file":  # one letter is a drive
        return Location(own, None, _options())
    folder = Path(unquote(urlsplit(own).path) if parts.scheme == "file" else own).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"The folder {folder} of {URI} cannot be made: {error.strerror}.") from error
    return Location(str(folder), folder)


def files_gone(workspace: Workspace, name: str) -> WorkbenchError:
    """What to say of an index that its list names and whose files are not where indexes lie."""
    said = f"The files of the index “{name}” are gone from {location(workspace).uri}. Build it again"
    return WorkbenchError(f"{said}, or set {URI} to where they are." if os.environ.get(URI) else f"{said}.")


def check_place(workspace: Workspace) -> None:
    """Raise WorkbenchError, naming the place, if an index could not be written there. Called before a build begins.

    Each commit of LanceDB's renames a file, and in a folder gives one a second name, so that of two writers one finds
    its number taken. Some file systems (FUSE, exFAT, network drives) do not know how.
    """
    place = location(workspace)
    if place.folder is not None:
        _probe_folder(place.folder)
        return
    import pyarrow as pa

    name = f"probe.{uuid.uuid4().hex[:12]}"
    with place.in_words():
        database = place.connect()
        database.create_table(name, schema=pa.schema([pa.field("probe", pa.int8())]))
        database.drop_table(name)


def _probe_folder(folder: Path) -> None:
    """Write a file, rename it, and give it a second name."""
    doing = "be written to"
    with disk_full_in_words(folder):
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=f".probe-{os.getpid()}-") as made:
                first, second, third = (Path(made) / name for name in ("first", "second", "third"))
                first.write_bytes(b"probe")
                doing = "rename a file"
                os.rename(first, second)
                doing = "give a file a second name (a hard link)"
                os.link(second, third)
        except OSError as error:
            if is_disk_full(error):
                raise
            raise WorkbenchError(
                f"The folder {folder} cannot {doing} ({error.strerror}), so no index can be kept there: each change of "
                f"an index needs it. Set {URI} to a folder on a disk of this computer, or move the workspace to one."
            ) from error


def sweep_probes(workspace: Workspace) -> None:
    """Delete what probes of processes that were killed have left."""
    import psutil

    folder = location(workspace).folder
    for left in folder.glob(".probe-*-*") if folder is not None else ():
        number = left.name.split("-")[1]
        if not (number.isdigit() and psutil.pid_exists(int(number))):
            shutil.rmtree(left, ignore_errors=True)


def reason(words: str) -> str:
    """The part of an engine's long error that says why, else its beginning."""
    for pattern in REASONS:
        if found := re.search(pattern, words):
            return found[found.lastindex or 0].strip().rstrip(".")
    return " ".join(words.split())[:200].rstrip(". ")


def _options() -> dict[str, str]:
    told = os.environ.get(OPTIONS, "").strip()
    try:
        options = json.loads(told or "{}")
    except ValueError:
        options = None
    if not isinstance(options, dict):
        # What it holds is not shown: it is meant to be secret.
        raise WorkbenchError(f'{OPTIONS} is no JSON object. Write for example {{"region": "eu-central-1"}}.')
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in options.items()}


def _own_name(workspace: Workspace) -> str:
    """The name of this workspace's folder in a place that may serve several."""
    path = workspace.index / "place.json"
    found = read_json(path)
    if found is None:
        with FileLock(workspace.locks / "place.lock"):
            found = read_json(path)
            if found is None:
                found = {"id": uuid.uuid4().hex[:12]}
                write_json(path, found)
    return str(found["id"])
