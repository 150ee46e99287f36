"""The files of an upload, from a folder or a ZIP, read one at a time and never from outside it.

A ZIP is checked as a whole before anything in it is read: names that point outside, links, passwords, and sizes
that only a bomb has. Nothing is unpacked to disk.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from workbench.errors import WorkbenchError

MAX_MEMBERS = 1_000_000
MAX_FILE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 50 << 30
RATIO_CHECKED_ABOVE_BYTES = 200 << 20
MAX_RATIO = 100  # pictures, sounds and videos hardly shrink in a ZIP, tables of text about tenfold


# What zipfile raises on damaged archives: besides its own error, those of the decoders and of its arithmetic.
_DAMAGE: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
_DAMAGE += (EOFError, OSError, ValueError, IndexError, OverflowError, RuntimeError)


class Files(Protocol):
    """A set of files by name. Names are relative, with forward slashes.

    `missing_advice` goes on after "the picture “cat.png”".
    """

    missing_advice: str

    def names(self) -> list[str]: ...

    def find(self, name: str, folder: str = "") -> str | None:
        """The full name of the file a table in `folder` calls `name`; None if it is not there.

        Raises WorkbenchError, in words without a row number, if `name` points outside the upload.
        """
        ...

    def open(self, name: str) -> BinaryIO: ...

    def read(self, name: str) -> bytes: ...

    def size(self, name: str) -> int:
        """Unpacked size in bytes."""
        ...


class FolderFiles:
    """The files below one folder of the disk. Links that lead out of it are as good as absent.

    So are files whose name is not UTF-8; `names` lists them all the same, so that they can be told.
    """

    missing_advice = "is not in the folder of the table. Add it there, or upload a ZIP of both, or remove the row."

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._names: list[str] | None = None

    def names(self) -> list[str]:
        """Every file below the folder, sorted, without hidden ones. Links to folders are not followed."""
        if self._names is None:
            found = []
            for folder, subfolders, files in os.walk(self.root):
                subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
                here = Path(folder).relative_to(self.root)
                found += [(here / name).as_posix() for name in files if not _is_hidden(name)]
                if len(found) > MAX_MEMBERS:
                    raise WorkbenchError(
                        f"The folder “{self.root.name}” holds more than {MAX_MEMBERS:,} files. Import a smaller one."
                    )
            self._names = sorted(found)
        return self._names

    def find(self, name: str, folder: str = "") -> str | None:
        relative = safe_name(name)
        for start in dict.fromkeys((folder, "")):
            for form in dict.fromkeys((relative, unicodedata.normalize("NFD", relative))):
                candidate = f"{start}/{form}" if start else form
                if self._inside(candidate) is not None:
                    return candidate
        return None

    def open(self, name: str) -> BinaryIO:
        path = self._inside(name)
        if path is None:
            raise FileNotFoundError(name)
        return open(path, "rb")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            data = file.read(MAX_FILE_BYTES + 1)
        check_file_size(name, len(data))
        return data

    def size(self, name: str) -> int:
        path = self._inside(name)
        return path.stat().st_size if path else 0

    def _inside(self, name: str) -> Path | None:
        try:
            path = (self.root / name).resolve()
            return path if is_storable(name) and path.is_relative_to(self.root) and path.is_file() else None
        except (OSError, ValueError, RuntimeError):  # a name too long, with a NUL, or links in a circle
            return None


class ZipFiles:
    """The members of a ZIP that has been found safe. Raises WorkbenchError if it is not, or is damaged."""

    missing_advice = "is not in the upload. Add it to the ZIP, or remove the row."

    def __init__(self, path: Path) -> None:
        self.label = path.name
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise WorkbenchError(
                f"“{path.name}” is damaged, or only part of it was uploaded. Make the ZIP again, or upload it again."
            ) from error
        try:
            self._members = self._checked_members(max(1, path.stat().st_size))
        except BaseException:
            self._zip.close()
            raise
        self._by_base: dict[str, list[str]] = {}
        for name in self._members:
            self._by_base.setdefault(name.rsplit("/", 1)[-1], []).append(name)

    def names(self) -> list[str]:
        return sorted(self._members)

    def find(self, name: str, folder: str = "") -> str | None:
        relative = safe_name(name)
        for start in dict.fromkeys((folder, "")):
            candidate = f"{start}/{relative}" if start else relative
            if candidate in self._members:
                return candidate
        # Tables often give bare file names while the files lie in a subfolder.
        same = self._by_base.get(relative, []) if "/" not in relative else []
        return same[0] if len(same) == 1 else None

    def open(self, name: str) -> BinaryIO:
        try:
            return io.BufferedReader(_WordyMember(self._zip.open(self._members[name]), name), 1 << 16)
        except _DAMAGE as error:
            raise _damaged(name) from error

    def read(self, name: str) -> bytes:
        check_file_size(name, self._members[name].file_size)
        with self.open(name) as file:
            # One byte more than declared shows a member that lies about its size.
            data = file.read(self._members[name].file_size + 1)
        check_file_size(name, len(data))
        return data

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def _checked_members(self, packed_bytes: int) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        entries = self._zip.infolist()
        if len(entries) > MAX_MEMBERS:
            raise WorkbenchError(
                f"“{self.label}” holds {len(entries):,} files; the limit is {MAX_MEMBERS:,}. Cut it up."
            )
        unpacked = sum(entry.file_size for entry in entries)
        bomb = unpacked > RATIO_CHECKED_ABOVE_BYTES and unpacked > MAX_RATIO * packed_bytes
        if unpacked > MAX_UNPACKED_BYTES or bomb:
            raise WorkbenchError(
                f"“{self.label}” would unpack to {unpacked / 1e9:,.1f} GB from {packed_bytes / 1e6:,.1f} MB; "
                f"the limits are {MAX_UNPACKED_BYTES / 1e9:,.0f} GB and {MAX_RATIO} times its size. "
                "Upload fewer or smaller files."
            )
        for entry in entries:
            self._check_entry(entry)
            name = unicodedata.normalize("NFC", entry.filename.replace("\\", "/"))
            if not entry.is_dir() and not any(_is_hidden(part) for part in name.split("/")):
                members[name.removeprefix("./")] = entry
        return members

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        shown = _shown(entry.filename)
        try:
            safe_name(entry.filename.rstrip("/\\") or ".")
        except WorkbenchError:
            raise WorkbenchError(
                f"“{self.label}” holds “{shown}”, a name that points outside the ZIP. "
                "Nothing was read. Make the ZIP again from the folder itself."
            ) from None
        mode = entry.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise WorkbenchError(
                f"“{self.label}” holds “{shown}”, which is a link and not a file. "
                "Nothing was read. Put the file itself into the ZIP."
            )
        if entry.flag_bits & 0x1:
            raise WorkbenchError(f"“{self.label}” is protected with a password. Make the ZIP again without one.")


class _WordyMember(io.RawIOBase):
    """A ZIP member whose damage is told in words."""

    def __init__(self, member: IO[bytes], name: str) -> None:
        self._member, self._name = member, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._member.read(len(buffer))
        except _DAMAGE as error:
            raise _damaged(self._name) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._member.close()
        super().close()


def safe_name(name: str) -> str:
    """A relative file name with forward slashes in Unicode's composed form, as both kinds of `Files` keep it.

    Raises WorkbenchError (no row number) for an absolute name, a web address, or one with `..` in it.
    """
    plain = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:", plain):
        raise WorkbenchError(
            f"“{_shown(name)}” is a web address, and the workbench downloads nothing by itself. "
            "Put the file beside the table, and its relative path into the cell."
        )
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    outside = ".." in parts or plain.startswith("/") or re.match(r"[A-Za-z]:", plain)
    if outside or "\0" in plain:
        raise WorkbenchError(
            f"“{_shown(name)}” points outside the upload, so it was not opened. "
            "Put the file beside the table, and its relative path into the cell."
        )
    return "/".join(parts)


def check_file_size(name: str, size: int) -> None:
    """Raise WorkbenchError if one file is larger than MAX_FILE_BYTES."""
    if size > MAX_FILE_BYTES:
        raise WorkbenchError(
            f"“{_shown(name)}” is larger than {MAX_FILE_BYTES >> 30} GB. Make it smaller, or cut it up."
        )


def _damaged(name: str) -> WorkbenchError:
    return WorkbenchError(f"“{_shown(name)}” is damaged in the ZIP. Make the ZIP again.")


def _is_hidden(part: str) -> bool:
    return (part.startswith(".") and part not in (".", "..")) or part in ("__MACOSX", "Thumbs.db", "desktop.ini")


def is_storable(name: str) -> bool:
    """Whether a file name is UTF-8, and no other bytes that the disk allows."""
    return storable(name) == name


def storable(words: str) -> str:
    """Words that may hold a file name, as they can be shown and stored: what is no UTF-8 becomes question marks."""
    return words.encode("utf-8", "replace").decode()


def _shown(name: str) -> str:
    return storable(name if len(name) <= 120 else name[:117] + "…")
