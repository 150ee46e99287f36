"""Each item encoded once: the vectors of a collection by one model, cached in memory-mapped files.

    evaluations/vectors/<model fingerprint>-<collection fingerprint>/
        corpus-document-<rows>.npy        finished: float32 (rows, dimension)
        corpus-document-<rows>.part.npy   being written, in chunks; …part.json says how many rows are done

A file gets its name only when it is whole. What cannot be used is made again; what was begun is continued.

A model whose query and document sides are alike (`asymmetric` is false) gives an item one vector, whichever side of a
direction it stands on. A model that treats them differently (prompts, or a route for each) encodes what is asked
with as queries and what is searched as documents, so an item that stands on both sides is encoded as each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout

from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import HeldOut
from workbench.models.items import LazyItems
from workbench.workspace import disk_full_in_words, read_json, write_json

CHUNK_ROWS = 4096
Progress = Callable[[int, int, str], None]


class EmbedderLike(Protocol):
    """What evaluation needs of an embedder; `models.Embedder` is one, and so is a toy."""

    @property
    def reference(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def dimensions(self) -> Sequence[int]: ...
    def encode_queries(
        self,
        items: Sequence[Item],
        *,
        batch_size: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray: ...
    def encode_documents(
        self,
        items: Sequence[Item],
        *,
        batch_size: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray: ...


class Vectors:
    """The vectors of some rows of both sides, looked up by side, role and row number."""

    def __init__(self, tables: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]], asymmetric: bool) -> None:
        self._tables = tables
        self._asymmetric = asymmetric

    def lookup(self, side: str, place: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The table that holds these rows, and where in it they are. `place` is `source` or `target`."""
        known, vectors = self._tables[side, role_of(side, place, self._asymmetric)]
        return vectors, np.searchsorted(known, rows)


def role_of(side: str, place: str, asymmetric: bool) -> str:
    """`query` or `document`: how an item of this side is encoded when it stands at this place of a direction."""
    if asymmetric:
        return "query" if place == "source" else "document"
    return "query" if side == "queries" else "document"


def encode_held_out(
    embedder: EmbedderLike,
    collection: Collection,
    held: HeldOut,
    *,
    names: list[str] | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Vectors:
    """Encode every item that the directions need, each once for each role, or read it from `cache`.

    Raises WorkbenchError if the model gives a vector that is not a number, or the disk is full.
    """
    asymmetric = bool(getattr(embedder, "asymmetric", False))
    needed = _rows_by_role(held, names, asymmetric)
    folder = None if cache is None else vectors_folder(cache, embedder.fingerprint, collection.fingerprint)
    if folder is not None and names is not None:
        # An earlier evaluation of all directions has these vectors among others.
        for key, rows in _rows_by_role(held, None, asymmetric).items():
            if key in needed and usable(_file(folder, *key, rows), (len(rows), embedder.dimension)) is not None:
                needed[key] = rows
    total, done = sum(map(len, needed.values())), 0
    tables = {}
    for (side, role), rows in sorted(needed.items()):

        def report(step: int, _: int = 0, before: int = done) -> None:
            if progress is not None:
                progress(before + step, total, "Encoding")

        with disk_full_in_words(folder or collection.path):
            tables[side, role] = rows, _table(embedder, collection, side, role, rows, folder, report)
        done += len(rows)
        report(0, before=done)
    return Vectors(tables, asymmetric)


def cached(folder: Path, held: HeldOut, dimension: int) -> Vectors | None:
    """The vectors of all directions as they lie in `folder`, without the model; None if any of them is gone."""
    for asymmetric in (False, True):  # the model alone knows, but the file names tell
        rows = _rows_by_role(held, None, asymmetric)
        found = {key: usable(_file(folder, *key, of), (len(of), dimension)) for key, of in rows.items()}
        tables = {key: (rows[key], one) for key, one in found.items() if one is not None}
        if len(tables) == len(rows):
            return Vectors(tables, asymmetric)
    return None


def encode_side(
    embedder: EmbedderLike,
    collection: Collection,
    side: str,
    *,
    rows: np.ndarray | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """The vectors of all items of one side (`queries` or `corpus`), each in its own role, by row; or from `cache`.

    rows: only these rows, in their order. Float32 (items, dimension), memory-mapped where there is a cache. The cache
    is kept for the items: judging them otherwise leaves it valid. Raises WorkbenchError as `encode_held_out` does.
    """
    chosen = np.arange(len(collection.side(side))) if rows is None else rows
    folder = None if cache is None else vectors_folder(cache, embedder.fingerprint, items_fingerprint(collection, side))

    def report(step: int) -> None:
        if progress is not None:
            progress(step, len(chosen), "Encoding")

    with disk_full_in_words(folder or collection.path):
        return _table(embedder, collection, side, "query" if side == "queries" else "document", chosen, folder, report)


def items_fingerprint(collection: Collection, side: str) -> str:
    """The fingerprint of the items of one side and of their order, whatever is said of them."""
    digest = hashlib.sha256(f"{collection.name}\0{collection.card.created}".encode())
    digest.update("\n".join(collection.side(side)["id"][:]).encode())
    return digest.hexdigest()[:16]


def _rows_by_role(held: HeldOut, names: list[str] | None, asymmetric: bool) -> dict[tuple[str, str], np.ndarray]:
    needed: dict[tuple[str, str], np.ndarray] = {}
    for (side, place), rows in held.rows(names).items():
        key = side, role_of(side, place, asymmetric)
        needed[key] = np.union1d(needed[key], rows) if key in needed else rows
    return needed


def _file(folder: Path, side: str, role: str, rows: np.ndarray) -> Path:
    digest = hashlib.sha256(np.ascontiguousarray(rows, dtype="<i8").tobytes()).hexdigest()[:16]
    return folder / f"{side}-{role}-{digest}.npy"


def vectors_folder(cache: Path, model_fingerprint: str, collection_fingerprint: str) -> Path:
    """Where the vectors of one model and one collection lie."""
    return cache / f"{_safe(model_fingerprint)}-{_safe(collection_fingerprint)}"


def _safe(fingerprint: str) -> str:
    if fingerprint.isalnum() and len(fingerprint) <= 64:
        return fingerprint
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:32]


def _table(
    embedder: EmbedderLike,
    collection: Collection,
    side: str,
    role: str,
    rows: np.ndarray,
    folder: Path | None,
    report: Callable[[int], None],
) -> np.ndarray:
    shape = (len(rows), embedder.dimension)
    if folder is None:
        vectors = np.empty(shape, dtype=np.float32)
        _encode(embedder, collection, side, role, rows, vectors, 0, report, None)
        return vectors
    final = _file(folder, side, role, rows)
    stored = usable(final, shape)
    if stored is not None:
        return stored
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(final.with_suffix(".lock"), timeout=0):
            _encode_to_file(embedder, collection, side, role, rows, final, report)
    except Timeout:
        # Another process encodes the same just now. Waiting could mean waiting for a model on a slow device.
        return _table(embedder, collection, side, role, rows, None, report)
    stored = usable(final, shape)
    if stored is None:
        raise WorkbenchError(f"The vectors in {folder} could not be read back. Check the disk, then try again.")
    return stored


def _encode_to_file(
    embedder: EmbedderLike,
    collection: Collection,
    side: str,
    role: str,
    rows: np.ndarray,
    final: Path,
    report: Callable[[int], None],
) -> None:
    shape = (len(rows), embedder.dimension)
    part, state = final.with_suffix(".part.npy"), final.with_suffix(".part.json")
    vectors: Any = usable(part, shape, mode="r+")
    if vectors is None:
        state.unlink(missing_ok=True)
        vectors = _new_file(part, shape)

    def keep(count: int) -> None:
        vectors.flush()
        write_json(state, {"done": count})

    _encode(embedder, collection, side, role, rows, vectors, _rows_done(state, len(rows)), report, keep)
    vectors.flush()
    part.replace(final)
    state.unlink(missing_ok=True)


def _encode(
    embedder: EmbedderLike,
    collection: Collection,
    side: str,
    role: str,
    rows: np.ndarray,
    vectors: np.ndarray,
    done: int,
    report: Callable[[int], None],
    keep: Callable[[int], None] | None,
) -> None:
    """Fill `vectors` from row `done` on, a chunk at a time, calling `keep` with the number of rows after each."""
    encode = embedder.encode_queries if role == "query" else embedder.encode_documents
    step = int(getattr(embedder, "chunk_rows", CHUNK_ROWS))  # fewer where each row is paid for
    for start in range(done, len(rows), step):
        chunk = rows[start : start + step]

        def within(more: int, _: int, before: int = start) -> None:
            report(before + more)

        report(start)
        encoded = np.asarray(encode(LazyItems(collection, side, chunk), progress=within), dtype=np.float32)
        if encoded.shape != (len(chunk), vectors.shape[1]):
            raise ValueError(f"{embedder.reference} gave {encoded.shape}, not {(len(chunk), vectors.shape[1])}")
        bad = np.flatnonzero(~np.isfinite(encoded).all(axis=1))
        if len(bad):
            raise WorkbenchError(
                f"“{embedder.reference}” gave vectors that are not numbers for {len(bad)} of {len(chunk)} items. "
                "Its training has gone wrong: train again with a lower learning rate."
            )
        vectors[start : start + len(chunk)] = encoded
        if keep is not None:
            keep(start + len(chunk))


def usable(path: Path, shape: tuple[int, int], mode: Any = "r") -> np.ndarray | None:
    """The memory-mapped array in a file, or None if there is none of this shape that can be read."""
    try:
        vectors = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float32 else None


def _new_file(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """A memory-mapped array in a new file. Its place on the disk is taken now: writing to a mapped file on a full disk
    would kill the process instead of raising an error."""
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return vectors


def _rows_done(state: Path, count: int) -> int:
    try:
        done = read_json(state)
        return int(done["done"]) if done and 0 <= int(done["done"]) <= count else 0
    except (ValueError, KeyError, TypeError):
        return 0
